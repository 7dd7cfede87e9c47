//! `rate`, `increase`, `delta`, `irate`, `idelta` of native histograms.

use model::{CounterResetHint, FloatHistogram};

use super::{About, Cell, Window};
use crate::math::seconds;
use crate::native::{self, Native};
use crate::notes::HistogramOperation;
use crate::rollup::Rollup;

/// Growth over the window, extrapolated as for floats, with the number of observations deciding where
/// a counter would have been zero.
pub(super) fn extrapolated(w: &Window<'_>, rollup: Rollup, about: &mut About<'_>) -> Option<FloatHistogram> {
    let counter = rollup != Rollup::Delta;
    let gaps = w.ht.len().checked_sub(1).filter(|gaps| *gaps > 0)?;
    let mut growth = growth(w.h, counter, about)?;
    let (first, last) = (w.ht[0], w.ht[gaps]);
    let mut to_start = (first - w.start) as f64 / 1000.0;
    let mut to_end = (w.end - last) as f64 / 1000.0;
    let sampled = (last - first) as f64 / 1000.0;
    let average = sampled / gaps as f64;
    let threshold = average * 1.1;
    if to_start >= threshold {
        to_start = average / 2.0;
    }
    let count = growth.finish().count;
    if counter && count > 0.0 && w.h[0].count >= 0.0 {
        let to_zero = sampled * (w.h[0].count / count);
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    if to_end >= threshold {
        to_end = average / 2.0;
    }
    let mut factor = if sampled == 0.0 { 1.0 } else { (sampled + to_start + to_end) / sampled };
    if rollup == Rollup::Rate {
        factor /= seconds(w.range_ms);
    }
    growth.multiply(factor);
    Some(growth.finish())
}

/// The last histogram minus the first, what was lost by resets added.
fn growth(h: &[FloatHistogram], counter: bool, about: &mut About<'_>) -> Option<Native> {
    let (first, last) = (&h[0], &h[h.len() - 1]);
    let is_gauge = |h: &FloatHistogram| h.counter_reset_hint == CounterResetHint::Gauge;
    if counter && (is_gauge(first) || is_gauge(last)) {
        about.notes.not_a_counter(about.metric, about.span);
    }
    // After a reset right behind the first one, that one does not matter.
    let forgotten = (counter && native::is_reset(&h[1], first)).then(|| Native::empty_like(&h[1]).finish());
    let base = forgotten.as_ref().unwrap_or(first);
    let custom = base.uses_custom_buckets();
    let incompatible = |about: &mut About<'_>| about.notes.mixed_exponential_custom(about.metric, about.span);
    if last.uses_custom_buckets() != custom {
        incompatible(about);
        return None;
    }
    let mut schema = last.schema.min(base.schema);
    if counter {
        for h in &h[1..h.len() - 1] {
            if is_gauge(h) {
                about.notes.not_a_counter(about.metric, about.span);
            }
            schema = schema.min(h.schema);
            if h.uses_custom_buckets() != custom {
                incompatible(about);
                return None;
            }
        }
    }
    let mut result = Native::from(last);
    result.reduce(schema, false);
    match result.subtract(base) {
        Ok(added) if added.reconciled => {
            about.notes.mismatched_bounds(HistogramOperation::Subtraction, about.span);
        }
        Ok(_) => {}
        Err(_) => {
            incompatible(about);
            return None;
        }
    }
    if counter {
        let mut before = base;
        for now in &h[1..] {
            if native::is_reset(now, before) {
                match result.add(before, false) {
                    Ok(added) if added.reconciled => {
                        about.notes.mismatched_bounds(HistogramOperation::Addition, about.span);
                    }
                    Ok(_) => {}
                    Err(_) => {
                        incompatible(about);
                        return None;
                    }
                }
            }
            before = now;
        }
    } else if !is_gauge(first) || !is_gauge(last) {
        about.notes.not_a_gauge(about.metric, about.span);
    }
    result.hint = CounterResetHint::Gauge;
    Some(result)
}

/// From the last two samples of either kind.
pub(super) fn last_two(w: &Window<'_>, rate: bool, about: &mut About<'_>) -> Cell {
    let n = w.ht.len();
    let last_float = w.t.last().copied();
    // Two histograms, unless a float lies among the last two samples.
    let second_last = if n > 1 { Some(w.ht[n - 2]) } else { None };
    match (last_float, second_last) {
        (None, None) => return Cell::Nothing,
        (Some(float), second) if second.is_none_or(|second| float > second) => {
            // Two floats after all histograms are the float kernel's business.
            if w.t.len() > 1 && w.t[w.t.len() - 2] > w.ht[n - 1] {
                return Cell::AsIs;
            }
            about.notes.mixed_floats_histograms(about.metric, about.span);
            return Cell::Nothing;
        }
        _ => {}
    }
    let (before, now) = (&w.h[n - 2], &w.h[n - 1]);
    let gauges = [before, now].map(|h| h.counter_reset_hint == CounterResetHint::Gauge);
    if rate && gauges.contains(&true) {
        about.notes.not_a_counter(about.metric, about.span);
    }
    if !rate && gauges.contains(&false) {
        about.notes.not_a_gauge(about.metric, about.span);
    }
    let mut result = Native::from(now);
    if !rate || !native::is_reset(now, before) {
        match result.subtract(before) {
            Ok(added) if added.reconciled => {
                about.notes.mismatched_bounds(HistogramOperation::Subtraction, about.span);
            }
            Ok(_) => {}
            Err(_) => {
                about.notes.mixed_exponential_custom(about.metric, about.span);
                return Cell::Nothing;
            }
        }
    }
    result.hint = CounterResetHint::Gauge;
    if rate {
        result.divide((w.ht[n - 1] - w.ht[n - 2]) as f64 / 1000.0);
    }
    Cell::Histogram(result.finish())
}
