//! Equality, and whether a counter was reset between two histograms.

use model::histogram::{bound, indexed};
use model::{CounterResetHint, FloatHistogram, Span};

use super::{Native, common_bounds, moved_to, same_bounds};

/// The same in every bit, the reset hint and empty buckets aside.
pub(crate) fn equal(a: &FloatHistogram, b: &FloatHistogram) -> bool {
    let bits = |h: &FloatHistogram| [h.count, h.sum, h.zero_count].map(f64::to_bits);
    let same = |spans_a: &[Span], a: &[f64], spans_b: &[Span], b: &[f64]| {
        let populated = |spans: &[Span], counts: &[f64]| {
            indexed(spans, counts).filter(|(_, c)| *c != 0.0).map(|(i, c)| (i, c.to_bits())).collect::<Vec<_>>()
        };
        populated(spans_a, a) == populated(spans_b, b)
    };
    a.schema == b.schema
        && bits(a) == bits(b)
        && a.zero_threshold == b.zero_threshold
        && (!a.uses_custom_buckets() || same_bounds(&a.custom_values, &b.custom_values))
        && same(&a.negative_spans, &a.negative_buckets, &b.negative_spans, &b.negative_buckets)
        && same(&a.positive_spans, &a.positive_buckets, &b.positive_spans, &b.positive_buckets)
}

/// Whether `now` comes after a reset: its hint says so, or something in it fell.
pub(crate) fn is_reset(now: &FloatHistogram, before: &FloatHistogram) -> bool {
    match now.counter_reset_hint {
        CounterResetHint::CounterReset => return true,
        CounterResetHint::NotCounterReset => return false,
        CounterResetHint::Unknown | CounterResetHint::Gauge => {}
    }
    is_native_reset(now, &Native::from(before), before.uses_custom_buckets())
}

/// As [`is_reset`] without hints, against a histogram that was computed.
pub(crate) fn is_native_reset(now: &FloatHistogram, before: &Native, before_is_custom: bool) -> bool {
    if now.count < before.count.total() {
        return true;
    }
    let current = Native::from(now);
    if now.uses_custom_buckets() {
        if !before_is_custom {
            return true;
        }
        if !same_bounds(&current.custom, &before.custom) {
            let common = common_bounds(&current.custom, &before.custom);
            let now = moved_to(&current.positive, &current.custom, &common);
            return fell(&now, &moved_to(&before.positive, &before.custom, &common));
        }
    }
    if now.schema > before.schema || now.zero_threshold < before.zero_threshold {
        return true;
    }
    let (zero, threshold) = before.zero_for(now.zero_threshold, false);
    if threshold != now.zero_threshold || now.zero_count < zero.total() {
        return true;
    }
    let mut reduced = before.clone();
    reduced.reduce(now.schema, false);
    if !now.uses_custom_buckets() {
        let outside = |index: i32| bound(index, now.schema, &[]) > now.zero_threshold;
        reduced.positive.retain(|(index, _)| outside(*index));
        reduced.negative.retain(|(index, _)| outside(*index));
    }
    fell(&current.positive, &reduced.positive) || fell(&current.negative, &reduced.negative)
}

/// Whether some populated bucket of `before` is missing or lower now.
fn fell(now: &super::Buckets, before: &super::Buckets) -> bool {
    before.iter().any(|(index, was)| match now.binary_search_by_key(index, |(i, _)| *i) {
        Ok(place) => now[place].1.total() < was.total(),
        Err(_) => was.total() != 0.0,
    })
}
