//! `anchored` and `smoothed` windows: the value at the edges comes from samples beyond them.

use super::{Edges, Rollup, Shape};
use crate::math::seconds;

/// The value at `at` on the line from `(t0, v0)` to `(t1, v1)`; a counter that fell started at zero.
fn interpolate((t0, mut v0): (i64, f64), (t1, v1): (i64, f64), at: i64, counter: bool) -> f64 {
    if counter && v1 < v0 {
        v0 = 0.0;
    }
    v0 + (v1 - v0) * (at - t0) as f64 / (t1 - t0) as f64
}

/// A smoothed instant selector: the sample at the step, or the line between its neighbours within the
/// lookback on both sides, or the one before.
pub(super) fn smoothed(shape: &Shape, t: &[i64], v: &[f64], out: &mut [f64]) {
    for (step, out) in out.iter_mut().enumerate() {
        let end = shape.end(step);
        let lo = t.partition_point(|&t| t <= end.saturating_sub(shape.lookback_ms));
        let hi = t.partition_point(|&t| t <= end.saturating_add(shape.lookback_ms));
        let i = lo + t[lo..hi].partition_point(|&t| t < end);
        if i < hi && t[i] == end {
            *out = v[i];
        } else if i > lo && i < hi {
            *out = interpolate((t[i - 1], v[i - 1]), (t[i], v[i]), end, false);
        } else if i > lo {
            *out = v[i - 1];
        }
    }
}

/// `rate`, `increase`, `delta`, `changes`, `resets` over extended windows; nothing for the others,
/// which the planner refuses.
pub(super) fn roll(rollup: Rollup, shape: &Shape, t: &[i64], v: &[f64], out: &mut [f64]) {
    let after = if shape.edges == Edges::Smoothed { shape.lookback_ms } else { 0 };
    for (step, out) in out.iter_mut().enumerate() {
        let end = shape.end(step);
        let start = end.saturating_sub(shape.window_ms);
        let lo = t.partition_point(|&t| t <= start.saturating_sub(shape.lookback_ms));
        let hi = t.partition_point(|&t| t <= end.saturating_add(after));
        if lo == hi {
            continue;
        }
        let window = Extended { t: &t[lo..hi], v: &v[lo..hi], start, end, smoothed: shape.edges == Edges::Smoothed };
        let value = match rollup {
            Rollup::Rate => window.growth(true).map(|v| v / seconds(shape.window_ms)),
            Rollup::Increase => window.growth(true),
            Rollup::Delta => window.growth(false),
            Rollup::Changes => window.events(|before, now| now != before && !(now.is_nan() && before.is_nan())),
            Rollup::Resets => window.events(|before, now| now < before),
            _ => None,
        };
        if let Some(value) = value {
            *out = value;
        }
    }
}

struct Extended<'a> {
    t: &'a [i64],
    v: &'a [f64],
    start: i64,
    end: i64,
    smoothed: bool,
}

impl Extended<'_> {
    /// The first sample that takes part: the last one at or before the start, if there is one.
    fn first(&self) -> usize {
        let last = self.t.len() - 1;
        self.t[..last].partition_point(|&t| t <= self.start).saturating_sub(1)
    }

    fn last(&self) -> usize {
        let last = self.t.len() - 1;
        if self.smoothed { self.t[..last].partition_point(|&t| t < self.end) } else { last }
    }

    fn left(&self, first: usize, counter: bool) -> f64 {
        if self.smoothed && self.t[first] < self.start && first + 1 < self.t.len() {
            interpolate((self.t[first], self.v[first]), (self.t[first + 1], self.v[first + 1]), self.start, counter)
        } else {
            self.v[first]
        }
    }

    fn right(&self, last: usize, counter: bool) -> f64 {
        if self.smoothed && last > 0 && self.t[last] > self.end {
            interpolate((self.t[last - 1], self.v[last - 1]), (self.t[last], self.v[last]), self.end, counter)
        } else {
            self.v[last]
        }
    }

    fn growth(&self, counter: bool) -> Option<f64> {
        let (mut first, last) = (self.first(), self.last());
        if self.t[last] <= self.start || (self.smoothed && self.t[first] > self.end) {
            return None;
        }
        let (left, right) = (self.left(first, counter), self.right(last, counter));
        let mut result = right - left;
        if counter {
            // Only samples strictly inside: the edges have dealt with resets across them.
            first += usize::from(self.t[first] <= self.start);
            let to = if self.t[last] >= self.end { last } else { last + 1 };
            let (mut correction, mut previous) = (0.0, left);
            for &v in self.v.get(first..to).unwrap_or_default().iter().chain([&right]) {
                if v < previous {
                    correction += previous;
                }
                previous = v;
            }
            result += correction;
        }
        Some(result)
    }

    fn events(&self, event: impl Fn(f64, f64) -> bool) -> Option<f64> {
        let inside = self.t.partition_point(|&t| t <= self.start);
        if inside >= self.t.len() {
            return None;
        }
        let first = inside.saturating_sub(1);
        Some(self.v[first..].windows(2).filter(|pair| event(pair[0], pair[1])).count() as f64)
    }
}
