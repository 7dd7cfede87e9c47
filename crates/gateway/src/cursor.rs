//! Walking over the series of one block: selection, final labels, chunks that are due. CPU work only.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use block::index::NextChunk;
use block::postings::{ListsRead, Selected, select_within};
use block::{Corrupt, IndexReader, SeriesEntry};
use hashbrown::HashMap;
use model::labels::{Room, SymbolId};
use model::{LabelTable, LabelTableBuilder, Labels, Matcher};
use request::{Context, MemoryLease};
use store::order::HeldBack;
use store::{Error, SeriesRequest};

use crate::block::Block;
use crate::expanded::Expanded;
use crate::fetched::{Data, Fetched};
use crate::index::Index;
use crate::order::{Finals, Located, Row};

/// Series between two looks at the request's deadline.
const CHECK_EVERY: usize = 256;

/// What one block is asked for.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) cx: Context,
    pub(crate) block: Arc<Block>,
    pub(crate) index: Index,
    /// Without those that external labels decide.
    pub(crate) matchers: Arc<[Matcher]>,
    pub(crate) request: Arc<SeriesRequest>,
    /// Whether chunks are fetched by range, so that their lengths have to be known.
    pub(crate) by_range: bool,
    pub(crate) batch: BatchSize,
    pub(crate) fetched: Arc<Fetched>,
}

/// When a batch is full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchSize {
    pub(crate) series: usize,
    /// Of chunks, where they are fetched by range: else nothing is.
    pub(crate) bytes: u64,
}

/// Series with their final labels, and where their chunks lie.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) labels: LabelTable,
    pub(crate) chunks: Vec<Located>,
    pub(crate) ends: Vec<u32>,
    /// Nothing comes after these.
    pub(crate) last: bool,
}

/// The position in one block. Gives series in the order of their final labels.
#[derive(Debug)]
pub(crate) struct Cursor {
    finals: Finals,
    selected: Selected,
    /// How many of the selected were looked at.
    read: usize,
    /// Bytes of those since the last batch.
    read_bytes: u64,
    /// Up to here they can be: all of them, but for an index that is read by ranges.
    loaded: usize,
    /// Covers the selection, and what had to be sorted.
    lease: MemoryLease,
    held: HeldBack<Row>,
    ready: VecDeque<Row>,
    /// Where the order has to be made anew: what was read for that,
    unsorted: Vec<(Labels, Vec<Located>)>,
    /// and what came of it.
    sorted: Option<std::vec::IntoIter<(Labels, Vec<Located>)>>,
    given: u64,
    /// How many chunks, and how much of labels, the last batch has: the next one has about as much.
    expected: (usize, Room),
    entry: SeriesEntry,
    /// Rows that were given out, for their memory.
    spare: Vec<Row>,
    shard_scratch: Vec<u8>,
}

impl Cursor {
    /// `known` is the selection where it was made before.
    pub(crate) fn open(ask: &Ask, known: Option<Selected>, expanded: Option<&Expanded>) -> Result<Self, Error> {
        ask.cx.check()?;
        let (selected, lease) = match known {
            Some(known) => {
                let lease = ask.cx.memory().lease(known.heap_bytes() as u64)?;
                (known, lease)
            }
            None => {
                let began = Instant::now();
                let made = match &ask.index {
                    Index::Whole(index) => select(&ask.cx, index, &ask.matchers, &ask.fetched)?,
                    // Was made beforehand.
                    Index::Ranged(_) => return Err(Error::Unavailable("nothing was selected".to_owned())),
                };
                if let Some(expanded) = expanded {
                    expanded.put(ask.block.id, &ask.matchers, &made.0, began.elapsed());
                }
                made
            }
        };
        let finals = Finals::new(&ask.index, &ask.block.labels, &ask.request.without_replica_labels)?;
        let loaded = if ask.index.ranged().is_some() { 0 } else { usize::MAX };
        Ok(Self {
            finals,
            selected,
            read: 0,
            read_bytes: 0,
            loaded,
            lease,
            held: HeldBack::default(),
            ready: VecDeque::new(),
            unsorted: Vec::new(),
            sorted: None,
            given: 0,
            expected: Default::default(),
            entry: SeriesEntry::default(),
            spare: Vec::new(),
            shard_scratch: Vec::new(),
        })
    }

