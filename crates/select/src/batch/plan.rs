//! What is decoded of the other replicas along with the first, because it will be needed in all likelihood.

use std::ops::Range;

use block::chunk::{Front, decode_fronts_ahead, sample_count};
use block::{Columns, Corrupt};
use model::TimeRange;
use store::dedup::{Foresight, Span, doubtful};

use super::flat::{Flat, Held, first_replica, of_replica, replicas};
use super::{Batch, Mode, RUN_CHUNKS};

/// Several series, and what to decode of their other replicas. Kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) flat: Flat,
    /// Series by series, and replica by replica.
    pub(super) others: Vec<Other>,
    /// Their chunks.
    pub(super) spans: Vec<Span>,
    /// How many samples of each are to be decoded, or are.
    pub(super) decoded: Vec<u32>,
    /// For each series.
    pub(super) planned: Vec<Planned>,
    /// The chunks of a first replica.
    first: Vec<Span>,
    foresight: Foresight,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    /// Where other replicas may matter, if there are any.
    pub(super) doubt: TimeRange,
    /// How many floats of others are to find room on either side of the first replica's.
    pub(super) room: usize,
}

/// A replica of one of the series, other than its first.
#[derive(Clone, Debug)]
pub(super) struct Other {
    /// Counted from the run's first.
    pub(super) series: usize,
    pub(super) replica: usize,
    pub(super) spans: Range<usize>,
    /// What is not decoded of them.
    pub(super) holes: Range<usize>,
    /// What is decoded, in columns of its own if it is apart, else where the first replicas are.
    pub(super) floats: Range<usize>,
    pub(super) apart: bool,
}

impl Plan {
    fn clear(&mut self) {
        self.flat.clear();
        self.others.clear();
        self.spans.clear();
        self.decoded.clear();
        self.planned.clear();
    }

    /// The other replicas of the `k`th series.
    pub(super) fn others_of(&self, k: usize) -> &[Other] {
        let from = self.others.partition_point(|other| other.series < k);
        &self.others[from..from + self.others[from..].partition_point(|other| other.series == k)]
    }
}

/// So many floats more than a first replica lacks there is room for: cells of others may have some more than its own.
const ROOM_SPARE: usize = 8;

/// Another CPU has written what is known of chunks, and there are as many places as blocks.
const SERIES_AHEAD: usize = 3;

impl Batch {
    /// Plans what to decode of the first of some series, as many as are best decoded in one go; gives which. Of their
    /// other replicas it is nothing yet, or what can be foreseen.
    pub(super) fn plan(&self, series: Range<usize>, foresee: bool, plan: &mut Plan) -> Range<usize> {
        plan.clear();
        let mut chunks = 0;
        for (k, i) in series.clone().enumerate() {
            let ahead = (i + SERIES_AHEAD).min(self.batch.len() - 1);
            self.batch.runs_of(ahead).iter().for_each(|run| block::prefetch(self.batch.chunks_in(run)));
            let own = self.plan_one(k, i, foresee, plan);
            chunks += own;
            let next = i + 1;
            // It is likely to have as many chunks.
            let has_room = chunks + own <= RUN_CHUNKS && self.allows_run(i);
            if !has_room || next == series.end || !self.allows_run(next) {
                return series.start..next;
            }
        }
        series
    }

    /// Adds the plan for series `i`, the `k`th of a run; gives how many chunks it takes.
    fn plan_one(&self, k: usize, i: usize, foresee: bool, plan: &mut Plan) -> usize {
        let Plan { flat, others, spans, decoded, planned, first, foresight } = plan;
        flat.push(&self.batch, i);
        planned.push(Planned { doubt: TimeRange::ALL, room: 0 });
        let Mode::Stable(Some(window)) = self.mode else { return flat.of(k).len() };
        // Of others all is decoded.
        if !self.has_replicas(i) || !self.is_simple(i) {
            return flat.of(k).len();
        }
        let spans_of = |chunks: &[Held], replica, spans: &mut Vec<Span>| {
            let from = spans.len();
            spans.extend(of_replica(chunks, replica).iter().map(span));
            from..spans.len()
        };
        let chunks = flat.of(k);
        let (known, from) = (others.len(), spans.len());
        first.clear();
        spans_of(chunks, first_replica(chunks), first);
        for replica in replicas(chunks).skip(1) {
            let spans = spans_of(chunks, replica, spans);
            others.push(Other { series: k, replica, spans, holes: 0..0, floats: 0..0, apart: false });
        }
        let all = others[known..].iter().map(|other| &spans[other.spans.clone()]);
        let doubt = doubtful(first, all, window.fetched);
        let has_dropped = flat.keep(doubt.map_or(window.wanted, |doubt| doubt.union(window.wanted)), doubt);
        let Some(doubt) = doubt else {
            others.truncate(known);
            spans.truncate(from);
            return flat.of(k).len();
        };
        planned[k].doubt = doubt;
        let chunks = flat.of(k);
        if has_dropped {
            first.clear();
            spans_of(chunks, first_replica(chunks), first);
            spans.truncate(from);
            for other in &mut others[known..] {
                other.spans = spans_of(chunks, other.replica, spans);
            }
        }
        if foresee && chunks.iter().all(|chunk| chunk.samples > 0) {
            foresight.look(first, doubt);
            let others = others[known..].iter().map(|other| &spans[other.spans.clone()]);
            others.clone().for_each(|spans| foresight.limits(spans, decoded));
            let foreseen = decoded[from..].iter().map(|&samples| samples as usize).sum::<usize>();
            planned[k].room = foreseen.min(foresight.lacking(first, others, doubt) + ROOM_SPARE);
        } else {
            decoded.resize(spans.len(), 0);
        }
        first.len() + decoded[from..].iter().filter(|&&samples| samples > 0).count()
    }

