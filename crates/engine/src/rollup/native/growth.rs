//! `rate`, `increase`, `delta`, `irate`, `idelta` of native histograms.

use model::{CounterResetHint, FloatHistogram};

use super::{About, Cell, Window};
use crate::math::seconds;
use crate::native::{self, Added, Incompatible, Native};
use crate::notes::HistogramOperation;
use crate::rollup::Rollup;
use crate::rollup::starts::{self, Edges};

/// Growth over the window, extrapolated as for floats, with the number of observations deciding where
/// a counter would have been zero.
pub(super) fn extrapolated(w: &Window<'_>, rollup: Rollup, about: &mut About<'_>) -> Option<FloatHistogram> {
    let counter = rollup != Rollup::Delta;
    let first_start = w.hst.first().copied().filter(|_| counter);
    let edges = Edges::of(w.ht, first_start, w.start, w.end)?;
    let mut result = if w.ht.len() > 1 { growth(w, counter, about)? } else { Native::from(&w.h[0]) };
    if edges.from_start && w.ht.len() > 1 && !noted(result.add(&w.h[0], false), HistogramOperation::Addition, about) {
        return None;
    }
    let count = result.finish().count;
    let zero = (counter && count > 0.0 && w.h[0].count >= 0.0).then(|| w.h[0].count / count);
    let divisor = if rollup == Rollup::Rate { seconds(w.range_ms) } else { 1.0 };
    result.multiply(edges.factor(zero, divisor));
    Some(result.finish())
}

/// Notes what is worth it about a sum; whether there is one.
fn noted(added: Result<Added, Incompatible>, operation: HistogramOperation, about: &mut About<'_>) -> bool {
    match added {
        Ok(Added { reconciled: true, .. }) => about.notes.mismatched_bounds(operation, about.span),
        Ok(_) => {}
        Err(Incompatible) => about.notes.mixed_exponential_custom(about.metric, about.span),
    }
    added.is_ok()
}

/// The last histogram minus the first, what was lost by resets added.
fn growth(w: &Window<'_>, counter: bool, about: &mut About<'_>) -> Option<Native> {
    let h = w.h;
    let (first, last) = (&h[0], &h[h.len() - 1]);
    let is_gauge = |h: &FloatHistogram| h.counter_reset_hint == CounterResetHint::Gauge;
    if counter && (is_gauge(first) || is_gauge(last)) {
        about.notes.not_a_counter(about.metric, about.span);
    }
    // After a reset right behind the first one, that one does not matter.
    let forgotten = (counter && w.histogram_fell(1)).then(|| Native::empty_like(&h[1]).finish());
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
    if !noted(result.subtract(base), HistogramOperation::Subtraction, about) {
        return None;
    }
    if counter {
        if (1..w.hst.len()).any(|i| starts::overlaps(w.histogram_at(i - 1), w.hst[i])) {
            about.notes.start_time_overlap(about.metric, 1, about.span);
        }
        let mut before = base;
        for (i, now) in h.iter().enumerate().skip(1) {
            if (w.histogram_restarted(i) || native::is_reset(now, before))
                && !noted(result.add(before, false), HistogramOperation::Addition, about)
            {
                return None;
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
    if (!rate || !w.histogram_fell(n - 1)) && !noted(result.subtract(before), HistogramOperation::Subtraction, about) {
        return Cell::Nothing;
    }
    result.hint = CounterResetHint::Gauge;
    if rate {
        result.divide((w.ht[n - 1] - w.ht[n - 2]) as f64 / 1000.0);
    }
    Cell::Histogram(result.finish())
}