    /// The selection and the first series of it that has to be loaded, where the next batch cannot go on
    /// without.
    pub(crate) fn unloaded(&self) -> Option<(&Selected, usize)> {
        let stops = self.read >= self.loaded && self.loaded < self.selected.len();
        stops.then_some((&self.selected, self.loaded))
    }

    /// So many more series are loaded.
    pub(crate) fn loaded(&mut self, count: usize) {
        self.loaded += count;
    }

    /// How many of the selected are still to be looked at.
    pub(crate) fn left(&self) -> usize {
        self.selected.len().saturating_sub(self.read)
    }

    /// Whether all of the selection was looked at.
    fn is_through(&self) -> bool {
        self.read >= self.selected.len()
    }

    /// The next batch. It may be empty and not the last where the next series have to be loaded first.
    pub(crate) fn next(&mut self, ask: &Ask) -> Result<Rows, Error> {
        let before = self.read;
        let rows = self.rows(ask);
        ask.fetched.touch(Data::Series, (self.read - before) as u64, std::mem::take(&mut self.read_bytes));
        rows
    }

    fn rows(&mut self, ask: &Ask) -> Result<Rows, Error> {
        if self.sorted.is_none() && !self.finals.keeps_order() {
            self.sort(ask)?;
        }
        let mut out = Collector::new(&self.finals, self.expected.1);
        out.chunks.reserve(self.expected.0);
        let limit = if ask.request.limit == 0 { u64::MAX } else { ask.request.limit };
        let mut bytes = 0;
        let last = loop {
            if self.given >= limit {
                break true;
            }
            if out.ends.len() >= ask.batch.series || bytes >= ask.batch.bytes {
                break false;
            }
            if let Some(sorted) = &mut self.sorted {
                let Some((labels, chunks)) = sorted.next() else { break true };
                out.push_sorted(&labels, &chunks);
            } else {
                let Some(row) = self.next_row(ask)? else { break self.is_through() };
                out.push(&ask.index, &mut self.finals, &row)?;
                self.spare.push(row);
            }
            self.given += 1;
            if ask.by_range {
                bytes += out.last_chunks().iter().map(|c| u64::from(c.len)).sum::<u64>();
            }
        };
        self.expected = (out.chunks.len(), out.labels.room());
        Ok(Rows { labels: out.labels.finish(), chunks: out.chunks, ends: out.ends, last })
    }

