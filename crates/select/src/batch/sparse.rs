//! `stable` over tagged replicas, of which most chunks need not be decoded.
//!
//! The first replica's samples are the outcome but for the few stretches that are not settled by what is known of
//! the others' chunks. Only there others are decoded, for several series in one go, and merged.

use std::ops::Range;

use block::chunk::{decode_many, sample_count};
use block::{Columns, Corrupt, Encoding};
use model::TimeRange;
use store::dedup::{Cells, Part, Picker, Span, Stretch, Survey, Taken, stable};

use super::flat::{Flat, Held, disjoint, of_replica, replicas};
use super::splice::Piece;
use super::{Batch, Mode, RUN_CHUNKS, Scratch, grow, join};

/// Kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    /// One for each series of a run.
    surveys: Vec<Survey>,
    others: Vec<Other>,
    /// The others' chunks.
    spans: Vec<Span>,
    /// Where their chunks are that are not decoded.
    holes: Vec<Span>,
    /// What is decoded of them.
    floats: Columns,
    needed: Vec<bool>,
    picker: Picker,
    cells: Cells,
    unsettled: Vec<Stretch>,
    /// What is merged sample by sample.
    patch: Columns,
    /// Where other samples take the place of the first replicas', series by series, and where those of each end.
    pieces: Vec<Piece>,
    ends: Vec<usize>,
}

/// Of pieces, among [`Sparse::sources`].
const FLOATS: usize = 0;
const PATCH: usize = 1;

impl Sparse {
    /// What the pieces are taken from.
    pub(super) fn sources(&self) -> [&Columns; 2] {
        [&self.floats, &self.patch]
    }

    /// The patches of a series, counted from the run's first.
    pub(super) fn pieces(&self, series: usize) -> &[Piece] {
        let from = series.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.pieces[from..self.ends[series]]
    }
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

impl Batch {
    /// Finds out what `stable` makes of several series other than the samples of their first replicas, which are given
    /// one behind the other; `ends` says where each series' are.
    pub(super) fn stitch(
        &self,
        series: Range<usize>,
        flat: &Flat,
        (first, ends): (&Columns, &[usize]),
        scratch: &mut Scratch,
    ) -> Result<(), Corrupt> {
        let Scratch { sparse, replicas, .. } = scratch;
        sparse.patch.clear();
        sparse.pieces.clear();
        sparse.ends.clear();
        if let Mode::Stable(Some(fetched)) = self.mode {
            self.survey(series.clone(), flat, fetched, (first, ends), sparse)?;
            for k in 0..series.len() {
                self.patch(flat.of(k), k, first, sparse, replicas)?;
                sparse.ends.push(sparse.pieces.len());
            }
        } else {
            sparse.ends.resize(series.len(), 0);
        }
        Ok(())
    }

    /// Merges what is not settled of the `k`th series that was surveyed.
    fn patch(
        &self,
        chunks: &[Held],
        k: usize,
        own: &Columns,
        sparse: &mut Sparse,
        replicas: &mut Vec<Columns>,
    ) -> Result<(), Corrupt> {
        let Sparse { surveys, others, spans, holes, floats, picker, cells, unsettled, patch, pieces, .. } = sparse;
        let from = others.partition_point(|other| other.series < k);
        let others = &others[from..from + others[from..].partition_point(|other| other.series == k)];
        if others.is_empty() {
            return Ok(());
        }
        let any = |range: TimeRange| {
            others.iter().any(|other| {
                let spans = &spans[other.spans.clone()];
                let next = spans.partition_point(|span| span.range.max < range.min);
                spans.get(next).is_some_and(|span| span.range.min <= range.max)
            })
        };
        let survey = &mut surveys[k];
        survey.recount(others.iter().map(|other| (&floats.t[other.floats.clone()], &holes[other.holes.clone()])));
        survey.unsettled(any, unsettled);
        let mut parts = Vec::with_capacity(1 + others.len());
        parts.push(Part { columns: own, floats: 0..0, holes: &[] });
        parts.extend(others.iter().map(|other| {
            let holes = &holes[other.holes.clone()];
            Part { columns: floats, floats: other.floats.clone(), holes }
        }));
        for stretch in &*unsettled {
            parts[0].floats = stretch.first.clone();
            if let Some(taken) = picker.pick(&parts, survey, stretch) {
                replace(&stretch.first, taken, pieces);
                continue;
            }
            let from = patch.mark();
            if !cells.merge_within(&parts, (0, survey), stretch.range, patch) {
                // Some sample that was left out matters after all.
                patch.truncate(from);
                grow(replicas, others.len());
                for (other, columns) in others.iter().zip(&mut *replicas) {
                    let near = |c: &&Held| c.range().overlaps(stretch.range);
                    self.decode_chunks(of_replica(chunks, other.replica).iter().filter(near), columns)?;
                }
                let all = |columns| Part { columns, floats: 0..columns.t.len(), holes: &[] };
                let parts: Vec<_> =
                    parts[..1].iter().cloned().chain(replicas[..others.len()].iter().map(all)).collect();
                let _all_there = cells.merge_within(&parts, (0, survey), stretch.range, patch);
            }
            pieces.push(Piece { replaced: stretch.first.clone(), by: from.0..patch.t.len(), source: PATCH });
        }
        Ok(())
    }

