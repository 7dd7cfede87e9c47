//! `stable` over tagged replicas, of which most chunks need not be decoded.
//!
//! The first replica's samples are the outcome but for the few stretches that are not settled by what is known of
//! the others' chunks. Only there others are decoded, for several series in one go, and merged.

use std::ops::Range;

use block::chunk::{decode_many, sample_count};
use block::{Aggregate, Columns, Corrupt, Encoding};
use model::TimeRange;
use store::ChunkMeta;
use store::dedup::{Cells, Part, Span, Survey, stable};

use super::splice::{Piece, splice};
use super::{Batch, Mode, Scratch, grow, join, of_replica};

/// Kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    /// One for each series of a run.
    surveys: Vec<Survey>,
    others: Vec<Other>,
    /// The others' chunks.
    spans: Vec<Span>,
    /// Where their chunks are that are not decoded.
    holes: Vec<TimeRange>,
    /// What is decoded of them.
    floats: Columns,
    needed: Vec<bool>,
    stitch: Stitch,
}

/// A replica of one of the series, other than its first.
#[derive(Clone, Debug)]
struct Other {
    /// Counted from the run's first.
    series: usize,
    replica: usize,
    spans: Range<usize>,
    holes: Range<usize>,
    floats: Range<usize>,
}

/// What merging needs beside the samples.
#[derive(Debug, Default)]
struct Stitch {
    cells: Cells,
    unsettled: Vec<TimeRange>,
    patch: Columns,
    pieces: Vec<Piece>,
    none: Columns,
}

impl Batch {
    /// Whether series `i` has replicas side by side that `stable` makes one of.
    fn has_replicas(&self, i: usize) -> bool {
        self.batch.chunks_of(i).windows(2).any(|w| w[0].replica != w[1].replica)
    }

    /// Makes of the first replicas of several series, which are in `out`, what `stable` makes of all. Elsewhere it
    /// does nothing.
    pub(super) fn stitch(
        &self,
        series: Range<usize>,
        scratch: &mut Scratch,
        out: &mut [Columns],
    ) -> Result<(), Corrupt> {
        let Mode::Stable(Some(fetched)) = self.mode else { return Ok(()) };
        self.survey(series.clone(), fetched, &mut scratch.sparse, out)?;
        let Scratch { sparse, replicas, .. } = scratch;
        let Sparse { surveys, others, spans, holes, floats, stitch, .. } = sparse;
        for others in others.chunk_by(|a, b| a.series == b.series) {
            let k = others[0].series;
            let chunks = self.batch.chunks_of(series.start + k);
            let out = &mut out[k];
            let any = |range: TimeRange| {
                let next = out.t.partition_point(|&t| t < range.min);
                let own = out.t.get(next).is_some_and(|&t| t <= range.max);
                own || others.iter().any(|other| spans[other.spans.clone()].iter().any(|s| s.range.overlaps(range)))
            };
            surveys[k].unsettled(any, &mut stitch.unsettled);
            if stitch.unsettled.is_empty() {
                continue;
            }
            let lead = first_replica(chunks);
            // Numbers ascend, and the first replica's is the least.
            let count = others.last().map_or(lead, |other| other.replica) + 1;
            grow(replicas, count);
            let Stitch { cells, unsettled, patch, pieces, none } = stitch;
            patch.clear();
            pieces.clear();
            for &stretch in &*unsettled {
                let from = patch.mark();
                let mut parts = vec![Part { columns: none, floats: 0..0, holes: &[] }; count];
                parts[lead] = Part { columns: out, floats: 0..out.t.len(), holes: &[] };
                for other in others {
                    let holes = &holes[other.holes.clone()];
                    parts[other.replica] = Part { columns: floats, floats: other.floats.clone(), holes };
                }
                if !cells.merge_within(&parts, (lead, &surveys[k]), stretch, patch) {
                    // Some sample that was left out matters after all.
                    patch.truncate(from);
                    for other in others {
                        let near = |c: &&ChunkMeta| TimeRange::new(c.min_time, c.max_time).overlaps(stretch);
                        let near = of_replica(chunks, other.replica).filter(near);
                        self.decode_chunks(near, &mut replicas[other.replica])?;
                    }
                    for other in others {
                        let columns = &replicas[other.replica];
                        parts[other.replica] = Part { columns, floats: 0..columns.t.len(), holes: &[] };
                    }
                    let _all_there = cells.merge_within(&parts, (lead, &surveys[k]), stretch, patch);
                }
                let replaced =
                    out.t.partition_point(|&t| t < stretch.min)..out.t.partition_point(|&t| t <= stretch.max);
                pieces.push(Piece { replaced, by: from.0..patch.t.len() });
            }
            splice(out, patch, pieces);
        }
        Ok(())
    }

