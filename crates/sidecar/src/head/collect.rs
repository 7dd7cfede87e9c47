use block::Encoding;
use bytes::Bytes;
use model::{Labels, TimeRange};
use request::{Context, MemoryLease};
use store::{About, BatchBuilder, Result, SeriesBatch, SeriesRequest};

use super::external::final_labels;

/// How many series go into one batch.
pub(super) const BATCH_SERIES: usize = 256;

/// Collects an answer's series, gives them their final labels and their final order.
#[derive(Debug)]
pub(super) struct Collector {
    external: Labels,
    request: SeriesRequest,
    series: Vec<(Labels, Vec<NewChunk>)>,
    lease: MemoryLease,
    scratch: Vec<u8>,
}

/// A chunk as it came.
#[derive(Clone, Debug)]
pub(super) struct NewChunk {
    pub(super) min_time: i64,
    pub(super) max_time: i64,
    pub(super) encoding: Encoding,
    pub(super) payload: Bytes,
}

/// About what a series takes.
pub(super) fn held_bytes(labels: &[(&str, &str)], chunks: &[NewChunk]) -> u64 {
    let text: usize = labels.iter().map(|(n, v)| n.len() + v.len() + 8).sum();
    let payloads: usize = chunks.iter().map(|c| c.payload.len() + size_of::<NewChunk>()).sum();
    (text + payloads + 64) as u64
}

impl Collector {
    pub(super) fn new(cx: &Context, external: &Labels, request: &SeriesRequest) -> Result<Self> {
        Ok(Self {
            external: external.clone(),
            request: request.clone(),
            series: Vec::new(),
            lease: cx.memory().lease(0)?,
            scratch: Vec::new(),
        })
    }

    /// Adds a series, or more chunks of one that is there.
    pub(super) fn add(&mut self, labels: &[(&str, &str)], chunks: Vec<NewChunk>) -> Result<()> {
        let mut pairs = Vec::new();
        final_labels(labels.iter().copied(), &self.external, &self.request.without_replica_labels, &mut pairs);
        if let Some(shard) = &self.request.shard
            && !shard.holds(pairs.iter().copied(), &mut self.scratch)
        {
            return Ok(());
        }
        self.lease.grow(held_bytes(&pairs, &chunks))?;
        self.series.push((Labels::from_sorted(pairs), chunks));
        Ok(())
    }

    /// All series sorted by final labels, those that became equal as one. CPU work.
    pub(super) fn finish(mut self) -> Result<Vec<SeriesBatch>> {
        self.series.sort_by(|a, b| a.0.cmp(&b.0));
        let mut merged: Vec<(Labels, Vec<NewChunk>)> = Vec::with_capacity(self.series.len());
        for (labels, chunks) in self.series {
            match merged.last_mut() {
                Some((last, all)) if *last == labels => all.extend(chunks),
                _ => merged.push((labels, chunks)),
            }
        }
        if self.request.limit > 0 {
            merged.truncate(usize::try_from(self.request.limit).unwrap_or(usize::MAX));
        }
        let mut batches = Vec::with_capacity(merged.len().div_ceil(BATCH_SERIES));
        let mut rest = merged.into_iter().peekable();
        while rest.peek().is_some() {
            batches.push(batch(rest.by_ref().take(BATCH_SERIES)));
        }
        // The whole answer was built at once; its account is settled when the last batch goes.
        if let Some(last) = batches.last_mut() {
            last.cover(self.lease);
        }
        Ok(batches)
    }
}

/// Series in order as one batch.
pub(super) fn batch(series: impl Iterator<Item = (Labels, Vec<NewChunk>)>) -> SeriesBatch {
    let mut batch = BatchBuilder::default();
    for (labels, chunks) in series {
        for NewChunk { min_time, max_time, encoding, payload } in chunks {
            batch.chunk(About::raw(TimeRange::new(min_time, max_time), encoding), payload);
        }
        batch.series(labels.iter());
    }
    batch.finish()
}
