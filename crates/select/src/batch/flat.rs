use std::ops::Deref;

use model::TimeRange;
use store::{ChunkMeta, SeriesBatch};

/// A chunk, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    meta: ChunkMeta,
    pub(super) replica: u32,
    /// Index into [`SeriesBatch::lists`].
    pub(super) list: u32,
}

impl Deref for Held {
    type Target = ChunkMeta;

    fn deref(&self) -> &ChunkMeta {
        &self.meta
    }
}

/// The chunks of several series, one behind the other. Kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Flat {
    chunks: Vec<Held>,
    /// Where those of each series end.
    ends: Vec<usize>,
}

impl Flat {
    pub(super) fn clear(&mut self) {
        self.chunks.clear();
        self.ends.clear();
    }

    /// Adds the chunks of series `i`.
    pub(super) fn push(&mut self, batch: &SeriesBatch, i: usize) {
        for run in batch.runs_of(i) {
            let held = |&meta: &ChunkMeta| Held { meta, replica: run.replica, list: run.list };
            self.chunks.extend(batch.chunks_in(run).iter().map(held));
        }
        self.ends.push(self.chunks.len());
    }

    /// Of the last series keeps only the chunks that overlap a range: its first replica's one, and the others' another.
    /// Tells whether there were more.
    pub(super) fn keep(&mut self, first: TimeRange, others: Option<TimeRange>) -> bool {
        let Some(end) = self.ends.pop() else { return false };
        let begin = self.ends.last().copied().unwrap_or(0);
        let number = self.chunks.get(begin).map(|chunk| chunk.replica);
        let mut kept = begin;
        for i in begin..end {
            let range = if Some(self.chunks[i].replica) == number { Some(first) } else { others };
            if range.is_some_and(|range| self.chunks[i].range().overlaps(range)) {
                if kept < i {
                    self.chunks[kept] = self.chunks[i];
                }
                kept += 1;
            }
        }
        self.chunks.truncate(kept);
        self.ends.push(kept);
        kept < end
    }

    /// The chunks of the `k`th series, ascending by replica and time.
    pub(super) fn of(&self, k: usize) -> &[Held] {
        let from = k.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.chunks[from..self.ends[k]]
    }

    /// The chunks of all series, series by series.
    pub(super) fn series(&self) -> impl Iterator<Item = &[Held]> {
        (0..self.ends.len()).map(|k| self.of(k))
    }
}

/// The chunks of one replica.
pub(super) fn of_replica(chunks: &[Held], number: usize) -> &[Held] {
    let from = chunks.partition_point(|c| (c.replica as usize) < number);
    let len = chunks[from..].partition_point(|c| c.replica as usize == number);
    &chunks[from..from + len]
}

/// The number of the first replica.
pub(super) fn first_replica(chunks: &[Held]) -> usize {
    chunks.first().map_or(0, |c| c.replica as usize)
}

/// The numbers of the replicas, ascending.
pub(super) fn replicas(chunks: &[Held]) -> impl Iterator<Item = usize> {
    chunks.chunk_by(|a, b| a.replica == b.replica).map(first_replica)
}

/// Whether each chunk starts after the one before it has ended.
pub(super) fn disjoint(chunks: &[Held]) -> bool {
    chunks.windows(2).all(|w| w[0].max_time < w[1].min_time)
}
