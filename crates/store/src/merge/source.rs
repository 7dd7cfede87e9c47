use std::collections::VecDeque;

use hashbrown::HashMap;
use model::LabelTableBuilder;
use model::labels::SymbolId;
use request::MemoryLease;

use crate::SeriesBatch;

/// One sorted input: the batch under the cursor and those that wait behind it.
#[derive(Debug, Default)]
pub(super) struct Source {
    current: Option<Cursor>,
    queue: VecDeque<SeriesBatch>,
    pub(super) ended: bool,
    /// The labels of the row under the cursor, as numbers of the output's symbol table.
    pub(super) ids: Vec<(SymbolId, SymbolId)>,
}

#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) batch: SeriesBatch,
    row: usize,
    symbols: Translation,
    buffers: Translation,
}

impl Source {
    pub(super) fn push(&mut self, batch: SeriesBatch) {
        if !batch.is_empty() {
            self.queue.push_back(batch);
        }
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Puts the cursor on the next batch where the present one is used up. `false`: there is none yet.
    pub(super) fn load(&mut self, out: &mut LabelTableBuilder) -> bool {
        if self.current.is_none() {
            let Some(batch) = self.queue.pop_front() else { return false };
            let symbols = Translation::new(batch.labels.symbols().len(), batch.len() * 16);
            let buffers = Translation::new(batch.buffers.len(), batch.chunks.len());
            self.current = Some(Cursor { batch, row: 0, symbols, buffers });
        }
        self.translate(out);
        true
    }

    /// Computes `ids` for the row under the cursor.
    fn translate(&mut self, out: &mut LabelTableBuilder) {
        self.ids.clear();
        let Some(Cursor { batch, row, symbols, .. }) = &mut self.current else { return };
        let table = batch.labels.symbols().clone();
        let mut id = |id| symbols.get(id, || out.intern(table.get(id)));
        for &(name, value) in batch.labels.get(*row).ids() {
            self.ids.push((id(name), id(value)));
        }
    }

    /// Forgets the numbers of the last output batch; called when a new one begins.
    pub(super) fn restart(&mut self, out: &mut LabelTableBuilder) {
        if let Some(cursor) = &mut self.current {
            cursor.symbols.reset();
            cursor.buffers.reset();
            self.translate(out);
        }
    }

    pub(super) fn cursor(&mut self) -> Option<&mut Cursor> {
        self.current.as_mut()
    }

    /// Moves to the next row. `false`: the batch is used up, [`load`](Self::load) the next. What is
    /// left of its lease goes to `lease`.
    pub(super) fn advance(&mut self, out: &mut LabelTableBuilder, lease: &mut Leases) -> bool {
        let Some(cursor) = &mut self.current else { return false };
        cursor.row += 1;
        if cursor.row < cursor.batch.len() {
            self.translate(out);
            return true;
        }
        if let Some(rest) = cursor.batch.lease.take() {
            lease.add(rest);
        }
        self.current = None;
        false
    }
}

impl Cursor {
    pub(super) fn row(&self) -> usize {
        self.row
    }

    /// The output's number of the buffer numbered `buffer` here; `add` gives one out on first use.
    pub(super) fn buffer(&mut self, buffer: u32, add: impl FnOnce(bytes::Bytes) -> u32) -> u32 {
        let Self { batch, buffers, .. } = self;
        buffers.get(buffer, || add(batch.buffers[buffer as usize].clone()))
    }

    /// Moves `bytes` of the batch's lease to `lease`.
    pub(super) fn lend(&mut self, bytes: u64, lease: &mut Leases) {
        if let Some(held) = &mut self.batch.lease {
            lease.add(held.split(bytes));
        }
    }
}

/// What covers the buffers of the output batch in the making.
#[derive(Debug, Default)]
pub(super) struct Leases {
    main: Option<MemoryLease>,
    /// Leases of another account: kept until the merge ends, for a batch carries one lease.
    foreign: Vec<MemoryLease>,
}

impl Leases {
    fn add(&mut self, lease: MemoryLease) {
        match &mut self.main {
            None => self.main = Some(lease),
            Some(main) => self.foreign.extend(main.join(lease)),
        }
    }

    pub(super) fn take(&mut self) -> Option<MemoryLease> {
        self.main.take()
    }
}

/// Old number → new number, filled on first use. Dense where most numbers will be met.
#[derive(Debug)]
enum Translation {
    Dense(Vec<u32>),
    Sparse(HashMap<u32, u32>),
}

const UNKNOWN: u32 = u32::MAX;

impl Translation {
    /// For numbers below `len`, of which about `used` will be asked for.
    fn new(len: usize, used: usize) -> Self {
        if len <= used.saturating_mul(4) { Self::Dense(vec![UNKNOWN; len]) } else { Self::Sparse(HashMap::new()) }
    }

    fn get(&mut self, old: u32, new: impl FnOnce() -> u32) -> u32 {
        match self {
            Self::Dense(map) => {
                let slot = &mut map[old as usize];
                if *slot == UNKNOWN {
                    *slot = new();
                }
                *slot
            }
            Self::Sparse(map) => *map.entry(old).or_insert_with(new),
        }
    }

    fn reset(&mut self) {
        match self {
            Self::Dense(map) => map.fill(UNKNOWN),
            Self::Sparse(map) => map.clear(),
        }
    }
}
