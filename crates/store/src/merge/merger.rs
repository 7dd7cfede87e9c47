use std::cmp::Ordering;

use bytes::Bytes;
use model::labels::SymbolId;
use model::{LabelTableBuilder, SymbolTable};

use super::MergeOptions;
use super::source::{Leases, Source};
use crate::{ChunkMeta, SeriesBatch};

/// What a [`Merger`] wants or gives.
#[derive(Debug)]
pub enum Step {
    /// It cannot go on without a batch from this source, or its end.
    Need(usize),
    Batch(SeriesBatch),
    Done,
}

/// The merge as a state machine: batches go in with [`push`](Self::push) and [`end`](Self::end),
/// merged ones come out of [`step`](Self::step).
///
/// The rows under the cursors have their labels translated to the symbols of the output batch, so that
/// equal label sets are equal numbers and the order needs one comparison of strings.
#[derive(Debug)]
pub struct Merger {
    options: MergeOptions,
    sources: Vec<Source>,
    /// Sources without a row under the cursor that have not ended.
    starved: Vec<usize>,
    /// Sources with a row, as a binary heap: the smallest labels first, then the lower source.
    heap: Vec<usize>,
    /// Whether `series` is being collected.
    open: bool,
    series: Vec<(SymbolId, SymbolId)>,
    chunks: Vec<ChunkMeta>,
    out: Output,
    given: u64,
}

#[derive(Debug, Default)]
struct Output {
    labels: LabelTableBuilder,
    chunks: Vec<ChunkMeta>,
    ends: Vec<u32>,
    buffers: Vec<Bytes>,
    bytes: usize,
    leases: Leases,
}

impl Merger {
    /// A merge of `sources` inputs, numbered from 0.
    #[must_use]
    pub fn new(sources: usize, options: MergeOptions) -> Self {
        Self {
            options,
            sources: (0..sources).map(|_| Source::default()).collect(),
            starved: (0..sources).rev().collect(),
            heap: Vec::with_capacity(sources),
            open: false,
            series: Vec::new(),
            chunks: Vec::new(),
            out: Output::default(),
            given: 0,
        }
    }

    /// Adds the next batch of a source.
    ///
    /// # Panics
    /// When there is no such source.
    pub fn push(&mut self, source: usize, batch: SeriesBatch) {
        self.sources[source].push(batch);
    }

    /// Says that a source has no further batch.
    ///
    /// # Panics
    /// When there is no such source.
    pub fn end(&mut self, source: usize) {
        self.sources[source].ended = true;
    }

    /// How many batches of a source wait untouched.
    ///
    /// # Panics
    /// When there is no such source.
    #[must_use]
    pub fn queued(&self, source: usize) -> usize {
        self.sources[source].queued()
    }

    /// Goes on until a batch is full, a source has to deliver, or all is merged.
    pub fn step(&mut self) -> Step {
        loop {
            if self.options.limit > 0 && self.given >= self.options.limit {
                return self.last();
            }
            while let Some(&source) = self.starved.last() {
                if self.sources[source].load(&mut self.out.labels) {
                    self.heap.push(source);
                    self.sift_up(self.heap.len() - 1);
                } else if !self.sources[source].ended {
                    return Step::Need(source);
                }
                self.starved.pop();
            }
            match self.heap.first() {
                Some(&top) if !self.open => {
                    self.series.clone_from(&self.sources[top].ids);
                    self.open = true;
                    self.pull(top);
                }
                Some(&top) if self.sources[top].ids == self.series => self.pull(top),
                top => {
                    let done = top.is_none();
                    self.close();
                    if done {
                        return self.last();
                    }
                    if self.out.labels.len() >= self.options.batch_series || self.out.bytes >= self.options.batch_bytes
                    {
                        return Step::Batch(self.emit());
                    }
                }
            }
        }
    }

