use std::cmp::Ordering;
use std::sync::Arc;

use model::LabelTableBuilder;
use model::labels::SymbolId;

use crate::{Chunk, ChunkList, Order, Run, SeriesBatch};

/// The output batch in the making.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) labels: LabelTableBuilder,
    pub(super) runs: Vec<Run>,
    pub(super) ends: Vec<u32>,
    pub(super) lists: Vec<Arc<ChunkList>>,
    /// The length of all payloads.
    pub(super) bytes: u64,
    /// Chunks that had to be sorted, and the number of their list.
    sorted: Option<(u32, ChunkList)>,
}

impl Output {
    /// An empty one with room for as much: growing step by step would copy it again and again.
    pub(super) fn like(&self) -> Self {
        let mut next = Self { labels: LabelTableBuilder::with_room(self.labels.room()), ..Self::default() };
        next.runs.reserve(self.runs.len() + self.runs.len() / 8);
        next.ends.reserve(self.ends.len() + 1);
        next
    }

    /// The number of a list that is added.
    pub(super) fn add_list(&mut self, list: &Arc<ChunkList>) -> u32 {
        self.lists.push(Arc::clone(list));
        u32::try_from(self.lists.len() - 1).expect("a batch has fewer than 2^32 lists")
    }

    /// Ends the series whose runs were added since the last one: sorts its chunks and drops exact duplicates.
    pub(super) fn close(&mut self, labels: &[(SymbolId, SymbolId)]) {
        let first = self.ends.last().map_or(0, |&end| end as usize);
        let runs = &self.runs[first..];
        if !(runs.iter().all(|run| run.order != Order::Mixed) && runs.windows(2).all(|w| self.follow(&w[0], &w[1]))) {
            self.sort(first);
        }
        self.labels.push_ids(labels);
        self.ends.push(u32::try_from(self.runs.len()).expect("a batch has fewer than 2^32 runs"));
    }

    /// Whether `b` is of a later replica, or begins after all chunks of `a` have begun.
    fn follow(&self, a: &Run, b: &Run) -> bool {
        let begun = || self.lists[a.list as usize].chunks[a.to as usize - 1].min_time;
        (a.replica, a.range.max) < (b.replica, b.range.min) || a.replica == b.replica && begun() < b.range.min
    }

    /// Puts the chunks of the runs from `first` on into their order, in a list of their own.
    fn sort(&mut self, first: usize) {
        if self.sorted.is_none() {
            // Its place; it comes when it is whole.
            let number = self.add_list(&Arc::default());
            self.sorted = Some((number, ChunkList::default()));
        }
        let Self { runs, lists, sorted: Some((number, list)), .. } = self else { return };
        let from = runs.drain(first..).collect::<Vec<_>>();
        for source in from.iter().map(|run| &lists[run.list as usize]) {
            if !list.behind.iter().any(|known| Arc::ptr_eq(known, source)) {
                list.behind.push(Arc::clone(source));
            }
        }
        let mut chunks: Vec<_> = from.iter().flat_map(|run| lists[run.list as usize].chunks_of(run)).collect();
        chunks.sort_by(|a, b| order(a, b).then_with(|| b.payload().cmp(a.payload())));
        chunks.dedup_by(|a, b| order(a, b).is_eq() && a.payload() == b.payload());
        for of_replica in chunks.chunk_by(|a, b| a.replica == b.replica) {
            let begin = list.len();
            for chunk in of_replica {
                list.push(**chunk, chunk.bytes());
            }
            runs.extend(list.run(*number, begin, list.len()).map(|run| Run { replica: of_replica[0].replica, ..run }));
        }
    }

    pub(super) fn finish(mut self) -> SeriesBatch {
        if let Some((number, list)) = self.sorted {
            self.lists[number as usize] = list.close();
        }
        SeriesBatch { labels: self.labels.finish(), runs: self.runs, ends: self.ends, lists: self.lists }
    }
}

/// By replica and time, then what else tells chunks of one series apart.
fn order(a: &Chunk<'_>, b: &Chunk<'_>) -> Ordering {
    let key = |c: &Chunk<'_>| (c.replica, c.min_time, c.max_time, c.resolution_ms, c.aggregate, c.encoding);
    key(a).cmp(&key(b))
}
