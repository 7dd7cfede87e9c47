//! An index of which only the ends are here: symbols before the series, the postings offset table behind
//! the lists. Lists and series are read by ranges, all that one step of a request needs in one batch.

mod open;
mod spans;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use ::bytes::Bytes;
use hashbrown::HashMap;
use model::Matcher;

use super::series::{entry_len, read_chunks, read_first_chunk, read_labels};
use super::symbols::Symbols;
use super::table::OffsetTable;
use super::{Entry, INDEX_FILE, NameEntries, SERIES_ALIGN, SeriesEntry, Toc, read_postings};
use crate::bytes::Cursor;
use crate::postings::{ListsRead, Selected, Source, Stop, select_from};
use crate::{Corrupt, Postings};
use spans::Spans;

/// Reads ranges of the index file, wherever it lies.
pub trait Ranges {
    /// Why it cannot; also carries what is wrong with the bytes that it gave.
    type Error: From<Corrupt>;

    /// The bytes of each range, in the order asked for. Ranges neither end behind the file nor are empty; they
    /// may overlap, and close ones are better read as one. One call is one round: its ranges do not
    /// depend on each other.
    ///
    /// # Errors
    /// When one of them cannot be read.
    fn read(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, Self::Error>;
}

/// What is kept of an index that is read by ranges: its first bytes up to the end of the symbols and its last
/// from the postings offset table on, the *ends*. Shared between threads freely; each request reads with a
/// [`RangedReader`] of its own.
#[derive(Debug)]
pub struct RangedIndex {
    ends: Bytes,
    /// Where the postings offset table begins in them.
    split: usize,
    len: u64,
    version: u8,
    toc: Toc,
    symbols: Symbols,
    table: OffsetTable,
    /// Bytes that are read for a series at first.
    series_guess: u64,
}

/// Where the chunk behind the last one of a series lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextChunk {
    /// There: segment and offset as in [`ChunkRef`](super::ChunkRef).
    At(u64),
    /// There is none: it was the last series.
    End,
    /// That of a series which was not read.
    Unread,
}

/// Of a list whose end is not known so many bytes are read at first.
const LIST_GUESS: u64 = 4096;

impl RangedIndex {
    /// Bytes of the whole file.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.len
    }

    /// What [`from_ends`](Self::from_ends) takes, e.g. to keep it in a file.
    #[must_use]
    pub fn ends(&self) -> &Bytes {
        &self.ends
    }

    #[must_use]
    pub fn version(&self) -> u8 {
        self.version
    }

    #[must_use]
    pub fn toc(&self) -> Toc {
        self.toc
    }

    /// Bytes held beside the ends.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.symbols.heap_bytes() + self.table.heap_bytes()
    }

    /// The string that a series or [`symbol_ref`](Self::symbol_ref) refers to.
    ///
    /// # Errors
    /// When there is no such symbol.
    pub fn symbol(&self, reference: u32) -> Result<&str, Corrupt> {
        self.symbols.get(self.front(), reference).map_err(super::named)
    }

    /// The reference of a string, if it is a symbol.
    ///
    /// # Errors
    /// When the symbol table is damaged.
    pub fn symbol_ref(&self, text: &str) -> Result<Option<u32>, Corrupt> {
        self.symbols.find(self.front(), text).map_err(super::named)
    }

    /// All label names, sorted.
    ///
    /// # Errors
    /// When one is not UTF-8.
    pub fn label_names(&self) -> Result<Vec<&str>, Corrupt> {
        self.table.names(self.back()).map_err(|e| self.table.named(e))
    }

    /// All values of a label, sorted; none if no series has it.
    ///
    /// # Errors
    /// When one is not UTF-8.
    pub fn label_values(&self, name: &str) -> Result<Vec<&str>, Corrupt> {
        self.entries(name)?.map_or(Ok(Vec::new()), NameEntries::values)
    }

    /// How many values a label has.
    ///
    /// # Errors
    /// When the postings offset table is damaged.
    pub fn label_value_count(&self, name: &str) -> Result<usize, Corrupt> {
        Ok(self.entries(name)?.map_or(0, |e| e.len()))
    }

    fn entries(&self, name: &str) -> Result<Option<NameEntries<'_>>, Corrupt> {
        self.table.entries(self.back(), name).map_err(|e| self.table.named(e))
    }

    /// Where the list begins that a row leads to, and where it ends: at the next row's, as lists lie one behind
    /// the other in the order of the table. Where they do not, a guess.
    fn list(&self, entry: Entry<'_>) -> Result<Range<u64>, Corrupt> {
        let (start, next) = self.table.lists_from(self.back(), entry.at)?;
        let end = match next {
            Some(next) => Some(next).filter(|&next| next > start),
            None => [self.toc.label_indices_table, self.toc.postings_table].into_iter().filter(|&e| e > start).min(),
        };
        Ok(start..end.unwrap_or(start.saturating_add(LIST_GUESS)).min(self.len).max(start))
    }

    fn series_offset(&self, reference: u32) -> u64 {
        u64::from(reference) * self.series_unit()
    }

    fn series_unit(&self) -> u64 {
        if self.version == 1 { 1 } else { SERIES_ALIGN }
    }

    /// Where the series end.
    fn series_end(&self) -> u64 {
        if self.toc.label_indices > 0 { self.toc.label_indices } else { self.len }
    }

    fn front(&self) -> &[u8] {
        &self.ends[..self.split]
    }

    fn back(&self) -> &[u8] {
        &self.ends[self.split..]
    }
}

