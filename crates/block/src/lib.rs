//! The TSDB block: chunk codecs, columns, index, postings, tombstones and meta.json.
//!
//! Place: L2, pure apart from the file readers and writers. Only this crate (and `tsdb`) knows byte
//! layouts.
//!
//! Invariants: bytes from outside never panic, they give [`Corrupt`]; what is written is
//! byte-identical to what Prometheus writes from the same input.

pub mod chunk;
pub mod columns;
mod corrupt;

pub use chunk::{Aggregate, EncodedChunk, Encoding};
pub use columns::Columns;
pub use corrupt::Corrupt;
