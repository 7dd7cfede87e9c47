use std::cell::RefCell;

use block::chunk::{decode_many, sample_count};
use block::{Aggregate, Columns, Corrupt, Encoding};
use engine::Encoded;
use model::{LabelsRef, TimeRange};
use store::dedup::{Lanes, Span, needed, penalty, split_lanes, stable, stable_within, union};
use store::{ChunkMeta, SeriesBatch};

/// What becomes of a series' chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Every sample once.
    Plain,
    /// Thanos' iterator over the samples in the window.
    Penalty(TimeRange),
    /// Cells. With the fetched range where chunks are tagged with their replica; else one replica is
    /// known, and overlaps are looked at.
    Stable(Option<TimeRange>),
}

/// A batch of a stream, ready to be decoded.
#[derive(Debug)]
pub(crate) struct Batch {
    batch: SeriesBatch,
    mode: Mode,
}

/// What decoding needs beside the output; kept by each thread for its memory.
#[derive(Debug, Default)]
struct Scratch {
    lanes: Lanes,
    /// One for each lane of a replica.
    parts: Vec<Columns>,
    /// One for each replica.
    replicas: Vec<Columns>,
    /// What was left out of each replica.
    holes: Vec<Vec<TimeRange>>,
    spans: Vec<Span>,
    needed: Vec<bool>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Batch {
    pub(crate) fn new(batch: SeriesBatch, mode: Mode) -> Self {
        Self { batch, mode }
    }

    fn decode_with(&self, chunks: &[ChunkMeta], scratch: &mut Scratch, out: &mut Columns) -> Result<(), Corrupt> {
        let Scratch { lanes, parts, .. } = scratch;
        // What replicas give cell by cell may differ from all they have, even where chunks do not overlap.
        let lone = chunks.windows(2).all(|w| w[0].replica == w[1].replica);
        if lone && disjoint(chunks) {
            return self.decode_run(chunks.iter(), out);
        }
        match self.mode {
            Mode::Plain => {
                self.decode_lanes(chunks, lanes, parts)?;
                union(&parts[..lanes.count], out);
            }
            Mode::Penalty(window) => {
                self.decode_lanes(chunks, lanes, parts)?;
                for part in &mut parts[..lanes.count] {
                    cut(part, window);
                }
                penalty(&parts[..lanes.count], out);
            }
            Mode::Stable(None) => {
                self.decode_lanes(chunks, lanes, parts)?;
                join(&parts[..lanes.count], out);
            }
            Mode::Stable(Some(fetched)) => return self.decode_stable(chunks, fetched, scratch, out),
        }
        Ok(())
    }

    /// Decodes the first replica, and of the others what its gaps and the borders of its time call for.
    fn decode_stable(
        &self,
        chunks: &[ChunkMeta],
        fetched: TimeRange,
        scratch: &mut Scratch,
        out: &mut Columns,
    ) -> Result<(), Corrupt> {
        let count = chunks.iter().map(|c| c.replica as usize + 1).max().unwrap_or(0);
        let lead = chunks.iter().map(|c| c.replica as usize).min().unwrap_or(0);
        grow(&mut scratch.replicas, count);
        if scratch.holes.len() < count {
            scratch.holes.resize_with(count, Vec::new);
        }
        scratch.holes.iter_mut().for_each(Vec::clear);
        self.decode_replica(chunks, lead, scratch)?;
        for number in (0..count).filter(|&number| number != lead) {
            if !self.decode_needed(chunks, number, lead, fetched, scratch)? {
                self.decode_replica(chunks, number, scratch)?;
            }
        }
        let Scratch { replicas, holes, .. } = scratch;
        if stable_within(&replicas[..count], &holes[..count], fetched, out) {
            return Ok(());
        }
        // Some sample that was left out matters after all: markers and gaps close to a cell's border.
        for number in (0..count).filter(|&number| number != lead) {
            self.decode_replica(chunks, number, scratch)?;
        }
        let _all_there = stable_within(&scratch.replicas[..count], &[], fetched, out);
        Ok(())
    }

    /// Decodes a replica's chunks into its columns.
    fn decode_replica(&self, chunks: &[ChunkMeta], number: usize, scratch: &mut Scratch) -> Result<(), Corrupt> {
        let Scratch { lanes, parts, replicas, .. } = scratch;
        let own = || of_replica(chunks, number);
        if own().zip(own().skip(1)).all(|(a, b)| a.max_time < b.min_time) {
            return self.decode_run(own(), &mut replicas[number]);
        }
        let own: Vec<_> = own().copied().collect();
        self.decode_lanes(&own, lanes, parts)?;
        join(&parts[..lanes.count], &mut replicas[number]);
        Ok(())
    }

    /// Decodes those of a replica's chunks that may matter beside the samples of replica `lead`, and notes
    /// the others as holes; `false` where that cannot be told.
    fn decode_needed(
        &self,
        chunks: &[ChunkMeta],
        number: usize,
        lead: usize,
        fetched: TimeRange,
        scratch: &mut Scratch,
    ) -> Result<bool, Corrupt> {
        let Scratch { replicas, holes, spans, needed: marks, .. } = scratch;
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
        needed(&replicas[lead], fetched, spans, marks);
        let left_out = spans.iter().zip(&*marks).filter(|(_, needed)| !**needed).map(|(span, _)| span.range);
        holes[number].extend(left_out);
        let wanted = own().zip(&*marks).filter(|(_, needed)| **needed).map(|(chunk, _)| chunk);
        self.decode_run(wanted, &mut replicas[number])?;
        Ok(true)
    }

    /// Decodes overlapping chunks into as many columns as it takes.
    fn decode_lanes(&self, chunks: &[ChunkMeta], lanes: &mut Lanes, parts: &mut Vec<Columns>) -> Result<(), Corrupt> {
        split_lanes(chunks.iter().map(|c| TimeRange::new(c.min_time, c.max_time)), lanes);
        grow(parts, lanes.count);
        for (lane, part) in parts[..lanes.count].iter_mut().enumerate() {
            let own = chunks.iter().zip(&lanes.of).filter(|(_, of)| **of as usize == lane);
            self.decode_run(own.map(|(chunk, _)| chunk), part)?;
        }
        Ok(())
    }

    /// Asks the CPU to fetch the chunks of series `i`: they are next, and lie all over mapped files.
    fn prefetch(&self, i: usize) {
        if i >= self.batch.len() {
            return;
        }
        let chunks = self.batch.chunks_of(i);
        let lead = chunks.iter().map(|c| c.replica).min().unwrap_or(0);
        for chunk in chunks {
            let payload = self.batch.payload(chunk);
            // Of the others most are not decoded.
            let sparse = chunk.replica != lead && matches!(self.mode, Mode::Stable(Some(_)));
            block::prefetch(if sparse { &payload[..payload.len().min(1)] } else { payload });
        }
    }

    /// Replaces what is in `out` by the samples of chunks that do not overlap.
    fn decode_run<'a>(&'a self, chunks: impl Iterator<Item = &'a ChunkMeta>, out: &mut Columns) -> Result<(), Corrupt> {
        let payload = |c: &'a ChunkMeta| (c.encoding, self.batch.payload(c));
        let raw = chunks.filter(|c| c.aggregate == Aggregate::Raw);
        let list: Vec<(Encoding, &[u8])> = raw.map(payload).collect();
        out.clear();
        decode_many(&list, out)
    }
}

