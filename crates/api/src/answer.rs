use std::sync::Arc;

use model::{FloatHistogram, Labels, Sample, Series, Value};
use serde::Serialize;

use crate::number::{write_float, write_time};
use crate::pieces::{self, Pieces};
use crate::text::write_str;
use crate::{PlanTree, QueryStats};

/// What goes with the data of a successful answer.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// The answer may be wrong or incomplete.
    pub warnings: Vec<String>,
    /// The answer is right, the query may not be what was meant.
    pub infos: Vec<String>,
    /// `None` leaves the object out (answers that read no data).
    pub coverage: Option<Coverage>,
}

/// What an answer is made of and what it lacks; stands beside `data` as `coverage`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Coverage {
    pub complete: bool,
    /// Which resolutions were read, ascending; 0 is raw.
    pub resolutions_ms: Vec<i64>,
    pub missing: Vec<MissingPart>,
}

/// Something that could not be read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MissingPart {
    /// External labels.
    pub labels: std::collections::BTreeMap<String, String>,
    /// Closed range in Unix milliseconds.
    pub min_time: i64,
    pub max_time: i64,
    pub store: String,
    pub cause: String,
}

/// A whole answer for data that are small or already a tree.
///
/// # Errors
/// When `data` cannot be written as JSON (maps with keys that are not text).
pub fn answer(data: &impl Serialize, notes: &Notes) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = br#"{"status":"success","data":"#.to_vec();
    serde_json::to_writer(&mut out, data)?;
    write_notes(&mut out, notes);
    Ok(out)
}

/// An answer that is a list of strings.
pub fn names(names: Vec<String>, notes: &Notes) -> Pieces {
    let each = |out: &mut Vec<u8>, name: &String| write_str(out, name);
    pieces::list(names, "[", "]", notes, SMALL, |name| name.len() + 3, each)
}

/// An answer that is a list of label sets (`series`).
pub fn label_sets(sets: Vec<Labels>, notes: &Notes) -> Pieces {
    let weigh = |labels: &Labels| labels.iter().map(|(n, v)| n.len() + v.len() + 6).sum::<usize>();
    let each = |out: &mut Vec<u8>, labels: &Labels| write_labels(out, labels);
    pieces::list(sets, "[", "]", notes, SMALL, weigh, each)
}

/// What stands beside the result of a query within `data`.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// `stats`, where the request asks for them.
    pub stats: Option<QueryStats>,
    /// `analysis`, where the request asks for it; else it is an empty object.
    pub analysis: Option<PlanTree>,
}

/// The answer of a query.
pub fn query_result(value: Value, notes: &Notes, extras: &Extras) -> Pieces {
    let open = format!("{{\"resultType\":\"{}\",\"result\":[", value.kind());
    let mut close = b"]".to_vec();
    if let Some(stats) = &extras.stats {
        close.extend_from_slice(b",\"stats\":");
        stats.write(&mut close);
    }
    close.extend_from_slice(b",\"analysis\":");
    match &extras.analysis {
        Some(plan) => plan.write_analysis(&mut close),
        None => close.extend_from_slice(b"{}"),
    }
    close.push(b'}');
    let close = String::from_utf8(close).unwrap_or_default();
    match value {
        Value::Scalar { t, v } => pieces::one(&open, &close, notes, move |out| {
            write_time(out, t);
            out.extend_from_slice(b",\"");
            write_float(out, v);
            out.push(b'"');
        }),
        Value::String { t, v } => pieces::one(&open, &close, notes, move |out| {
            write_time(out, t);
            out.push(b',');
            write_str(out, &v);
        }),
        Value::Vector(samples) => pieces::list(samples, &open, &close, notes, SMALL, |_| 256, write_sample),
        Value::Matrix(series) => {
            let times = Times::of(&series);
            let weigh = |one: &Series| 128 + one.v.len() * 28 + one.h.len() * 512;
            let each = move |out: &mut Vec<u8>, one: &Series| write_series(out, one, &times);
            pieces::list(series, &open, &close, notes, LARGE, weigh, each)
        }
    }
}

/// How many bytes a piece comes to, about; a single series may be more.
const SMALL: usize = 56 << 10;
const LARGE: usize = 256 << 10;

pub(crate) fn write_notes(out: &mut Vec<u8>, notes: &Notes) {
    for (name, list) in [("warnings", &notes.warnings), ("infos", &notes.infos)] {
        if list.is_empty() {
            continue;
        }
        out.extend_from_slice(format!(",\"{name}\":[").as_bytes());
        for (i, text) in list.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            write_str(out, text);
        }
        out.push(b']');
    }
    if let Some(coverage) = &notes.coverage {
        let before = out.len();
        out.extend_from_slice(b",\"coverage\":");
        if serde_json::to_writer(&mut *out, coverage).is_err() {
            // Plain strings and numbers always can be written; an answer without is still an answer.
            out.truncate(before);
        }
    }
    out.push(b'}');
}

