//! One line of what is expected, changed.

use std::fmt;

use model::{CounterResetHint, FloatHistogram};
use promqltest::{SequenceValue, parse_series};

/// A number on a line of its own.
pub(crate) fn scalar(text: &str) -> Option<f64> {
    let first = text.trim_start_matches(['-', '+']).chars().next()?;
    let number = first.is_ascii_digit() || matches!(text.trim_start_matches(['-', '+']), "Inf" | "NaN");
    if number { text.parse().ok() } else { None }
}

/// `expect …` turned round or with another text; `None` takes the line away.
pub(crate) fn expect(text: &str, expects_failure: bool) -> Vec<(&'static str, Option<String>)> {
    if text == "expect ordered" {
        return Vec::new();
    }
    if let Some(times) = text.strip_prefix("expect range vector ") {
        let words: Vec<&str> = times.split_whitespace().collect();
        let [_, from, _, to, _, step] = words[..] else { return Vec::new() };
        // Where nothing comes out, or one value at the only step, the times mean nothing.
        if from == to {
            return Vec::new();
        }
        return vec![
            ("range vector start", Some(format!("expect range vector from {from}1ms to {to} step {step}"))),
            ("range vector end", Some(format!("expect range vector from {from} to {from} step {step}"))),
            ("range vector step", Some(format!("expect range vector from {from} to {to} step {step}1ms"))),
        ];
    }
    if let Some(string) = text.strip_prefix("expect string ") {
        let quote = &string[..1];
        return vec![("string", Some(format!("expect string {}x{quote}", &string[..string.len() - 1])))];
    }
    let rest = text.strip_prefix("expect ").unwrap_or_default();
    let (kind, pattern) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut changed = Vec::new();
    let turned = match kind {
        "fail" => Some(("no failure", None)),
        // Notes of a query that fails are not looked at.
        _ if expects_failure => return changed,
        "warn" => Some(("no_warn", Some("expect no_warn".to_owned()))),
        "no_warn" => Some(("warn", Some("expect warn".to_owned()))),
        "info" => Some(("no_info", Some("expect no_info".to_owned()))),
        "no_info" => Some(("info", Some("expect info".to_owned()))),
        _ => None,
    };
    changed.extend(turned);
    let message = pattern.strip_prefix("msg:").map(|m| format!("expect {kind} msg:{m} changed"));
    let regex = pattern.strip_prefix("regex:").map(|r| format!("expect {kind} regex:{r} changed"));
    match kind {
        "fail" => {
            changed.extend(message.map(|m| ("failure message", Some(m))));
            changed.extend(regex.map(|r| ("failure pattern", Some(r))));
        }
        "warn" => {
            changed.extend(message.map(|m| ("warn message", Some(m))));
            changed.extend(regex.map(|r| ("warn pattern", Some(r))));
        }
        _ => {
            changed.extend(message.map(|m| ("info message", Some(m))));
            changed.extend(regex.map(|r| ("info pattern", Some(r))));
        }
    }
    changed
}

/// A series with its values, written out one by one.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    metric: String,
    values: Vec<SequenceValue>,
}

impl Series {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (_, end) = promql::parse_metric(text).ok()?;
        let (_, values) = parse_series(text).ok()?;
        Some(Self { metric: text[..end].to_owned(), values })
    }

    /// The series with one thing changed.
    pub(crate) fn changed(&self, single: bool) -> Vec<(&'static str, Self)> {
        let mut found = vec![("label", Self { metric: self.with_label(), ..self.clone() })];
        let with = |i: usize, value: SequenceValue| {
            let mut series = self.clone();
            series.values[i] = value;
            series
        };
        if !single {
            let mut series = self.clone();
            series.values.push(SequenceValue::Float(1.0));
            found.push(("one more value", series));
            if let Some(i) = self.values.iter().position(|v| *v != SequenceValue::Omitted) {
                found.push(("omitted value", with(i, SequenceValue::Omitted)));
            }
        }
        let last = self.values.iter().rposition(|v| *v != SequenceValue::Omitted);
        match last.map(|i| (i, &self.values[i])) {
            Some((i, SequenceValue::Float(v))) => {
                found.push(("value", with(i, SequenceValue::Float(other(*v)))));
                let histogram = Box::new(FloatHistogram { count: *v, ..FloatHistogram::default() });
                found.push((
                    "histogram for float",
                    with(i, SequenceValue::Histogram { histogram, hint_written: false }),
                ));
            }
            Some((i, SequenceValue::Histogram { histogram, hint_written })) => {
                found.push(("float for histogram", with(i, SequenceValue::Float(histogram.count))));
                for (kind, h, hint_written) in histograms(histogram, *hint_written) {
                    let value = SequenceValue::Histogram { histogram: Box::new(h), hint_written };
                    found.push((kind, with(i, value)));
                }
            }
            _ => {}
        }
        found
    }

    fn with_label(&self) -> String {
        match self.metric.strip_suffix('}') {
            Some(open) if open.trim_end().ends_with(['{', ',']) => format!("{open}changed=\"yes\"}}"),
            Some(open) => format!("{open}, changed=\"yes\"}}"),
            None => format!("{}{{changed=\"yes\"}}", self.metric),
        }
    }
}

/// Another value than `v` by more than rounding.
pub(crate) fn other(v: f64) -> f64 {
    if v.is_finite() && v.abs() < 1e300 { v * 2.0 + 1.0_f64.copysign(v) } else { 1.0 }
}

/// One field after the other changed.
fn histograms(h: &FloatHistogram, hint_written: bool) -> Vec<(&'static str, FloatHistogram, bool)> {
    let mut found = Vec::new();
    let mut change = |kind, change: &dyn Fn(&mut FloatHistogram)| {
        let mut h = h.clone();
        change(&mut h);
        found.push((kind, h, hint_written));
    };
    change("histogram count", &|h| h.count = other(h.count));
    change("histogram sum", &|h| h.sum = other(h.sum));
    if h.uses_custom_buckets() {
        change("histogram custom bounds", &|h| {
            h.custom_values = h.custom_values.iter().copied().chain([1e9]).collect();
        });
    } else {
        change("histogram schema", &|h| h.schema += if h.schema < 8 { 1 } else { -1 });
        change("histogram zero bucket", &|h| h.zero_count = other(h.zero_count));
        change("histogram zero threshold", &|h| h.zero_threshold = other(h.zero_threshold));
    }
    if h.positive_buckets.iter().any(|count| *count != 0.0) {
        change("histogram bucket", &|h| {
            for count in h.positive_buckets.iter_mut().filter(|count| **count != 0.0) {
                *count = other(*count);
            }
        });
        change("histogram bucket offset", &|h| {
            let mut spans = h.positive_spans.to_vec();
            spans[0].offset += 1;
            h.positive_spans = spans.into();
        });
    }
    if hint_written {
        change("histogram reset hint", &|h| {
            h.counter_reset_hint = match h.counter_reset_hint {
                CounterResetHint::Gauge => CounterResetHint::Unknown,
                _ => CounterResetHint::Gauge,
            };
        });
    }
    found
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.metric)?;
        for value in &self.values {
            write!(f, " {value}")?;
        }
        Ok(())
    }
}
