use std::sync::Arc;

use model::{FloatHistogram, Labels, Sample, Series, Value};
use serde::Serialize;

use crate::number::{write_float, write_time};
use crate::text::write_str;

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

/// An answer that is a list of strings, in pieces.
pub fn names(names: Vec<String>, notes: Notes) -> impl Iterator<Item = Vec<u8>> + Send {
    Pieces::new(names, b"[", b"]", notes, |out, name: &String| write_str(out, name))
}

/// An answer that is a list of label sets (`series`), in pieces.
pub fn label_sets(sets: Vec<Labels>, notes: Notes) -> impl Iterator<Item = Vec<u8>> + Send {
    Pieces::new(sets, b"[", b"]", notes, |out, labels: &Labels| write_labels(out, labels))
}

/// The answer of a query, in pieces of some ten kilobytes. All CPU work is done in `next`.
pub fn query_result(value: Value, notes: Notes) -> Box<dyn Iterator<Item = Vec<u8>> + Send> {
    let open = format!("{{\"resultType\":\"{}\",\"result\":[", value.kind());
    let close = b"],\"analysis\":{}}";
    match value {
        Value::Scalar { t, v } => Box::new(Pieces::new(vec![()], open.as_bytes(), close, notes, move |out, ()| {
            write_time(out, t);
            out.extend_from_slice(b",\"");
            write_float(out, v);
            out.push(b'"');
        })),
        Value::String { t, v } => Box::new(Pieces::new(vec![()], open.as_bytes(), close, notes, move |out, ()| {
            write_time(out, t);
            out.push(b',');
            write_str(out, &v);
        })),
        Value::Vector(samples) => Box::new(Pieces::new(samples, open.as_bytes(), close, notes, write_sample)),
        Value::Matrix(series) => {
            let mut times = Times::default();
            Box::new(Pieces::new(series, open.as_bytes(), close, notes, move |out, one: &Series| {
                write_series(out, one, &mut times);
            }))
        }
    }
}

/// How large a piece gets before it is handed out; one series may pass it.
const PIECE_BYTES: usize = 64 << 10;

/// Writes a list element by element.
struct Pieces<T, F> {
    items: std::vec::IntoIter<T>,
    write: F,
    out: Vec<u8>,
    first: bool,
    /// `None` once the end is written.
    end: Option<(&'static [u8], Notes)>,
}

impl<T, F: FnMut(&mut Vec<u8>, &T)> Pieces<T, F> {
    fn new(items: Vec<T>, open: &[u8], close: &'static [u8], notes: Notes, write: F) -> Self {
        let mut out = Vec::with_capacity(4096);
        out.extend_from_slice(br#"{"status":"success","data":"#);
        out.extend_from_slice(open);
        Self { items: items.into_iter(), write, out, first: true, end: Some((close, notes)) }
    }
}

impl<T, F: FnMut(&mut Vec<u8>, &T)> Iterator for Pieces<T, F> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        self.end.as_ref()?;
        for item in self.items.by_ref() {
            if !std::mem::take(&mut self.first) {
                self.out.push(b',');
            }
            (self.write)(&mut self.out, &item);
            if self.out.len() >= PIECE_BYTES {
                return Some(std::mem::replace(&mut self.out, Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 4)));
            }
        }
        let (close, notes) = self.end.take()?;
        self.out.extend_from_slice(close);
        write_notes(&mut self.out, &notes);
        Some(std::mem::take(&mut self.out))
    }
}

fn write_notes(out: &mut Vec<u8>, notes: &Notes) {
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

/// The timestamps written last, each as `[t,"`, so that series on the same steps share the work.
#[derive(Default)]
struct Times {
    of: Option<Arc<[i64]>>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Times {
    fn prepare(&mut self, t: &Arc<[i64]>) {
        if self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, t)) {
            return;
        }
        self.text.clear();
        self.ends.clear();
        for &ms in t.iter() {
            self.text.push(b'[');
            write_time(&mut self.text, ms);
            self.text.extend_from_slice(b",\"");
            self.ends.push(self.text.len());
        }
        self.of = Some(Arc::clone(t));
    }
}

fn write_series(out: &mut Vec<u8>, series: &Series, times: &mut Times) {
    times.prepare(&series.t);
    out.reserve(times.text.len() + series.v.len() * 16);
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
    let mut start = 0;
    for (i, (&end, &v)) in times.ends.iter().zip(&series.v).enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&times.text[start..end]);
        start = end;
        write_float(out, v);
        out.extend_from_slice(b"\"]");
    }
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
