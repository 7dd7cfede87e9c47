//! Series in columns. What is known of their chunks is written once, by the source that gives them, and shared
//! from then on: merging moves [`Run`]s, not chunks.

use std::ops::Deref;
use std::sync::Arc;

use block::{Aggregate, Encoding, Spread};
use bytes::Bytes;
use model::{LabelTable, LabelTableBuilder, LabelsRef, TimeRange};
use request::MemoryLease;

/// Up to some hundred series, sorted by final labels: no allocation per series.
#[derive(Debug, Default)]
pub struct SeriesBatch {
    pub labels: LabelTable,
    /// Where the chunks of all series are; within a series ascending by `replica` and time, but for what the runs
    /// say of their [`Order`].
    pub runs: Vec<Run>,
    /// Series `i` owns `runs[ends[i-1]..ends[i]]`.
    pub ends: Vec<u32>,
    /// What the runs point into.
    pub lists: Vec<Arc<ChunkList>>,
}

/// Chunks of many series as one source gave them.
#[derive(Debug, Default)]
pub struct ChunkList {
    pub chunks: Vec<ChunkMeta>,
    /// What the chunks point into.
    pub buffers: Vec<Bytes>,
    /// Covers the list and its buffers; returns when the list is dropped.
    pub lease: Option<MemoryLease>,
    /// Lists that cover some of the buffers.
    pub behind: Vec<Arc<ChunkList>>,
    /// What the chunks are of, each once: filled as the list goes into a batch.
    pub resolutions_ms: Vec<u32>,
}

/// Some neighbours in a [`ChunkList`] that belong to one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// From where the first chunk begins to where the last to end does.
    pub range: TimeRange,
    /// Index into [`SeriesBatch::lists`].
    pub list: u32,
    /// Which replica it comes from, where the reader asked replica by replica; else 0.
    pub replica: u32,
    /// The first chunk in the list, and the one behind the last.
    pub from: u32,
    pub to: u32,
    /// The length of all payloads.
    pub bytes: u32,
    pub order: Order,
    /// All are raw floats ([`Encoding::Xor`]).
    pub plain: bool,
}

/// How the chunks of a [`Run`] follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Each begins after the one before it has ended.
    Apart,
    /// Each begins after the one before it has begun.
    Ascending,
    /// Some begin together, as the aggregates of one downsampled chunk do, or earlier.
    Mixed,
}

/// Where a chunk lies and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkMeta {
    /// Closed time range in milliseconds, as the index states it.
    pub min_time: i64,
    pub max_time: i64,
    /// 0 is raw.
    pub resolution_ms: u32,
    /// Index into [`ChunkList::buffers`].
    pub buffer: u32,
    /// Byte range in that buffer: the payload without encoding byte, length or checksum.
    pub offset: u32,
    pub len: u32,
    /// How many samples the chunk says it has; 0 where that was not looked at.
    pub samples: u16,
    /// How these are spread over time, if that is known.
    pub spread: Spread,
    pub aggregate: Aggregate,
    pub encoding: Encoding,
}

/// A chunk of a series of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    meta: &'a ChunkMeta,
    list: &'a ChunkList,
    /// As [`Run::replica`].
    pub replica: u32,
}

impl ChunkMeta {
    #[inline]
    #[must_use]
    pub fn range(&self) -> TimeRange {
        TimeRange::new(self.min_time, self.max_time)
    }
}

impl Deref for Chunk<'_> {
    type Target = ChunkMeta;

    #[inline]
    fn deref(&self) -> &ChunkMeta {
        self.meta
    }
}

impl<'a> Chunk<'a> {
    /// Without encoding byte.
    #[must_use]
    pub fn payload(self) -> &'a [u8] {
        self.list.payload(self.meta)
    }

    /// The payload, which keeps its buffer alive.
    #[must_use]
    pub fn bytes(self) -> Bytes {
        let start = self.offset as usize;
        self.list.buffers[self.buffer as usize].slice(start..start + self.len as usize)
    }
}

