mod flat;
mod plan;
mod sparse;
mod splice;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use block::chunk::decode_many;
use block::{Aggregate, Columns, Corrupt, Encoding};
use engine::{Decoded, Encoded};
use model::{LabelsRef, TimeRange};
use store::dedup::{Lanes, penalty, split_lanes, stable, union};
use store::{Order, Run, SeriesBatch};

use flat::{Held, first_replica, of_replica};
use sparse::Sparse;
use splice::append;

/// What becomes of a series' chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Every sample once.
    Plain,
    /// Thanos' iterator over the samples in the window.
    Penalty(TimeRange),
    /// Cells. With a window where chunks are tagged with their replica; else one replica is known, and
    /// overlaps are looked at.
    Stable(Option<Window>),
}

/// The part of time that a selection is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// What is asked of replicas: whole cells.
    pub(crate) fetched: TimeRange,
    /// The part of it of which samples are evaluated.
    pub(crate) wanted: TimeRange,
}

/// A batch of a stream, ready to be decoded.
#[derive(Debug)]
pub(crate) struct Batch {
    batch: SeriesBatch,
    mode: Mode,
    /// No other batch has this number.
    number: u64,
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
    /// Where the floats of each series of a run are.
    places: Vec<Range<usize>>,
    /// The batch, and the series of it that were planned and whose chunks were asked for ahead.
    asked_for: Option<(u64, Range<usize>)>,
}

