//! Merging blocks into one, series by series: chunks are copied as they are unless they overlap.
//!
//! Memory: the symbols of all inputs, one window of a chunk file for each input, one series.

mod losers;
mod source;
mod weave;

use std::path::Path;

use block::chunk::EncodeOptions;
use block::{BlockMeta, BlockWriter, NewChunk, Ulid};

use crate::{Error, Result};
use losers::LoserTree;
use source::Source;

pub use source::{Input, ReadSegment};

/// What a merge did, beside the block.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// As written, with the numbers of what is in the block.
    pub meta: BlockMeta,
    /// Series whose chunks had to be decoded and encoded anew.
    pub woven_series: u64,
    /// Exact copies of chunks that were left out.
    pub duplicate_chunks: u64,
}

/// Merges `inputs`, of which earlier ones win where two have a sample at the same time, into a block in
/// `dir`. `meta` is the new block's; its numbers are filled in. Chunks that overlap are encoded anew by `encode`.
/// `stop` is asked now and then.
///
/// # Errors
/// [`Error::Corrupt`] names the input that is damaged. What was written to `dir` is of no use then.
pub fn merge(
    inputs: Vec<Input>,
    dir: &Path,
    meta: BlockMeta,
    encode: EncodeOptions,
    stop: &dyn Fn() -> bool,
) -> Result<Merged> {
    let symbols = source::all_symbols(&inputs)?;
    let mut writer = BlockWriter::create(dir, &symbols)?;
    let mut sources = Vec::with_capacity(inputs.len());
    for input in inputs {
        sources.push(Source::open(input, &writer)?);
    }
    drop(symbols);

    let mut tree = LoserTree::new(sources.len(), |a, b| before(&sources, a, b));
    let mut merged = Merged { meta, woven_series: 0, duplicate_chunks: 0 };
    let (mut labels, mut parts) = (Vec::new(), Vec::new());
    let mut number = 0_u32;
    while let Some(winner) = tree.winner().filter(|w| !sources[*w].done) {
        number = number.wrapping_add(1);
        if number.is_multiple_of(256) && stop() {
            return Err(Error::Stopped);
        }
        labels.clone_from(&sources[winner].labels);
        parts.clear();
        // Equal series come out of the tree in the order of the inputs.
        while let Some(next) = tree.winner().filter(|n| !sources[*n].done && sources[*n].labels == labels) {
            sources[next].read_chunks(next, &mut parts)?;
            sources[next].advance()?;
            tree.replay(|a, b| before(&sources, a, b));
        }
        let ids = |source: usize| sources[source].id();
        let woven = weave::weave(&mut parts, encode, &ids)?;
        merged.woven_series += u64::from(woven.encoded);
        merged.duplicate_chunks += woven.duplicates;
        if parts.is_empty() {
            continue;
        }
        let chunks: Vec<NewChunk<'_>> = parts.iter().map(weave::Part::as_new).collect();
        writer.add_series_refs(&labels, &chunks)?;
    }
    merged.meta = writer.finish(merged.meta)?;
    Ok(merged)
}

/// Whether the series at hand of source `a` comes before that of `b`.
fn before(sources: &[Source], a: usize, b: usize) -> bool {
    let (x, y) = (&sources[a], &sources[b]);
    (x.done, &x.labels, a) < (y.done, &y.labels, b)
}

/// A damaged input.
fn corrupt(block: Ulid, corrupt: block::Corrupt) -> Error {
    Error::Corrupt { block, corrupt }
}
