//! Blocks in object storage: names, the order of operations, marks, meta sync and configuration.
//!
//! Place: L3, over `block` and any `object_store::ObjectStore`.
//!
//! Invariants: only this crate spells object names. A block is visible if and only if its `meta.json`
//! is: written last, deleted first; the deletion mark goes last. Other objects never change once
//! written. What is not a block's is never read, listed or deleted.

mod bucket;
pub mod config;
mod error;
mod index;
mod instrument;
mod layout;
mod link;
mod read;
mod record;
mod remove;
mod sync;
mod upload;

pub use bucket::{BlockObjects, Bucket, Kind, Listed, WriteOptions};
pub use config::{ObjstoreArgs, ObjstoreConfig};
pub use error::{Error, Result};
pub use instrument::{BucketMetrics, Instrumented};
pub use layout::BlockFile;
pub use record::{Fault, Faults, Operation, Recorder};
pub use sync::{
    BLOCK_ID, Broken, Discovery, MetaSync, Partial, Selector, SelectorArgs, Snapshot, SyncMetrics, SyncOptions,
    SyncedBlock,
};
pub use upload::{Uploaded, describe_files};