    fn next_row(&mut self, ask: &Ask) -> Result<Option<Row>, Error> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Ok(Some(row));
            }
            let Some(row) = self.read_row(ask)? else {
                return Ok(if self.is_through() { self.held.pop() } else { None });
            };
            // Mostly one is ready then, and need not queue.
            let mut first = self.held.pop_before(|held| self.finals.waits(&ask.index, held, &row))?;
            while first.is_some()
                && let Some(before) = self.held.pop_before(|held| self.finals.waits(&ask.index, held, &row))?
            {
                self.ready.push_back(before);
            }
            let may_wait = self.finals.may_wait(&ask.index, &row)?;
            match (self.held.hold(row, may_wait), &first) {
                (Some(row), Some(_)) => self.ready.push_back(row),
                (row, None) => first = row,
                (None, Some(_)) => {}
            }
            if first.is_some() {
                return Ok(first);
            }
        }
    }

    /// The next series of the selection that has chunks in range and is in the shard; `None` behind the last
    /// one that is loaded.
    fn read_row(&mut self, ask: &Ask) -> Result<Option<Row>, Error> {
        while self.read < self.loaded
            && let Some(reference) = self.selected.get(self.read)
        {
            self.read += 1;
            if self.read.is_multiple_of(CHECK_EVERY) {
                ask.cx.check()?;
            }
            ask.index.series(reference, &mut self.entry)?;
            self.read_bytes += u64::from(self.entry.len);
            let mut row = self.spare.pop().unwrap_or_default();
            locate(ask, reference, &self.entry, &mut row.chunks)?;
            if row.chunks.is_empty() {
                self.spare.push(row);
                continue;
            }
            if let Some(shard) = &ask.request.shard {
                let labels = self.finals.labels(&ask.index, &self.entry.labels)?;
                if !shard.holds(&labels, &mut self.shard_scratch) {
                    self.spare.push(row);
                    continue;
                }
            }
            std::mem::swap(&mut row.labels, &mut self.entry.labels);
            return Ok(Some(row));
        }
        Ok(None)
    }

    /// Reads the whole selection, as far as it is loaded, and once it is through sorts it by final labels; series
    /// that become equal become one.
    fn sort(&mut self, ask: &Ask) -> Result<(), Error> {
        while let Some(row) = self.read_row(ask)? {
            let labels = self.finals.labels(&ask.index, &row.labels)?;
            let text: usize = labels.iter().map(|(n, v)| n.len() + v.len() + 16).sum();
            self.lease.grow((row.chunks.len() * size_of::<Located>() + text + 128) as u64)?;
            self.unsorted.push((labels, row.chunks));
        }
        if !self.is_through() {
            return Ok(());
        }
        let mut all = std::mem::take(&mut self.unsorted);
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.dedup_by(|later, kept| {
            let equal = later.0 == kept.0;
            if equal {
                kept.1.append(&mut later.1);
                kept.1.sort_unstable();
            }
            equal
        });
        self.sorted = Some(all.into_iter());
        Ok(())
    }
}

/// The series that `matchers` select, and what covers the list.
pub(crate) fn select(
    cx: &Context,
    index: &IndexReader,
    matchers: &[Matcher],
    fetched: &Fetched,
) -> Result<(Selected, MemoryLease), Error> {
    let mut read = ListsRead::default();
    let selected = selected_within(cx, |allow| Ok(select_within(index, matchers, allow, &mut read)?));
    fetched.touch(Data::Postings, read.lists, read.bytes);
    selected
}

/// What `select` selects within the request's memory, of which it asks before it takes some.
pub(crate) fn selected_within(
    cx: &Context,
    select: impl FnOnce(&mut dyn FnMut(usize) -> bool) -> Result<Option<Selected>, Error>,
) -> Result<(Selected, MemoryLease), Error> {
    let mut lease = cx.memory().lease(0)?;
    let mut refused = None;
    let mut allow = |bytes: usize| {
        let grown = cx.check().map_err(Error::from).and_then(|()| Ok(lease.grow(bytes as u64)?));
        grown.map_err(|e| refused = Some(e)).is_ok()
    };
    let selected = select(&mut allow)?;
    match (selected, refused) {
        (Some(selected), _) => {
            lease.resize(selected.heap_bytes() as u64)?;
            Ok((selected, lease))
        }
        (None, Some(e)) => Err(e),
        // Nobody else refuses.
        (None, None) => Err(Error::Exhausted("the selection takes too much memory".to_owned())),
    }
}

/// Finds the chunks of a series that overlap the time asked for; where labels are all that is wanted, the
/// first of them.
fn locate(ask: &Ask, reference: u32, entry: &SeriesEntry, found: &mut Vec<Located>) -> Result<(), Corrupt> {
    let range = ask.request.range;
    found.clear();
    for (i, chunk) in entry.chunks.iter().enumerate() {
        if !chunk.range().overlaps(range) {
            continue;
        }
        let mut located =
            Located { min_time: chunk.min_time, max_time: chunk.max_time, chunk_ref: chunk.chunk_ref, len: 0 };
        if ask.request.skip_chunks {
            found.push(located);
            return Ok(());
        }
        if ask.by_range {
            let next = match entry.chunks.get(i + 1) {
                Some(next) => NextChunk::At(next.chunk_ref),
                None => ask.index.chunk_after(reference)?,
            };
            let end = match next {
                NextChunk::At(next) if next >> 32 == chunk.chunk_ref >> 32 => next & 0xffff_ffff,
                // The segment's end; or not known.
                NextChunk::At(_) | NextChunk::End => {
                    ask.block.segment_bytes.get(chunk.segment() as usize).copied().unwrap_or(0)
                }
                NextChunk::Unread => 0,
            };
            located.len = u32::try_from(end.saturating_sub(u64::from(chunk.offset()))).unwrap_or(0);
        }
        found.push(located);
    }
    if !found.is_sorted_by_key(|c| c.min_time) {
        found.sort_unstable();
    }
    Ok(())
}

