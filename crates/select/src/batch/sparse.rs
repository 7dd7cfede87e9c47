//! `stable` over tagged replicas, of which most chunks need not be decoded.
//!
//! The first replica's samples are the outcome but for the few stretches that are not settled by what is known of
//! the others' chunks. Only there others are decoded, for several series in one go, and merged.

use std::ops::Range;

use block::chunk::{decode_many, sample_count};
use block::{Columns, Corrupt, Encoding, Spread};
use model::TimeRange;
use store::dedup::{Cells, Part, Picker, Span, Stretch, Survey, Taken, stable};

use super::flat::{Flat, Held, disjoint, first_replica, of_replica, replicas};
use super::plan::{Other, Plan, span};
use super::splice::{Piece, append, fit};
use super::{Batch, Mode, Scratch, grow, join};

/// Kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    /// Of the run that is decoded, and of the one that comes next.
    pub(super) plan: Plan,
    pub(super) next: Plan,
    /// One for each series of a run.
    surveys: Vec<Survey>,
    /// The chunks of a first replica.
    own: Vec<Span>,
    /// Where the others' chunks are that are not decoded.
    holes: Vec<Span>,
    /// What is decoded of the others that was not foreseen.
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
    /// Series of the run for which there was no room in their place.
    copied: usize,
}

/// Of pieces, among [`Sparse::sources`].
const FLOATS: usize = 0;
const PATCH: usize = 1;

impl Sparse {
    /// What the pieces are taken from.
    pub(super) fn sources(&self) -> [&Columns; 2] {
        [&self.floats, &self.patch]
    }

    /// Puts the pieces of a series, counted from the run's first, which is in some place of the columns, into it; gives
    /// where it is then.
    pub(super) fn put_pieces(&mut self, series: usize, place: &Range<usize>, columns: &mut Columns) -> Range<usize> {
        let (sources, pieces) = (self.sources(), self.pieces(series));
        if pieces.is_empty() {
            return place.clone();
        }
        if let Some(place) = fit(columns, place, self.plan.planned[series].room, &sources, pieces) {
            return place;
        }
        let place = append(columns, place.clone(), &sources, pieces);
        self.copied += 1;
        place
    }

    /// The patches of a series, counted from the run's first.
    pub(super) fn pieces(&self, series: usize) -> &[Piece] {
        let from = series.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.pieces[from..self.ends[series]]
    }
}

/// What the last run took, for tests.
#[cfg(test)]
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Work {
    /// Replicas of which more had to be decoded than was foreseen.
    pub(super) unforeseen: usize,
    pub(super) replaced: usize,
    /// Samples that came out of merging sample by sample.
    pub(super) merged: usize,
    /// Series that were copied to put pieces into them.
    pub(super) copied: usize,
}

#[cfg(test)]
impl Sparse {
    pub(super) fn work(&self) -> Work {
        let unforeseen = self.plan.others.iter().filter(|other| other.apart).count();
        Work { unforeseen, replaced: self.pieces.len(), merged: self.patch.t.len(), copied: self.copied }
    }
}

