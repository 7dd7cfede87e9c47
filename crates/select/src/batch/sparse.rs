//! `stable` over tagged replicas, of which most chunks need not be decoded.

use block::chunk::sample_count;
use block::{Aggregate, Columns, Corrupt};
use model::TimeRange;
use store::ChunkMeta;
use store::dedup::{Known, Span, needed, stable_within};

use super::{Batch, Scratch, grow, join, of_replica};

/// Kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    known: Known,
    spans: Vec<Span>,
    needed: Vec<bool>,
}

impl Scratch {
    /// Makes room for the replicas of a series; gives the number of the first.
    pub(super) fn begin_stable(&mut self, chunks: &[ChunkMeta]) -> usize {
        let count = replicas(chunks);
        grow(&mut self.replicas, count);
        let holes = &mut self.sparse.known.holes;
        if holes.len() < count {
            holes.resize_with(count, Vec::new);
        }
        holes.iter_mut().for_each(Vec::clear);
        self.sparse.known.lead = chunks.iter().map(|c| c.replica as usize).min().unwrap_or(0);
        self.sparse.known.lead
    }
}

fn replicas(chunks: &[ChunkMeta]) -> usize {
    chunks.iter().map(|c| c.replica as usize + 1).max().unwrap_or(0)
}

impl Batch {
    /// Decodes the first replica of a series.
    pub(super) fn decode_lead(&self, chunks: &[ChunkMeta], scratch: &mut Scratch) -> Result<(), Corrupt> {
        let lead = scratch.begin_stable(chunks);
        self.decode_replica(chunks, lead, scratch)
    }

    /// Decodes of the other replicas what the gaps and borders of the first call for, and merges them. The
    /// first replica's columns are in their place.
    pub(super) fn decode_stable(
        &self,
        chunks: &[ChunkMeta],
        fetched: TimeRange,
        scratch: &mut Scratch,
        out: &mut Columns,
    ) -> Result<(), Corrupt> {
        let (count, lead) = (replicas(chunks), scratch.sparse.known.lead);
        scratch.sparse.known.survey.look(&scratch.replicas[lead], fetched);
        for number in (0..count).filter(|&number| number != lead) {
            if !self.decode_needed(chunks, number, scratch)? {
                self.decode_replica(chunks, number, scratch)?;
            }
        }
        if stable_within(&scratch.replicas[..count], &scratch.sparse.known, fetched, out) {
            return Ok(());
        }
        // Some sample that was left out matters after all: markers and gaps close to a cell's border.
        for number in (0..count).filter(|&number| number != lead) {
            self.decode_replica(chunks, number, scratch)?;
            scratch.sparse.known.holes[number].clear();
        }
        let _all_there = stable_within(&scratch.replicas[..count], &scratch.sparse.known, fetched, out);
        Ok(())
    }

    /// Decodes a replica's chunks into its columns.
    fn decode_replica(&self, chunks: &[ChunkMeta], number: usize, scratch: &mut Scratch) -> Result<(), Corrupt> {
        let Scratch { lanes, parts, replicas, .. } = scratch;
        let own = || of_replica(chunks, number);
        if own().zip(own().skip(1)).all(|(a, b)| a.max_time < b.min_time) {
            return self.decode_chunks(own(), &mut replicas[number]);
        }
        let own: Vec<_> = own().copied().collect();
        self.decode_lanes(&own, lanes, parts)?;
        join(&parts[..lanes.count], &mut replicas[number]);
        Ok(())
    }

    /// Decodes those of a replica's chunks that may matter beside the first replica's samples, and notes the
    /// others as holes; `false` where that cannot be told.
    fn decode_needed(&self, chunks: &[ChunkMeta], number: usize, scratch: &mut Scratch) -> Result<bool, Corrupt> {
        let Scratch { replicas, sparse: Sparse { known, spans, needed: marks }, .. } = scratch;
        let own = || of_replica(chunks, number);
        let simple = |c: &ChunkMeta| c.aggregate == Aggregate::Raw && c.encoding.is_float();
        if !own().all(simple) || !own().zip(own().skip(1)).all(|(a, b)| a.max_time < b.min_time) {
            return Ok(false);
        }
        spans.clear();
        for chunk in own() {
            let samples = sample_count(chunk.encoding, self.batch.payload(chunk))?;
            spans.push(Span { range: TimeRange::new(chunk.min_time, chunk.max_time), samples });
        }
        needed(&mut known.survey, spans, marks);
        let left_out = spans.iter().zip(&*marks).filter(|(_, needed)| !**needed).map(|(span, _)| span.range);
        known.holes[number].extend(left_out);
        let wanted = own().zip(&*marks).filter(|(_, needed)| **needed).map(|(chunk, _)| chunk);
        self.decode_chunks(wanted, &mut replicas[number])?;
        Ok(true)
    }
}
