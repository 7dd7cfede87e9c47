//! `rate`, `increase`, `delta`, `irate`, `idelta`.

use super::Windows;
use crate::math::seconds;
use crate::simd::widest;
use crate::vector::ABSENT;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rate,
    Increase,
    Delta,
}

/// One value a step, column by column, so that the arithmetic runs on whole vectors.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    /// Milliseconds from the window's start to its first sample.
    to_start: Vec<f64>,
    /// Milliseconds from its last sample to the window's end.
    to_end: Vec<f64>,
    /// Milliseconds between the first and the last sample.
    sampled: Vec<f64>,
    /// How many samples there are but one; below 1 there is no result.
    gaps: Vec<f64>,
    first: Vec<f64>,
    /// Last value minus first, then resets added in order.
    result: Vec<f64>,
    resets: Vec<u32>,
}

/// Growth over the window, extrapolated to its edges where samples come close enough to them.
pub(super) fn extrapolated(w: &Windows<'_>, kind: Kind, lanes: &mut Lanes, out: &mut [f64]) {
    lanes.fill(w);
    let range = seconds(w.shape.window_ms);
    match kind {
        Kind::Delta => extrapolate_gauge(lanes, 1.0, out),
        Kind::Rate | Kind::Increase => {
            lanes.add_resets(w);
            extrapolate_counter(lanes, if kind == Kind::Rate { range } else { 1.0 }, out);
        }
    }
}

impl Lanes {
    fn fill(&mut self, w: &Windows<'_>) {
        let steps = w.hi.len();
        for lane in
            [&mut self.to_start, &mut self.to_end, &mut self.sampled, &mut self.gaps, &mut self.first, &mut self.result]
        {
            lane.resize(steps, 0.0);
        }
        let (to_start, to_end) = (&mut self.to_start[..steps], &mut self.to_end[..steps]);
        let (sampled, gaps) = (&mut self.sampled[..steps], &mut self.gaps[..steps]);
        let (first, result) = (&mut self.first[..steps], &mut self.result[..steps]);
        let pinned = w.shape.at_ms.is_some();
        let mut end = w.shape.end(0);
        for j in 0..steps {
            let (lo, hi) = (w.lo[j] as usize, w.hi[j] as usize);
            if hi < lo + 2 {
                gaps[j] = 0.0;
            } else {
                let (first_t, last_t) = (w.t[lo], w.t[hi - 1]);
                to_start[j] = (first_t - (end - w.shape.window_ms)) as f64;
                to_end[j] = (end - last_t) as f64;
                sampled[j] = (last_t - first_t) as f64;
                gaps[j] = (hi - lo - 1) as f64;
                first[j] = w.v[lo];
                result[j] = w.v[hi - 1] - w.v[lo];
            }
            if !pinned {
                end = end.saturating_add(w.shape.grid.step_ms);
            }
        }
    }

    /// Adds to each window the value before each reset within it, in order. Resets are few: only the
    /// steps that see one are touched.
    fn add_resets(&mut self, w: &Windows<'_>) {
        let (steps, mut from) = (w.hi.len(), 0);
        self.resets.clear();
        find_resets(w.v, &mut self.resets);
        for &i in &self.resets {
            let previous = w.v[i as usize - 1];
            // A window sees it when both samples are inside: lo < i < hi.
            while from < steps && w.hi[from] <= i {
                from += 1;
            }
            let mut j = from;
            while j < steps && w.lo[j] < i {
                self.result[j] += previous;
                j += 1;
            }
        }
    }
}

widest! {
    /// Places whose value is below the one before. Neither does a NaN fall, nor what follows one.
    fn find_resets(v: &[f64], resets: &mut Vec<u32>) {
        const BLOCK: usize = 64;
        let Some(pairs) = v.len().checked_sub(1) else { return };
        let (before, now) = (&v[..pairs], &v[1..]);
        // Most blocks have none, and finding that out runs on whole vectors.
        for (block, (before, now)) in before.chunks(BLOCK).zip(now.chunks(BLOCK)).enumerate() {
            let fell = before.iter().zip(now).fold(false, |fell, (before, now)| fell | (now < before));
            if fell {
                let places = before.iter().zip(now).enumerate().filter(|(_, (before, now))| now < before);
                resets.extend(places.map(|(i, _)| (block * BLOCK + i + 1) as u32));
            }
        }
    }
}

widest! {
    fn extrapolate_counter(lanes: &Lanes, divisor: f64, out: &mut [f64]) {
        extrapolate::<true>(lanes, divisor, out);
    }
}

widest! {
    fn extrapolate_gauge(lanes: &Lanes, divisor: f64, out: &mut [f64]) {
        extrapolate::<false>(lanes, divisor, out);
    }
}

#[inline(always)]
fn extrapolate<const COUNTER: bool>(lanes: &Lanes, divisor: f64, out: &mut [f64]) {
    let steps = out.len();
    let (to_start, to_end) = (&lanes.to_start[..steps], &lanes.to_end[..steps]);
    let (sampled, gaps) = (&lanes.sampled[..steps], &lanes.gaps[..steps]);
    let (first, result) = (&lanes.first[..steps], &lanes.result[..steps]);
    for j in 0..steps {
        let (mut to_start, mut to_end) = (to_start[j] / 1000.0, to_end[j] / 1000.0);
        let sampled = sampled[j] / 1000.0;
        let average = sampled / gaps[j];
        let threshold = average * 1.1;
        let half = average / 2.0;
        to_start = if to_start >= threshold { half } else { to_start };
        if COUNTER {
            // A counter starts at zero: do not extrapolate below it.
            let zero = sampled * (first[j] / result[j]);
            let grows = (result[j] > 0.0) & (first[j] >= 0.0);
            let to_zero = if grows { zero } else { to_start };
            to_start = if to_zero < to_start { to_zero } else { to_start };
        }
        to_end = if to_end >= threshold { half } else { to_end };
        // Dividing by 1 changes no bit.
        let factor = (sampled + to_start + to_end) / sampled / divisor;
        let value = result[j] * factor;
        out[j] = if gaps[j] >= 1.0 { value } else { ABSENT };
    }
}

/// From the last two samples: the difference, per second for counters.
pub(super) fn last_two(w: &Windows<'_>, counter: bool, out: &mut [f64]) {
    for ((out, &lo), &hi) in out.iter_mut().zip(w.lo).zip(w.hi) {
        if hi < lo + 2 {
            continue;
        }
        let last = hi as usize - 1;
        let (before, now) = (w.v[last - 1], w.v[last]);
        let difference = if counter && now < before { now } else { now - before };
        *out = if counter { difference / ((w.t[last] - w.t[last - 1]) as f64 / 1000.0) } else { difference };
    }
}
