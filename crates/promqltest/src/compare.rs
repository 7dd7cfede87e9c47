//! Whether a result is what an `eval` expects.

mod diff;

use model::histogram::indexed;
use model::{FloatHistogram, Labels, Sample, Series, Span, Value};

use crate::number::almost_equal;
use crate::script::{Eval, ExpectKind, Expected, Steps};
use crate::series::SequenceValue;
use crate::series::show::literal;

/// Compares a result with what is expected of it; says what differs, and then line by line how.
pub(crate) fn result(eval: &Eval, value: &Value) -> Result<(), String> {
    same(eval, value).map_err(|message| message + &diff::diff(eval, value))
}

fn same(eval: &Eval, value: &Value) -> Result<(), String> {
    match value {
        Value::Scalar { v, .. } => scalar(&eval.expected, *v),
        Value::String { v, .. } => match &eval.expected {
            Expected::String(expected) if expected == v => Ok(()),
            Expected::String(expected) => Err(format!("expected string {expected:?} but got {v:?}")),
            _ => Err(format!("expected no string but got {v:?}")),
        },
        Value::Vector(samples) => vector(eval, samples),
        Value::Matrix(series) => matrix(eval, series),
    }
}

fn scalar(expected: &Expected, got: f64) -> Result<(), String> {
    match expected {
        Expected::Scalar(expected) if almost_equal(*expected, got) => Ok(()),
        Expected::Scalar(expected) => Err(format!("expected scalar {expected} but got {got}")),
        _ => Err(format!("expected vector or matrix result, but got scalar {got}")),
    }
}

fn vector(eval: &Eval, samples: &[Sample]) -> Result<(), String> {
    let Expected::Series { series, .. } = &eval.expected else {
        return Err(format!("expected {}, but got a vector of {}", wanted(&eval.expected), samples.len()));
    };
    for (at, sample) in samples.iter().enumerate() {
        let Some(place) = series.iter().position(|(labels, _)| *labels == sample.labels) else {
            return Err(format!("unexpected metric {} in result, has value {}", sample.labels, sample.v));
        };
        let (labels, values) = &series[place];
        if eval.has(ExpectKind::Ordered) && place != at {
            return Err(format!("expected metric {labels} at position {} but was at {}", place + 1, at + 1));
        }
        match values.first() {
            Some(SequenceValue::Histogram { histogram: expected, hint_written }) => match &sample.h {
                Some(h) if same_histogram(expected, h, *hint_written) => {}
                Some(h) => {
                    let (expected, h) = (literal(expected, *hint_written), literal(h, *hint_written));
                    return Err(format!("expected {expected} for {labels} but got {h}"));
                }
                None => return Err(format!("expected histogram for {labels} but got float value {}", sample.v)),
            },
            Some(SequenceValue::Float(expected)) if let Some(h) = &sample.h => {
                return Err(format!("expected {expected} for {labels} but got {}", literal(h, false)));
            }
            Some(SequenceValue::Float(expected)) if almost_equal(*expected, sample.v) => {}
            Some(SequenceValue::Float(expected)) => {
                return Err(format!("expected {expected} for {labels} but got {}", sample.v));
            }
            Some(SequenceValue::Omitted) | None => return Err(format!("no value is expected for {labels}")),
        }
    }
    let found = |labels: &Labels| samples.iter().any(|s| s.labels == *labels);
    match series.iter().find(|(labels, _)| !found(labels)) {
        None => Ok(()),
        Some((labels, values)) => Err(format!("expected metric {labels} with {} not found", show(values))),
    }
}

