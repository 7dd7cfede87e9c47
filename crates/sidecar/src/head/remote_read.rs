use block::chunk::{Sample, SeriesEncoder};
use block::{EncodedChunk, Encoding};
use bytes::Bytes;
use model::histogram::{CounterResetHint, FloatHistogram, Histogram, Span};
use model::{MatchOp, Matcher};
use prost::Message;
use proto::prometheus as pb;
use request::Context;
use reqwest::Response;
use store::{Error, Result, SeriesRequest};

use super::collect::{Collector, NewChunk};
use super::external::Selected;
use super::frames::Frames;
use super::unavailable;
use crate::PrometheusClient;

/// An answer that has begun.
#[derive(Debug)]
pub(super) enum Answer {
    /// Chunks, series by series in the order of their own labels.
    Chunks(Response),
    /// Samples, in one piece: what Prometheus gives that offers no other.
    Samples(Response),
}

/// Asks for all that is selected.
pub(super) async fn ask(client: &PrometheusClient, selected: &Selected, request: &SeriesRequest) -> Result<Answer> {
    let body = encode_request(selected, request).map_err(Error::Unavailable)?;
    let response = client.remote_read(body).await.map_err(unavailable)?;
    let streamed = response
        .headers()
        .get("content-type")
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.starts_with("application/x-streamed-protobuf"));
    Ok(if streamed { Answer::Chunks(response) } else { Answer::Samples(response) })
}

/// Reads all of an answer into `collector`; samples are encoded here.
pub(super) async fn collect(cx: &Context, answer: Answer, collector: &mut Collector) -> Result<()> {
    match answer {
        Answer::Chunks(response) => read_chunks(cx, response, collector).await,
        Answer::Samples(response) => read_samples(cx, response, collector).await,
    }
}

fn encode_request(selected: &Selected, request: &SeriesRequest) -> std::result::Result<Vec<u8>, String> {
    let hints = &request.hints;
    let (by, grouping) = hints.grouping.as_ref().map_or((false, Vec::new()), |g| (g.by, g.labels.clone()));
    let query = pb::Query {
        start_timestamp_ms: selected.range.min,
        end_timestamp_ms: selected.range.max,
        matchers: selected.matchers.iter().map(matcher).collect(),
        hints: Some(pb::ReadHints {
            step_ms: hints.step_ms,
            func: hints.func.clone(),
            start_ms: selected.range.min,
            end_ms: selected.range.max,
            grouping,
            by,
            range_ms: hints.range_ms,
        }),
    };
    let kinds = [pb::read_request::ResponseType::StreamedXorChunks, pb::read_request::ResponseType::Samples];
    let request = pb::ReadRequest { queries: vec![query], accepted_response_types: kinds.map(|k| k as i32).to_vec() };
    let compressed = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec());
    compressed.map_err(|e| format!("compress a remote read request: {e}"))
}

