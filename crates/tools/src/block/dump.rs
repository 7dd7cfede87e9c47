//! Series and samples of a block.

use std::io::{Error, Write};
use std::path::Path;

use anyhow::{Context, Result};
use block::chunk::{self, Aggregates, Sample};
use block::{Aggregate, BlockReader, Corrupt, Encoding, SeriesEntry};
use model::{FloatHistogram, Histogram, Labels, Matcher, Span};
use serde_json::{Map, Value, json};

use crate::report::Output;

/// Which samples, and how they are printed.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    matchers: Vec<Matcher>,
    min_time: i64,
    max_time: i64,
    output: Output,
}

impl Options {
    /// # Errors
    /// When the selector is none.
    pub(crate) fn new(selector: Option<&str>, min_time: i64, max_time: i64, output: Output) -> Result<Self> {
        let parse = |s: &str| promql::parse_selector(s).with_context(|| format!("--match {s}"));
        let matchers = selector.map(parse).transpose()?.unwrap_or_default();
        Ok(Self { matchers, min_time, max_time, output })
    }
}

/// One line per sample, or one JSON object per series.
pub(crate) fn dump(dir: &Path, options: &Options, out: &mut dyn Write) -> std::io::Result<()> {
    let block = BlockReader::open(dir).map_err(Error::other)?;
    let references = block::postings::select(&block.index, &options.matchers).map_err(Error::other)?;
    let mut entry = SeriesEntry::default();
    for reference in references {
        block.index.series(reference, &mut entry).map_err(Error::other)?;
        let labels = labels(&block, &entry).map_err(Error::other)?;
        let mut json = Map::new();
        for at in &entry.chunks {
            if at.max_time < options.min_time || at.min_time > options.max_time {
                continue;
            }
            let raw = block.chunks.chunk(at.chunk_ref).map_err(Error::other)?;
            for (aggregate, encoding, payload) in parts(raw.encoding, raw.payload).map_err(Error::other)? {
                let name = aggregate_name(aggregate);
                let mut cursor = chunk::Cursor::new(encoding, payload).map_err(Error::other)?;
                while cursor.advance().map_err(Error::other)? {
                    let t = cursor.time();
                    if t < options.min_time || t > options.max_time {
                        continue;
                    }
                    let sample = cursor.sample().map_err(Error::other)?;
                    if options.output == Output::Json {
                        let list = json.entry(name).or_insert_with(|| Value::Array(Vec::new()));
                        list.as_array_mut().into_iter().for_each(|list| list.push(json!([t, value_json(&sample)])));
                        continue;
                    }
                    match aggregate {
                        Aggregate::Raw => writeln!(out, "{labels} {} {t}", value_text(&sample))?,
                        _ => writeln!(out, "{labels} {name} {} {t}", value_text(&sample))?,
                    }
                }
            }
        }
        if options.output == Output::Json {
            let labels: Map<_, _> = labels.iter().map(|(n, v)| (n.to_owned(), Value::from(v))).collect();
            writeln!(out, "{}", json!({"labels": labels, "samples": json}))?;
        }
    }
    Ok(())
}

pub(super) fn labels(block: &BlockReader, entry: &SeriesEntry) -> Result<Labels, Corrupt> {
    let mut pairs = Vec::with_capacity(entry.labels.len());
    for &(name, value) in &entry.labels {
        pairs.push((block.index.symbol(name)?, block.index.symbol(value)?));
    }
    Ok(Labels::from_pairs(pairs))
}

type Part<'a> = (Aggregate, Encoding, &'a [u8]);

/// The chunks in a chunk: itself, or one per aggregate.
fn parts(encoding: Encoding, payload: &[u8]) -> Result<Vec<Part<'_>>, Corrupt> {
    match encoding {
        Encoding::Aggregates => Ok(Aggregates::split(payload)?.iter().collect()),
        _ => Ok(vec![(Aggregate::Raw, encoding, payload)]),
    }
}

fn aggregate_name(aggregate: Aggregate) -> &'static str {
    match aggregate {
        Aggregate::Raw => "raw",
        Aggregate::Count => "count",
        Aggregate::Sum => "sum",
        Aggregate::Min => "min",
        Aggregate::Max => "max",
        Aggregate::Counter => "counter",
    }
}

fn number(v: f64) -> String {
    match v {
        v if v.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        v => v.to_string(),
    }
}

fn value_text(sample: &Sample) -> String {
    match sample {
        Sample::Float(v) => number(*v),
        Sample::Histogram(h) => value_json_integer(h).to_string(),
        Sample::FloatHistogram(h) => value_json_float(h).to_string(),
    }
}

/// Floats are strings: JSON has neither NaN nor infinities.
fn value_json(sample: &Sample) -> Value {
    match sample {
        Sample::Float(v) => number(*v).into(),
        Sample::Histogram(h) => value_json_integer(h),
        Sample::FloatHistogram(h) => value_json_float(h),
    }
}

fn value_json_integer(h: &Histogram) -> Value {
    json!({
        "count": h.count, "sum": number(h.sum), "schema": h.schema,
        "zero_threshold": number(h.zero_threshold), "zero_count": h.zero_count,
        "positive_spans": spans(&h.positive_spans), "positive_deltas": h.positive_buckets,
        "negative_spans": spans(&h.negative_spans), "negative_deltas": h.negative_buckets,
        "custom_values": numbers(&h.custom_values),
    })
}

fn value_json_float(h: &FloatHistogram) -> Value {
    json!({
        "count": number(h.count), "sum": number(h.sum), "schema": h.schema,
        "zero_threshold": number(h.zero_threshold), "zero_count": number(h.zero_count),
        "positive_spans": spans(&h.positive_spans), "positive_counts": numbers(&h.positive_buckets),
        "negative_spans": spans(&h.negative_spans), "negative_counts": numbers(&h.negative_buckets),
        "custom_values": numbers(&h.custom_values),
    })
}

fn numbers(values: &[f64]) -> Vec<String> {
    values.iter().map(|v| number(*v)).collect()
}

fn spans(spans: &[Span]) -> Vec<(i32, u32)> {
    spans.iter().map(|s| (s.offset, s.length)).collect()
}