fn matrix(eval: &Eval, series: &[Series]) -> Result<(), String> {
    let (expected, start, end, step) = match (&eval.expected, eval.steps) {
        (Expected::Series { series, range: Some((start, end, step)) }, _) => (series, *start, *end, *step),
        (Expected::Series { series, .. }, Steps::Range { start, end, step }) => (series, start, end, step),
        (Expected::Series { series, .. }, Steps::Instant(t)) => (series, t, t, 0),
        _ => return Err(format!("expected {}, but got a matrix", wanted(&eval.expected))),
    };
    if eval.has(ExpectKind::Ordered) {
        return Err("expected ordered result, but query returned a matrix".to_owned());
    }
    sorted(series)?;
    for found in series {
        let Some((labels, values)) = expected.iter().find(|(labels, _)| *labels == found.labels) else {
            return Err(format!("unexpected metric {} in result, has {}", found.labels, points(found)));
        };
        let times = (0..).map(|i| start + i * step);
        let mut floats = Vec::new();
        let mut histograms = Vec::new();
        for (t, value) in times.zip(values) {
            if t > end {
                let n = values.len();
                return Err(format!("expected {n} points for {labels}, but the query cannot return this many points"));
            }
            match value {
                SequenceValue::Omitted => {}
                SequenceValue::Float(v) => floats.push((t, *v)),
                SequenceValue::Histogram { histogram, hint_written } => histograms.push((t, histogram, *hint_written)),
            }
        }
        if floats.len() != found.t.len() || histograms.len() != found.h.len() {
            return Err(format!(
                "expected {} float points and {} histogram points for {labels}, but got {}",
                floats.len(),
                histograms.len(),
                points(found)
            ));
        }
        for (i, ((t, expected, hint_written), (found_t, h))) in histograms.iter().zip(&found.h).enumerate() {
            if t != found_t || !same_histogram(expected, h, *hint_written) {
                let (expected, h) = (literal(expected, *hint_written), literal(h, *hint_written));
                return Err(format!(
                    "expected histogram at index {i} for {labels} to be {expected} at {t}, but got {h} at {found_t}"
                ));
            }
        }
        for (i, ((t, v), (found_t, found_v))) in floats.iter().zip(found.t.iter().zip(&found.v)).enumerate() {
            if t != found_t {
                return Err(format!(
                    "expected float value at index {i} for {labels} to have timestamp {t}, but it had timestamp \
                     {found_t} (result has {})",
                    points(found)
                ));
            }
            if !almost_equal(*v, *found_v) {
                return Err(format!(
                    "expected float value at index {i} (t={t}) for {labels} to be {v}, but got {found_v} (result has {})",
                    points(found)
                ));
            }
        }
    }
    let found = |labels: &Labels| series.iter().any(|s| s.labels == *labels);
    match expected.iter().find(|(labels, _)| !found(labels)) {
        None => Ok(()),
        Some((labels, values)) => Err(format!("expected metric {labels} with {} not found", show(values))),
    }
}

/// Equal up to rounding; empty buckets and, unless written, the reset hint aside.
fn same_histogram(expected: &FloatHistogram, got: &FloatHistogram, hint_written: bool) -> bool {
    let close = |a: f64, b: f64| almost_equal(a, b);
    let same_buckets = |spans_a: &[Span], a: &[f64], spans_b: &[Span], b: &[f64]| {
        let populated = |spans: &[Span], counts: &[f64]| {
            indexed(spans, counts).filter(|(_, count)| *count != 0.0).collect::<Vec<_>>()
        };
        let (a, b) = (populated(spans_a, a), populated(spans_b, b));
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && close(a.1, b.1))
    };
    expected.schema == got.schema
        && close(expected.count, got.count)
        && close(expected.sum, got.sum)
        && expected.custom_values == got.custom_values
        && expected.zero_threshold == got.zero_threshold
        && close(expected.zero_count, got.zero_count)
        && same_buckets(
            &expected.negative_spans,
            &expected.negative_buckets,
            &got.negative_spans,
            &got.negative_buckets,
        )
        && same_buckets(
            &expected.positive_spans,
            &expected.positive_buckets,
            &got.positive_spans,
            &got.positive_buckets,
        )
        && (!hint_written || expected.counter_reset_hint == got.counter_reset_hint)
}

/// Matrices are always sorted by labels.
pub(crate) fn sorted(series: &[Series]) -> Result<(), String> {
    match series.windows(2).find(|pair| pair[0].labels > pair[1].labels) {
        None => Ok(()),
        Some(pair) => Err(format!("matrix is not sorted: {} comes before {}", pair[0].labels, pair[1].labels)),
    }
}

fn wanted(expected: &Expected) -> String {
    match expected {
        Expected::Scalar(v) => format!("scalar {v}"),
        Expected::String(v) => format!("string {v:?}"),
        Expected::Series { series, .. } => format!("{} series", series.len()),
    }
}

fn points(series: &Series) -> String {
    let points: Vec<String> = series.t.iter().zip(&series.v).map(|(t, v)| format!("{v} @[{t}]")).collect();
    let (floats, histograms) = (points.len(), series.h.len());
    format!("{floats} float points [{}] and {histograms} histogram points", points.join(" "))
}

fn show(values: &[SequenceValue]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
