//! Messages of a peer to batches of series.

use block::{Aggregate, Encoding};
use bytes::Bytes;
use model::{LabelTableBuilder, TimeRange};
use proto::thanos as wire;
use request::MemoryAccount;
use store::{ChunkMeta, Error, Result, SeriesBatch};

/// A batch is closed when its chunks have so many bytes.
const BATCH_BYTES: usize = 4 << 20;
const HOUR_MS: i64 = 3_600_000;

/// Collects series, joins those that a peer split over several messages, and cuts batches.
#[derive(Debug)]
pub(crate) struct Assembler {
    peer: String,
    batch_series: usize,
    memory: MemoryAccount,
    /// What came last; its next message may continue it.
    open: Option<wire::Series>,
    labels: LabelTableBuilder,
    batch: SeriesBatch,
    bytes: usize,
}

impl Assembler {
    pub(crate) fn new(peer: String, batch_series: usize, memory: MemoryAccount) -> Self {
        Self {
            peer,
            batch_series: batch_series.max(64),
            memory,
            open: None,
            labels: LabelTableBuilder::new(),
            batch: SeriesBatch::default(),
            bytes: 0,
        }
    }

    /// Takes the next series; gives a batch when one is full.
    pub(crate) fn push(&mut self, series: wire::Series) -> Result<Option<SeriesBatch>> {
        match &mut self.open {
            Some(open) if open.labels == series.labels => {
                open.chunks.extend(series.chunks);
                return Ok(None);
            }
            Some(open) if less(&series.labels, &open.labels) => {
                return Err(self.bad("sent series out of order"));
            }
            _ => {}
        }
        if let Some(done) = self.open.replace(series) {
            self.close(done)?;
        }
        if self.labels.len() >= self.batch_series || self.bytes >= BATCH_BYTES {
            return self.cut().map(Some);
        }
        Ok(None)
    }

    /// The last batch, if anything is left.
    pub(crate) fn finish(&mut self) -> Result<Option<SeriesBatch>> {
        if let Some(done) = self.open.take() {
            self.close(done)?;
        }
        if self.labels.is_empty() { Ok(None) } else { self.cut().map(Some) }
    }

    fn cut(&mut self) -> Result<SeriesBatch> {
        let mut batch = std::mem::take(&mut self.batch);
        batch.labels = std::mem::take(&mut self.labels).finish();
        let bytes = self.bytes + batch.labels.bytes() + batch.chunks.len() * size_of::<ChunkMeta>();
        self.bytes = 0;
        batch.lease = Some(self.memory.lease(bytes as u64)?);
        Ok(batch)
    }

    fn close(&mut self, series: wire::Series) -> Result<()> {
        let mut pairs = Vec::with_capacity(series.labels.len());
        for label in &series.labels {
            let (Ok(name), Ok(value)) = (str::from_utf8(&label.name), str::from_utf8(&label.value)) else {
                return Err(self.bad("sent a label that is not UTF-8"));
            };
            if pairs.last().is_some_and(|&(last, _)| last >= name) {
                return Err(self.bad("sent labels out of order"));
            }
            if !value.is_empty() {
                pairs.push((name, value));
            }
        }
        self.labels.push(pairs);
        let first = self.batch.chunks.len();
        for mut chunk in series.chunks {
            let range = TimeRange::new(chunk.min_time, chunk.max_time);
            let resolution_ms = resolution_ms(&chunk);
            for (aggregate, part) in parts(&mut chunk) {
                self.chunk(range, if aggregate == Aggregate::Raw { 0 } else { resolution_ms }, aggregate, part)?;
            }
        }
        let by_time = |c: &ChunkMeta| (c.min_time, c.max_time, c.resolution_ms, c.aggregate);
        if !self.batch.chunks[first..].is_sorted_by_key(by_time) {
            self.batch.chunks[first..].sort_by_key(by_time);
        }
        let end = u32::try_from(self.batch.chunks.len()).map_err(|_| self.bad("sent too many chunks"))?;
        self.batch.ends.push(end);
        Ok(())
    }

    fn chunk(&mut self, range: TimeRange, resolution_ms: i64, aggregate: Aggregate, part: wire::Chunk) -> Result<()> {
        let encoding = u8::try_from(part.r#type.saturating_add(1)).ok().and_then(|b| Encoding::from_byte(b).ok());
        let Some(encoding) = encoding.filter(|e| *e != Encoding::Aggregates) else {
            return Err(self.bad(&format!("sent a chunk of unknown encoding {}", part.r#type)));
        };
        let too_much = || Error::Unavailable(format!("{}: sent a batch that is too large", self.peer));
        self.batch.chunks.push(ChunkMeta {
            min_time: range.min,
            max_time: range.max,
            resolution_ms,
            aggregate,
            encoding,
            replica: 0,
            buffer: u32::try_from(self.batch.buffers.len()).map_err(|_| too_much())?,
            offset: 0,
            len: u32::try_from(part.data.len()).map_err(|_| too_much())?,
            samples: 0,
        });
        self.bytes += part.data.len() + size_of::<Bytes>();
        self.batch.buffers.push(part.data);
        Ok(())
    }

    fn bad(&self, what: &str) -> Error {
        Error::Unavailable(format!("{}: {what}", self.peer))
    }
}

/// Prometheus' order of label sets.
fn less(a: &[wire::Label], b: &[wire::Label]) -> bool {
    compare(a, b).is_lt()
}

pub(crate) fn compare(a: &[wire::Label], b: &[wire::Label]) -> std::cmp::Ordering {
    let pairs = |l: &'_ wire::Label| (l.name.clone(), l.value.clone());
    a.iter().map(pairs).cmp(b.iter().map(pairs))
}

fn parts(chunk: &mut wire::AggrChunk) -> impl Iterator<Item = (Aggregate, wire::Chunk)> {
    let all = [
        (Aggregate::Raw, chunk.raw.take()),
        (Aggregate::Count, chunk.count.take()),
        (Aggregate::Sum, chunk.sum.take()),
        (Aggregate::Min, chunk.min.take()),
        (Aggregate::Max, chunk.max.take()),
        (Aggregate::Counter, chunk.counter.take()),
    ];
    all.into_iter().filter_map(|(aggregate, part)| part.map(|p| (aggregate, p)))
}

/// The wire does not say the resolution of aggregates. Windows of one hour lie an hour apart or more; those of
/// five minutes may too, but then their ends are seldom full hours.
fn resolution_ms(chunk: &wire::AggrChunk) -> i64 {
    let Some(any) = [&chunk.count, &chunk.sum, &chunk.min, &chunk.max].into_iter().flatten().next() else {
        return 300_000;
    };
    // A float chunk begins with its number of samples, two bytes big-endian.
    let windows = any.data.first_chunk::<2>().map_or(1, |b| i64::from(u16::from_be_bytes(*b)));
    let span = chunk.max_time.saturating_sub(chunk.min_time);
    let wide = span >= windows.saturating_sub(1).saturating_mul(HOUR_MS);
    let ends_full = chunk.max_time.wrapping_add(1).rem_euclid(HOUR_MS) == 0;
    if wide && ends_full { HOUR_MS } else { 300_000 }
}
