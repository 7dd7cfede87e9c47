use std::sync::Arc;

use block::{Aggregate, Encoding};
use bytes::Bytes;
use model::{LabelTableBuilder, Labels};
use request::{Context, MemoryLease};
use store::{ChunkMeta, Result, SeriesBatch, SeriesRequest};

use super::external::final_labels;

/// How many series go into one batch.
const BATCH_SERIES: usize = 256;

/// Collects an answer's series, gives them their final labels and their final order.
#[derive(Debug)]
pub(super) struct Collector {
    external: Labels,
    request: Arc<SeriesRequest>,
    series: Vec<(Labels, Vec<Piece>)>,
    buffers: Vec<Bytes>,
    lease: MemoryLease,
    scratch: Vec<u8>,
}

/// A chunk and where its payload lies.
#[derive(Clone, Copy, Debug)]
struct Piece {
    min_time: i64,
    max_time: i64,
    encoding: Encoding,
    buffer: u32,
    offset: u32,
    len: u32,
}

/// A chunk as it came.
#[derive(Clone, Debug)]
pub(super) struct NewChunk {
    pub(super) min_time: i64,
    pub(super) max_time: i64,
    pub(super) encoding: Encoding,
    pub(super) payload: Bytes,
}

impl Collector {
    pub(super) fn new(cx: &Context, external: &Labels, request: &SeriesRequest) -> Result<Self> {
        Ok(Self {
            external: external.clone(),
            request: Arc::new(request.clone()),
            series: Vec::new(),
            buffers: Vec::new(),
            lease: cx.memory().lease(0)?,
            scratch: Vec::new(),
        })
    }

    /// Adds a series without chunks.
    pub(super) fn add_labels(&mut self, labels: &Labels) -> Result<()> {
        self.add(labels.iter(), Vec::new())
    }

    /// Adds a series, or more chunks of one that is there.
    pub(super) fn add<'a>(
        &mut self,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
        chunks: Vec<NewChunk>,
    ) -> Result<()> {
        let external = self.external.clone();
        let labels: Vec<_> = labels.collect();
        let mut pairs = Vec::new();
        final_labels(labels.iter().copied(), &external, &self.request.without_replica_labels, &mut pairs);
        if let Some(shard) = &self.request.shard
            && !shard.holds(pairs.iter().copied(), &mut self.scratch)
        {
            return Ok(());
        }
        let size: usize = pairs.iter().map(|(n, v)| n.len() + v.len() + 8).sum();
        let payloads: usize = chunks.iter().map(|c| c.payload.len() + size_of::<Piece>()).sum();
        self.lease.grow((size + payloads + 64) as u64)?;
        let pieces = chunks.into_iter().map(|c| self.keep(c)).collect();
        self.series.push((Labels::from_sorted(pairs), pieces));
        Ok(())
    }

    fn keep(&mut self, chunk: NewChunk) -> Piece {
        let len = u32::try_from(chunk.payload.len()).unwrap_or(u32::MAX);
        let buffer = u32::try_from(self.buffers.len()).unwrap_or(u32::MAX);
        self.buffers.push(chunk.payload);
        Piece { min_time: chunk.min_time, max_time: chunk.max_time, encoding: chunk.encoding, buffer, offset: 0, len }
    }

    /// All series sorted by final labels, those that became equal as one. CPU work.
    pub(super) fn finish(mut self) -> Result<Vec<SeriesBatch>> {
        self.series.sort_by(|a, b| a.0.cmp(&b.0));
        let mut merged: Vec<(Labels, Vec<Piece>)> = Vec::with_capacity(self.series.len());
        for (labels, pieces) in self.series {
            match merged.last_mut() {
                Some((last, all)) if *last == labels => all.extend(pieces),
                _ => merged.push((labels, pieces)),
            }
        }
        if self.request.limit > 0 {
            merged.truncate(usize::try_from(self.request.limit).unwrap_or(usize::MAX));
        }
        let mut batches: Vec<SeriesBatch> =
            merged.chunks_mut(BATCH_SERIES).map(|part| batch(part, &self.buffers)).collect();
        // The whole answer was built at once; its account is settled when the last batch goes.
        if let Some(last) = batches.last_mut() {
            last.lease = Some(self.lease);
        }
        Ok(batches)
    }
}

fn batch(series: &mut [(Labels, Vec<Piece>)], buffers: &[Bytes]) -> SeriesBatch {
    let mut labels = LabelTableBuilder::new();
    let mut batch = SeriesBatch::default();
    for (set, pieces) in series {
        labels.push(set.iter());
        pieces.sort_by_key(|p| (p.min_time, p.max_time));
        for piece in pieces.iter() {
            batch.chunks.push(ChunkMeta {
                min_time: piece.min_time,
                max_time: piece.max_time,
                resolution_ms: 0,
                aggregate: Aggregate::Raw,
                encoding: piece.encoding,
                replica: 0,
                buffer: u32::try_from(batch.buffers.len()).unwrap_or(u32::MAX),
                offset: piece.offset,
                len: piece.len,
                samples: 0,
            });
            batch.buffers.push(buffers[piece.buffer as usize].clone());
        }
        batch.ends.push(u32::try_from(batch.chunks.len()).unwrap_or(u32::MAX));
    }
    batch.labels = labels.finish();
    batch
}
