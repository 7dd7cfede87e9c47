//! `rate`, `increase`, `delta`, `irate`, `idelta`.

use model::is_stale;

use super::sides::Sides;
use super::{Rollup, Shape, Windows};
use crate::math::{Divisor, seconds};
use crate::simd::{widest, widest_fused};
use crate::vector::ABSENT;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rate,
    Increase,
    Delta,
}

impl Kind {
    /// Whether values are a counter's.
    pub(super) fn is_counter(self) -> bool {
        self != Self::Delta
    }

    pub(super) fn of(rollup: Rollup) -> Option<Self> {
        match rollup {
            Rollup::Rate => Some(Self::Rate),
            Rollup::Increase => Some(Self::Increase),
            Rollup::Delta => Some(Self::Delta),
            _ => None,
        }
    }
}

/// What extrapolation takes beside the edges of the windows.
#[derive(Clone, Copy, Debug)]
struct Formula {
    /// Seconds to divide by; 1 for what is not per second.
    per: Divisor,
    thousand: Divisor,
    window_ms: i64,
    /// Where the first window ends, and how far it is to the next.
    end: i64,
    step_ms: i64,
}

/// Growth over the window, extrapolated to its edges where samples come close enough to them. `false` if one of a
/// counter's values is a staleness marker.
pub(super) fn extrapolated(
    shape: &Shape,
    kind: Kind,
    (t, v): (&[i64], &[f64]),
    sides: &mut Sides,
    resets: &mut Vec<u32>,
    out: &mut [f64],
) -> bool {
    let formula = Formula {
        per: Divisor::new(if kind == Kind::Rate { seconds(shape.window_ms) } else { 1.0 }),
        thousand: Divisor::new(1000.0),
        window_ms: shape.window_ms,
        end: shape.end(0),
        step_ms: if shape.at_ms.is_some() { 0 } else { shape.grid.step_ms },
    };
    if !kind.is_counter() {
        sides.find(shape, t, v);
        extrapolate_gauge(formula, sides, out);
        return true;
    }
    let mut stale = v.first().is_some_and(|v| is_stale(*v));
    resets.clear();
    find_resets(v, resets, &mut stale);
    if !stale {
        sides.find(shape, t, v);
        extrapolate_counter(formula, sides, out);
        add_resets(formula, sides, v, resets, out);
    }
    !stale
}

/// Computes the steps anew whose window sees a reset: they are few. The value before each reset is added
/// to the growth, in order.
fn add_resets(formula: Formula, sides: &Sides, v: &[f64], resets: &[u32], out: &mut [f64]) {
    let (lo, hi) = (sides.lo(), sides.hi());
    let mut next = 0;
    for (k, &i) in resets.iter().enumerate() {
        // A window sees it when both samples are inside: lo < i < hi.
        next += hi[next..].partition_point(|&hi| hi <= i);
        while next < hi.len() && lo[next] < i {
            // It sees none before this one, or it would have been computed for that.
            let seen = resets[k..].iter().take_while(|&&i| i < hi[next]);
            let growth = sides.lasts_v()[next] - sides.firsts_v()[next];
            let growth = seen.fold(growth, |growth, &i| growth + v[i as usize - 1]);
            out[next] = formula.value(sides, next, growth);
            next += 1;
        }
    }
}

widest_fused! {
    fn extrapolate_counter(formula: Formula, sides: &Sides, out: &mut [f64]) {
        let steps = out.len();
        for from in (0..steps).step_by(BLOCK) {
            let to = (from + BLOCK).min(steps);
            // Few windows begin so soon after a counter's start that it matters.
            if near_zero(sides, from, to) {
                extrapolate::<true, false, FUSED>(formula, sides, from, to, out);
            } else if is_covered(formula, sides, from, to) {
                extrapolate::<false, true, FUSED>(formula, sides, from, to, out);
            } else {
                extrapolate::<false, false, FUSED>(formula, sides, from, to, out);
            }
        }
    }
}

widest_fused! {
    fn extrapolate_gauge(formula: Formula, sides: &Sides, out: &mut [f64]) {
        let steps = out.len();
        for from in (0..steps).step_by(BLOCK) {
            let to = (from + BLOCK).min(steps);
            if is_covered(formula, sides, from, to) {
                extrapolate::<false, true, FUSED>(formula, sides, from, to, out);
            } else {
                extrapolate::<false, false, FUSED>(formula, sides, from, to, out);
            }
        }
    }
}

/// Steps that are looked at together.
const BLOCK: usize = 32;

/// Whether in one of the windows the line through the samples may meet zero between the window's start
/// and its first sample. It cannot where the first value is at least twice the growth: extrapolation goes
/// back less than 1.1 times the time sampled.
#[inline(always)]
fn near_zero(sides: &Sides, from: usize, to: usize) -> bool {
    let (first, last) = (&sides.firsts_v()[from..to], &sides.lasts_v()[from..to]);
    first.iter().zip(last).fold(false, |near, (first, last)| near | (*first < 2.0 * (last - first)))
}

