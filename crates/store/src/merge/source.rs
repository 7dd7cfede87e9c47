use std::collections::VecDeque;

use hashbrown::HashMap;
use model::labels::SymbolId;

use super::output::Output;
use crate::{Run, SeriesBatch};

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
struct Cursor {
    batch: SeriesBatch,
    row: usize,
    symbols: Translation,
    /// The numbers of the batch's lists in the output, where they have one.
    lists: Vec<Option<u32>>,
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
    pub(super) fn load(&mut self, out: &mut Output) -> bool {
        if self.current.is_none() {
            let Some(batch) = self.queue.pop_front() else { return false };
            let symbols = Translation::new(batch.labels.symbols().len(), batch.len() * 16);
            let lists = vec![None; batch.lists.len()];
            self.current = Some(Cursor { batch, row: 0, symbols, lists });
        }
        self.ids.clear();
        self.translate(out);
        true
    }

    /// Computes `ids` for the row under the cursor; what is in it already is of the row before.
    fn translate(&mut self, out: &mut Output) {
        let Some(Cursor { batch, row, symbols, .. }) = &mut self.current else { return };
        let table = batch.labels.symbols();
        let mut number = |id| symbols.get(id, || out.labels.intern(table.get(id)));
        let labels = batch.labels.get(*row).ids();
        let before = match row.checked_sub(1) {
            Some(before) if !self.ids.is_empty() => batch.labels.get(before).ids(),
            _ => &[],
        };
        // Mostly one or two labels differ.
        self.ids.truncate(labels.len());
        for (i, &(name, value)) in labels.iter().enumerate() {
            match (self.ids.get_mut(i), before.get(i)) {
                (Some(_), Some(&known)) if known == (name, value) => {}
                (Some(id), Some(&(known, _))) if known == name => id.1 = number(value),
                (Some(id), _) => *id = (number(name), number(value)),
                (None, _) => self.ids.push((number(name), number(value))),
            }
        }
    }

    /// Forgets the numbers of the last output batch; called when a new one begins.
    pub(super) fn restart(&mut self, out: &mut Output) {
        if let Some(cursor) = &mut self.current {
            cursor.symbols.reset();
            cursor.lists.fill(None);
            self.ids.clear();
            self.translate(out);
        }
    }

    /// Adds the runs of the row under the cursor, once, to the open series.
    pub(super) fn take_row(&mut self, replica: Option<u32>, out: &mut Output) {
        let Some(Cursor { batch, row, lists, .. }) = &mut self.current else { return };
        for run in batch.runs_of(*row) {
            let list = run.list as usize;
            let list = *lists[list].get_or_insert_with(|| out.add_list(&batch.lists[list]));
            out.bytes += u64::from(run.bytes);
            out.runs.push(Run { list, replica: replica.unwrap_or(run.replica), ..*run });
        }
    }

    /// Moves to the next row. `false`: the batch is used up, [`load`](Self::load) the next.
    pub(super) fn advance(&mut self, out: &mut Output) -> bool {
        let Some(cursor) = &mut self.current else { return false };
        cursor.row += 1;
        if cursor.row < cursor.batch.len() {
            // Another CPU has written them, and there are as many places as sources.
            let ahead = (cursor.row + 2).min(cursor.batch.len() - 1);
            block::prefetch(cursor.batch.runs_of(ahead));
            block::prefetch(cursor.batch.labels.get(ahead).ids());
            self.translate(out);
            return true;
        }
        // Such a list only holds a lease, for the labels.
        for list in cursor.batch.lists.iter().filter(|list| list.is_empty()) {
            out.add_list(list);
        }
        self.current = None;
        false
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