/// What one request reads of an index by ranges, and what it has read. A selection takes one batch for its
/// lists, and one for the series where labels have to be looked at; loading the series takes one. Another
/// follows where something turned out to be longer than was read of it at first.
#[derive(Debug)]
pub struct RangedReader<R> {
    index: Arc<RangedIndex>,
    ranges: R,
    /// Members of lists, by the offset.
    lists: HashMap<u64, Bytes>,
    series: Spans,
    noted: RefCell<Noted>,
}

/// What a selection has come upon.
#[derive(Debug, Default)]
struct Noted {
    /// Where lists end, about, by the offset.
    ends: HashMap<u64, u64>,
    /// What it needs and is not here.
    lists: Vec<u64>,
    series: Vec<u32>,
}

impl<R: Ranges> RangedReader<R> {
    #[must_use]
    pub fn new(index: Arc<RangedIndex>, ranges: R) -> Self {
        Self { index, ranges, lists: HashMap::new(), series: Spans::default(), noted: RefCell::default() }
    }

    #[must_use]
    pub fn index(&self) -> &Arc<RangedIndex> {
        &self.index
    }

    /// Bytes of series that are held.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.series.bytes()
    }

    /// As [`postings::select_within`](crate::postings::select_within); a try that lacks something adds nothing
    /// to `read`.
    ///
    /// # Errors
    /// When a range cannot be read, or what it holds is damaged.
    pub fn select(
        &mut self,
        matchers: &[Matcher],
        allow: &mut dyn FnMut(usize) -> bool,
        read: &mut ListsRead,
    ) -> Result<Option<Selected>, R::Error> {
        let selected = self.select_in_rounds(matchers, allow, read);
        self.lists = HashMap::new();
        self.noted = RefCell::default();
        selected
    }

    /// Tries, and brings here what the try came upon: first the lists, then the series whose labels decide.
    fn select_in_rounds(
        &mut self,
        matchers: &[Matcher],
        allow: &mut dyn FnMut(usize) -> bool,
        read: &mut ListsRead,
    ) -> Result<Option<Selected>, R::Error> {
        let before = *read;
        loop {
            *read = before;
            match select_from(self, matchers, allow, read) {
                Ok(selected) => return Ok(Some(selected)),
                Err(Stop::Refused) => return Ok(None),
                Err(Stop::Corrupt(e)) => return Err(e.into()),
                Err(Stop::NotHere) => {
                    let noted = self.noted.get_mut();
                    let (lists, series) = (std::mem::take(&mut noted.lists), std::mem::take(&mut noted.series));
                    // Afterwards they are here, so the next try comes further.
                    self.load_lists(&lists)?;
                    self.load_series(&series)?;
                }
            }
        }
    }

    /// Reads the series, of ascending references, that are not here yet; others are dropped.
    ///
    /// # Errors
    /// When a range cannot be read.
    pub fn load(&mut self, references: &[u32]) -> Result<(), R::Error> {
        let all_here = references.iter().all(|&r| self.is_loaded(self.index.series_offset(r)));
        if !all_here {
            self.series = Spans::default();
        }
        self.load_series(references)
    }

    /// Reads a loaded series into `entry`, as [`IndexReader::series`](super::IndexReader::series).
    ///
    /// # Errors
    /// When the series is damaged or was not loaded.
    pub fn series(&self, reference: u32, entry: &mut SeriesEntry) -> Result<(), Corrupt> {
        self.read_series(self.index.series_offset(reference), &mut entry.labels, |start, cursor| {
            entry.len = entry_len(start, cursor);
            read_chunks(cursor, &mut entry.chunks)
        })
    }

    /// As [`IndexReader::first_chunk_after`](super::IndexReader::first_chunk_after), of what is here.
    ///
    /// # Errors
    /// When a series is damaged.
    pub fn first_chunk_after(&self, reference: u32) -> Result<NextChunk, Corrupt> {
        let mut labels = Vec::new();
        let mut at = self.index.series_offset(reference);
        loop {
            let Some(end) = self.series.end_of(at) else { return Ok(NextChunk::Unread) };
            at = end.next_multiple_of(self.index.series_unit());
            if at >= self.index.toc.label_indices {
                return Ok(NextChunk::End);
            }
            if !self.is_loaded(at) {
                return Ok(NextChunk::Unread);
            }
            if let Some(found) = self.read_series(at, &mut labels, |_, cursor| read_first_chunk(cursor))? {
                return Ok(NextChunk::At(found));
            }
        }
    }

    fn is_loaded(&self, at: u64) -> bool {
        self.series.end_of(at).is_some()
    }

    /// `rest` is given where the series begins in the bytes that are here, and what follows its labels.
    fn read_series<T>(
        &self,
        at: u64,
        labels: &mut Vec<(u32, u32)>,
        rest: impl FnOnce(usize, &mut Cursor<'_>) -> Result<T, Corrupt>,
    ) -> Result<T, Corrupt> {
        let Some((base, bytes)) = self.series.find(at) else {
            return Err(not_read(at, "a series"));
        };
        let start = (at - base) as usize;
        let read = read_labels(bytes, start, labels);
        read.and_then(|mut cursor| rest(start, &mut cursor)).map_err(|e| e.within(INDEX_FILE, base))
    }

    /// Reads ranges, each of which must come as long as asked for.
    fn read(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, R::Error> {
        read_exact(&self.ranges, ranges)
    }
    /// Brings lists here that are not.
    fn load_lists(&mut self, lists: &[u64]) -> Result<(), R::Error> {
        let len = self.index.len;
        let ends = &self.noted.get_mut().ends;
        // Its length and the number of its members are always there.
        let range = |&start: &u64| start..ends.get(&start).copied().unwrap_or(start).max(start.saturating_add(8));
        let mut wanted: Vec<Range<u64>> = lists.iter().map(range).collect();
        wanted.sort_unstable_by_key(|range| range.start);
        wanted.dedup_by_key(|range| range.start);
        if let Some(outer) = wanted.iter().find(|range| range.end > len) {
            return Err(outside(outer.start, "a list of series").into());
        }
        let mut longer = Vec::new();
        for (range, bytes) in wanted.iter().zip(self.read(&wanted)?) {
            let body = Cursor::at(&bytes, 0).be32()?;
            let end = range.start + 4 + u64::from(body) + 4;
            if end > len {
                return Err(outside(range.start, "a list of series").into());
            }
            if end > range.end {
                longer.push(range.start..end);
            } else {
                self.keep_list(range.start, &bytes)?;
            }
        }
        for (range, bytes) in longer.iter().zip(self.read(&longer)?) {
            self.keep_list(range.start, &bytes)?;
        }
        Ok(())
    }

    /// Brings series here that are not; references ascend.
    fn load_series(&mut self, references: &[u32]) -> Result<(), R::Error> {
        let index = Arc::clone(&self.index);
        let (guess, end) = (index.series_guess, index.series_end());
        let missing = references.iter().map(|&r| index.series_offset(r)).filter(|&at| !self.is_loaded(at));
        let missing: Vec<u64> = missing.collect();
        let mut wanted: Vec<Range<u64>> = Vec::new();
        for &at in &missing {
            if at >= end {
                return Err(outside(at, "a series").into());
            }
            let until = (at + guess).min(end);
            match wanted.last_mut() {
                // What lies between was read for the series before, or nearly so.
                Some(last) if at <= last.end && at >= last.start => last.end = last.end.max(until),
                _ => wanted.push(at..until),
            }
        }
        for (range, bytes) in wanted.iter().zip(self.read(&wanted)?) {
            self.series.add(range.start, bytes);
        }
        // Entries are sometimes longer; and a number of up to ten bytes tells how long.
        let mut longer = Vec::new();
        for &at in &missing {
            if let Some(len) = self.series.len_of(at)? {
                let until = at.saturating_add(len);
                if until > end {
                    return Err(outside(at, "a series").into());
                }
                if !self.is_loaded(at) {
                    longer.push(at..(until + guess).min(end));
                }
            }
        }
        for (range, bytes) in longer.iter().zip(self.read(&longer)?) {
            self.series.add_longer(range.start, bytes);
        }
        Ok(())
    }
    fn keep_list(&mut self, start: u64, bytes: &Bytes) -> Result<(), Corrupt> {
        let members = read_postings(bytes, 0).map_err(|e| e.within(INDEX_FILE, start))?;
        let members = bytes.slice_ref(members.bytes());
        self.lists.insert(start, members);
        Ok(())
    }
}

/// One batch; none where there is nothing to read.
fn read_exact<R: Ranges>(ranges: &R, wanted: &[Range<u64>]) -> Result<Vec<Bytes>, R::Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let read = ranges.read(wanted)?;
    let lens = wanted.iter().map(|range| range.end - range.start);
    if read.len() != wanted.len() || !read.iter().map(|b| b.len() as u64).eq(lens) {
        let at = wanted.first().map_or(0, |range| range.start);
        return Err(Corrupt::new(at, "fewer bytes came than were asked for").within(INDEX_FILE, 0).into());
    }
    Ok(read)
}

