mod sparse;
mod splice;

use std::cell::RefCell;
use std::ops::Range;

use block::chunk::{decode_many, sample_count};
use block::{Aggregate, Columns, Corrupt, Encoding};
use engine::Encoded;
use model::{LabelsRef, TimeRange};
use store::dedup::{Lanes, penalty, split_lanes, stable, union};
use store::{ChunkMeta, SeriesBatch};

use sparse::{Sparse, first_replica, is_simple};

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
    sparse: Sparse,
    /// Several series' floats, one behind the other, and where each ends.
    run: Columns,
    ends: Vec<usize>,
}

/// With so many chunks a series is decoded well by itself.
const ENOUGH_CHUNKS: usize = 40;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Batch {
    pub(crate) fn new(batch: SeriesBatch, mode: Mode) -> Self {
        Self { batch, mode }
    }

    /// Decodes series `i`; of replicas that `stable` makes one of only the first, if all is as usual: then
    /// [`stitch`](Self::stitch) does the rest.
    fn decode_first(&self, i: usize, scratch: &mut Scratch, out: &mut Columns) -> Result<(), Corrupt> {
        let chunks = self.batch.chunks_of(i);
        let Scratch { lanes, parts, .. } = scratch;
        // What replicas give cell by cell may differ from all they have, even where chunks do not overlap.
        let lone = chunks.windows(2).all(|w| w[0].replica == w[1].replica);
        if lone && disjoint(chunks) {
            return self.decode_chunks(chunks.iter(), out);
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
            Mode::Stable(Some(_)) if is_simple(chunks) => {
                return self.decode_chunks(of_replica(chunks, first_replica(chunks)), out);
            }
            Mode::Stable(Some(_)) => return self.decode_all(chunks, scratch, out),
        }
        Ok(())
    }

    /// Decodes overlapping chunks into as many columns as it takes.
    fn decode_lanes(&self, chunks: &[ChunkMeta], lanes: &mut Lanes, parts: &mut Vec<Columns>) -> Result<(), Corrupt> {
        split_lanes(chunks.iter().map(|c| TimeRange::new(c.min_time, c.max_time)), lanes);
        grow(parts, lanes.count);
        for (lane, part) in parts[..lanes.count].iter_mut().enumerate() {
            let own = chunks.iter().zip(&lanes.of).filter(|(_, of)| **of as usize == lane);
            self.decode_chunks(own.map(|(chunk, _)| chunk), part)?;
        }
        Ok(())
    }

    /// Decodes the first or only replicas of several series in one go, which is faster than one by one where each
    /// has few chunks; `false` where one of the series does not allow it.
    fn decode_together(
        &self,
        series: Range<usize>,
        scratch: &mut Scratch,
        out: &mut [Columns],
    ) -> Result<bool, Corrupt> {
        let mut list: Vec<(Encoding, &[u8])> = Vec::with_capacity(series.len() * 4);
        let mut end = 0;
        scratch.ends.clear();
        for i in series.clone() {
            let chunks = self.batch.chunks_of(i);
            let lead = first_replica(chunks);
            let lone = chunks.iter().all(|c| c.replica as usize == lead);
            let own = || of_replica(chunks, lead);
            let alone = lone || matches!(self.mode, Mode::Stable(Some(_)));
            if !alone || own().any(|c| c.encoding != Encoding::Xor) || !is_simple(chunks) {
                return Ok(false);
            }
            for chunk in own() {
                let payload = self.batch.payload(chunk);
                end += sample_count(chunk.encoding, payload)? as usize;
                list.push((chunk.encoding, payload));
            }
            scratch.ends.push(end);
        }
        scratch.run.clear();
        decode_many(&list, &mut scratch.run)?;
        let mut from = 0;
        for (&to, out) in scratch.ends.iter().zip(out) {
            copy(&scratch.run, from..to, out);
            from = to;
        }
        Ok(true)
    }

    /// Asks the CPU to fetch the chunks of series `i`: they are next, and lie all over mapped files.
    fn prefetch(&self, i: usize) {
        if i >= self.batch.len() {
            return;
        }
        let chunks = self.batch.chunks_of(i);
        let lead = first_replica(chunks);
        for chunk in chunks {
            let payload = self.batch.payload(chunk);
            // Of the others most are not decoded.
            let sparse = chunk.replica as usize != lead && matches!(self.mode, Mode::Stable(Some(_)));
            block::prefetch(if sparse { &payload[..payload.len().min(1)] } else { payload });
        }
    }

    /// Replaces what is in `out` by the samples of chunks that do not overlap.
    fn decode_chunks<'a>(
        &'a self,
        chunks: impl Iterator<Item = &'a ChunkMeta>,
        out: &mut Columns,
    ) -> Result<(), Corrupt> {
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

    fn decode_run(&self, series: Range<usize>, out: &mut [Columns]) -> Result<(), Corrupt> {
        let few = self.batch.chunks_of(series.start).len() < ENOUGH_CHUNKS;
        let is_stable = matches!(self.mode, Mode::Stable(Some(_)));
        let all = SCRATCH.with_borrow_mut(|scratch| {
            if few {
                (series.end..series.end + series.len()).for_each(|i| self.prefetch(i));
                if !self.decode_together(series.clone(), scratch, out)? {
                    return Ok(false);
                }
            } else if is_stable {
                for (i, out) in series.clone().zip(&mut *out) {
                    self.prefetch(i + 1);
                    self.decode_first(i, scratch, out)?;
                }
            } else {
                return Ok(false);
            }
            self.stitch(series.clone(), scratch, out)?;
            Ok::<_, Corrupt>(true)
        });
        if let Ok(true) = all {
            return Ok(());
        }
        // One by one: that is always possible, and says what is wrong with which.
        series.zip(out).try_for_each(|(i, out)| self.decode(i, out))
    }

    fn decode(&self, i: usize, out: &mut Columns) -> Result<(), Corrupt> {
        self.prefetch(i + 1);
        let decoded = SCRATCH.with_borrow_mut(|scratch| {
            self.decode_first(i, scratch, out)?;
            self.stitch(i..i + 1, scratch, std::slice::from_mut(out))
        });
        decoded.map_err(|e| e.within(&format!("a chunk of {:?}", self.labels(i)), 0))
    }
}

/// Replaces what is in `out` by some of the floats in `from`.
fn copy(from: &Columns, range: Range<usize>, out: &mut Columns) {
    out.clear();
    out.t.extend_from_slice(&from.t[range.clone()]);
    out.v.extend_from_slice(&from.v[range]);
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
