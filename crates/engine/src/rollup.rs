//! Rolling one series up on the step grid: samples `(t[], v[])` in, one value a step out.
//!
//! Windows are left-open, `(t - range, t]`, and found by two pointers that only move forward. A step
//! without a value holds [`ABSENT`].

mod extended;
mod moments;
pub(crate) mod native;
mod order;
mod rate;
mod regress;
mod sides;
mod simple;
mod starts;
#[cfg(test)]
mod tests;
mod windows;

pub(crate) use extended::samples as extended_samples;
pub(crate) use windows::{Scratch, drop_stale, drop_stale_histograms};

use std::ops::Range;

use block::Columns;
use model::TimeRange;
use windows::{Windows, has_stale};

use crate::Grid;
use crate::vector::ABSENT;

/// What is computed of each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rollup {
    /// The newest sample within the lookback, unless it is a staleness marker.
    Instant,
    /// The same, interpolated between its neighbours (`smoothed`).
    Smoothed,
    /// The time of that sample in seconds.
    Timestamp,
    /// Its start timestamp in seconds, 0 where it has none.
    StartTimestamp,
    Rate,
    Increase,
    Delta,
    Irate,
    Idelta,
    Deriv,
    PredictLinear,
    DoubleExponential,
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Stddev,
    Stdvar,
    Quantile,
    Mad,
    First,
    Last,
    Present,
    Changes,
    Resets,
    TsOfFirst,
    TsOfLast,
    TsOfMin,
    TsOfMax,
}

impl Rollup {
    /// Whether the result is still the same metric.
    pub(crate) fn keeps_name(self) -> bool {
        matches!(self, Self::Instant | Self::Smoothed | Self::First | Self::Last)
    }

    /// Whether it reads single samples within the lookback instead of windows.
    pub(crate) fn is_instant(self) -> bool {
        matches!(self, Self::Instant | Self::Smoothed | Self::Timestamp | Self::StartTimestamp)
    }

    /// Whether it looks at staleness markers. To the others they are not there.
    pub(crate) fn sees_stale(self) -> bool {
        self.is_instant() && self != Self::Smoothed
    }
}

/// Which samples outside the window take part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Edges {
    /// None.
    #[default]
    Open,
    /// The last one at or before the start stands for the value there.
    Anchored,
    /// Values at both edges are interpolated.
    Smoothed,
}

/// Where the windows lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    pub(crate) grid: Grid,
    /// The range in milliseconds; for instant rollups the lookback.
    pub(crate) window_ms: i64,
    pub(crate) offset_ms: i64,
    /// Unix milliseconds that every step looks at instead of its own time.
    pub(crate) at_ms: Option<i64>,
    pub(crate) edges: Edges,
    /// How far beyond its edges an anchored or smoothed window looks.
    pub(crate) lookback_ms: i64,
}

impl Shape {
    /// Where the window of a step ends, offset and `@` applied.
    #[inline]
    pub(crate) fn end(&self, step: usize) -> i64 {
        self.at_ms.unwrap_or_else(|| self.grid.at(step)).saturating_sub(self.offset_ms)
    }

    /// The steps outside of which no sample of `t` lies in the window.
    fn alive(&self, t: &[i64]) -> Range<usize> {
        let (Some(&first), Some(&last)) = (t.first(), t.last()) else { return 0..0 };
        let steps = self.grid.len();
        let step = self.grid.step_ms.max(1);
        let until = |time: i64| {
            // How many steps end before `time`. Extremes take wider numbers, which divide slowly.
            let before = match time.checked_sub(self.end(0)).and_then(|distance| distance.checked_add(step - 1)) {
                Some(distance) => i128::from(distance.div_euclid(step)),
                None => (i128::from(time) - i128::from(self.end(0)) + i128::from(step) - 1).div_euclid(step.into()),
            };
            usize::try_from(before.max(0)).map_or(steps, |n| n.min(steps))
        };
        let from = until(first);
        from..until(last.saturating_add(self.window_ms)).max(from)
    }

    /// The samples that can matter, closed.
    pub(crate) fn samples(&self) -> TimeRange {
        let last = self.grid.len().saturating_sub(1);
        let (before, after) = match self.edges {
            Edges::Open => (0, 0),
            Edges::Anchored => (self.lookback_ms, 0),
            Edges::Smoothed => (self.lookback_ms, self.lookback_ms),
        };
        let min = self.end(0).saturating_sub(self.window_ms).saturating_sub(before).saturating_add(1);
        TimeRange::new(min, self.end(last).saturating_add(after))
    }
}

/// Scalar arguments of the function, a value a step each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Params<'a> {
    pub(crate) first: &'a [f64],
    pub(crate) second: &'a [f64],
}

impl Params<'_> {
    fn first(&self, step: usize) -> f64 {
        self.first.get(step).copied().unwrap_or(f64::NAN)
    }

    fn second(&self, step: usize) -> f64 {
        self.second.get(step).copied().unwrap_or(f64::NAN)
    }
}

