//! Extremes of values without NaN and negative zero: equal values are equal bits then, so the order in
//! which they are compared does not matter and whole vectors are compared at once.

use super::Cells;
use crate::rollup::Windows;
use crate::simd::widest;

/// Values compared side by side.
const LANES: usize = 8;

/// Fills `out` where the range is a multiple of the step and the values allow it; `false` if not.
pub(super) fn roll(w: &Windows<'_>, max: bool, cells: &mut Cells, out: &mut [f64]) -> bool {
    let step = w.shape.grid.step_ms.max(1);
    let per_window = w.shape.window_ms / step;
    if w.shape.at_ms.is_some() || w.shape.window_ms % step != 0 || !(1..out.len() as i64).contains(&per_window) {
        return false;
    }
    let mut odd = false;
    find_odd(w.v, &mut odd);
    if odd {
        return false;
    }
    let Cells { best, wider, .. } = cells;
    let per_window = per_window as usize;
    // Cell c is one step wide: it begins where window c does, and behind the last of these where windows end.
    let n = out.len() + per_window - 1;
    best.resize(n, 0.0);
    wider.resize(n, 0.0);
    let edge = |i: usize| if i < w.lo.len() { w.lo[i] } else { w.hi[i - per_window] } as usize;
    let mut from = edge(0);
    for (c, best) in best.iter_mut().enumerate() {
        let to = edge(c + 1);
        *best = if max { best_of::<true>(&w.v[from..to]) } else { best_of::<false>(&w.v[from..to]) };
        from = to;
    }
    // Runs of 1, 2, 4, … cells; the last may overlap.
    let mut width = 1;
    while width < per_window {
        let shift = width.min(per_window - width);
        if max {
            join_max(best, shift, wider)
        } else {
            join_min(best, shift, wider)
        }
        std::mem::swap(best, wider);
        width += shift;
    }
    for ((out, &best), (lo, hi)) in out.iter_mut().zip(&*best).zip(w.lo.iter().zip(w.hi)) {
        if lo < hi {
            *out = best;
        }
    }
    true
}

widest! {
    fn find_odd(v: &[f64], odd: &mut bool) {
        *odd = v.chunks(256).any(|v| v.iter().fold(false, |odd, v| odd | v.is_nan() | (v.to_bits() == 1 << 63)));
    }
}

widest! {
    fn join_max(cells: &[f64], shift: usize, wider: &mut [f64]) {
        join::<true>(cells, shift, wider);
    }
}

widest! {
    fn join_min(cells: &[f64], shift: usize, wider: &mut [f64]) {
        join::<false>(cells, shift, wider);
    }
}

#[inline(always)]
fn join<const MAX: bool>(cells: &[f64], shift: usize, wider: &mut [f64]) {
    for ((wider, a), b) in wider.iter_mut().zip(cells).zip(&cells[shift..]) {
        *wider = better::<MAX>(*a, *b);
    }
}

#[inline(always)]
fn better<const MAX: bool>(a: f64, b: f64) -> f64 {
    if MAX == (a > b) { a } else { b }
}

/// The best of some values; of none, what is no better than any.
#[inline]
fn best_of<const MAX: bool>(values: &[f64]) -> f64 {
    let none = if MAX { f64::NEG_INFINITY } else { f64::INFINITY };
    let Some(last) = values.last_chunk::<LANES>() else {
        return values.iter().fold(none, |best, &v| better::<MAX>(best, v));
    };
    let mut lanes = *last;
    for part in values.chunks_exact(LANES) {
        for (lane, &v) in lanes.iter_mut().zip(part) {
            *lane = better::<MAX>(*lane, v);
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = better::<MAX>(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}
