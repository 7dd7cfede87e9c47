//! What was expected and what came instead, line by line.

use std::collections::BTreeMap;

use model::{Labels, Value};

use crate::script::{Eval, Expected, Steps};
use crate::series::{SequenceValue, show};

/// The lines that differ: `- ` before what is expected, `+ ` before what came. Empty where none does, as when
/// only the order is wrong.
pub(crate) fn diff(eval: &Eval, value: &Value) -> String {
    let (expected, got) = (expected(eval), got(value));
    let mut text = String::new();
    for (sign, lines, others) in [('-', &expected, &got), ('+', &got, &expected)] {
        for line in lines.iter().filter(|line| !others.contains(line)) {
            text.push_str(&format!("\n    {sign} {line}"));
        }
    }
    text
}

fn expected(eval: &Eval) -> Vec<String> {
    let (series, range) = match &eval.expected {
        Expected::Scalar(v) => return vec![show::number(*v)],
        Expected::String(text) => return vec![format!("{text:?}")],
        Expected::Series { series, range } => (series, range),
    };
    let steps = match (range, eval.steps) {
        (Some((start, _, step)), _) => Some((*start, *step)),
        (None, Steps::Range { start, step, .. }) => Some((start, step)),
        (None, Steps::Instant(_)) => None,
    };
    let line = |(labels, values): &(Labels, Vec<SequenceValue>)| {
        let mut line = labels.to_string();
        let present = values.iter().enumerate().filter(|(_, value)| **value != SequenceValue::Omitted);
        for (i, value) in present {
            match steps {
                Some((start, step)) => line.push_str(&format!(" {value}@{}", start + step * i as i64)),
                None => line.push_str(&format!(" {value}")),
            }
        }
        line
    };
    series.iter().map(line).collect()
}

fn got(value: &Value) -> Vec<String> {
    match value {
        Value::Scalar { v, .. } => vec![show::number(*v)],
        Value::String { v, .. } => vec![format!("{v:?}")],
        Value::Vector(samples) => samples
            .iter()
            .map(|s| match &s.h {
                Some(h) => format!("{} {}", s.labels, show::literal(h, false)),
                None => format!("{} {}", s.labels, show::number(s.v)),
            })
            .collect(),
        Value::Matrix(series) => series
            .iter()
            .map(|s| {
                let floats = s.t.iter().zip(&s.v).map(|(t, v)| (*t, show::number(*v)));
                let histograms = s.h.iter().map(|(t, h)| (*t, show::literal(h, false)));
                let points: BTreeMap<i64, String> = floats.chain(histograms).collect();
                let points: Vec<String> = points.into_iter().map(|(t, v)| format!("{v}@{t}")).collect();
                format!("{} {}", s.labels, points.join(" "))
            })
            .collect(),
    }
}