impl Batch {
    /// Finds out what `stable` makes of several series other than the samples of their first replicas, which are given;
    /// `places` says where each series' are.
    pub(super) fn stitch(
        &self,
        flat: &Flat,
        (first, places): (&Columns, &[Range<usize>]),
        scratch: &mut Scratch,
    ) -> Result<(), Corrupt> {
        let Scratch { sparse, replicas, .. } = scratch;
        sparse.patch.clear();
        sparse.pieces.clear();
        sparse.ends.clear();
        sparse.copied = 0;
        if let Mode::Stable(Some(_)) = self.mode {
            self.survey(flat, (first, places), sparse)?;
            for k in 0..places.len() {
                self.patch(flat.of(k), k, first, sparse, replicas)?;
                sparse.ends.push(sparse.pieces.len());
            }
        } else {
            sparse.ends.resize(places.len(), 0);
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
        let Sparse { plan, surveys, holes, floats, picker, cells, unsettled, patch, pieces, .. } = sparse;
        let (others, spans) = (plan.others_of(k), &plan.spans);
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
        let mut parts = Vec::with_capacity(1 + others.len());
        parts.push(Part { columns: own, floats: 0..0, holes: &[] });
        parts.extend(others.iter().map(|other| {
            let columns = if other.apart { &*floats } else { own };
            Part { columns, floats: other.floats.clone(), holes: &holes[other.holes.clone()] }
        }));
        if others.iter().any(|other| other.apart)
            && survey.recount(parts[1..].iter().map(|part| (&part.columns.t[part.floats.clone()], part.holes)))
        {
            survey.settle();
        }
        survey.unsettled(any, unsettled);
        for stretch in &*unsettled {
            parts[0].floats = stretch.first.clone();
            if let Some(taken) = picker.pick(&parts, survey, stretch) {
                replace(&stretch.first, taken, others, pieces);
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
            pieces.push(Piece { replaced: stretch.first.clone(), by: from.0..patch.t.len(), source: Some(PATCH) });
        }
        Ok(())
    }

    /// Looks at several series and decodes of their other replicas what may matter and was not foreseen.
    fn survey(
        &self,
        flat: &Flat,
        (first, places): (&Columns, &[Range<usize>]),
        sparse: &mut Sparse,
    ) -> Result<(), Corrupt> {
        let Sparse { plan, surveys, own, holes, floats, needed, .. } = sparse;
        if surveys.len() < places.len() {
            surveys.resize_with(places.len(), Survey::default);
        }
        holes.clear();
        let Plan { others, spans, decoded, planned, .. } = plan;
        let mut list: Vec<(Encoding, &[u8])> = Vec::new();
        for others in others.chunk_by_mut(|a, b| a.series == b.series) {
            let k = others[0].series;
            let chunks = flat.of(k);
            let survey = &mut surveys[k];
            own.clear();
            own.extend(of_replica(chunks, first_replica(chunks)).iter().map(span));
            survey.look(first, places[k].clone(), own, planned[k].doubt);
            for other in &mut *others {
                let spans = &mut spans[other.spans.clone()];
                for (chunk, span) in of_replica(chunks, other.replica).iter().zip(&mut *spans) {
                    span.samples = self.count(chunk)?;
                }
                survey.weigh(spans);
                let times = &first.t[other.floats.clone()];
                other.holes = leave_out(spans, &decoded[other.spans.clone()], times, holes);
            }
            let known = others.iter().map(|other| (&first.t[other.floats.clone()], &holes[other.holes.clone()]));
            survey.recount(known);
            survey.settle();
            for other in others {
                let (spans, decoded) = (&spans[other.spans.clone()], &mut decoded[other.spans.clone()]);
                survey.needed(first, spans, needed);
                let missing = |((span, decoded), needed): ((&Span, &u32), &bool)| *needed && *decoded < span.samples;
                if !spans.iter().zip(&*decoded).zip(&*needed).any(missing) {
                    continue;
                }
                let from = list.len();
                let chunks = of_replica(chunks, other.replica).iter().zip(spans);
                for ((chunk, span), (decoded, needed)) in chunks.zip(decoded.iter_mut().zip(&*needed)) {
                    if *needed || *decoded > 0 {
                        let payload = self.payload(chunk);
                        block::prefetch(payload);
                        list.push((chunk.encoding, payload));
                        *decoded = span.samples;
                    }
                }
                other.holes = leave_out(spans, decoded, &[], holes);
                // Which of the list they are; below, where their samples will be.
                (other.apart, other.floats) = (true, from..list.len());
            }
        }
        let mut end = 0;
        for other in others.iter_mut().filter(|other| other.apart) {
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

/// Appends to `holes` what is not decoded of a replica's chunks, of which `times` gives what is where chunks are decoded in
/// part.
fn leave_out(spans: &[Span], decoded: &[u32], times: &[i64], holes: &mut Vec<Span>) -> Range<usize> {
    let (from, mut at) = (holes.len(), 0);
    for (span, &decoded) in spans.iter().zip(decoded) {
        at += decoded as usize;
        if decoded < span.samples {
            let last = if decoded > 0 { times.get(at - 1) } else { None };
            let min = last.map_or(span.range.min, |last| last + 1);
            let spread = if decoded == 0 { span.spread } else { Spread::default() };
            holes.push(Span { range: TimeRange::new(min, span.range.max), samples: span.samples - decoded, spread });
        }
    }
    from..holes.len()
}

/// Adds the pieces that make of some of the first replica's floats what is taken of all parts.
fn replace(first: &Range<usize>, taken: &[Taken], others: &[Other], pieces: &mut Vec<Piece>) {
    let (mut at, known) = (first.start, pieces.len());
    let leave_out = |pieces: &mut Vec<Piece>, at: usize, to: usize| match pieces[known..].last_mut() {
        _ if at == to => {}
        Some(last) if last.replaced.end == at => last.replaced.end = to,
        _ => pieces.push(Piece { replaced: at..to, by: 0..0, source: None }),
    };
    for Taken { part, floats } in taken {
        if *part == 0 {
            leave_out(pieces, at, floats.start);
            at = floats.end;
        } else {
            let source = others[part - 1].apart.then_some(FLOATS);
            pieces.push(Piece { replaced: at..at, by: floats.clone(), source });
        }
    }
    leave_out(pieces, at, first.end);
}
