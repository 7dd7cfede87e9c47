//! Values as scripts write them.

use std::fmt::{self, Display, Formatter, Write};

use model::histogram::indexed;
use model::{CounterResetHint, FloatHistogram, Span, is_stale};

use super::SequenceValue;

/// In the notation that [`parse_series`](super::parse_series) reads back.
impl Display for SequenceValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Omitted => f.write_char('_'),
            Self::Float(v) => f.write_str(&number(*v)),
            Self::Histogram { histogram, hint_written } => f.write_str(&literal(histogram, *hint_written)),
        }
    }
}

pub(crate) fn number(v: f64) -> String {
    if is_stale(v) {
        "stale".to_owned()
    } else if v.is_nan() {
        "NaN".to_owned()
    } else if v.is_infinite() {
        if v > 0.0 { "Inf" } else { "-Inf" }.to_owned()
    } else if v != 0.0 && !(1e-5..1e21).contains(&v.abs()) {
        format!("{v:e}")
    } else {
        v.to_string()
    }
}

/// `{{schema:1 count:3 sum:5 buckets:[1 2]}}`, what is zero left out.
pub(crate) fn literal(h: &FloatHistogram, hint: bool) -> String {
    let mut fields = Vec::new();
    if h.schema != 0 {
        fields.push(format!("schema:{}", h.schema));
    }
    let numbers = [("count", h.count), ("sum", h.sum), ("z_bucket", h.zero_count), ("z_bucket_w", h.zero_threshold)];
    for (name, v) in numbers.into_iter().filter(|(_, v)| v.to_bits() != 0) {
        fields.push(format!("{name}:{}", number(v)));
    }
    if hint {
        fields.push(format!("counter_reset_hint:{}", hint_name(h.counter_reset_hint)));
    }
    let list = |values: &[f64]| values.iter().map(|v| number(*v)).collect::<Vec<_>>().join(" ");
    if !h.custom_values.is_empty() {
        fields.push(format!("custom_values:[{}]", list(&h.custom_values)));
    }
    let sides = [("", &h.positive_spans, &h.positive_buckets), ("n_", &h.negative_spans, &h.negative_buckets)];
    for (prefix, spans, counts) in sides {
        if let Some((offset, counts)) = dense(spans, counts) {
            if offset != 0 {
                fields.push(format!("{prefix}offset:{offset}"));
            }
            fields.push(format!("{prefix}buckets:[{}]", list(&counts)));
        }
    }
    format!("{{{{{}}}}}", fields.join(" "))
}

/// The buckets from the first on, without gaps; none where that would be too many to show.
fn dense(spans: &[Span], counts: &[f64]) -> Option<(i32, Vec<f64>)> {
    let buckets: Vec<(i32, f64)> = indexed(spans, counts).collect();
    let (first, last) = (buckets.first()?.0, buckets.last()?.0);
    let length = usize::try_from(last.checked_sub(first)?).ok().filter(|length| *length < 10_000)? + 1;
    let mut dense = vec![0.0; length];
    for (index, count) in &buckets {
        dense[(index - first) as usize] = *count;
    }
    Some((first, dense))
}

fn hint_name(hint: CounterResetHint) -> &'static str {
    match hint {
        CounterResetHint::Unknown => "unknown",
        CounterResetHint::CounterReset => "reset",
        CounterResetHint::NotCounterReset => "not_reset",
        CounterResetHint::Gauge => "gauge",
    }
}
