//! `esker compact`: merges a bucket's blocks into ever larger ones, applies retention, cleans up.
//!
//! Place: L4, over `bucket`, `block` and `daemon`.
//!
//! Invariants: inputs are marked for deletion only after the block that covers them is visible, so a
//! process killed at any point loses nothing. Chunks are copied as they are unless they overlap. One
//! group's failure never stops another. One compactor works on a bucket at a time.

mod args;
mod clean;
mod compactor;
mod error;
mod merge;
mod metrics;
mod plan;
mod run;

pub use args::{Args, FloatEncoding, INERT, Retention, Settings};
pub use compactor::{Compactor, Failure, Report};
pub use error::{Error, Result};
pub use merge::{Input, Merged, ReadSegment, merge};
pub use metrics::CompactMetrics;
pub use plan::{DEFAULT_RANGES_MS, GroupKey, groups, overlapping, plan};
pub use run::run;
