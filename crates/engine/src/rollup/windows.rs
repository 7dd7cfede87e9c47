//! Which samples lie in which window.

use block::Columns;
use model::is_stale;

use super::sides::Sides;
use super::{Shape, order};
use crate::simd::widest;

/// One series with its windows: step `j` sees the samples `lo[j]..hi[j]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows<'a> {
    pub(super) shape: &'a Shape,
    pub(super) t: &'a [i64],
    pub(super) v: &'a [f64],
    pub(super) lo: &'a [u32],
    pub(super) hi: &'a [u32],
}

impl Windows<'_> {
    /// Calls `value` for every step whose window is not empty: step, first sample, one past the last.
    #[inline]
    pub(super) fn each(&self, out: &mut [f64], mut value: impl FnMut(usize, usize, usize) -> f64) {
        for (step, ((out, &lo), &hi)) in out.iter_mut().zip(self.lo).zip(self.hi).enumerate() {
            if lo < hi {
                *out = value(step, lo as usize, hi as usize);
            }
        }
    }
}

/// Buffers that live through many series.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(super) lo: Vec<u32>,
    pub(super) hi: Vec<u32>,
    pub(super) sides: Sides,
    pub(super) order: order::Cells,
    pub(super) values: Vec<f64>,
    pub(super) marks: Vec<u32>,
}

impl Scratch {
    /// Finds the windows of all steps over `t`.
    pub(super) fn windows(&mut self, shape: &Shape, t: &[i64]) {
        let steps = shape.grid.len();
        let Self { lo, hi, .. } = self;
        if let Some(at) = shape.at_ms {
            let end = at.saturating_sub(shape.offset_ms);
            fill(hi, steps, count_to(t, end));
            fill(lo, steps, count_to(t, end.saturating_sub(shape.window_ms)));
            return;
        }
        let (first, step) = (shape.end(0), shape.grid.step_ms.max(1));
        advance(t, first, step, steps, hi);
        let ratio = shape.window_ms / step;
        let start = first.saturating_sub(shape.window_ms);
        if shape.window_ms % step == 0 && ratio > 0 && (ratio as u64) < steps as u64 {
            // The window of step j starts where that of step j - ratio ended.
            let ratio = ratio as usize;
            advance(t, start, step, ratio, lo);
            lo.extend_from_slice(&hi[..steps - ratio]);
        } else {
            advance(t, start, step, steps, lo);
        }
    }
}

fn fill(places: &mut Vec<u32>, steps: usize, place: u32) {
    places.clear();
    places.resize(steps, place);
}

/// How many samples are at or before `end`.
pub(super) fn count_to(t: &[i64], end: i64) -> u32 {
    t.partition_point(|&t| t <= end) as u32
}

/// For each of `steps` instants `first, first + step, …`: how many samples are at or before it.
fn advance(t: &[i64], first: i64, step: i64, steps: usize, places: &mut Vec<u32>) {
    places.clear();
    places.reserve(steps);
    let mut place = count_to(t, first) as usize;
    let mut instant = first;
    // What the last step moved by is the guess for the next one: scrapes are regular.
    let mut stride = 0;
    for _ in 0..steps {
        let mut guess = (place + stride).min(t.len());
        while guess < t.len() && t[guess] <= instant {
            guess += 1;
        }
        while guess > place && t[guess - 1] > instant {
            guess -= 1;
        }
        stride = guess - place;
        place = guess;
        places.push(place as u32);
        instant = instant.saturating_add(step);
    }
}

/// Takes staleness markers out of the samples; range functions do not see them.
pub(crate) fn drop_stale(columns: &mut Columns) {
    let Columns { t, v, st, .. } = columns;
    let Some(first) = first_stale(v) else { return };
    let mut kept = first;
    for i in first..v.len() {
        if !is_stale(v[i]) {
            (t[kept], v[kept]) = (t[i], v[i]);
            if !st.is_empty() {
                st[kept] = st[i];
            }
            kept += 1;
        }
    }
    t.truncate(kept);
    v.truncate(kept);
    st.truncate(kept);
}

/// Whether there is a staleness marker.
pub(super) fn has_stale(v: &[f64]) -> bool {
    let mut block = None;
    stale_block(v, &mut block);
    block.is_some()
}

fn first_stale(v: &[f64]) -> Option<usize> {
    let mut block = None;
    stale_block(v, &mut block);
    let from = block? * BLOCK;
    v[from..].iter().position(|&v| is_stale(v)).map(|i| from + i)
}

const BLOCK: usize = 64;

widest! {
    /// The first block of values with a marker. Hardly one has, and finding that out runs on whole vectors.
    fn stale_block(v: &[f64], found: &mut Option<usize>) {
        *found = v.chunks(BLOCK).position(|block| block.iter().fold(false, |any, &v| any | is_stale(v)));
    }
}

/// As [`drop_stale`], for the native histograms.
pub(crate) fn drop_stale_histograms(columns: &mut Columns) {
    if columns.h.iter().any(|h| h.is_stale()) {
        let mut kept = columns.h.iter().map(|h| !h.is_stale());
        columns.ht.retain(|_| kept.next().unwrap_or(false));
        let mut kept = columns.h.iter().map(|h| !h.is_stale());
        columns.hst.retain(|_| kept.next().unwrap_or(false));
        columns.h.retain(|h| !h.is_stale());
    }
}