impl ChunkList {
    /// The payload of a chunk of this list, without its encoding byte.
    #[inline]
    #[must_use]
    pub fn payload(&self, chunk: &ChunkMeta) -> &[u8] {
        let start = chunk.offset as usize;
        &self.buffers[chunk.buffer as usize][start..start + chunk.len as usize]
    }

    /// How many chunks it has.
    ///
    /// # Panics
    /// When there are 2³² of them; a batch is held in memory.
    #[must_use]
    pub fn len(&self) -> u32 {
        u32::try_from(self.chunks.len()).expect("a batch has fewer than 2^32 chunks")
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Adds a chunk whose payload is a buffer of its own.
    ///
    /// # Panics
    /// When the payload has 4 GiB.
    pub fn push(&mut self, meta: ChunkMeta, payload: Bytes) {
        let len = u32::try_from(payload.len()).expect("a chunk is smaller than 4 GiB");
        // As many as chunks, at most.
        let buffer = self.buffers.len() as u32;
        self.chunks.push(ChunkMeta { buffer, offset: 0, len, ..meta });
        self.buffers.push(payload);
    }

    /// The chunks of a run of this list.
    pub fn chunks_of(&self, run: &Run) -> impl Iterator<Item = Chunk<'_>> + Clone + use<'_> {
        let replica = run.replica;
        self.chunks[run.from as usize..run.to as usize].iter().map(move |meta| Chunk { meta, list: self, replica })
    }

    /// The chunks numbered `from..to` as a run of list number `list`; `None` where there are none.
    #[must_use]
    pub fn run(&self, list: u32, from: u32, to: u32) -> Option<Run> {
        let chunks = &self.chunks[from as usize..to as usize];
        let first = chunks.first()?;
        let (mut max, mut last, mut bytes) = (first.max_time, first.min_time, first.len);
        let (mut min, mut apart, mut ascending) = (first.min_time, true, true);
        let is_plain = |chunk: &ChunkMeta| (chunk.aggregate == Aggregate::Raw) & (chunk.encoding == Encoding::Xor);
        let mut plain = is_plain(first);
        for chunk in &chunks[1..] {
            apart &= chunk.min_time > max;
            ascending &= chunk.min_time > last;
            plain &= is_plain(chunk);
            last = chunk.min_time;
            (min, max) = (min.min(chunk.min_time), max.max(chunk.max_time));
            bytes = bytes.saturating_add(chunk.len);
        }
        let order = match (apart, ascending) {
            (true, true) => Order::Apart,
            (_, true) => Order::Ascending,
            _ => Order::Mixed,
        };
        Some(Run { range: TimeRange::new(min, max), list, replica: 0, from, to, bytes, order, plain })
    }

    /// The list as part of a batch, complete.
    pub(crate) fn close(mut self) -> Arc<Self> {
        for runs in self.chunks.chunk_by(|a, b| a.resolution_ms == b.resolution_ms) {
            if !self.resolutions_ms.contains(&runs[0].resolution_ms) {
                self.resolutions_ms.push(runs[0].resolution_ms);
            }
        }
        Arc::new(self)
    }

    fn bytes(&self) -> usize {
        self.chunks.capacity() * size_of::<ChunkMeta>() + self.buffers.capacity() * size_of::<Bytes>()
    }
}

impl SeriesBatch {
    /// A source's batch: series `i` has the chunks `ends[i-1]..ends[i]`, ascending by time.
    #[must_use]
    pub fn new(labels: LabelTable, list: ChunkList, mut ends: Vec<u32>) -> Self {
        let (mut runs, mut from) = (Vec::with_capacity(ends.len()), 0);
        for end in &mut ends {
            if let Some(run) = list.run(0, from, *end) {
                runs.push(run);
            }
            from = *end;
            // No more runs than chunks.
            *end = runs.len() as u32;
        }
        Self { labels, runs, ends, lists: vec![list.close()] }
    }

    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    #[inline]
    #[must_use]
    pub fn labels_of(&self, i: usize) -> LabelsRef<'_> {
        self.labels.get(i)
    }

