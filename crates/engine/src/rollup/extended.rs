//! `anchored` and `smoothed` windows: the value at the edges comes from samples beyond them.

use super::starts::is_reset;
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
/// which the planner refuses. `st` are start timestamps or empty.
pub(super) fn roll(rollup: Rollup, shape: &Shape, t: &[i64], v: &[f64], st: &[i64], out: &mut [f64]) {
    let after = if shape.edges == Edges::Smoothed { shape.lookback_ms } else { 0 };
    for (step, out) in out.iter_mut().enumerate() {
        let end = shape.end(step);
        let start = end.saturating_sub(shape.window_ms);
        let lo = t.partition_point(|&t| t <= start.saturating_sub(shape.lookback_ms));
        let hi = t.partition_point(|&t| t <= end.saturating_add(after));
        if lo == hi {
            continue;
        }
        let smoothed = shape.edges == Edges::Smoothed;
        let window = Extended { t: &t[lo..hi], v: &v[lo..hi], start, end, smoothed };
        let starts = st.get(lo..hi).unwrap_or_default();
        let value = match rollup {
            Rollup::Rate => window.growth(true).map(|v| v / seconds(shape.window_ms)),
            Rollup::Increase => window.growth(true),
            Rollup::Delta => window.growth(false),
            Rollup::Changes => window.events(|i| {
                let (before, now) = (window.v[i - 1], window.v[i]);
                now != before && !(now.is_nan() && before.is_nan())
            }),
            Rollup::Resets => window.events(|i| {
                let at = |i: usize| (starts[i], window.t[i]);
                window.v[i] < window.v[i - 1] || (!starts.is_empty() && is_reset(at(i - 1), at(i)))
            }),
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

    fn events(&self, event: impl Fn(usize) -> bool) -> Option<f64> {
        let inside = self.t.partition_point(|&t| t <= self.start);
        if inside >= self.t.len() {
            return None;
        }
        let first = inside.saturating_sub(1);
        Some((first + 1..self.v.len()).filter(|&i| event(i)).count() as f64)
    }
}

/// The samples of the only window, as the result of the query: those within, and the values at its edges.
pub(crate) fn samples(shape: &Shape, t: &[i64], v: &[f64]) -> (Vec<i64>, Vec<f64>) {
    let end = shape.end(0);
    let start = end.saturating_sub(shape.window_ms);
    let smoothed = shape.edges == Edges::Smoothed;
    let after = if smoothed { shape.lookback_ms } else { 0 };
    let lo = t.partition_point(|&t| t <= start.saturating_sub(shape.lookback_ms));
    let hi = t.partition_point(|&t| t <= end.saturating_add(after));
    if lo == hi {
        return (Vec::new(), Vec::new());
    }
    let window = Extended { t: &t[lo..hi], v: &v[lo..hi], start, end, smoothed };
    let (first, last) = (window.first(), window.last());
    if window.t[last] <= start {
        return (Vec::new(), Vec::new());
    }
    let (left, right) = (window.left(first, false), window.right(last, false));
    let from = first + usize::from(window.t[first] <= start);
    let to = (last + usize::from(window.t[last] < end)).max(from);
    let inside = from..to.min(window.t.len());
    let times = [start].into_iter().chain(window.t[inside.clone()].iter().copied()).chain([end]);
    let values = [left].into_iter().chain(window.v[inside].iter().copied()).chain([right]);
    (times.collect(), values.collect())
}