    /// Looks at several series and decodes of their other replicas what may matter; those that do not allow it are
    /// decoded as a whole and merged at once.
    fn survey(
        &self,
        series: Range<usize>,
        fetched: TimeRange,
        sparse: &mut Sparse,
        out: &mut [Columns],
    ) -> Result<(), Corrupt> {
        let Sparse { surveys, others, spans, holes, floats, needed, .. } = sparse;
        if surveys.len() < series.len() {
            surveys.resize_with(series.len(), Survey::default);
        }
        others.clear();
        spans.clear();
        holes.clear();
        let mut list: Vec<(Encoding, &[u8])> = Vec::new();
        let mut end = 0;
        for (k, i) in series.enumerate().filter(|(_, i)| self.has_replicas(*i)) {
            let chunks = self.batch.chunks_of(i);
            // Of others all was decoded.
            if !is_simple(chunks) {
                continue;
            }
            let survey = &mut surveys[k];
            survey.look(&out[k], fetched);
            let first = others.len();
            for number in replicas(chunks).skip(1) {
                let from = spans.len();
                for chunk in of_replica(chunks, number) {
                    let samples = sample_count(chunk.encoding, self.batch.payload(chunk))?;
                    spans.push(Span { range: TimeRange::new(chunk.min_time, chunk.max_time), samples });
                }
                survey.weigh(&spans[from..]);
                let other = Other { series: k, replica: number, spans: from..spans.len(), holes: 0..0, floats: 0..0 };
                others.push(other);
            }
            survey.settle();
            for other in &mut others[first..] {
                let (spans, from, hole) = (&spans[other.spans.clone()], end, holes.len());
                survey.needed(spans, needed);
                for ((chunk, span), needed) in of_replica(chunks, other.replica).zip(spans).zip(&*needed) {
                    if *needed {
                        let payload = self.batch.payload(chunk);
                        block::prefetch(payload);
                        list.push((chunk.encoding, payload));
                        end += span.samples as usize;
                    } else {
                        holes.push(span.range);
                    }
                }
                (other.floats, other.holes) = (from..end, hole..holes.len());
            }
        }
        floats.clear();
        decode_many(&list, floats)
    }

    /// Decodes all replicas of a series that is not simple, and merges them.
    pub(super) fn decode_all(
        &self,
        chunks: &[ChunkMeta],
        scratch: &mut Scratch,
        out: &mut Columns,
    ) -> Result<(), Corrupt> {
        let Scratch { lanes, parts, replicas: columns, .. } = scratch;
        let mut count = 0;
        for number in replicas(chunks) {
            grow(columns, count + 1);
            let own: Vec<_> = of_replica(chunks, number).copied().collect();
            if super::disjoint(&own) {
                self.decode_chunks(own.iter(), &mut columns[count])?;
            } else {
                self.decode_lanes(&own, lanes, parts)?;
                join(&parts[..lanes.count], &mut columns[count]);
            }
            count += 1;
        }
        stable(&columns[..count], out);
        Ok(())
    }
}

/// The number of the first replica.
pub(super) fn first_replica(chunks: &[ChunkMeta]) -> usize {
    chunks.iter().map(|c| c.replica as usize).min().unwrap_or(0)
}

/// The numbers of the replicas, ascending.
fn replicas(chunks: &[ChunkMeta]) -> impl Iterator<Item = usize> {
    let last = chunks.iter().map(|c| c.replica as usize).max().unwrap_or(0);
    (first_replica(chunks)..=last).filter(|&number| of_replica(chunks, number).next().is_some())
}

/// Whether a series' chunks are all of floats, and none overlaps another of its replica.
pub(super) fn is_simple(chunks: &[ChunkMeta]) -> bool {
    let floats = |c: &ChunkMeta| c.aggregate == Aggregate::Raw && c.encoding.is_float();
    let follow = |number| {
        let own = || of_replica(chunks, number);
        own().zip(own().skip(1)).all(|(a, b)| a.max_time < b.min_time)
    };
    chunks.iter().all(floats) && replicas(chunks).all(follow)
}