    fn last(&mut self) -> Step {
        self.heap.clear();
        self.starved.clear();
        self.open = false;
        if self.out.labels.is_empty() { Step::Done } else { Step::Batch(self.emit()) }
    }

    /// Takes the row under the cursor of the first source into the open series.
    fn pull(&mut self, top: usize) {
        let Self { sources, out, chunks, options, .. } = self;
        let source = &mut sources[top];
        if let Some(cursor) = source.cursor() {
            let row = cursor.row();
            let mut bytes = 0;
            for i in 0..cursor.batch.chunks_of(row).len() {
                let mut chunk = cursor.batch.chunks_of(row)[i];
                bytes += u64::from(chunk.len);
                chunk.buffer = cursor.buffer(chunk.buffer, |bytes| {
                    out.buffers.push(bytes);
                    u32::try_from(out.buffers.len() - 1).expect("a batch has fewer than 2^32 buffers")
                });
                if options.tag_replicas {
                    chunk.replica = u32::try_from(top).expect("fewer than 2^32 sources");
                }
                chunks.push(chunk);
            }
            cursor.lend(bytes, &mut out.leases);
        }
        if source.advance(&mut out.labels, &mut out.leases) {
            self.sift_down(0);
        } else {
            self.heap.swap_remove(0);
            self.sift_down(0);
            self.starved.push(top);
        }
    }

    /// Ends the open series: sorts its chunks and drops exact duplicates.
    fn close(&mut self) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let Self { out, chunks, .. } = self;
        let payload = |c: &ChunkMeta| &out.buffers[c.buffer as usize][c.offset as usize..(c.offset + c.len) as usize];
        if !chunks.is_sorted_by(|a, b| a.min_time < b.min_time) {
            chunks.sort_by(|a, b| order(a, b).then_with(|| payload(b).cmp(payload(a))));
            chunks.dedup_by(|a, b| order(a, b).is_eq() && payload(a) == payload(b));
        }
        out.bytes += chunks.iter().map(|c| c.len as usize).sum::<usize>();
        out.labels.push_ids(&self.series);
        out.chunks.append(chunks);
        out.ends.push(u32::try_from(out.chunks.len()).expect("a batch has fewer than 2^32 chunks"));
        self.given += 1;
    }

    fn emit(&mut self) -> SeriesBatch {
        let out = std::mem::take(&mut self.out);
        let mut leases = out.leases;
        let lease = leases.take();
        self.out.leases = leases;
        for &source in &self.heap {
            self.sources[source].restart(&mut self.out.labels);
        }
        SeriesBatch { labels: out.labels.finish(), chunks: out.chunks, ends: out.ends, buffers: out.buffers, lease }
    }

    fn less(&self, a: usize, b: usize) -> bool {
        let order = compare(self.out.labels.symbols(), &self.sources[a].ids, &self.sources[b].ids);
        order.then(a.cmp(&b)).is_lt()
    }

    fn sift_up(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.less(self.heap[at], self.heap[parent]) {
                return;
            }
            self.heap.swap(at, parent);
            at = parent;
        }
    }

    fn sift_down(&mut self, mut at: usize) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len() && self.less(self.heap[child], self.heap[least]) {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }
}

/// By time, then what else tells chunks of one series apart.
fn order(a: &ChunkMeta, b: &ChunkMeta) -> Ordering {
    let key = |c: &ChunkMeta| (c.min_time, c.max_time, c.resolution_ms, c.aggregate, c.encoding, c.replica);
    key(a).cmp(&key(b))
}

/// Prometheus' order of label sets, for numbers of one symbol table.
fn compare(symbols: &SymbolTable, a: &[(SymbolId, SymbolId)], b: &[(SymbolId, SymbolId)]) -> Ordering {
    let Some(i) = a.iter().zip(b).position(|(a, b)| a != b) else { return a.len().cmp(&b.len()) };
    let text = |(name, value)| (symbols.get(name), symbols.get(value));
    text(a[i]).cmp(&text(b[i]))
}
