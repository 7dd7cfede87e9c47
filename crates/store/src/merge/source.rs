use std::collections::VecDeque;

use bytes::Bytes;
use hashbrown::HashMap;
use model::LabelTableBuilder;
use model::labels::SymbolId;
use request::MemoryLease;

use super::merger::Output;
use crate::{ChunkMeta, SeriesBatch};

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
    batch: SeriesBatch,
    row: usize,
    /// Where the row's chunks begin.
    first: usize,
    symbols: Translation,
    buffers: Translation,
    /// Bytes of chunks taken since the last settlement.
    taken: u64,
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
            self.current = Some(Cursor { batch, row: 0, first: 0, symbols, buffers, taken: 0 });
        }
        self.translate(out);
        true
    }

    /// Computes `ids` for the row under the cursor.
    fn translate(&mut self, out: &mut LabelTableBuilder) {
        self.ids.clear();
        let Some(Cursor { batch, row, symbols, .. }) = &mut self.current else { return };
        let table = batch.labels.symbols();
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
    /// left of its lease goes to the output's.
    pub(super) fn advance(&mut self, out: &mut Output) -> bool {
        let Some(cursor) = &mut self.current else { return false };
        cursor.row += 1;
        if cursor.row < cursor.batch.len() {
            self.translate(&mut out.labels);
            return true;
        }
        if let Some(rest) = cursor.batch.lease.take() {
            out.leases.add(rest);
        }
        self.current = None;
        false
    }

    /// Moves the part of the batch's lease that goes with the chunks taken so far to `leases`.
    pub(super) fn settle(&mut self, leases: &mut Leases) {
        let Some(Cursor { batch, taken, .. }) = &mut self.current else { return };
        let bytes = std::mem::take(taken);
        if let Some(held) = batch.lease.as_mut().filter(|_| bytes > 0) {
            leases.add(held.split(bytes));
        }
    }
}

impl Cursor {
    /// Appends the chunks of the row, once, and the buffers that are not yet among `buffers`; gives the bytes.
    pub(super) fn take_chunks(
        &mut self,
        replica: Option<u32>,
        chunks: &mut Vec<ChunkMeta>,
        buffers: &mut Vec<Bytes>,
    ) -> usize {
        let Self { batch, row, first, buffers: numbers, taken, .. } = self;
        let end = batch.ends[*row] as usize;
        let mut bytes = 0;
        chunks.extend(batch.chunks[*first..end].iter().map(|&chunk| {
            bytes += u64::from(chunk.len);
            let buffer = numbers.get(chunk.buffer, || {
                buffers.push(batch.buffers[chunk.buffer as usize].clone());
                u32::try_from(buffers.len() - 1).expect("a batch has fewer than 2^32 buffers")
            });
            ChunkMeta { buffer, replica: replica.unwrap_or(chunk.replica), ..chunk }
        }));
        *first = end;
        *taken += bytes;
        bytes as usize
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

    #[inline]
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
