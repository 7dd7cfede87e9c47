//! Extremes and quantiles of windows.

mod plain;

use super::{Params, Windows};
use crate::math;
use crate::vector::{ABSENT, is_absent};

/// Buffers for sliding extremes.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    best: Vec<f64>,
    wider: Vec<f64>,
    queue: Vec<u32>,
}

pub(super) fn min(w: &Windows<'_>, cells: &mut Cells, out: &mut [f64]) {
    if !plain::roll(w, false, cells, out) {
        extreme(w, |new, best| new < best, cells, out);
    }
}

pub(super) fn max(w: &Windows<'_>, cells: &mut Cells, out: &mut [f64]) {
    if !plain::roll(w, true, cells, out) {
        extreme(w, |new, best| new > best, cells, out);
    }
}

/// The best value of each window by `better`; NaN only where there is nothing else; of equal values
/// the first.
fn extreme(w: &Windows<'_>, better: impl Fn(f64, f64) -> bool + Copy, cells: &mut Cells, out: &mut [f64]) {
    let step = w.shape.grid.step_ms.max(1);
    let per_window = w.shape.window_ms / step;
    if w.shape.at_ms.is_some() || per_window < 4 {
        w.each(out, |_, lo, hi| best_of(&w.v[lo..hi], better));
    } else if w.shape.window_ms % step == 0 {
        cells.slide_cells(w, per_window as usize, better, out);
    } else {
        cells.slide_queue(w, better, out);
    }
}

fn best_of(values: &[f64], better: impl Fn(f64, f64) -> bool) -> f64 {
    values[1..].iter().fold(values[0], |best, &v| if better(v, best) || best.is_nan() { v } else { best })
}

impl Cells {
    /// The range is a multiple of the step: a window is a run of cells, each one step wide. Runs of
    /// 1, 2, 4, … cells are combined until they cover it; they may overlap, for the best of a value
    /// with itself is that value.
    fn slide_cells(
        &mut self,
        w: &Windows<'_>,
        per_window: usize,
        better: impl Fn(f64, f64) -> bool + Copy,
        out: &mut [f64],
    ) {
        let steps = out.len();
        let n = steps + per_window - 1;
        self.best.clear();
        self.best.resize(n, ABSENT);
        // Cell c ends at the first step minus (per_window - 1 - c) steps.
        let (mut from, mut end) = (w.lo[0] as usize, w.shape.end(0) - (per_window as i64 - 1) * w.shape.grid.step_ms);
        for cell in &mut self.best {
            let mut to = from;
            while to < w.t.len() && w.t[to] <= end {
                to += 1;
            }
            if to > from {
                *cell = best_of(&w.v[from..to], better);
            }
            from = to;
            end += w.shape.grid.step_ms;
        }
        let pick = |a: f64, b: f64| {
            if is_absent(a) || (!is_absent(b) && (better(b, a) || a.is_nan())) { b } else { a }
        };
        let mut width = 1;
        while width < per_window {
            let shift = width.min(per_window - width);
            for i in 0..n - shift {
                self.best[i] = pick(self.best[i], self.best[i + shift]);
            }
            width += shift;
        }
        out.copy_from_slice(&self.best[..steps]);
    }

    /// A queue of the samples that can still be the best of a later window.
    fn slide_queue(&mut self, w: &Windows<'_>, better: impl Fn(f64, f64) -> bool, out: &mut [f64]) {
        let queue = &mut self.queue;
        queue.clear();
        let (mut head, mut next) = (0, 0);
        for (j, out) in out.iter_mut().enumerate() {
            let (lo, hi) = (w.lo[j], w.hi[j]);
            while next < hi {
                let v = w.v[next as usize];
                // An older sample goes when the new one is strictly better, or anything when it is NaN.
                while queue.len() > head && {
                    let old = w.v[queue[queue.len() - 1] as usize];
                    better(v, old) || old.is_nan()
                } {
                    queue.pop();
                }
                queue.push(next);
                next += 1;
            }
            while head < queue.len() && queue[head] < lo {
                head += 1;
            }
            if lo < hi {
                *out = w.v[queue[head] as usize];
            }
        }
    }
}

/// Seconds at which the last of the best values stands.
pub(super) fn time_of(w: &Windows<'_>, better: impl Fn(f64, f64) -> bool, out: &mut [f64]) {
    w.each(out, |_, lo, hi| {
        let mut best = lo;
        for i in lo..hi {
            if better(w.v[i], w.v[best]) || w.v[best].is_nan() {
                best = i;
            }
        }
        w.t[best] as f64 / 1000.0
    });
}

pub(super) fn quantile(w: &Windows<'_>, params: Params<'_>, values: &mut Vec<f64>, out: &mut [f64]) {
    w.each(out, |step, lo, hi| {
        values.clear();
        values.extend_from_slice(&w.v[lo..hi]);
        math::quantile(params.first(step), values)
    });
}

/// The median distance from the median; NaN as soon as one sample is.
pub(super) fn mad(w: &Windows<'_>, values: &mut Vec<f64>, out: &mut [f64]) {
    w.each(out, |_, lo, hi| {
        values.clear();
        values.extend_from_slice(&w.v[lo..hi]);
        if values.iter().any(|v| v.is_nan()) {
            return f64::NAN;
        }
        let median = math::quantile(0.5, values);
        for v in values.iter_mut() {
            *v = (*v - median).abs();
        }
        math::quantile(0.5, values)
    });
}
