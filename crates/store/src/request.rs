use block::Aggregate;
use block::spread::SpreadUse;
use model::{Matcher, TimeRange};

/// Which series, of which time, in which form. Meanings follow Thanos' StoreAPI.
#[derive(Clone, Debug)]
pub struct SeriesRequest {
    /// Closed; chunks that overlap it are returned whole.
    pub range: TimeRange,
    /// All must hold. Matchers on external labels are evaluated by the store. Empty selects everything.
    pub matchers: Vec<Matcher>,
    /// The coarsest resolution wanted, in milliseconds; 0 asks for raw data.
    pub max_resolution_ms: i64,
    /// Which aggregates of downsampled data; raw data ignores it.
    pub aggregates: Vec<Aggregate>,
    /// Labels only.
    pub skip_chunks: bool,
    /// Labels to remove before sorting; series that become equal are merged.
    pub without_replica_labels: Vec<String>,
    pub shard: Option<Shard>,
    /// At most so many series; 0 is no limit.
    pub limit: u64,
    /// Series in one frame on the wire; a wish.
    pub batch_size: usize,
    pub partial_response: PartialResponse,
    pub hints: QueryHints,
    /// What the reader makes use of that is known of how samples are spread over time
    /// ([`ChunkMeta::spread`](crate::ChunkMeta::spread)); a wish.
    pub spread: SpreadUse,
    /// On the external labels of each block and its id as `__block_id`: others are not read. A store that has
    /// no blocks ignores it.
    pub block_matchers: Vec<Matcher>,
}

impl SeriesRequest {
    /// Raw samples of all series that match within `range`.
    #[must_use]
    pub fn new(range: TimeRange, matchers: Vec<Matcher>) -> Self {
        Self {
            range,
            matchers,
            max_resolution_ms: 0,
            aggregates: vec![Aggregate::Raw],
            skip_chunks: false,
            without_replica_labels: Vec::new(),
            shard: None,
            limit: 0,
            batch_size: 64,
            partial_response: PartialResponse::Warn,
            hints: QueryHints::default(),
            spread: SpreadUse::Nothing,
            block_matchers: Vec::new(),
        }
    }
}

/// What to do when part of the data cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PartialResponse {
    /// Answer with what there is and say what is missing.
    #[default]
    Warn,
    /// Fail.
    Abort,
}

/// One of `total` parts of the series, by a hash over some of their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    pub index: u64,
    pub total: u64,
    /// Hash `labels` only (`true`), or all labels but these.
    pub by: bool,
    pub labels: Vec<String>,
}

impl Shard {
    /// Whether a series with these final labels, sorted by name, is in this part: xxHash64 over name and
    /// value, each ended by the byte 0xff, as Thanos computes it. `scratch` is overwritten.
    pub fn holds<'a>(&self, labels: impl IntoIterator<Item = (&'a str, &'a str)>, scratch: &mut Vec<u8>) -> bool {
        if self.total < 1 {
            return true;
        }
        scratch.clear();
        for (name, value) in labels {
            if self.labels.iter().any(|l| l == name) == self.by {
                for text in [name, value] {
                    scratch.extend_from_slice(text.as_bytes());
                    scratch.push(0xff);
                }
            }
        }
        xxhash_rust::xxh64::xxh64(scratch, 0) % self.total == self.index
    }
}

/// What the series are for. Stores may use it to read less, never to answer differently.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryHints {
    pub step_ms: i64,
    /// The function applied directly to the selector, e.g. `rate`; empty where none is.
    pub func: String,
    pub range_ms: i64,
    pub grouping: Option<Grouping>,
}

/// The labels of the aggregation above a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    pub by: bool,
    pub labels: Vec<String>,
}

/// Which label names, or which values of one label.
#[derive(Clone, Debug)]
pub struct LabelsRequest {
    /// The label whose values are wanted; ignored for names.
    pub label: String,
    pub range: TimeRange,
    pub matchers: Vec<Matcher>,
    pub without_replica_labels: Vec<String>,
    /// 0 is no limit.
    pub limit: u64,
    pub partial_response: PartialResponse,
    /// As [`SeriesRequest::block_matchers`].
    pub block_matchers: Vec<Matcher>,
}
