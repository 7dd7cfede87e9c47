//! `anchored` and `smoothed` over native histograms.

use std::sync::Arc;

use block::Columns;
use model::{CounterResetHint, FloatHistogram};

use super::super::{Edges, Rollup, Shape};
use super::{About, Cell, Window};
use crate::math::seconds;
use crate::native::{self, Incompatible, Native};
use crate::notes::HistogramOperation;
use crate::vector::{ABSENT, Histograms};

/// The samples that an extended window sees.
pub(super) fn bounds(shape: &Shape, end: i64) -> (i64, i64) {
    let start = end.saturating_sub(shape.window_ms).saturating_sub(shape.lookback_ms);
    let after = if shape.edges == Edges::Smoothed { shape.lookback_ms } else { 0 };
    (start, end.saturating_add(after))
}

/// A smoothed instant selector: the histogram at the step, or between its neighbours, or the one before.
/// Steps around which there are floats, too, have none of either.
pub(super) fn smoothed(
    shape: &Shape,
    columns: &Columns,
    out: &mut [f64],
    histograms: &mut Histograms,
    about: &mut About<'_>,
) {
    for (step, out) in out.iter_mut().enumerate() {
        let end = shape.end(step);
        let (from, to) = (end.saturating_sub(shape.lookback_ms), end.saturating_add(shape.lookback_ms));
        let within = |t: &[i64]| t.partition_point(|&t| t <= from)..t.partition_point(|&t| t <= to);
        let (floats, hists) = (within(&columns.t), within(&columns.ht));
        if hists.is_empty() {
            continue;
        }
        *out = ABSENT;
        if !floats.is_empty() {
            about.notes.mixed_floats_histograms(about.metric, about.span);
            continue;
        }
        let (ht, h) = (&columns.ht[hists.clone()], &columns.h[hists]);
        let i = ht.partition_point(|&t| t < end);
        let value = if ht.get(i) == Some(&end) {
            Some(h[i].clone())
        } else if i == 0 {
            None
        } else if i == ht.len() {
            // What its hint says is about the sample, not about the value that is carried on.
            Some(FloatHistogram { counter_reset_hint: CounterResetHint::Unknown, ..h[i - 1].clone() })
        } else {
            let gauge = |h: &FloatHistogram| h.counter_reset_hint == CounterResetHint::Gauge;
            let counter = !gauge(&h[i - 1]) || !gauge(&h[i]);
            let between = interpolate((ht[i - 1], &h[i - 1]), (ht[i], &h[i]), end, counter, about);
            between.map_err(|Incompatible| about.notes.mixed_exponential_custom(about.metric, about.span)).ok()
        };
        histograms[step] = value.map(Arc::new);
    }
}

/// The histogram at `at` between two others; after a reset on the way to it, a counter started at zero.
fn interpolate(
    (t0, h0): (i64, &FloatHistogram),
    (t1, h1): (i64, &FloatHistogram),
    at: i64,
    counter: bool,
    about: &mut About<'_>,
) -> Result<FloatHistogram, Incompatible> {
    if h0.uses_custom_buckets() != h1.uses_custom_buckets() {
        return Err(Incompatible);
    }
    if at == t0 || at == t1 {
        return Ok(if at == t0 { h0.clone() } else { h1.clone() });
    }
    let fraction = (at - t0) as f64 / (t1 - t0) as f64;
    let mut result = Native::from(h1);
    if counter && native::is_reset(h1, h0) {
        result.multiply(fraction);
        return Ok(result.finish());
    }
    if result.subtract(h0)?.reconciled {
        about.notes.mismatched_bounds(HistogramOperation::Subtraction, about.span);
    }
    result.multiply(fraction);
    if result.add(h0, false)?.reconciled {
        about.notes.mismatched_bounds(HistogramOperation::Addition, about.span);
    }
    Ok(result.finish())
}

