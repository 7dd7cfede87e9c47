use std::cmp::Ordering;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::{Labels, compare};

/// A number for a string within one [`SymbolTable`].
pub type SymbolId = u32;

/// Distinct strings in one arena, each with a dense number. Append-only while it is built.
#[derive(Clone, Default)]
pub struct SymbolTable {
    text: String,
    /// `ends[i]` is where symbol `i` ends in `text`.
    ends: Vec<u32>,
    index: HashTable<SymbolId>,
    hasher: DefaultHashBuilder,
}

impl SymbolTable {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As if it were empty, with room for so much.
    fn with_room(room: Room) -> Self {
        Self {
            text: String::with_capacity(room.text),
            ends: Vec::with_capacity(room.symbols),
            index: HashTable::with_capacity(room.symbols),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// The number of `text`, given out now if it has none.
    ///
    /// # Panics
    /// When all strings together reach 4 GiB; tables hold one batch or one query.
    pub fn intern(&mut self, text: &str) -> SymbolId {
        let hash = self.hasher.hash_one(text);
        if let Some(id) = self.index.find(hash, |&id| self.get(id) == text) {
            return *id;
        }
        let id = SymbolId::try_from(self.ends.len()).expect("fewer than 2^32 symbols");
        self.text.push_str(text);
        self.ends.push(u32::try_from(self.text.len()).expect("a symbol table is smaller than 4 GiB"));
        let Self { text, ends, index, hasher } = self;
        index.insert_unique(hash, id, |&id| hasher.hash_one(slice(text, ends, id)));
        id
    }

    /// The number of `text` if it has one.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<SymbolId> {
        self.index.find(self.hasher.hash_one(text), |&id| self.get(id) == text).copied()
    }

    /// The string numbered `id`.
    ///
    /// # Panics
    /// When `id` is not of this table.
    #[inline]
    #[must_use]
    pub fn get(&self, id: SymbolId) -> &str {
        slice(&self.text, &self.ends, id)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Heap bytes held, for the memory account.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * 4 + self.index.capacity() * 5
    }
}

fn slice<'a>(text: &'a str, ends: &[u32], id: SymbolId) -> &'a str {
    let i = id as usize;
    let start = if i == 0 { 0 } else { ends[i - 1] as usize };
    &text[start..ends[i] as usize]
}

impl fmt::Debug for SymbolTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SymbolTable").field("len", &self.len()).finish()
    }
}

/// How much a table of labels holds, for the next one of its kind: growing step by step costs more than filling it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Room {
    symbols: usize,
    /// In bytes.
    text: usize,
    pairs: usize,
    series: usize,
}

/// Label sets of many series as columns: pairs of symbol numbers into one shared table.
#[derive(Clone, Debug, Default)]
pub struct LabelTable {
    symbols: Arc<SymbolTable>,
    pairs: Vec<(SymbolId, SymbolId)>,
    /// Series `i` owns `pairs[ends[i-1]..ends[i]]`.
    ends: Vec<u32>,
}

impl LabelTable {
    /// How many label sets it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Label set `i`.
    ///
    /// # Panics
    /// When `i >= self.len()`.
    #[must_use]
    pub fn get(&self, i: usize) -> LabelsRef<'_> {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        LabelsRef { symbols: &self.symbols, pairs: &self.pairs[start..self.ends[i] as usize] }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = LabelsRef<'_>> {
        (0..self.len()).map(|i| self.get(i))
    }

    #[must_use]
    pub fn symbols(&self) -> &Arc<SymbolTable> {
        &self.symbols
    }

    /// Heap bytes held (the shared symbols counted whole), for the memory account.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.symbols.bytes() + self.pairs.capacity() * 8 + self.ends.capacity() * 4
    }
}

/// Fills a [`LabelTable`] one label set at a time.
#[derive(Debug, Default)]
pub struct LabelTableBuilder {
    symbols: SymbolTable,
    pairs: Vec<(SymbolId, SymbolId)>,
    ends: Vec<u32>,
}

impl LabelTableBuilder {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a label set given as pairs sorted by name.
    pub fn push<'a>(&mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
        for (name, value) in pairs {
            let pair = (self.symbols.intern(name), self.symbols.intern(value));
            self.pairs.push(pair);
        }
        self.ends.push(u32::try_from(self.pairs.len()).expect("a batch has fewer than 2^32 labels"));
    }

    /// Empty, with room for so much.
    #[must_use]
    pub fn with_room(room: Room) -> Self {
        let (pairs, ends) = (Vec::with_capacity(room.pairs), Vec::with_capacity(room.series));
        Self { symbols: SymbolTable::with_room(room), pairs, ends }
    }

    /// How much it holds so far.
    #[must_use]
    pub fn room(&self) -> Room {
        let (symbols, text) = (self.symbols.len(), self.symbols.text.len());
        Room { symbols, text, pairs: self.pairs.len(), series: self.ends.len() }
    }

    /// The number of `text` in the table that is being built, for [`push_ids`](Self::push_ids).
    ///
    /// # Panics
    /// As [`SymbolTable::intern`].
    pub fn intern(&mut self, text: &str) -> SymbolId {
        self.symbols.intern(text)
    }

    /// Appends a label set given as pairs of this table's symbol numbers, sorted by name.
    pub fn push_ids(&mut self, pairs: &[(SymbolId, SymbolId)]) {
        self.pairs.extend_from_slice(pairs);
        self.ends.push(u32::try_from(self.pairs.len()).expect("a batch has fewer than 2^32 labels"));
    }

    /// The strings given numbers so far.
    #[must_use]
    pub fn symbols(&self) -> &SymbolTable {
        &self.symbols
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    #[must_use]
    pub fn finish(self) -> LabelTable {
        LabelTable { symbols: Arc::new(self.symbols), pairs: self.pairs, ends: self.ends }
    }
}

/// One label set of a [`LabelTable`], borrowed.
#[derive(Clone, Copy)]
pub struct LabelsRef<'a> {
    symbols: &'a SymbolTable,
    pairs: &'a [(SymbolId, SymbolId)],
}

impl<'a> LabelsRef<'a> {
    pub fn iter(self) -> impl ExactSizeIterator<Item = (&'a str, &'a str)> + Clone {
        self.pairs.iter().map(move |&(n, v)| (self.symbols.get(n), self.symbols.get(v)))
    }

    /// The pairs as symbol numbers of the table they came from.
    #[must_use]
    pub fn ids(self) -> &'a [(SymbolId, SymbolId)] {
        self.pairs
    }

    #[must_use]
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    #[must_use]
    pub fn len(self) -> usize {
        self.pairs.len()
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.pairs.is_empty()
    }

    #[must_use]
    pub fn to_labels(self) -> Labels {
        Labels::from_sorted(self.iter())
    }
}

impl PartialEq for LabelsRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.pairs.len() == other.pairs.len() && self.iter().eq(other.iter())
    }
}
impl Eq for LabelsRef<'_> {}
impl PartialOrd for LabelsRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for LabelsRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.iter(), other.iter())
    }
}
impl fmt::Debug for LabelsRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
