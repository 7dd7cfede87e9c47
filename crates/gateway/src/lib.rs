//! The store gateway: the blocks of a bucket as a [`store::Store`].
//!
//! Place: L4, over `bucket` and `block`; `run` serves it over gRPC, `up` uses it in process.
//!
//! Invariants: external labels win over a series' own; a stream is sorted by final labels; the files of a
//! filesystem bucket are mapped in place and chunks are slices of the map; of a remote bucket the index is
//! fetched once, or read by ranges where it is large, and chunks by range in one round for each batch; a block that cannot be read is named as
//! missing and stops no other.

mod admit;
mod ahead;
mod args;
mod attach;
mod block;
mod caches;
mod caching;
mod catalog;
mod cursor;
mod disk;
mod expanded;
mod fetched;
mod files;
mod gate;
mod gateway;
mod index;
mod labels;
mod maps;
mod metrics;
mod order;
mod parts;
mod ranged;
mod run;
mod series;

pub use args::{Args, INERT};
pub use attach::attach;
pub use gateway::{Gateway, Settings};
pub use run::run;