/// `rate`, `increase` and `delta` between the edges of the window; `w` holds the samples beyond them, too.
pub(super) fn growth(w: &Window<'_>, rollup: Rollup, smoothed: bool, about: &mut About<'_>) -> Option<FloatHistogram> {
    let counter = rollup != Rollup::Delta;
    let mut last = w.ht.len() - 1;
    let first = w.ht[..last].partition_point(|&t| t <= w.start).saturating_sub(1);
    if smoothed {
        last = w.ht[..last].partition_point(|&t| t < w.end);
    }
    if w.ht[last] <= w.start || (smoothed && w.ht[first] > w.end) || !is_uniform(&w.h[first..=last], counter, about) {
        return None;
    }
    let incompatible = |about: &mut About<'_>| about.notes.mixed_exponential_custom(about.metric, about.span);
    let at = |i: usize| (w.ht[i], &w.h[i]);
    let left = if smoothed && w.ht[first] < w.start {
        interpolate(at(first), at(first + 1), w.start, counter, about)
    } else {
        Ok(w.h[first].clone())
    };
    let right = if smoothed && last > 0 && w.ht[last] > w.end {
        interpolate(at(last - 1), at(last), w.end, counter, about)
    } else {
        Ok(w.h[last].clone())
    };
    let (Ok(left), Ok(right)) = (left, right) else {
        incompatible(about);
        return None;
    };
    let gauge = |h: &FloatHistogram| h.counter_reset_hint == CounterResetHint::Gauge;
    if !counter && (!gauge(&left) || !gauge(&right)) {
        about.notes.not_a_gauge(about.metric, about.span);
    }
    let mut result = Native::from(&right);
    let grown = result.subtract(&left).and_then(|added| {
        if added.reconciled {
            about.notes.mismatched_bounds(HistogramOperation::Subtraction, about.span);
        }
        if !counter {
            return Ok(());
        }
        match lost(w, (first, last), (&left, &right), smoothed, about)? {
            Some(lost) => add(&mut result, &lost.finish(), about),
            None => Ok(()),
        }
    });
    if grown.is_err() {
        incompatible(about);
        return None;
    }
    if rollup == Rollup::Rate {
        result.divide(seconds(w.range_ms));
    }
    result.hint = CounterResetHint::Gauge;
    Some(result.finish())
}

fn add(sum: &mut Native, h: &FloatHistogram, about: &mut About<'_>) -> Result<(), Incompatible> {
    if sum.add(h, false)?.reconciled {
        about.notes.mismatched_bounds(HistogramOperation::Addition, about.span);
    }
    Ok(())
}

/// Whether all buckets are of one kind; gauges among counters are worth a note.
fn is_uniform(h: &[FloatHistogram], counter: bool, about: &mut About<'_>) -> bool {
    let custom = h[0].uses_custom_buckets();
    for h in h {
        if h.uses_custom_buckets() != custom {
            about.notes.mixed_exponential_custom(about.metric, about.span);
            return false;
        }
        if counter && h.counter_reset_hint == CounterResetHint::Gauge {
            about.notes.not_a_counter(about.metric, about.span);
        }
    }
    true
}

/// The sum of what the counter had before each reset between the values at the edges.
fn lost(
    w: &Window<'_>,
    (first, last): (usize, usize),
    (left, right): (&FloatHistogram, &FloatHistogram),
    smoothed: bool,
    about: &mut About<'_>,
) -> Result<Option<Native>, Incompatible> {
    // The edges stand for the first and the last sample.
    let (mut from, mut before) = (first + 1, left);
    if smoothed && w.ht[first] < w.start && native::is_reset(&w.h[first + 1], &w.h[first]) {
        // The value at the left edge has dealt with this reset.
        before = &w.h[from];
        from += 1;
    }
    if from > last {
        return Ok(None);
    }
    let mut lost: Option<Native> = None;
    for now in w.h[from..last].iter().chain([right]) {
        if native::is_reset(now, before) {
            match &mut lost {
                None => lost = Some(Native::from(before)),
                Some(lost) => add(lost, before, about)?,
            }
        }
        before = now;
    }
    Ok(lost)
}

/// What is left of an anchored window for `changes` and `resets`: the newest sample at or before its start, and
/// those behind it; none where none lies behind it.
pub(super) fn anchored(w: &Window<'_>) -> Option<(usize, usize)> {
    let before = |t: &[i64]| t.partition_point(|&t| t <= w.start);
    let (floats, hists) = (before(w.t), before(w.ht));
    if floats == w.t.len() && hists == w.ht.len() {
        return None;
    }
    let newest = |t: &[i64], n: usize| n.checked_sub(1).map(|i| t[i]);
    Some(match (newest(w.t, floats), newest(w.ht, hists)) {
        (None, None) => (0, 0),
        (Some(float), hist) if hist.is_none_or(|hist| float >= hist) => (floats - 1, hists),
        _ => (floats, hists - 1),
    })
}

impl Window<'_> {
    /// What an anchored or smoothed window gives.
    pub(super) fn extended(&self, rollup: Rollup, edges: Edges, about: &mut About<'_>) -> Cell {
        match rollup {
            Rollup::Rate | Rollup::Increase | Rollup::Delta if !self.t.is_empty() => {
                about.notes.mixed_floats_histograms(about.metric, about.span);
                Cell::Nothing
            }
            Rollup::Rate | Rollup::Increase | Rollup::Delta => {
                Cell::of(growth(self, rollup, edges == Edges::Smoothed, about))
            }
            // The planner refuses all others.
            _ => match anchored(self) {
                None => Cell::Nothing,
                Some((floats, hists)) => self.behind(floats, hists).value(rollup, about),
            },
        }
    }
}
