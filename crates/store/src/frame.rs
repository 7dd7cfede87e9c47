use block::{Aggregate, Encoding};
use bytes::Bytes;
use model::{LabelTable, LabelsRef};
use request::{MemoryLease, Missing};

/// One message of a stream of series.
#[derive(Debug)]
pub enum Frame {
    Batch(SeriesBatch),
    /// Something that matches could not be read; the stream goes on.
    Missing(Missing),
    Stats(Stats),
}

/// What a store did to answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub blocks_queried: u64,
    /// The blocks that were read, where they have names.
    pub blocks: Vec<String>,
    /// Lists of series.
    pub postings: Looked,
    /// Series of indexes.
    pub series: Looked,
    pub chunks: Looked,
}

/// What was looked at of one kind of data, and what of it had to be fetched for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    pub touched: u64,
    pub touched_bytes: u64,
    /// Ranges that came from the bucket: of chunks one each; of an index one for each list and for series
    /// that lie side by side.
    pub fetched: u64,
    pub fetched_bytes: u64,
    pub requests: u64,
}

impl Stats {
    pub fn add(&mut self, other: &Self) {
        self.blocks_queried += other.blocks_queried;
        self.blocks.extend_from_slice(&other.blocks);
        self.postings.add(&other.postings);
        self.series.add(&other.series);
        self.chunks.add(&other.chunks);
    }

    /// What came from the bucket, of all kinds.
    #[must_use]
    pub fn bytes_fetched(&self) -> u64 {
        self.kinds().iter().map(|kind| kind.fetched_bytes).sum()
    }

    /// Reads that this took.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.kinds().iter().map(|kind| kind.requests).sum()
    }

    fn kinds(&self) -> [&Looked; 3] {
        [&self.postings, &self.series, &self.chunks]
    }
}

impl Looked {
    fn add(&mut self, other: &Self) {
        self.touched += other.touched;
        self.touched_bytes += other.touched_bytes;
        self.fetched += other.fetched;
        self.fetched_bytes += other.fetched_bytes;
        self.requests += other.requests;
    }
}

/// Up to some hundred series, sorted by final labels, as columns: no allocation per series.
#[derive(Debug, Default)]
pub struct SeriesBatch {
    pub labels: LabelTable,
    /// The chunks of all series; within a series ascending by `replica` and `min_time`.
    pub chunks: Vec<ChunkMeta>,
    /// Series `i` owns `chunks[ends[i-1]..ends[i]]`.
    pub ends: Vec<u32>,
    /// What the chunks point into.
    pub buffers: Vec<Bytes>,
    /// Covers the buffers; returns when the batch is dropped.
    pub lease: Option<MemoryLease>,
}

impl SeriesBatch {
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
    pub fn chunks_of(&self, i: usize) -> &[ChunkMeta] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        &self.chunks[start..self.ends[i] as usize]
    }

    /// The payload of a chunk of this batch, without its encoding byte.
    #[inline]
    #[must_use]
    pub fn payload(&self, chunk: &ChunkMeta) -> &[u8] {
        let start = chunk.offset as usize;
        &self.buffers[chunk.buffer as usize][start..start + chunk.len as usize]
    }
}

/// Where a chunk lies and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkMeta {
    /// Closed time range in milliseconds, as the index states it.
    pub min_time: i64,
    pub max_time: i64,
    /// 0 is raw.
    pub resolution_ms: i64,
    pub aggregate: Aggregate,
    pub encoding: Encoding,
    /// Which replica it comes from, where the reader asked replica by replica; else 0.
    pub replica: u32,
    /// Index into [`SeriesBatch::buffers`].
    pub buffer: u32,
    /// Byte range in that buffer: the payload without encoding byte, length or checksum.
    pub offset: u32,
    pub len: u32,
    /// How many samples the chunk says it has; 0 where that was not looked at.
    pub samples: u32,
}