/// Whether in all of the windows the samples come so close to both edges that it is sure without a division: within 1.09
/// of their average distance, where 1.1 is what counts.
#[inline(always)]
fn is_covered(formula: Formula, sides: &Sides, from: usize, to: usize) -> bool {
    let n = to - from;
    let (lo, hi) = (&sides.lo()[from..][..n], &sides.hi()[from..][..n]);
    let (first_t, last_t) = (&sides.firsts_t()[from..][..n], &sides.lasts_t()[from..][..n]);
    let mut end = formula.end.wrapping_add(formula.step_ms.wrapping_mul(from as i64));
    let mut covered = true;
    for j in 0..n {
        let gaps = hi[j].wrapping_sub(lo[j]).wrapping_sub(1) as i32;
        let to_start = first_t[j].wrapping_sub(end.wrapping_sub(formula.window_ms)) as f64;
        let to_end = end.wrapping_sub(last_t[j]) as f64;
        let sampled = 1.09 * last_t[j].wrapping_sub(first_t[j]) as f64;
        let widest = if to_start > to_end { to_start } else { to_end };
        covered &= (gaps >= 1) & (widest * f64::from(gaps) < sampled);
        end = end.wrapping_add(formula.step_ms);
    }
    covered
}

/// `ZERO`: where counters start may matter. `COVERED`: where the windows' edges are does not.
#[inline(always)]
fn extrapolate<const ZERO: bool, const COVERED: bool, const FUSED: bool>(
    formula: Formula,
    sides: &Sides,
    from: usize,
    to: usize,
    out: &mut [f64],
) {
    let out = &mut out[from..to];
    let n = out.len();
    let (lo, hi) = (&sides.lo()[from..][..n], &sides.hi()[from..][..n]);
    let (first_t, last_t) = (&sides.firsts_t()[from..][..n], &sides.lasts_t()[from..][..n]);
    let (first_v, last_v) = (&sides.firsts_v()[from..][..n], &sides.lasts_v()[from..][..n]);
    let mut end = formula.end.wrapping_add(formula.step_ms.wrapping_mul(from as i64));
    for j in 0..n {
        let window = Window {
            gaps: hi[j].wrapping_sub(lo[j]).wrapping_sub(1) as i32,
            to_start: first_t[j].wrapping_sub(end.wrapping_sub(formula.window_ms)),
            to_end: end.wrapping_sub(last_t[j]),
            sampled: last_t[j].wrapping_sub(first_t[j]),
            first: first_v[j],
        };
        out[j] = formula.window_value::<ZERO, COVERED, FUSED>(window, last_v[j] - first_v[j]);
        end = end.wrapping_add(formula.step_ms);
    }
}

/// One window; times in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// How many samples there are but one; below 1 there is no result, and the rest is meaningless.
    gaps: i32,
    /// From its start to its first sample.
    to_start: i64,
    /// From its last sample to its end.
    to_end: i64,
    /// Between the first and the last sample.
    sampled: i64,
    /// The first value.
    first: f64,
}

impl Formula {
    /// The value of step `j` for a `growth` in which resets are counted.
    fn value(&self, sides: &Sides, j: usize, growth: f64) -> f64 {
        let end = self.end.wrapping_add(self.step_ms.wrapping_mul(j as i64));
        let (first, last) = (sides.firsts_t()[j], sides.lasts_t()[j]);
        let window = Window {
            gaps: sides.hi()[j].wrapping_sub(sides.lo()[j]).wrapping_sub(1) as i32,
            to_start: first.wrapping_sub(end.wrapping_sub(self.window_ms)),
            to_end: end.wrapping_sub(last),
            sampled: last.wrapping_sub(first),
            first: sides.firsts_v()[j],
        };
        self.window_value::<true, false, false>(window, growth)
    }

    #[inline(always)]
    fn window_value<const ZERO: bool, const COVERED: bool, const FUSED: bool>(
        &self,
        window: Window,
        growth: f64,
    ) -> f64 {
        let in_seconds = |ms: i64| self.thousand.divide::<FUSED>(ms as f64);
        let (mut to_start, mut to_end) = (in_seconds(window.to_start), in_seconds(window.to_end));
        let sampled = in_seconds(window.sampled);
        if COVERED {
            let factor = (sampled + to_start + to_end) / sampled;
            return growth * self.per.divide::<FUSED>(factor);
        }
        let average = sampled / f64::from(window.gaps);
        let threshold = average * 1.1;
        let half = average / 2.0;
        to_start = if to_start >= threshold { half } else { to_start };
        if ZERO {
            // A counter starts at zero: do not extrapolate below it.
            let zero = sampled * (window.first / growth);
            let grows = (growth > 0.0) & (window.first >= 0.0);
            let to_zero = if grows { zero } else { to_start };
            to_start = if to_zero < to_start { to_zero } else { to_start };
        }
        to_end = if to_end >= threshold { half } else { to_end };
        let factor = (sampled + to_start + to_end) / sampled;
        let value = growth * self.per.divide::<FUSED>(factor);
        if window.gaps >= 1 { value } else { ABSENT }
    }
}

widest! {
    /// Places whose value is below the one before. Neither does a NaN fall, nor what follows one. Staleness
    /// markers behind the first place are found on the way.
    fn find_resets(v: &[f64], resets: &mut Vec<u32>, stale: &mut bool) {
        const BLOCK: usize = 64;
        let Some(pairs) = v.len().checked_sub(1) else { return };
        let (before, now) = (&v[..pairs], &v[1..]);
        // Most blocks have neither resets nor NaN, and finding that out runs on whole vectors.
        for (block, (before, now)) in before.chunks(BLOCK).zip(now.chunks(BLOCK)).enumerate() {
            let grows = before.iter().zip(now).fold(true, |grows, (before, now)| grows & (now >= before));
            if !grows {
                let places = before.iter().zip(now).enumerate().filter(|(_, (before, now))| now < before);
                resets.extend(places.map(|(i, _)| (block * BLOCK + i + 1) as u32));
                *stale |= now.iter().any(|v| is_stale(*v));
            }
        }
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

#[cfg(test)]
mod tests;