    /// Appends the samples of the first or only replicas of several series, all of which allow it, and what is planned of
    /// the others, and asks for what comes next meanwhile; `places` is filled with where each series' first replica is.
    pub(super) fn decode_together(
        &self,
        flat: &Flat,
        ahead: &[&[u8]],
        (plan, places): (&mut Plan, &mut Vec<Range<usize>>),
        out: &mut Columns,
    ) -> Result<(), Corrupt> {
        let mut list: Vec<Front<'_>> = Vec::with_capacity(RUN_CHUNKS);
        // Where the next sample comes, and how many zeros before it.
        let (mut end, mut room) = (out.t.len(), 0);
        places.clear();
        for (chunks, planned) in flat.series().zip(&plan.planned) {
            room += planned.room;
            end += planned.room;
            let begin = end;
            for chunk in of_replica(chunks, first_replica(chunks)) {
                let payload = self.payload(chunk);
                end += self.count(chunk)? as usize;
                list.push(Front { payload, samples: u32::MAX, room: std::mem::take(&mut room) as u32 });
            }
            places.push(begin..end);
            room += planned.room;
            end += planned.room;
        }
        for other in &mut plan.others {
            let from = end;
            let chunks = of_replica(flat.of(other.series), other.replica);
            for (chunk, decoded) in chunks.iter().zip(&mut plan.decoded[other.spans.clone()]) {
                if *decoded > 0 {
                    let payload = self.payload(chunk);
                    *decoded = self.count(chunk)?.min(*decoded);
                    end += *decoded as usize;
                    list.push(Front { payload, samples: *decoded, room: std::mem::take(&mut room) as u32 });
                }
            }
            other.floats = from..end;
        }
        decode_fronts_ahead(&list, ahead, out)?;
        if out.t.len() == end { Ok(()) } else { Err(Corrupt::new(0, "a chunk has not as many samples as was said")) }
    }

    /// How many samples a chunk has. Most have told, and their payloads need not be looked at before they are decoded.
    pub(super) fn count(&self, chunk: &Held) -> Result<u32, Corrupt> {
        if chunk.samples > 0 { Ok(chunk.samples.into()) } else { sample_count(chunk.encoding, self.payload(chunk)) }
    }

    /// What decoding by this plan is going to read.
    pub(super) fn payloads(&self, plan: &Plan) -> Vec<&[u8]> {
        let mut payloads = Vec::with_capacity(RUN_CHUNKS);
        for (k, chunks) in plan.flat.series().enumerate() {
            let others = plan.others_of(k);
            if others.is_empty() {
                payloads.extend(chunks.iter().map(|chunk| self.payload(chunk)));
                continue;
            }
            let first = of_replica(chunks, first_replica(chunks));
            payloads.extend(first.iter().map(|chunk| self.payload(chunk)));
            for other in others {
                let spans = plan.spans[other.spans.clone()].iter().zip(&plan.decoded[other.spans.clone()]);
                for (chunk, (span, &decoded)) in of_replica(chunks, other.replica).iter().zip(spans) {
                    let payload = self.payload(chunk);
                    // Most are not decoded, and not looked at where their lengths are known.
                    match (span.samples, decoded) {
                        (0, _) => payloads.push(&payload[..payload.len().min(1)]),
                        (_, 0) => {}
                        (samples, decoded) => {
                            let part = payload.len() as u64 * u64::from(decoded) / u64::from(samples);
                            payloads.push(&payload[..payload.len().min(part as usize)]);
                        }
                    }
                }
            }
        }
        payloads
    }
}

pub(super) fn span(chunk: &Held) -> Span {
    Span { range: chunk.range(), samples: chunk.samples.into(), spread: chunk.spread }
}
