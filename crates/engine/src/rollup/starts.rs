//! Counters whose samples carry start timestamps: a reset shows even where the value has not fallen, and a
//! series that starts within the window starts at zero. As Prometheus does with `use-start-timestamps`.
//!
//! A start timestamp of 0 stands for none. Step by step: these series are few.

use super::{Rollup, Shape};
use crate::math::seconds;

/// Whether the counter was started anew between two samples, by their start timestamps and times.
pub(super) fn is_reset((before_start, before_t): (i64, i64), (start, t): (i64, i64)) -> bool {
    // One at the sample's own time says that it is unknown, one behind it is wrong.
    if start == 0 || start >= t || start < before_t {
        return false;
    }
    if start > before_t {
        return true;
    }
    // Starting where the last sample was: a delta, unless that one did not know its own start.
    before_start != 0 && before_start < before_t
}

/// Whether a sample claims to have started before the one before it, and not where that one did.
pub(super) fn overlaps((before_start, before_t): (i64, i64), start: i64) -> bool {
    start != 0 && start < before_t && start != before_start
}

/// The samples of one window.
#[derive(Clone, Copy, Debug)]
struct Window<'a> {
    t: &'a [i64],
    v: &'a [f64],
    st: &'a [i64],
    start: i64,
    end: i64,
}

/// `rate`, `increase`, `irate` and `resets` of floats; nothing for the others. Gives at how many steps start
/// timestamps overlap with samples.
pub(super) fn roll(rollup: Rollup, shape: &Shape, t: &[i64], v: &[f64], st: &[i64], out: &mut [f64]) -> u64 {
    let mut overlapping = 0;
    for (step, out) in out.iter_mut().enumerate() {
        let end = shape.end(step);
        let start = end.saturating_sub(shape.window_ms);
        let (lo, hi) = (t.partition_point(|&t| t <= start), t.partition_point(|&t| t <= end));
        if lo >= hi {
            continue;
        }
        let window = Window { t: &t[lo..hi], v: &v[lo..hi], st: &st[lo..hi], start, end };
        let value = match rollup {
            Rollup::Rate | Rollup::Increase => {
                overlapping += u64::from(window.any_overlap());
                window.growth(if rollup == Rollup::Rate { seconds(shape.window_ms) } else { 1.0 })
            }
            Rollup::Irate => window.last_two(),
            Rollup::Resets => Some((1..window.t.len()).filter(|&i| window.fell(i)).count() as f64),
            _ => None,
        };
        if let Some(value) = value {
            *out = value;
        }
    }
    overlapping
}

impl Window<'_> {
    fn at(&self, i: usize) -> (i64, i64) {
        (self.st[i], self.t[i])
    }

    fn any_overlap(&self) -> bool {
        (1..self.t.len()).any(|i| overlaps(self.at(i - 1), self.st[i]))
    }

    /// Whether the counter was reset right before sample `i`.
    fn fell(&self, i: usize) -> bool {
        self.v[i] < self.v[i - 1] || is_reset(self.at(i - 1), self.at(i))
    }

    fn growth(&self, divisor: f64) -> Option<f64> {
        let last = self.t.len() - 1;
        let mut result = self.v[last] - self.v[0];
        for i in 1..=last {
            if self.fell(i) {
                result += self.v[i - 1];
            }
        }
        let edges = Edges::of(self.t, self.st.first().copied(), self.start, self.end)?;
        if edges.from_start {
            result += self.v[0];
        }
        let zero = (result > 0.0 && self.v[0] >= 0.0).then(|| self.v[0] / result);
        Some(result * edges.factor(zero, divisor))
    }

    fn last_two(&self) -> Option<f64> {
        let last = self.t.len().checked_sub(1).filter(|last| *last > 0)?;
        let (before, now) = (self.v[last - 1], self.v[last]);
        let difference = if self.fell(last) { now } else { now - before };
        Some(difference / ((self.t[last] - self.t[last - 1]) as f64 / 1000.0))
    }
}

/// How far the growth between the samples of a window of a counter reaches beyond them, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edges {
    /// The first sample is known to have started at zero within the window.
    pub(super) from_start: bool,
    to_start: f64,
    to_end: f64,
    sampled: f64,
    average: f64,
}

impl Edges {
    /// Of the times of a window's samples and the start timestamp of the first; none where neither two samples
    /// nor a start tell of any growth.
    pub(super) fn of(t: &[i64], first_start: Option<i64>, start: i64, end: i64) -> Option<Self> {
        let (first, last) = (*t.first()?, *t.last()?);
        let gaps = t.len() - 1;
        let sampled = (last - first) as f64 / 1000.0;
        let average = if gaps > 0 { sampled / gaps as f64 } else { 0.0 };
        let to_start = (first - start) as f64 / 1000.0;
        let to_end = (end - last) as f64 / 1000.0;
        let known = first_start.filter(|&st| st != 0 && st > start && st < first);
        match known {
            Some(st) => {
                let sampled = (last - st) as f64 / 1000.0;
                Some(Self { from_start: true, to_start: 0.0, to_end, sampled, average })
            }
            None if gaps == 0 => None,
            None => Some(Self { from_start: false, to_start, to_end, sampled, average }),
        }
    }

    /// What the growth between the samples is to be multiplied by; `zero` is how many times the sampled time
    /// lies between the first sample and zero, where that can be told.
    pub(super) fn factor(&self, zero: Option<f64>, divisor: f64) -> f64 {
        let threshold = self.average * 1.1;
        let Self { mut to_start, mut to_end, sampled, .. } = *self;
        if !self.from_start {
            if to_start >= threshold {
                to_start = self.average / 2.0;
            }
            let to_zero = zero.map_or(to_start, |zero| sampled * zero);
            if to_zero < to_start {
                to_start = to_zero;
            }
        }
        if to_end >= threshold {
            to_end = self.average / 2.0;
        }
        let factor = if sampled == 0.0 { 1.0 } else { (sampled + to_start + to_end) / sampled };
        factor / divisor
    }
}