impl<R: Ranges> Source for RangedReader<R> {
    const AT_HAND: bool = false;

    fn entries(&self, name: &str) -> Result<Option<NameEntries<'_>>, Corrupt> {
        self.index.entries(name)
    }

    fn list(&self, entry: Entry<'_>) -> Result<u64, Corrupt> {
        let Range { start, end } = self.index.list(entry)?;
        self.noted.borrow_mut().ends.insert(start, end);
        Ok(start)
    }

    fn list_len(&self, list: u64) -> Result<usize, Corrupt> {
        if let Some(members) = self.lists.get(&list) {
            return Ok(members.len() / 4);
        }
        let end = self.noted.borrow().ends.get(&list).copied().unwrap_or(list);
        // A length, a number and a checksum each beside the members.
        Ok(usize::try_from((end - list) / 4).unwrap_or(usize::MAX).saturating_sub(3))
    }

    fn postings(&self, list: u64) -> Result<Postings<'_>, Corrupt> {
        let members = self.lists.get(&list);
        members.map(|members| Postings::new(members)).ok_or_else(|| not_read(list, "a list of series"))
    }

    fn is_on_all(&self, _: NameEntries<'_>) -> Result<bool, Corrupt> {
        Ok(false)
    }

    fn series_ref_end(&self) -> u64 {
        self.index.series_end() / self.index.series_unit() + 1
    }

    fn symbol(&self, reference: u32) -> Result<&str, Corrupt> {
        self.index.symbol(reference)
    }

    fn symbol_ref(&self, text: &str) -> Result<Option<u32>, Corrupt> {
        self.index.symbol_ref(text)
    }

    fn series_labels(&self, reference: u32, labels: &mut Vec<(u32, u32)>) -> Result<(), Corrupt> {
        self.read_series(self.index.series_offset(reference), labels, |_, _| Ok(()))
    }

    fn stored(&self, list: Postings<'_>) -> Bytes {
        Bytes::copy_from_slice(list.bytes())
    }

    fn need_lists(&self, lists: &[u64]) -> Result<(), Stop> {
        let missing = lists.iter().copied().filter(|list| !self.lists.contains_key(list));
        let noted = &mut *self.noted.borrow_mut();
        noted.lists.extend(missing);
        if noted.lists.is_empty() { Ok(()) } else { Err(Stop::NotHere) }
    }

    fn need_series(&self, references: &[u32]) -> Result<(), Stop> {
        let missing = references.iter().copied().filter(|&r| !self.is_loaded(self.index.series_offset(r)));
        let noted = &mut *self.noted.borrow_mut();
        noted.series.extend(missing);
        if noted.series.is_empty() { Ok(()) } else { Err(Stop::NotHere) }
    }
}

fn not_read(at: u64, what: &str) -> Corrupt {
    Corrupt::new(at, format!("{what} was not read")).within(INDEX_FILE, 0)
}

fn outside(at: u64, what: &str) -> Corrupt {
    Corrupt::new(at, format!("{what} lies outside its part of the file")).within(INDEX_FILE, 0)
}
