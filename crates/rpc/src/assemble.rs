//! Messages of a peer to batches of series.

use block::{Aggregate, Encoding};
use model::TimeRange;
use proto::thanos as wire;
use request::MemoryAccount;
use store::{About, BatchBuilder, Error, Result, SeriesBatch};

/// A batch is closed when its chunks have so many bytes.
const BATCH_BYTES: usize = 4 << 20;
const HOUR_MS: u32 = 3_600_000;
const FIVE_MINUTES_MS: u32 = 300_000;

/// Collects series, joins those that a peer split over several messages, and cuts batches.
#[derive(Debug)]
pub(crate) struct Assembler {
    peer: String,
    batch_series: usize,
    memory: MemoryAccount,
    /// What came last; its next message may continue it.
    open: Option<wire::Series>,
    batch: BatchBuilder,
}

impl Assembler {
    pub(crate) fn new(peer: String, batch_series: usize, memory: MemoryAccount) -> Self {
        Self { peer, batch_series: batch_series.max(64), memory, open: None, batch: BatchBuilder::default() }
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
        if self.batch.len() >= self.batch_series || self.batch.bytes() >= BATCH_BYTES {
            return self.cut().map(Some);
        }
        Ok(None)
    }

    /// The last batch, if anything is left.
    pub(crate) fn finish(&mut self) -> Result<Option<SeriesBatch>> {
        if let Some(done) = self.open.take() {
            self.close(done)?;
        }
        if self.batch.is_empty() { Ok(None) } else { self.cut().map(Some) }
    }

    fn cut(&mut self) -> Result<SeriesBatch> {
        let mut batch = std::mem::take(&mut self.batch).finish();
        batch.cover(self.memory.lease(batch.payload_bytes() + batch.held_bytes() as u64)?);
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
        for mut chunk in series.chunks {
            let range = TimeRange::new(chunk.min_time, chunk.max_time);
            let resolution_ms = resolution_ms(&chunk);
            for (aggregate, part) in parts(&mut chunk) {
                let encoding =
                    u8::try_from(part.r#type.saturating_add(1)).ok().and_then(|b| Encoding::from_byte(b).ok());
                let Some(encoding) = encoding.filter(|e| *e != Encoding::Aggregates) else {
                    return Err(self.bad(&format!("sent a chunk of unknown encoding {}", part.r#type)));
                };
                let resolution_ms = if aggregate == Aggregate::Raw { 0 } else { resolution_ms };
                if !self.batch.has_room(&part.data) {
                    return Err(self.bad("sent a batch that is too large"));
                }
                self.batch.chunk(About { range, resolution_ms, aggregate, encoding }, part.data);
            }
        }
        self.batch.series(pairs);
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
fn resolution_ms(chunk: &wire::AggrChunk) -> u32 {
    let Some(any) = [&chunk.count, &chunk.sum, &chunk.min, &chunk.max].into_iter().flatten().next() else {
        return FIVE_MINUTES_MS;
    };
    // A float chunk begins with its number of samples, two bytes big-endian.
    let windows = any.data.first_chunk::<2>().map_or(1, |b| i64::from(u16::from_be_bytes(*b)));
    let span = chunk.max_time.saturating_sub(chunk.min_time);
    let wide = span >= windows.saturating_sub(1).saturating_mul(HOUR_MS.into());
    let ends_full = chunk.max_time.wrapping_add(1).rem_euclid(HOUR_MS.into()) == 0;
    if wide && ends_full { HOUR_MS } else { FIVE_MINUTES_MS }
}