/// So many chunks are decoded in one go: enough for lanes of about the same length, few enough for their samples
/// to stay in the second-level cache until they are looked at.
const RUN_CHUNKS: usize = 192;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Batch {
    pub(crate) fn new(batch: SeriesBatch, mode: Mode) -> Self {
        static BATCHES: AtomicU64 = AtomicU64::new(0);
        Self { batch, mode, number: BATCHES.fetch_add(1, Ordering::Relaxed) }
    }

    /// Decodes series `i`, whose chunks these are; of replicas that `stable` makes one of only the first, if all is as
    /// usual: then [`stitch`](Self::stitch) does the rest.
    fn decode_first(&self, i: usize, chunks: &[Held], scratch: &mut Scratch, out: &mut Columns) -> Result<(), Corrupt> {
        let Scratch { lanes, parts, .. } = scratch;
        // What replicas give cell by cell may differ from all they have, even where chunks do not overlap.
        if !self.has_replicas(i) && self.is_apart(i) {
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
            Mode::Stable(Some(_)) if self.is_simple(i) => {
                return self.decode_chunks(of_replica(chunks, first_replica(chunks)).iter(), out);
            }
            Mode::Stable(Some(_)) => return self.decode_all(chunks, scratch, out),
        }
        Ok(())
    }

    /// Decodes overlapping chunks into as many columns as it takes.
    fn decode_lanes(&self, chunks: &[Held], lanes: &mut Lanes, parts: &mut Vec<Columns>) -> Result<(), Corrupt> {
        split_lanes(chunks.iter().map(|c| c.range()), lanes);
        grow(parts, lanes.count);
        for (lane, part) in parts[..lanes.count].iter_mut().enumerate() {
            let own = chunks.iter().zip(&lanes.of).filter(|(_, of)| **of as usize == lane);
            self.decode_chunks(own.map(|(chunk, _)| chunk), part)?;
        }
        Ok(())
    }

    /// Whether the chunks of series `i` are floats of one replica, or of several of which the first is decoded by itself.
    fn allows_run(&self, i: usize) -> bool {
        let runs = self.batch.runs_of(i);
        runs.iter().all(|run| run.plain) && self.is_apart(i) && (self.is_stable() || !self.has_replicas(i))
    }

    fn is_stable(&self) -> bool {
        matches!(self.mode, Mode::Stable(Some(_)))
    }

    /// Whether series `i` has chunks of several replicas.
    fn has_replicas(&self, i: usize) -> bool {
        let runs = self.batch.runs_of(i);
        runs.last().is_some_and(|last| last.replica != runs[0].replica)
    }

    /// Whether each chunk of series `i` starts after the one of its replica before it has ended.
    fn is_apart(&self, i: usize) -> bool {
        let runs = self.batch.runs_of(i);
        let follow = |w: &[Run]| w[0].replica != w[1].replica || w[0].range.max < w[1].range.min;
        runs.iter().all(|run| run.order == Order::Apart) && runs.windows(2).all(follow)
    }

    /// Whether the chunks of series `i` are all of floats, and none overlaps another of its replica.
    fn is_simple(&self, i: usize) -> bool {
        let is_float = |run: &Run| {
            let mut chunks = self.batch.chunks_in(run).iter();
            run.plain || chunks.all(|c| c.aggregate == Aggregate::Raw && c.encoding.is_float())
        };
        self.is_apart(i) && self.batch.runs_of(i).iter().all(is_float)
    }

    fn payload(&self, chunk: &Held) -> &[u8] {
        self.batch.lists[chunk.list as usize].payload(chunk)
    }

    /// Replaces what is in `out` by the samples of chunks that do not overlap.
    fn decode_chunks<'a>(&'a self, chunks: impl Iterator<Item = &'a Held>, out: &mut Columns) -> Result<(), Corrupt> {
        let payload = |c: &Held| (c.encoding, self.payload(c));
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

    fn decode_run(&self, series: Range<usize>, out: &mut Decoded) -> Result<usize, Corrupt> {
        out.clear();
        let mut run = series.start..series.start;
        let all = SCRATCH.with_borrow_mut(|scratch| {
            // The chunks lie all over mapped files, so each run's are asked for while the one before is decoded.
            let Sparse { plan, next: planned, .. } = &mut scratch.sparse;
            run = match scratch.asked_for.take() {
                Some((number, run)) if number == self.number && run.start == series.start && run.end <= series.end => {
                    std::mem::swap(plan, planned);
                    run
                }
                _ => {
                    let run = self.plan(series.clone(), true, plan);
                    self.payloads(plan).into_iter().for_each(block::prefetch);
                    run
                }
            };
            let next = self.plan(run.end..series.end, true, planned);
            let ahead = self.payloads(planned);
            scratch.asked_for = (!next.is_empty()).then_some((self.number, next));
            if !self.allows_run(run.start) {
                ahead.into_iter().for_each(block::prefetch);
                return Ok(false);
            }
            let (mut places, flat) = (std::mem::take(&mut scratch.places), std::mem::take(&mut plan.flat));
            self.decode_together(&flat, &ahead, (plan, &mut places), &mut out.together)?;
            self.stitch(&flat, (&out.together, &places), scratch)?;
            scratch.sparse.plan.flat = flat;
            for (k, place) in places.iter().enumerate() {
                let place = scratch.sparse.put_pieces(k, place, &mut out.together);
                out.push(place);
            }
            scratch.places = places;
            Ok::<_, Corrupt>(true)
        });
        if !matches!(all, Ok(true)) {
            // One by one: that is always possible, and says what is wrong with which.
            out.clear();
            run.clone().zip(out.push_apart(run.len())).try_for_each(|(i, out)| self.decode(i, out))?;
        }
        Ok(run.len())
    }

    fn decode(&self, i: usize, out: &mut Columns) -> Result<(), Corrupt> {
        let decoded = SCRATCH.with_borrow_mut(|scratch| {
            self.plan(i..i + 1, false, &mut scratch.sparse.plan);
            let flat = std::mem::take(&mut scratch.sparse.plan.flat);
            self.decode_first(i, flat.of(0), scratch, out)?;
            let own = out.t.len();
            self.stitch(&flat, (out, std::slice::from_ref(&(0..own))), scratch)?;
            scratch.sparse.plan.flat = flat;
            if !scratch.sparse.pieces(0).is_empty() {
                append(out, 0..own, &scratch.sparse.sources(), scratch.sparse.pieces(0));
                out.t.drain(..own);
                out.v.drain(..own);
                out.st.drain(..own.min(out.st.len()));
            }
            Ok::<_, Corrupt>(())
        });
        decoded.map_err(|e| e.within(&format!("a chunk of {:?}", self.labels(i)), 0))
    }
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

#[cfg(test)]
mod tests;
