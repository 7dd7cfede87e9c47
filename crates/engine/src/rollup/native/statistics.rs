//! Below `histogram_count`, `histogram_sum` and `histogram_avg` nothing but count and sum is looked at. As
//! Prometheus does there, buckets are dropped at once and each histogram is told whether a reset came before it,
//! which sums and means further up may warn about.

use block::Columns;
use model::{CounterResetHint, FloatHistogram};

use super::super::{Edges, Shape};
use crate::native::is_reset;

/// Drops the buckets; hints that are unknown become known where the sample before is read as well.
pub(crate) fn keep_statistics(columns: &mut Columns, shape: &Shape) {
    let (breaks, mut next) = (breaks(&columns.ht, shape), 0);
    let mut hints = Vec::with_capacity(columns.h.len());
    let mut before: Option<&FloatHistogram> = None;
    for (i, now) in columns.h.iter().enumerate() {
        if breaks.get(next) == Some(&i) {
            before = None;
            next += 1;
        }
        // What lies before the first window is not read.
        if next == 0 || now.is_stale() {
            hints.push(now.counter_reset_hint);
            continue;
        }
        hints.push(match (now.counter_reset_hint, before) {
            (CounterResetHint::Unknown, Some(before)) if is_reset(now, before) => CounterResetHint::CounterReset,
            (CounterResetHint::Unknown, Some(_)) => CounterResetHint::NotCounterReset,
            (hint, _) => hint,
        });
        before = Some(now);
    }
    for (h, counter_reset_hint) in columns.h.iter_mut().zip(hints) {
        let (schema, count, sum) = (h.schema, h.count, h.sum);
        *h = FloatHistogram { counter_reset_hint, schema, count, sum, ..FloatHistogram::default() };
    }
}

/// Where reading begins, and begins anew behind a jump: windows that do not touch leave samples out.
fn breaks(ht: &[i64], shape: &Shape) -> Vec<usize> {
    let (before, after) = match shape.edges {
        Edges::Open => (0, 0),
        Edges::Anchored => (shape.lookback_ms, 0),
        Edges::Smoothed => (shape.lookback_ms, shape.lookback_ms),
    };
    let mut place = ht.partition_point(|&t| t < shape.samples().min);
    let mut breaks = vec![place];
    for step in 0..shape.grid.len() {
        let end = shape.end(step);
        let start = end.saturating_sub(shape.window_ms).saturating_sub(before);
        if ht.get(place).is_some_and(|&t| t <= start) {
            place += ht[place..].partition_point(|&t| t <= start);
            breaks.push(place);
        }
        place += ht[place..].partition_point(|&t| t < end.saturating_add(after));
    }
    breaks
}