fn matcher(matcher: &Matcher) -> pb::LabelMatcher {
    let kind = match matcher.op {
        MatchOp::Equal => pb::label_matcher::Type::Eq,
        MatchOp::NotEqual => pb::label_matcher::Type::Neq,
        MatchOp::Regex => pb::label_matcher::Type::Re,
        MatchOp::NotRegex => pb::label_matcher::Type::Nre,
    };
    pb::LabelMatcher { r#type: kind as i32, name: matcher.name.to_string(), value: matcher.value.to_string() }
}

async fn read_chunks(cx: &Context, mut response: Response, collector: &mut Collector) -> Result<()> {
    let mut frames = Frames::default();
    while let Some(bytes) = response.chunk().await.map_err(|e| broken(&e.without_url()))? {
        cx.check()?;
        cx.stats().add_bytes_fetched(bytes.len() as u64);
        frames.push(&bytes);
        each_series(&mut frames, |labels, chunks| collector.add(&labels, chunks))?;
    }
    frames.end()
}

/// Takes the series of all frames that are there whole, or parts of them.
pub(super) fn each_series(
    frames: &mut Frames,
    mut take: impl FnMut(Vec<(&str, &str)>, Vec<NewChunk>) -> Result<()>,
) -> Result<()> {
    while let Some(data) = frames.next().map_err(|e| broken(&e))? {
        let frame = pb::ChunkedReadResponse::decode(data).map_err(|e| broken(&e))?;
        for series in frame.chunked_series {
            let chunks = series.chunks.into_iter().map(chunk).collect::<Result<Vec<_>>>()?;
            take(labels(&series.labels)?, chunks)?;
        }
    }
    Ok(())
}

fn chunk(chunk: pb::Chunk) -> Result<NewChunk> {
    let byte = u8::try_from(chunk.r#type).map_err(|_| broken(&format!("chunk encoding {}", chunk.r#type)))?;
    Ok(NewChunk {
        min_time: chunk.min_time_ms,
        max_time: chunk.max_time_ms,
        encoding: Encoding::from_byte(byte)?,
        payload: chunk.data,
    })
}

async fn read_samples(cx: &Context, response: Response, collector: &mut Collector) -> Result<()> {
    let bytes = response.bytes().await.map_err(|e| broken(&e.without_url()))?;
    cx.stats().add_bytes_fetched(bytes.len() as u64);
    let decoded = snap::raw::Decoder::new().decompress_vec(&bytes).map_err(|e| broken(&e))?;
    // The buffer, while the answer is taken apart.
    let _lease = cx.memory().lease(decoded.len() as u64)?;
    let answer = pb::ReadResponse::decode(Bytes::from(decoded)).map_err(|e| broken(&e))?;
    for series in answer.results.into_iter().flat_map(|r| r.timeseries) {
        cx.check()?;
        let chunks = encode_samples(&series)?.into_iter().map(NewChunk::from).collect();
        collector.add(&labels(&series.labels)?, chunks)?;
    }
    Ok(())
}

impl From<EncodedChunk> for NewChunk {
    fn from(chunk: EncodedChunk) -> Self {
        Self {
            min_time: chunk.min_time,
            max_time: chunk.max_time,
            encoding: chunk.encoding,
            payload: chunk.bytes.into(),
        }
    }
}

/// Floats and histograms of one series, by time, as chunks.
fn encode_samples(series: &pb::TimeSeries) -> Result<Vec<EncodedChunk>> {
    let mut samples: Vec<(i64, Sample)> =
        series.samples.iter().map(|s| (s.timestamp, Sample::Float(s.value))).collect();
    samples.extend(series.histograms.iter().map(|h| (h.timestamp, histogram(h))));
    samples.sort_by_key(|(t, _)| *t);
    let mut encoder = SeriesEncoder::default();
    for (t, sample) in &samples {
        encoder.push(0, *t, sample)?;
    }
    Ok(encoder.finish())
}

fn histogram(h: &pb::Histogram) -> Sample {
    use pb::histogram::{Count, ResetHint, ZeroCount};
    let spans = |list: &[pb::BucketSpan]| -> std::sync::Arc<[Span]> {
        list.iter().map(|s| Span { offset: s.offset, length: s.length }).collect()
    };
    let counter_reset_hint = match h.reset_hint() {
        ResetHint::Unknown => CounterResetHint::Unknown,
        ResetHint::Yes => CounterResetHint::CounterReset,
        ResetHint::No => CounterResetHint::NotCounterReset,
        ResetHint::Gauge => CounterResetHint::Gauge,
    };
    let (positive_spans, negative_spans) = (spans(&h.positive_spans), spans(&h.negative_spans));
    if let Some(Count::CountFloat(count)) = h.count {
        let zero_count = match h.zero_count {
            Some(ZeroCount::ZeroCountFloat(n)) => n,
            _ => 0.0,
        };
        return Sample::FloatHistogram(FloatHistogram {
            counter_reset_hint,
            schema: h.schema,
            zero_threshold: h.zero_threshold,
            zero_count,
            count,
            sum: h.sum,
            positive_spans,
            negative_spans,
            positive_buckets: h.positive_counts.clone(),
            negative_buckets: h.negative_counts.clone(),
            custom_values: h.custom_values.as_slice().into(),
        });
    }
    let count = match h.count {
        Some(Count::CountInt(n)) => n,
        _ => 0,
    };
    let zero_count = match h.zero_count {
        Some(ZeroCount::ZeroCountInt(n)) => n,
        _ => 0,
    };
    Sample::Histogram(Histogram {
        counter_reset_hint,
        schema: h.schema,
        zero_threshold: h.zero_threshold,
        zero_count,
        count,
        sum: h.sum,
        positive_spans,
        negative_spans,
        positive_buckets: h.positive_deltas.clone(),
        negative_buckets: h.negative_deltas.clone(),
        custom_values: h.custom_values.as_slice().into(),
    })
}

/// The pairs of a series, checked to be text.
fn labels(labels: &[pb::Label]) -> Result<Vec<(&str, &str)>> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|e| broken(&format!("a label is not UTF-8: {e}")));
    labels.iter().map(|l| Ok((text(&l.name)?, text(&l.value)?))).collect()
}

pub(super) fn broken(e: &dyn std::fmt::Display) -> Error {
    Error::Unavailable(format!("prometheus' remote read answer cannot be read: {e}"))
}
