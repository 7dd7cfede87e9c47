//! What must hold of a block's files whatever bytes they are made of, as functions over bytes.
//!
//! Three callers: `libfuzzer` (started by `tests/fuzz/run`) searches for inputs that break it, `tests/seeds.rs`
//! replays the kept ones in every test run, and `tests/damage.rs` mutates the golden blocks. A function
//! panics if something does not hold.

pub mod chunk;
pub mod index;
pub mod memory;
pub mod meta;
pub mod mutate;
pub mod seeds;
pub mod segment;
pub mod tombstones;

use ::block::{Corrupt, Encoding};

/// Something that reads bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its folder below `seeds/`.
    pub name: &'static str,
    pub check: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 14] = [
    Target { name: "chunk_xor", check: |bytes| chunk::check(Encoding::Xor, bytes) },
    Target { name: "chunk_xor2", check: |bytes| chunk::check(Encoding::Xor2, bytes) },
    Target { name: "chunk_histogram", check: |bytes| chunk::check(Encoding::Histogram, bytes) },
    Target { name: "chunk_histogram_st", check: |bytes| chunk::check(Encoding::HistogramSt, bytes) },
    Target { name: "chunk_float_histogram", check: |bytes| chunk::check(Encoding::FloatHistogram, bytes) },
    Target { name: "chunk_float_histogram_st", check: |bytes| chunk::check(Encoding::FloatHistogramSt, bytes) },
    Target { name: "chunk_aggregates", check: chunk::check_aggregates },
    Target { name: "chunk_kernels", check: chunk::check_kernels },
    Target { name: "segment", check: segment::check },
    Target { name: "index", check: index::check_sealed },
    Target { name: "index_raw", check: index::check },
    Target { name: "meta", check: meta::check },
    Target { name: "marks", check: meta::check_marks },
    Target { name: "tombstones", check: tombstones::check_sealed },
];

/// The value, or nothing after an error that names the file and a place in it (or right behind it).
///
/// # Panics
/// When the error does not.
pub fn named<T>(result: Result<T, Corrupt>, file: &str, len: usize) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(e) => {
            assert_eq!(e.file, file, "{e}");
            assert!(!e.what.is_empty() && e.offset <= len as u64, "{e} in a file of {len} bytes");
            None
        }
    }
}