    #[inline]
    #[must_use]
    pub fn runs_of(&self, i: usize) -> &[Run] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        &self.runs[start..self.ends[i] as usize]
    }

    /// The chunks of a run of this batch.
    #[inline]
    #[must_use]
    pub fn chunks_in(&self, run: &Run) -> &[ChunkMeta] {
        &self.lists[run.list as usize].chunks[run.from as usize..run.to as usize]
    }

    pub fn chunks_of(&self, i: usize) -> impl Iterator<Item = Chunk<'_>> + Clone {
        self.runs_of(i).iter().flat_map(|run| self.lists[run.list as usize].chunks_of(run))
    }

    #[must_use]
    pub fn chunk_count(&self) -> u64 {
        self.runs.iter().map(|run| u64::from(run.to - run.from)).sum()
    }

    /// The length of all payloads together.
    #[must_use]
    pub fn payload_bytes(&self) -> u64 {
        self.runs.iter().map(|run| u64::from(run.bytes)).sum()
    }

    /// What the batch itself takes, without the payloads.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let lists: usize = self.lists.iter().map(|list| list.bytes()).sum();
        self.labels.bytes() + self.runs.capacity() * size_of::<Run>() + self.ends.capacity() * 4 + lists
    }

    /// Gives a source's batch its lease.
    pub fn cover(&mut self, lease: MemoryLease) {
        match self.lists.first_mut().and_then(Arc::get_mut) {
            Some(list) => list.lease = Some(lease),
            // A list that only holds a lease.
            None => self.lists.push(Arc::new(ChunkList { lease: Some(lease), ..ChunkList::default() })),
        }
    }
}

/// Fills a [`SeriesBatch`] series by series, each chunk with a buffer of its own.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    labels: LabelTableBuilder,
    list: ChunkList,
    ends: Vec<u32>,
    bytes: usize,
}

/// What [`BatchBuilder`] is told of a chunk beside its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    pub range: TimeRange,
    /// In milliseconds; 0 is raw.
    pub resolution_ms: u32,
    pub aggregate: Aggregate,
    pub encoding: Encoding,
}

impl About {
    /// Raw samples.
    #[must_use]
    pub const fn raw(range: TimeRange, encoding: Encoding) -> Self {
        Self { range, resolution_ms: 0, aggregate: Aggregate::Raw, encoding }
    }
}

impl BatchBuilder {
    /// Adds a chunk of the next series.
    ///
    /// # Panics
    /// When the payload has 4 GiB, or there are 2³² chunks; a batch is held in memory.
    pub fn chunk(&mut self, about: About, payload: Bytes) {
        let About { range, resolution_ms, aggregate, encoding } = about;
        let (min_time, max_time) = (range.min, range.max);
        let place = ChunkMeta {
            min_time,
            max_time,
            resolution_ms,
            buffer: 0,
            offset: 0,
            len: 0,
            samples: 0,
            spread: Spread::default(),
            aggregate,
            encoding,
        };
        self.bytes += payload.len() + size_of::<Bytes>();
        self.list.push(place, payload);
    }

    /// Ends the series whose chunks were added since the last one, in any order; labels are sorted by name.
    pub fn series<'a>(&mut self, labels: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.labels.push(labels);
        let first = self.ends.last().map_or(0, |&end| end as usize);
        let key = |c: &ChunkMeta| (c.min_time, c.max_time, c.resolution_ms, c.aggregate);
        let own = &mut self.list.chunks[first..];
        if !own.is_sorted_by_key(key) {
            own.sort_by_key(key);
        }
        self.ends.push(self.list.len());
    }

    /// How many series there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// What all payloads and their buffers take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether [`chunk`](Self::chunk) can take one more, with this payload.
    #[must_use]
    pub fn has_room(&self, payload: &Bytes) -> bool {
        u32::try_from(payload.len()).is_ok() && u32::try_from(self.list.chunks.len() + 1).is_ok()
    }

    #[must_use]
    pub fn finish(self) -> SeriesBatch {
        SeriesBatch::new(self.labels.finish(), self.list, self.ends)
    }
}