    /// Looks at several series and decodes of their other replicas what may matter.
    fn survey(
        &self,
        series: Range<usize>,
        flat: &Flat,
        fetched: TimeRange,
        (first, ends): (&Columns, &[usize]),
        sparse: &mut Sparse,
    ) -> Result<(), Corrupt> {
        let Sparse { surveys, others, spans, holes, floats, needed, .. } = sparse;
        if surveys.len() < series.len() {
            surveys.resize_with(series.len(), Survey::default);
        }
        others.clear();
        spans.clear();
        holes.clear();
        let mut list: Vec<(Encoding, &[u8])> = Vec::with_capacity(RUN_CHUNKS);
        for (k, i) in series.enumerate().filter(|(_, i)| self.has_replicas(*i)) {
            let chunks = flat.of(k);
            // Of others all was decoded.
            if !self.is_simple(i) {
                continue;
            }
            let survey = &mut surveys[k];
            let from = k.checked_sub(1).map_or(0, |before| ends[before]);
            survey.look(first, from..ends[k], fetched);
            let known = others.len();
            for number in replicas(chunks).skip(1) {
                let from = spans.len();
                for chunk in of_replica(chunks, number) {
                    let samples = match chunk.samples {
                        0 => sample_count(chunk.encoding, self.payload(chunk))?,
                        known => known,
                    };
                    spans.push(Span { range: chunk.range(), samples });
                }
                survey.weigh(&spans[from..]);
                let other = Other { series: k, replica: number, spans: from..spans.len(), holes: 0..0, floats: 0..0 };
                others.push(other);
            }
            survey.settle();
            for other in &mut others[known..] {
                let (spans, from, hole) = (&spans[other.spans.clone()], list.len(), holes.len());
                survey.needed(first, spans, needed);
                for ((chunk, span), needed) in of_replica(chunks, other.replica).iter().zip(spans).zip(&*needed) {
                    if *needed {
                        let payload = self.payload(chunk);
                        block::prefetch(payload);
                        list.push((chunk.encoding, payload));
                    } else {
                        holes.push(*span);
                    }
                }
                // Which of the list they are; below, where their samples will be.
                (other.floats, other.holes) = (from..list.len(), hole..holes.len());
            }
        }
        let mut end = 0;
        for other in others {
            let from = end;
            for (encoding, payload) in &list[other.floats.clone()] {
                end += sample_count(*encoding, payload)? as usize;
            }
            other.floats = from..end;
        }
        floats.clear();
        decode_many(&list, floats)
    }

    /// Decodes all replicas of a series that is not simple, and merges them.
    pub(super) fn decode_all(&self, chunks: &[Held], scratch: &mut Scratch, out: &mut Columns) -> Result<(), Corrupt> {
        let Scratch { lanes, parts, replicas: columns, .. } = scratch;
        let mut count = 0;
        for number in replicas(chunks) {
            grow(columns, count + 1);
            let own = of_replica(chunks, number);
            if disjoint(own) {
                self.decode_chunks(own.iter(), &mut columns[count])?;
            } else {
                self.decode_lanes(own, lanes, parts)?;
                join(&parts[..lanes.count], &mut columns[count]);
            }
            count += 1;
        }
        stable(&columns[..count], out);
        Ok(())
    }
}

/// Adds the pieces that make of some of the first replica's floats what is taken of all parts.
fn replace(first: &Range<usize>, taken: &[Taken], pieces: &mut Vec<Piece>) {
    let (mut at, known) = (first.start, pieces.len());
    let leave_out = |pieces: &mut Vec<Piece>, at: usize, to: usize| match pieces[known..].last_mut() {
        _ if at == to => {}
        Some(last) if last.replaced.end == at => last.replaced.end = to,
        _ => pieces.push(Piece { replaced: at..to, by: 0..0, source: PATCH }),
    };
    for Taken { part, floats } in taken {
        if *part == 0 {
            leave_out(pieces, at, floats.start);
            at = floats.end;
        } else {
            pieces.push(Piece { replaced: at..at, by: floats.clone(), source: FLOATS });
        }
    }
    leave_out(pieces, at, first.end);
}