/// Rolls one series up into `out`, one place a step. `t` ascends strictly. `false`, and nothing of use in `out`,
/// where a staleness marker is in the way of a rollup that does not look at them: see [`drop_stale`].
#[must_use]
pub(crate) fn roll(
    rollup: Rollup,
    shape: &Shape,
    params: Params<'_>,
    t: &[i64],
    v: &[f64],
    scratch: &mut Scratch,
    out: &mut [f64],
) -> bool {
    debug_assert_eq!(out.len(), shape.grid.len());
    // Looking for resets finds markers as well.
    let found_later = shape.edges == Edges::Open && rate::Kind::of(rollup).is_some_and(rate::Kind::is_counter);
    if !rollup.sees_stale() && !found_later && has_stale(v) {
        return false;
    }
    if shape.edges != Edges::Open || rollup == Rollup::Smoothed || shape.at_ms.is_some() {
        return roll_alive(rollup, shape, params, t, v, scratch, out);
    }
    let alive = shape.alive(t);
    out[..alive.start].fill(ABSENT);
    out[alive.end..].fill(ABSENT);
    if alive.is_empty() {
        return true;
    }
    let cut = |row: &'_ [f64]| alive.start.min(row.len())..alive.end.min(row.len());
    let params = Params { first: &params.first[cut(params.first)], second: &params.second[cut(params.second)] };
    let grid = Grid { start_ms: shape.grid.at(alive.start), end_ms: shape.grid.at(alive.end - 1), ..shape.grid };
    roll_alive(rollup, &Shape { grid, ..*shape }, params, t, v, scratch, &mut out[alive])
}

/// As [`roll`], where nearly all windows have samples.
fn roll_alive(
    rollup: Rollup,
    shape: &Shape,
    params: Params<'_>,
    t: &[i64],
    v: &[f64],
    scratch: &mut Scratch,
    out: &mut [f64],
) -> bool {
    if !t.is_empty()
        && shape.edges == Edges::Open
        && let Some(kind) = rate::Kind::of(rollup)
    {
        return rate::extrapolated(shape, kind, (t, v), &mut scratch.sides, &mut scratch.marks, out);
    }
    roll_others(rollup, shape, params, t, v, scratch, out);
    true
}

/// All rollups that do not extrapolate.
fn roll_others(
    rollup: Rollup,
    shape: &Shape,
    params: Params<'_>,
    t: &[i64],
    v: &[f64],
    scratch: &mut Scratch,
    out: &mut [f64],
) {
    out.fill(ABSENT);
    if t.is_empty() {
        return;
    }
    match rollup {
        Rollup::Instant => return simple::instant(shape, t, v, out),
        Rollup::Timestamp => return simple::timestamp(shape, t, v, out),
        Rollup::StartTimestamp => return simple::start_timestamp(shape, t, v, &[], out),
        Rollup::Smoothed => return extended::smoothed(shape, t, v, out),
        _ => {}
    }
    if shape.edges != Edges::Open {
        return extended::roll(rollup, shape, t, v, &[], out);
    }
    scratch.windows(shape, t);
    let w = Windows { shape, t, v, lo: &scratch.lo, hi: &scratch.hi };
    match rollup {
        Rollup::Instant | Rollup::Smoothed | Rollup::Timestamp | Rollup::StartTimestamp => {}
        Rollup::Rate | Rollup::Increase | Rollup::Delta => {}
        Rollup::Irate => rate::last_two(&w, true, out),
        Rollup::Idelta => rate::last_two(&w, false, out),
        Rollup::Deriv => regress::deriv(&w, out),
        Rollup::PredictLinear => regress::predict_linear(&w, params, out),
        Rollup::DoubleExponential => regress::double_exponential(&w, params, out),
        Rollup::Sum => moments::sum(&w, out),
        Rollup::Avg => moments::avg(&w, out),
        Rollup::Stddev => moments::variance(&w, f64::sqrt, out),
        Rollup::Stdvar => moments::variance(&w, |v| v, out),
        Rollup::Min => order::min(&w, &mut scratch.order, out),
        Rollup::Max => order::max(&w, &mut scratch.order, out),
        Rollup::TsOfMin => order::time_of(&w, |new, best| new <= best, out),
        Rollup::TsOfMax => order::time_of(&w, |new, best| new >= best, out),
        Rollup::Quantile => order::quantile(&w, params, &mut scratch.values, out),
        Rollup::Mad => order::mad(&w, &mut scratch.values, out),
        Rollup::Count => w.each(out, |_, lo, hi| (hi - lo) as f64),
        Rollup::First => w.each(out, |_, lo, _| v[lo]),
        Rollup::Last => w.each(out, |_, _, hi| v[hi - 1]),
        Rollup::Present => w.each(out, |_, _, _| 1.0),
        Rollup::TsOfFirst => w.each(out, |_, lo, _| t[lo] as f64 / 1000.0),
        Rollup::TsOfLast => w.each(out, |_, _, hi| t[hi - 1] as f64 / 1000.0),
        Rollup::Changes => simple::changes(&w, &mut scratch.marks, out),
        Rollup::Resets => simple::resets(&w, &mut scratch.marks, out),
    }
}

/// As [`roll`] for the few functions that look at start timestamps; the others, and series without any, are
/// left alone (`None`). Gives at how many steps start timestamps overlap with samples.
pub(crate) fn roll_with_starts(rollup: Rollup, shape: &Shape, columns: &Columns, out: &mut [f64]) -> Option<u64> {
    let Columns { t, v, st, .. } = columns;
    if st.is_empty() {
        return None;
    }
    match (rollup, shape.edges) {
        (Rollup::StartTimestamp, _) => simple::start_timestamp(shape, t, v, st, fresh(out)),
        (Rollup::Resets, Edges::Anchored) => extended::roll(rollup, shape, t, v, st, fresh(out)),
        (Rollup::Rate | Rollup::Increase | Rollup::Irate | Rollup::Resets, Edges::Open) => {
            return Some(starts::roll(rollup, shape, t, v, st, fresh(out)));
        }
        _ => return None,
    }
    Some(0)
}

fn fresh(out: &mut [f64]) -> &mut [f64] {
    out.fill(ABSENT);
    out
}
