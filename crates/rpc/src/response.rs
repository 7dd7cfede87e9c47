//! Batches of series to messages.

use block::chunk::{self, EncodeOptions, SeriesEncoder};
use block::{Aggregate, Encoding};
use bytes::Bytes;
use proto::thanos as wire;
use proto::thanos::series_response::Result as Kind;
use store::{Chunk, SeriesBatch};
use xxhash_rust::xxh64::xxh64;

/// A message is closed when its chunks have so many bytes, however few series that are.
const MESSAGE_BYTES: usize = 4 << 20;

/// Which encodings whoever asks can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The three that Thanos' `Chunk.Encoding` names.
    Thanos,
    /// All of ours: it said so with the header [`ENCODINGS`].
    Esker,
}

/// The header with which a client announces that it reads all encodings of this version, and its value.
pub(crate) const ENCODINGS: (&str, &str) = ("esker-encodings", "xor2,histogram-st,float-histogram-st");

/// The messages for a batch, with up to `per_message` series each; 1 gives single series, which is what peers
/// understand that know nothing of batches.
pub(crate) fn messages(
    batch: &SeriesBatch,
    per_message: usize,
    reader: Reader,
) -> Result<Vec<wire::SeriesResponse>, store::Error> {
    let mut out = Vec::with_capacity(batch.len().div_ceil(per_message.max(1)));
    let (mut pending, mut bytes) = (Vec::new(), 0);
    for i in 0..batch.len() {
        let series = series(batch, i, reader)?;
        if per_message <= 1 {
            out.push(wire::SeriesResponse { result: Some(Kind::Series(series)) });
            continue;
        }
        bytes += batch.runs_of(i).iter().map(|run| run.bytes as usize).sum::<usize>();
        pending.push(series);
        if pending.len() == per_message || bytes >= MESSAGE_BYTES {
            out.push(batch_message(std::mem::take(&mut pending)));
            bytes = 0;
        }
    }
    if !pending.is_empty() {
        out.push(batch_message(pending));
    }
    Ok(out)
}

fn batch_message(series: Vec<wire::Series>) -> wire::SeriesResponse {
    wire::SeriesResponse { result: Some(Kind::Batch(wire::SeriesBatch { series })) }
}

fn series(batch: &SeriesBatch, i: usize, reader: Reader) -> Result<wire::Series, store::Error> {
    let label = |(name, value): (&str, &str)| wire::Label {
        name: Bytes::copy_from_slice(name.as_bytes()),
        value: Bytes::copy_from_slice(value.as_bytes()),
    };
    let mut chunks: Vec<wire::AggrChunk> = Vec::new();
    let mut last: Option<Chunk<'_>> = None;
    for meta in batch.chunks_of(i) {
        if reader == Reader::Thanos && !is_old(meta.encoding) {
            recode(meta, &mut chunks)?;
            last = None;
            continue;
        }
        let chunk = chunk(meta)?;
        // The aggregates of one downsampled chunk travel together.
        let joins = meta.aggregate != Aggregate::Raw
            && last.is_some_and(|l| {
                l.aggregate < meta.aggregate
                    && l.aggregate != Aggregate::Raw
                    && (l.min_time, l.max_time, l.resolution_ms) == (meta.min_time, meta.max_time, meta.resolution_ms)
            });
        if !joins {
            let (min_time, max_time) = (meta.min_time, meta.max_time);
            chunks.push(wire::AggrChunk { min_time, max_time, ..wire::AggrChunk::default() });
        }
        last = Some(meta);
        if let Some(into) = chunks.last_mut() {
            *slot(into, meta.aggregate) = Some(chunk);
        }
    }
    Ok(wire::Series { labels: batch.labels_of(i).iter().map(label).collect(), chunks })
}

fn is_old(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::Xor | Encoding::Histogram | Encoding::FloatHistogram)
}

/// A chunk's samples, without their start timestamps, in encodings that everybody reads.
fn recode(meta: Chunk<'_>, to: &mut Vec<wire::AggrChunk>) -> Result<(), store::Error> {
    let mut cursor = chunk::Cursor::new(meta.encoding, meta.payload())?;
    let mut encoder = SeriesEncoder::new(EncodeOptions { samples_max: usize::MAX, xor2: false });
    while cursor.advance()? {
        encoder.push(0, cursor.time(), &cursor.sample()?)?;
    }
    for done in encoder.finish() {
        let hash = xxh64(&done.bytes, 0);
        let kind = i32::from(done.encoding.to_byte()) - 1;
        let raw = Some(wire::Chunk { r#type: kind, data: done.bytes.into(), hash });
        to.push(wire::AggrChunk { min_time: done.min_time, max_time: done.max_time, raw, ..Default::default() });
    }
    Ok(())
}

fn slot(chunk: &mut wire::AggrChunk, aggregate: Aggregate) -> &mut Option<wire::Chunk> {
    match aggregate {
        Aggregate::Raw => &mut chunk.raw,
        Aggregate::Count => &mut chunk.count,
        Aggregate::Sum => &mut chunk.sum,
        Aggregate::Min => &mut chunk.min,
        Aggregate::Max => &mut chunk.max,
        Aggregate::Counter => &mut chunk.counter,
    }
}

fn chunk(meta: Chunk<'_>) -> Result<wire::Chunk, store::Error> {
    if meta.encoding == Encoding::Aggregates {
        let text = "a store gave an aggregate chunk that is not split";
        return Err(store::Error::Unavailable(text.to_owned()));
    }
    let data = meta.bytes();
    let hash = xxh64(&data, 0);
    // Prometheus' encoding byte less one, also for encodings that Thanos does not name yet.
    Ok(wire::Chunk { r#type: i32::from(meta.encoding.to_byte()) - 1, data, hash })
}
