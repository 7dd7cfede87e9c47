//! The native histograms among the operands.

use std::sync::Arc;

use hashbrown::HashMap;
use model::{FloatHistogram, METRIC_NAME};
use promql::Span;

use super::{Classic, signature, without_le};
use crate::Error;
use crate::native::{self, NanNote};
use crate::notes::Notes;
use crate::vector::{Head, Vector, drop_metadata, is_absent};

/// Puts what `value` gives for each histogram into `out`, series by series.
pub(super) fn each(
    input: &Vector,
    delayed: bool,
    out: &mut Vector,
    mut value: impl FnMut(&Head, usize, &FloatHistogram) -> Option<f64>,
) -> Result<(), Error> {
    for head in &input.series {
        let Some(histograms) = &head.histograms else { continue };
        let labels = if delayed { head.labels.clone() } else { drop_metadata(&head.labels) };
        let row = out.push_absent(Head { drop_name: delayed, ..Head::new(labels) })?;
        for (step, h) in histograms.iter().enumerate() {
            if let Some(v) = h.as_ref().and_then(|h: &Arc<FloatHistogram>| value(head, step, h)) {
                row[step] = v;
            }
        }
    }
    Ok(())
}

pub(super) fn quantile(q: f64, head: &Head, h: &FloatHistogram, notes: &mut Notes, span: Span) -> Option<f64> {
    let (value, note) = native::quantile(q, h);
    let outcome = note.map(|note| match note {
        NanNote::Result => "result is NaN",
        NanNote::Skewed => "result is skewed higher",
    });
    if let Some(outcome) = outcome {
        let metric = head.labels.get(METRIC_NAME).unwrap_or("");
        notes.nan_observations("histogram_quantile", outcome, metric, span);
    }
    Some(value)
}

pub(super) fn fraction(
    lower: f64,
    upper: f64,
    head: &Head,
    h: &FloatHistogram,
    notes: &mut Notes,
    span: Span,
) -> Option<f64> {
    let (value, nan) = native::fraction(lower, upper, h);
    if nan {
        let metric = head.labels.get(METRIC_NAME).unwrap_or("");
        notes.nan_observations("histogram_fraction", "which are excluded from all fractions", metric, span);
    }
    Some(value)
}

/// A step at which a series has a native histogram and others are buckets of the same labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    pub(super) series: usize,
    pub(super) classic: usize,
    pub(super) step: usize,
}

pub(super) fn conflicts(input: &Vector, classics: &[Classic]) -> Vec<Conflict> {
    let by_key: HashMap<&[u8], usize> = classics.iter().enumerate().map(|(i, c)| (c.key.as_slice(), i)).collect();
    let (keys, mut key, mut found) = (without_le(), Vec::new(), Vec::new());
    for (series, head) in input.series.iter().enumerate() {
        let Some(histograms) = &head.histograms else { continue };
        signature(&keys, &head.labels, &mut key);
        let Some(&classic) = by_key.get(key.as_slice()) else { continue };
        for (step, _) in histograms.iter().enumerate().filter(|(_, h)| h.is_some()) {
            if classics[classic].buckets.iter().any(|&(_, i)| !is_absent(input.row(i)[step])) {
                found.push(Conflict { series, classic, step });
            }
        }
    }
    found
}
