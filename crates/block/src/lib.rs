//! The TSDB block: chunk codecs, columns, index, postings, tombstones and meta.json.
//!
//! Place: L2, pure apart from the file readers and writers. Only this crate (and `tsdb`) knows byte
//! layouts.
//!
//! Invariants: bytes from outside never panic, they give [`Corrupt`]; what is written is
//! byte-identical to what Prometheus writes from the same input.

mod bytes;
pub mod chunk;
pub mod columns;
mod corrupt;
mod error;
pub mod index;
pub mod meta;
pub mod postings;
mod prefetch;
mod reader;
pub mod segment;
pub mod spread;
pub mod tombstones;
pub mod verify;
mod writer;

pub use chunk::{Aggregate, EncodedChunk, Encoding};
pub use columns::Columns;
pub use corrupt::Corrupt;
pub use error::WriteError;
pub use index::{ChunkRef, IndexReader, SeriesEntry};
pub use meta::{BlockMeta, DeletionMark, NoCompactMark, NoDownsampleMark};
pub use postings::Postings;
pub use prefetch::prefetch;
pub use reader::{BlockReader, MappedFile, map_file};
pub use segment::{ChunkReader, RawChunk};
pub use spread::Spread;
pub use tombstones::Tombstones;
pub use ulid::Ulid;
pub use writer::{BlockWriter, NewChunk, SEGMENT_BYTES_MAX};