fn write_labels(out: &mut Vec<u8>, labels: &Labels) {
    out.push(b'{');
    for (i, (name, value)) in labels.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_str(out, name);
        out.push(b':');
        write_str(out, value);
    }
    out.push(b'}');
}

fn write_sample(out: &mut Vec<u8>, sample: &Sample) {
    out.extend_from_slice(b"{\"metric\":");
    write_labels(out, &sample.labels);
    if let Some(histogram) = &sample.h {
        out.extend_from_slice(b",\"histogram\":[");
        write_time(out, sample.t);
        out.push(b',');
        write_histogram(out, histogram);
        return out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b",\"value\":[");
    write_time(out, sample.t);
    out.extend_from_slice(b",\"");
    write_float(out, sample.v);
    out.extend_from_slice(b"\"]}");
}

/// The timestamps of the first series, each as `[t,"`: most often all others have the same, and the work is
/// done once.
struct Times {
    of: Arc<[i64]>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Times {
    fn of(all: &[Series]) -> Self {
        let of = all.first().map_or_else(|| Arc::from([]), |one| Arc::clone(&one.t));
        let shared = all.get(1).is_some_and(|two| Arc::ptr_eq(&two.t, &of));
        let (mut text, mut ends) = (Vec::new(), Vec::new());
        for &ms in of.iter().filter(|_| shared) {
            open_point(&mut text, ms);
            ends.push(text.len());
        }
        Self { of: if shared { of } else { Arc::from([]) }, text, ends }
    }

    /// Their texts, where they are those of the series.
    fn texts(&self, series: &Series) -> Option<impl Iterator<Item = &[u8]>> {
        let mut start = 0;
        let texts = self.ends.iter().map(move |&end| &self.text[std::mem::replace(&mut start, end)..end]);
        Arc::ptr_eq(&self.of, &series.t).then_some(texts)
    }
}

/// `[t,"`.
fn open_point(out: &mut Vec<u8>, ms: i64) {
    out.push(b'[');
    write_time(out, ms);
    out.extend_from_slice(b",\"");
}

fn write_series(out: &mut Vec<u8>, series: &Series, times: &Times) {
    out.reserve(series.v.len() * 28);
    out.extend_from_slice(b"{\"metric\":");
    write_labels(out, &series.labels);
    if !series.v.is_empty() {
        write_values(out, series, times);
    }
    if !series.h.is_empty() {
        out.extend_from_slice(b",\"histograms\":[");
        for (i, (t, histogram)) in series.h.iter().enumerate() {
            out.extend_from_slice(if i > 0 { &b",["[..] } else { b"[" });
            write_time(out, *t);
            out.push(b',');
            write_histogram(out, histogram);
            out.push(b']');
        }
        out.push(b']');
    }
    out.push(b'}');
}

fn write_values(out: &mut Vec<u8>, series: &Series, times: &Times) {
    out.extend_from_slice(b",\"values\":[");
    match times.texts(series) {
        Some(texts) => {
            for (text, &v) in texts.zip(&series.v) {
                out.extend_from_slice(text);
                write_float(out, v);
                out.extend_from_slice(b"\"],");
            }
        }
        None => {
            for (&t, &v) in series.t.iter().zip(&series.v) {
                open_point(out, t);
                write_float(out, v);
                out.extend_from_slice(b"\"],");
            }
        }
    }
    // The last comma.
    out.pop();
    out.push(b']');
}

/// Count, sum and the buckets that are populated: which bounds belong to them, both, the count.
fn write_histogram(out: &mut Vec<u8>, histogram: &FloatHistogram) {
    let quoted = |out: &mut Vec<u8>, v: f64| {
        out.push(b'"');
        write_float(out, v);
        out.push(b'"');
    };
    out.extend_from_slice(b"{\"count\":");
    quoted(out, histogram.count);
    out.extend_from_slice(b",\"sum\":");
    quoted(out, histogram.sum);
    let mut first = true;
    for bucket in histogram.buckets().into_iter().filter(|bucket| bucket.count != 0.0) {
        out.extend_from_slice(if std::mem::take(&mut first) { &b",\"buckets\":[["[..] } else { &b",["[..] });
        out.push(match (bucket.lower_inclusive, bucket.upper_inclusive) {
            (false, true) => b'0',
            (true, false) => b'1',
            (false, false) => b'2',
            (true, true) => b'3',
        });
        for v in [bucket.lower, bucket.upper, bucket.count] {
            out.push(b',');
            quoted(out, v);
        }
        out.push(b']');
    }
    out.extend_from_slice(if first { &b"}"[..] } else { b"]}" });
}

#[cfg(test)]
mod tests;
