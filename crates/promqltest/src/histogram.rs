//! Histogram literals: `{{schema:1 sum:0.3 count:22 buckets:[5 10 7] offset:-1}}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{CounterResetHint, FloatHistogram, Span};

use crate::number::parse_number;

/// A literal, and whether it says anything of counter resets.
#[derive(Debug)]
pub(crate) struct Literal {
    pub(crate) histogram: FloatHistogram,
    pub(crate) hint_written: bool,
}

/// Reads the literal that `text` begins with; gives what follows it.
pub(crate) fn parse(text: &str) -> Result<(Literal, &str), String> {
    let inner = text.strip_prefix("{{").ok_or("expected \"{{\"")?;
    let (mut body, behind) = inner.split_once("}}").ok_or("a histogram is not closed by \"}}\"")?;
    let mut histogram = FloatHistogram::default();
    let (mut positive, mut negative) = ((0, Vec::new()), (0, Vec::new()));
    let mut seen: Vec<&str> = Vec::new();
    let mut hint_written = false;
    body = body.trim_start();
    while !body.is_empty() {
        let (key, rest) = body.split_once(':').ok_or_else(|| format!("expected a key in histogram at {body:?}"))?;
        if seen.contains(&key) {
            return Err(format!("duplicate key {key:?} in histogram"));
        }
        seen.push(key);
        let end = match rest.strip_prefix('[') {
            Some(list) => 2 + list.find(']').ok_or("a list is not closed by \"]\"")?,
            None => rest.find([' ', '\t']).unwrap_or(rest.len()),
        };
        let (value, rest) = rest.split_at(end);
        match key {
            "schema" => histogram.schema = integer(key, value)?,
            "sum" => histogram.sum = float(key, value)?,
            "count" => histogram.count = float(key, value)?,
            "z_bucket" => histogram.zero_count = float(key, value)?,
            "z_bucket_w" => histogram.zero_threshold = float(key, value)?,
            "buckets" => positive.1 = list(key, value)?,
            "n_buckets" => negative.1 = list(key, value)?,
            "offset" => positive.0 = integer(key, value)?,
            "n_offset" => negative.0 = integer(key, value)?,
            "custom_values" => histogram.custom_values = list(key, value)?.into(),
            "counter_reset_hint" => {
                hint_written = true;
                histogram.counter_reset_hint = match value {
                    "unknown" => CounterResetHint::Unknown,
                    "reset" => CounterResetHint::CounterReset,
                    "not_reset" => CounterResetHint::NotCounterReset,
                    "gauge" => CounterResetHint::Gauge,
                    _ => return Err(format!("error parsing counter_reset_hint: {value:?}")),
                };
            }
            _ => return Err(format!("bad histogram descriptor found: {key:?}")),
        }
        body = rest.trim_start();
    }
    (histogram.positive_spans, histogram.positive_buckets) = one_span(positive);
    (histogram.negative_spans, histogram.negative_buckets) = one_span(negative);
    Ok((Literal { histogram, hint_written }, behind))
}

fn one_span((offset, buckets): (i32, Vec<f64>)) -> (Arc<[Span]>, Vec<f64>) {
    let length = u32::try_from(buckets.len()).unwrap_or(u32::MAX);
    let spans: &[Span] = if buckets.is_empty() { &[] } else { &[Span { offset, length }] };
    (spans.into(), buckets)
}

fn integer(key: &str, value: &str) -> Result<i32, String> {
    value.parse().map_err(|_| format!("error parsing {key} number: {value:?}"))
}

fn float(key: &str, value: &str) -> Result<f64, String> {
    parse_number(value).ok_or_else(|| format!("error parsing {key} number: {value:?}"))
}

fn list(key: &str, value: &str) -> Result<Vec<f64>, String> {
    let inner = value.strip_prefix('[').and_then(|v| v.strip_suffix(']'));
    let inner = inner.ok_or_else(|| format!("error parsing {key} float array: {value:?}"))?;
    inner.split_whitespace().map(|v| float(key, v)).collect()
}

/// `a + sign × b`, `b` reduced to the resolution of `a` first.
pub(crate) fn add(a: &FloatHistogram, b: &FloatHistogram, sign: f64) -> Result<FloatHistogram, String> {
    if a.schema > b.schema {
        return Err(format!("error combining histograms: cannot merge from schema {} to {}", b.schema, a.schema));
    }
    if a.custom_values != b.custom_values {
        return Err("error combining histograms: custom bounds differ".to_owned());
    }
    if a.zero_threshold != b.zero_threshold && b.zero_count != 0.0 {
        return Err("error combining histograms: zero buckets differ".to_owned());
    }
    let mut b = b.clone();
    if b.schema > a.schema {
        b.reduce_resolution(a.schema);
    }
    let mut sum = a.clone();
    sum.sum += sign * b.sum;
    sum.count += sign * b.count;
    sum.zero_count += sign * b.zero_count;
    (sum.positive_spans, sum.positive_buckets) =
        add_buckets((&a.positive_spans, &a.positive_buckets), (&b.positive_spans, &b.positive_buckets), sign);
    (sum.negative_spans, sum.negative_buckets) =
        add_buckets((&a.negative_spans, &a.negative_buckets), (&b.negative_spans, &b.negative_buckets), sign);
    Ok(sum)
}

type Buckets<'a> = (&'a [Span], &'a [f64]);

fn add_buckets(a: Buckets<'_>, b: Buckets<'_>, sign: f64) -> (Arc<[Span]>, Vec<f64>) {
    let mut counts: BTreeMap<i32, f64> = by_index(a).collect();
    for (index, count) in by_index(b) {
        *counts.entry(index).or_insert(0.0) += sign * count;
    }
    let mut spans: Vec<Span> = Vec::new();
    let mut next = 0;
    for index in counts.keys() {
        match spans.last_mut() {
            Some(span) if *index == next => span.length += 1,
            _ => spans.push(Span { offset: index - next, length: 1 }),
        }
        next = index + 1;
    }
    (spans.into(), counts.into_values().collect())
}

/// Buckets by their index.
pub(crate) fn by_index<'a>((spans, buckets): Buckets<'a>) -> impl Iterator<Item = (i32, f64)> + 'a {
    let mut next = 0_i32;
    let indexes = spans.iter().flat_map(move |span| {
        let start = next.saturating_add(span.offset);
        next = start.saturating_add_unsigned(span.length);
        start..next
    });
    indexes.zip(buckets.iter().copied())
}
