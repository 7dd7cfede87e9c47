use std::cmp::Ordering;

use model::SymbolTable;
use model::labels::SymbolId;

use super::MergeOptions;
use super::output::Output;
use super::source::Source;
use crate::SeriesBatch;

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
/// equal label sets are equal numbers and the order needs one comparison of strings. Sources that stand at
/// the same labels mostly do so after the next row too, as blocks of one Prometheus have the same series:
/// they go in convoys, of which only the first takes part in the order.
#[derive(Debug)]
pub struct Merger {
    options: MergeOptions,
    sources: Vec<Source>,
    /// Sources without a row under the cursor that have not ended.
    starved: Vec<usize>,
    /// Sources with a row that are in no convoy; none has the labels of the open series.
    loose: Vec<usize>,
    /// The first sources of convoys, as a binary heap: the smallest labels first, then the lower source.
    heap: Vec<usize>,
    /// The other sources of the convoy that a source is the first of.
    followers: Vec<Vec<usize>>,
    /// Whether the last series of `out` is being collected; if so `series` has its labels.
    open: bool,
    series: Vec<(SymbolId, SymbolId)>,
    out: Output,
    given: u64,
}

impl Merger {
    /// A merge of `sources` inputs, numbered from 0.
    #[must_use]
    pub fn new(sources: usize, options: MergeOptions) -> Self {
        Self {
            options,
            sources: (0..sources).map(|_| Source::default()).collect(),
            starved: (0..sources).rev().collect(),
            loose: Vec::with_capacity(sources),
            heap: Vec::with_capacity(sources),
            followers: vec![Vec::new(); sources],
            open: false,
            series: Vec::new(),
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
                let loaded = self.sources[source].load(&mut self.out);
                if !loaded && !self.sources[source].ended {
                    return Step::Need(source);
                }
                self.starved.pop();
                if loaded && self.open && self.sources[source].ids == self.series {
                    self.pull(source);
                } else if loaded {
                    self.loose.push(source);
                }
            }
            if self.open {
                match self.heap.first() {
                    Some(&first) if self.sources[first].ids == self.series => self.pull_convoy(first),
                    _ => self.close(),
                }
                continue;
            }
            if self.out.ends.len() >= self.options.batch_series || self.out.bytes >= self.options.batch_bytes as u64 {
                return Step::Batch(self.emit());
            }
            self.gather();
            let Some(&first) = self.heap.first() else { return self.last() };
            self.series.clone_from(&self.sources[first].ids);
            self.open = true;
            self.pull_convoy(first);
        }
    }

    fn last(&mut self) -> Step {
        (self.starved, self.loose, self.heap) = Default::default();
        self.open = false;
        if self.out.ends.is_empty() { Step::Done } else { Step::Batch(self.emit()) }
    }

    /// Puts the loose sources into the order: those at the labels of the first of them as one convoy.
    fn gather(&mut self) {
        self.loose.sort_unstable();
        let mut loose = std::mem::take(&mut self.loose);
        let mut leader: Option<usize> = None;
        for source in loose.drain(..) {
            match leader {
                Some(leader) if self.sources[source].ids == self.sources[leader].ids => {
                    self.followers[leader].push(source);
                    continue;
                }
                None => leader = Some(source),
                _ => {}
            }
            self.heap.push(source);
            self.sift_up(self.heap.len() - 1);
        }
        self.loose = loose;
    }

    /// Takes the convoy at the top of the heap apart, and its rows into the open series.
    fn pull_convoy(&mut self, first: usize) {
        self.heap.swap_remove(0);
        self.sift_down(0);
        self.pull(first);
        let mut followers = std::mem::take(&mut self.followers[first]);
        followers.drain(..).for_each(|source| self.pull(source));
        self.followers[first] = followers;
    }

    /// Takes the row under a source's cursor into the open series, and those behind it with the same labels.
    fn pull(&mut self, number: usize) {
        let Self { sources, out, options, .. } = self;
        let source = &mut sources[number];
        let replica = options.tag_replicas.then(|| u32::try_from(number).expect("fewer than 2^32 sources"));
        loop {
            source.take_row(replica, out);
            if !source.advance(out) {
                return self.starved.push(number);
            }
            if source.ids != self.series {
                return self.loose.push(number);
            }
        }
    }

    /// Ends the open series.
    fn close(&mut self) {
        self.open = false;
        self.out.close(&self.series);
        self.given += 1;
    }

    fn emit(&mut self) -> SeriesBatch {
        let next = if self.heap.is_empty() && self.loose.is_empty() && self.starved.is_empty() {
            Output::default()
        } else {
            self.out.like()
        };
        let batch = std::mem::replace(&mut self.out, next).finish();
        for source in &mut self.sources {
            source.restart(&mut self.out);
        }
        batch
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

/// Prometheus' order of label sets, for numbers of one symbol table.
fn compare(symbols: &SymbolTable, a: &[(SymbolId, SymbolId)], b: &[(SymbolId, SymbolId)]) -> Ordering {
    let Some(i) = a.iter().zip(b).position(|(a, b)| a != b) else { return a.len().cmp(&b.len()) };
    let text = |(name, value)| (symbols.get(name), symbols.get(value));
    text(a[i]).cmp(&text(b[i]))
}
