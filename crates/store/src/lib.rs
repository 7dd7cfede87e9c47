//! The second waist: anything that has series.
//!
//! Place: L2, async but without a runtime: it opens no socket, starts no task, reads no clock.
//!
//! Home of the [`Store`] trait and of what works over any store: the k-way merge, deduplication on
//! columns, the fan-out [`Proxy`], limits and the conformance suite that every implementation runs.
//!
//! Invariants: a stream of series is sorted by final labels (external labels added, replica labels
//! removed) and each label set comes once; dropping a stream ends all work below it; what could not be
//! read is a [`Frame::Missing`], never silence.

mod batch;
pub mod conformance;
pub mod dedup;
mod endpoints;
mod error;
mod frame;
mod limits;
pub mod merge;
pub mod order;
mod proxy;
mod request;
mod tally;
pub mod testing;

pub use batch::{About, BatchBuilder, Chunk, ChunkList, ChunkMeta, Order, Run, SeriesBatch};
pub use endpoints::Endpoints;
pub use error::Error;
pub use frame::{Frame, Looked, Stats};
pub use limits::{Limited, Limits, show_matchers};
pub use proxy::{Proxy, ProxyOptions};
pub use request::{Grouping, LabelsRequest, PartialResponse, QueryHints, SeriesRequest, Shard};
pub use tally::counted;

use std::fmt::Debug;
use std::sync::Arc;

use ::request::Context;
use async_trait::async_trait;
use futures::stream::BoxStream;
use model::{Labels, TimeRange};

pub type Result<T> = std::result::Result<T, Error>;

/// Anything that has series: the gateway, a TSDB head, Prometheus through remote read, a fan-out
/// over other stores, a peer over gRPC.
#[async_trait]
pub trait Store: Debug + Send + Sync {
    /// Label sets with their extents, and capabilities. A snapshot; no I/O.
    fn info(&self) -> Arc<StoreInfo>;

    /// All series that match, sorted by final labels, in batches. The stream is lazy: it does nothing
    /// until polled and stops all its work when dropped. After an `Err` it ends.
    fn series(&self, cx: &Context, request: SeriesRequest) -> BoxStream<'static, Result<Frame>>;

    /// The label names of all series that match, sorted.
    async fn label_names(&self, cx: &Context, request: LabelsRequest) -> Result<Names>;

    /// The values of `request.label` over all series that match, sorted.
    async fn label_values(&self, cx: &Context, request: LabelsRequest) -> Result<Names>;
}

/// What a store says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreInfo {
    /// For people and for [`Frame::Missing`]: an address or a name.
    pub name: String,
    pub kind: StoreKind,
    /// One entry for each external label set (and, where there are gaps, each stretch of time).
    pub extents: Vec<Extent>,
    pub supports_sharding: bool,
    pub supports_without_replica_labels: bool,
}

impl StoreInfo {
    /// The span of all extents; `None` where the store has nothing.
    #[must_use]
    pub fn time_range(&self) -> Option<TimeRange> {
        self.extents.iter().map(|e| e.range).reduce(TimeRange::union)
    }
}

/// The kind of component, as Info spells it on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StoreKind {
    Sidecar,
    #[default]
    Store,
    Rule,
    Receive,
    Query,
}

impl StoreKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sidecar => "sidecar",
            Self::Store => "store",
            Self::Rule => "rule",
            Self::Receive => "receive",
            Self::Query => "query",
        }
    }
}

/// External labels and the closed time range in which series with them exist.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    pub labels: Labels,
    pub range: TimeRange,
}

/// Label names or values, with what could not be asked.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Sorted, unique.
    pub names: Vec<String>,
    pub missing: Vec<::request::Missing>,
    /// The blocks that were read, where there are blocks.
    pub blocks: Vec<String>,
}
