//! The k-way merge of sorted streams of series by final labels.
//!
//! [`Merger`] is the merge itself, without async: [`merge_batches`] runs it over batches in memory,
//! [`merge_streams`] over streams. A label set that several sources have becomes one series with the
//! chunks of all of them, ascending, exact duplicates once. Chunks are not copied: the output shares the
//! input's lists of them, but where they have to be sorted.
//!
//! Look-ahead is one batch a source beyond the one being merged.

mod merger;
mod output;
mod source;
mod stream;

pub use merger::{Merger, Step};
pub use stream::merge_streams;

use crate::SeriesBatch;

/// How to merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeOptions {
    /// An output batch is closed after so many series …
    pub batch_series: usize,
    /// … or when its chunks have so many bytes.
    pub batch_bytes: usize,
    /// Set each chunk's `replica` to the number of the source it came from; chunks of different
    /// replicas are never taken for duplicates.
    pub tag_replicas: bool,
    /// End after so many series; 0 is no limit.
    pub limit: u64,
}

impl Default for MergeOptions {
    fn default() -> Self {
        Self { batch_series: 256, batch_bytes: 4 << 20, tag_replicas: false, limit: 0 }
    }
}

/// Merges batches in memory: `sources[i]` are the batches of one source, sorted within and across.
pub fn merge_batches(sources: Vec<Vec<SeriesBatch>>, options: MergeOptions) -> impl Iterator<Item = SeriesBatch> {
    let mut merger = Merger::new(sources.len(), options);
    for (i, batches) in sources.into_iter().enumerate() {
        for batch in batches {
            merger.push(i, batch);
        }
        merger.end(i);
    }
    std::iter::from_fn(move || match merger.step() {
        Step::Batch(batch) => Some(batch),
        // Every source has been ended, so there is nothing to ask for.
        Step::Need(_) | Step::Done => None,
    })
}

#[cfg(test)]
mod tests;