/// Builds a batch's label table; each symbol of the index is looked up once, and only labels that differ
/// from those of the row before are looked up at all.
struct Collector {
    labels: LabelTableBuilder,
    added: Vec<(SymbolId, SymbolId)>,
    known: HashMap<u32, SymbolId>,
    /// Of the last row.
    last: Vec<Placed>,
    pairs: Vec<(SymbolId, SymbolId)>,
    chunks: Vec<Located>,
    ends: Vec<u32>,
}

/// A label of a row.
#[derive(Clone, Copy)]
struct Placed {
    /// In the index.
    label: (u32, u32),
    /// In the batch.
    pair: (SymbolId, SymbolId),
    /// How many of the added labels come before it.
    place: usize,
}

impl Collector {
    fn new(finals: &Finals, room: Room) -> Self {
        let mut labels = LabelTableBuilder::with_room(room);
        let added = finals.added.iter().map(|(n, v)| (labels.intern(n), labels.intern(v))).collect();
        Self {
            labels,
            added,
            known: HashMap::new(),
            last: Vec::new(),
            pairs: Vec::new(),
            chunks: Vec::new(),
            ends: Vec::new(),
        }
    }

    fn push(&mut self, index: &Index, finals: &mut Finals, row: &Row) -> Result<(), Corrupt> {
        self.pairs.clear();
        let mut placed = 0;
        for (i, &label) in row.labels.iter().enumerate() {
            let Placed { pair, place, .. } = self.placed(index, finals, i, label)?;
            if place > placed {
                self.pairs.extend_from_slice(&self.added[placed..place]);
                placed = place;
            }
            self.pairs.push(pair);
        }
        self.pairs.extend_from_slice(&self.added[placed..]);
        self.labels.push_ids(&self.pairs);
        self.end(&row.chunks);
        Ok(())
    }

    /// The row's `i`th label.
    #[inline]
    fn placed(&mut self, index: &Index, finals: &mut Finals, i: usize, label: (u32, u32)) -> Result<Placed, Corrupt> {
        let before = self.last.get(i).copied();
        if let Some(before) = before.filter(|before| before.label == label) {
            return Ok(before);
        }
        let (name, place) = match before {
            Some(before) if before.label.0 == label.0 => (before.pair.0, before.place),
            _ => (self.symbol(index, label.0)?, finals.added_before(index, label.0)?),
        };
        let placed = Placed { label, pair: (name, self.symbol(index, label.1)?), place };
        match self.last.get_mut(i) {
            Some(last) => *last = placed,
            None => self.last.push(placed),
        }
        Ok(placed)
    }

    fn push_sorted(&mut self, labels: &Labels, chunks: &[Located]) {
        self.labels.push(labels);
        self.end(chunks);
    }

    /// Those of the last row.
    fn last_chunks(&self) -> &[Located] {
        let before = self.ends.len().checked_sub(2).map_or(0, |i| self.ends[i]);
        &self.chunks[before as usize..]
    }

    fn end(&mut self, chunks: &[Located]) {
        self.chunks.extend_from_slice(chunks);
        self.ends.push(u32::try_from(self.chunks.len()).expect("a batch has fewer than 2^32 chunks"));
    }

    fn symbol(&mut self, index: &Index, reference: u32) -> Result<SymbolId, Corrupt> {
        if let Some(&id) = self.known.get(&reference) {
            return Ok(id);
        }
        let id = self.labels.intern(index.symbol(reference)?);
        self.known.insert(reference, id);
        Ok(id)
    }
}