impl Encoded for Batch {
    fn len(&self) -> usize {
        self.batch.len()
    }

    fn labels(&self, i: usize) -> LabelsRef<'_> {
        self.batch.labels_of(i)
    }

    fn decode(&self, i: usize, out: &mut Columns) -> Result<(), Corrupt> {
        self.prefetch(i + 1);
        let decoded = SCRATCH.with_borrow_mut(|scratch| self.decode_with(self.batch.chunks_of(i), scratch, out));
        decoded.map_err(|e| e.within(&format!("a chunk of {:?}", self.labels(i)), 0))
    }
}

fn of_replica(chunks: &[ChunkMeta], number: usize) -> impl Iterator<Item = &ChunkMeta> {
    chunks.iter().filter(move |c| c.replica as usize == number)
}

/// Whether each chunk starts after the one before it has ended.
fn disjoint(chunks: &[ChunkMeta]) -> bool {
    chunks.windows(2).all(|w| w[0].max_time < w[1].min_time)
}

fn grow(columns: &mut Vec<Columns>, count: usize) {
    if columns.len() < count {
        columns.resize_with(count, Columns::new);
    }
}

/// Keeps the samples within `range`.
fn cut(columns: &mut Columns, range: TimeRange) {
    fn bounds(times: &[i64], range: TimeRange) -> (usize, usize) {
        let end = times.partition_point(|&t| t <= range.max);
        (times[..end].partition_point(|&t| t < range.min), end)
    }
    let (from, to) = bounds(&columns.t, range);
    let (histograms_from, histograms_to) = bounds(&columns.ht, range);
    columns.truncate((to, histograms_to));
    columns.t.drain(..from);
    columns.v.drain(..from);
    columns.ht.drain(..histograms_from);
    columns.h.drain(..histograms_from);
    if !columns.st.is_empty() {
        columns.st.drain(..from);
    }
    if !columns.hst.is_empty() {
        columns.hst.drain(..histograms_from);
    }
}

/// Makes one of lanes of which it is not known whether they are different replicas.
fn join(lanes: &[Columns], out: &mut Columns) {
    if same_replica(lanes) { union(lanes, out) } else { stable(lanes, out) }
}

/// Whether lanes are what several stores give of one replica: then most samples that could be in both
/// lanes are. Different replicas scrape at different milliseconds.
fn same_replica(lanes: &[Columns]) -> bool {
    let (mut shared, mut possible) = (0, 0);
    for pair in lanes.windows(2) {
        for (a, b) in [(&pair[0].t, &pair[1].t), (&pair[0].ht, &pair[1].ht)] {
            let (Some(from), Some(to)) = (a.first().max(b.first()), a.last().min(b.last())) else { continue };
            let inside = |t: &&i64| (from..=to).contains(t);
            possible += a.iter().filter(inside).count().min(b.iter().filter(inside).count());
            shared += a.iter().filter(inside).filter(|t| b.binary_search(t).is_ok()).count();
        }
    }
    shared * 2 >= possible
}
