//! What one request looks at and fetches, over all its blocks.

use std::sync::atomic::{AtomicU64, Ordering};

use request::{Context, Took};
use store::{Error, Looked, Result, Stats};

/// Kinds of data, as statistics tell them apart.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Data {
    /// Lists of series.
    Postings,
    /// Series of an index.
    Series,
    Chunks,
}

/// Counts, and the most that may be fetched.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    /// By kind.
    counts: [Counts; 3],
    /// 0 is no limit.
    bytes_max: u64,
}

#[derive(Debug, Default)]
struct Counts {
    touched: AtomicU64,
    touched_bytes: AtomicU64,
    fetched: AtomicU64,
    fetched_bytes: AtomicU64,
    requests: AtomicU64,
}

impl Fetched {
    pub(crate) fn within(bytes_max: u64) -> Self {
        Self { bytes_max, ..Self::default() }
    }

    /// Whether so many more may be fetched.
    pub(crate) fn check(&self, more: u64) -> Result<()> {
        let limit = self.bytes_max;
        if limit == 0 || self.bytes().saturating_add(more) <= limit {
            return Ok(());
        }
        let text = format!("more than {limit} bytes to fetch (--store.grpc.downloaded-bytes-limit)");
        Err(Error::Exhausted(text))
    }

    /// Looked at, wherever it came from.
    pub(crate) fn touch(&self, data: Data, items: u64, bytes: u64) {
        let counts = &self.counts[data as usize];
        counts.touched.fetch_add(items, Ordering::Relaxed);
        counts.touched_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// One read from the bucket, of so many bytes.
    pub(crate) fn add(&self, cx: &Context, data: Data, items: u64, bytes: u64) {
        let counts = &self.counts[data as usize];
        counts.fetched.fetch_add(items, Ordering::Relaxed);
        counts.fetched_bytes.fetch_add(bytes, Ordering::Relaxed);
        counts.requests.fetch_add(1, Ordering::Relaxed);
        cx.stats().add_bytes_fetched(bytes);
        if let Some(tally) = cx.tally() {
            tally.add(Took { fetched_bytes: bytes, requests: 1, ..Took::default() });
        }
    }

    fn bytes(&self) -> u64 {
        self.counts.iter().map(|counts| counts.fetched_bytes.load(Ordering::Relaxed)).sum()
    }

    /// All of it as it is now, for an answer out of `blocks`.
    pub(crate) fn stats(&self, blocks: Vec<String>) -> Stats {
        let [postings, series, chunks] = &self.counts;
        Stats {
            blocks_queried: blocks.len() as u64,
            blocks,
            postings: postings.looked(),
            series: series.looked(),
            chunks: chunks.looked(),
        }
    }
}

impl Counts {
    fn looked(&self) -> Looked {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Looked {
            touched: get(&self.touched),
            touched_bytes: get(&self.touched_bytes),
            fetched: get(&self.fetched),
            fetched_bytes: get(&self.fetched_bytes),
            requests: get(&self.requests),
        }
    }
}
