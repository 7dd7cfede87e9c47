use request::Missing;

use crate::SeriesBatch;

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
