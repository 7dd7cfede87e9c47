//! Writing a block in one pass over its sorted series, byte-identical to Prometheus'.

mod index;
mod postings;
mod segments;
mod symbols;

use std::path::{Path, PathBuf};

use crate::index::INDEX_FILE;
use crate::meta::{BlockStats, META_FILE};
use crate::{BlockMeta, Encoding, WriteError};

use index::IndexWriter;
use segments::SegmentWriter;
use symbols::Symbols;

/// Segment files are cut at this size, as Prometheus does.
pub const SEGMENT_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// A chunk to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewChunk<'a> {
    /// Closed range in Unix milliseconds.
    pub min_time: i64,
    pub max_time: i64,
    pub encoding: Encoding,
    /// Without encoding byte, length or checksum.
    pub payload: &'a [u8],
}

/// Writes a block into a folder: segment files and index as series come, `meta.json` last. Nothing is
/// synced to disk: who needs that does it after [`finish`](Self::finish).
///
/// Memory: the symbols and eight bytes each, four bytes a series, 16 bytes for each distinct label pair, and at
/// the end 24 more and at most 64 MiB (or the longest list) of postings.
#[derive(Debug)]
pub struct BlockWriter {
    dir: PathBuf,
    symbols: Symbols,
    index: IndexWriter,
    segments: SegmentWriter,
    stats: BlockStats,
    all_counted: bool,
    refs: Vec<u64>,
    labels: Vec<(u32, u32)>,
}

impl BlockWriter {
    /// Creates the folder and begins with the symbols: all strings of all labels that will come, sorted
    /// and unique. More than those are allowed: a compacted block keeps the symbols of its inputs.
    ///
    /// # Errors
    /// When files cannot be created or the symbols do not ascend.
    pub fn create<S: AsRef<str>>(dir: &Path, symbols: impl IntoIterator<Item = S>) -> Result<Self, WriteError> {
        Self::with_segment_size(dir, symbols, SEGMENT_BYTES_MAX)
    }

    /// As [`create`](Self::create), with segment files of at most `segment_bytes_max`.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn with_segment_size<S: AsRef<str>>(
        dir: &Path,
        symbols: impl IntoIterator<Item = S>,
        segment_bytes_max: u64,
    ) -> Result<Self, WriteError> {
        std::fs::create_dir_all(dir).map_err(|source| WriteError::Io { path: dir.to_owned(), source })?;
        let mut table = Symbols::default();
        for symbol in symbols {
            table.push(symbol.as_ref())?;
        }
        Ok(Self {
            dir: dir.to_owned(),
            index: IndexWriter::create(&dir.join(INDEX_FILE), &table)?,
            segments: SegmentWriter::new(dir, segment_bytes_max),
            symbols: table,
            stats: BlockStats::default(),
            all_counted: true,
            refs: Vec::new(),
            labels: Vec::new(),
        })
    }

    /// The number of a symbol, for [`add_series_refs`](Self::add_series_refs). Quickest in ascending order.
    #[must_use]
    pub fn symbol(&self, text: &str) -> Option<u32> {
        self.symbols.find(text)
    }

    /// Adds the next series: labels sorted by name, greater than the last series'; chunks ascending and
    /// apart in time.
    ///
    /// # Errors
    /// When the input breaks that order, a label is not among the symbols, or a file cannot be written.
    pub fn add_series<'l>(
        &mut self,
        labels: impl IntoIterator<Item = (&'l str, &'l str)>,
        chunks: &[NewChunk<'_>],
    ) -> Result<(), WriteError> {
        let mut refs = std::mem::take(&mut self.labels);
        refs.clear();
        for (name, value) in labels {
            let find = |text: &str| {
                let missing = || WriteError::Input(format!("{text:?} is not among the symbols"));
                self.symbols.find(text).ok_or_else(missing)
            };
            refs.push((find(name)?, find(value)?));
        }
        let added = self.add_series_refs(&refs, chunks);
        self.labels = refs;
        added
    }

    /// As [`add_series`](Self::add_series), with labels as symbol numbers.
    ///
    /// # Errors
    /// As [`add_series`](Self::add_series).
    pub fn add_series_refs(&mut self, labels: &[(u32, u32)], chunks: &[NewChunk<'_>]) -> Result<(), WriteError> {
        let count = self.symbols.len();
        if labels.iter().any(|&(n, v)| n as usize >= count || v as usize >= count) {
            return Err(WriteError::Input(format!("a label refers to a symbol beyond {count}")));
        }
        check_chunks(chunks)?;
        self.segments.write(chunks, &mut self.refs)?;
        self.index.add_series(labels, chunks, &self.refs)?;
        self.stats.num_series += 1;
        self.stats.num_chunks += chunks.len() as u64;
        for chunk in chunks {
            self.count(chunk);
        }
        Ok(())
    }

    /// Bytes written so far to segment files and series.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.segments.bytes_written() + self.index.position()
    }

    /// Writes postings, tables and `meta.json`, and gives the meta as written. Its `stats` say what was
    /// added; where chunks hold aggregates the caller's numbers of samples stay. With a `thanos` section
    /// its `index_stats` are set too.
    ///
    /// # Errors
    /// When a file cannot be written or the index would be too large.
    pub fn finish(self, mut meta: BlockMeta) -> Result<BlockMeta, WriteError> {
        let Self { dir, symbols, index, segments, stats, all_counted, .. } = self;
        let chunk_max_size = segments.finish()?;
        let series_max_size = index.finish(&symbols)?;
        meta.stats.num_series = stats.num_series;
        meta.stats.num_chunks = stats.num_chunks;
        if all_counted {
            meta.stats.num_samples = stats.num_samples;
            meta.stats.num_float_samples = stats.num_float_samples;
            meta.stats.num_histogram_samples = stats.num_histogram_samples;
        }
        if let Some(thanos) = &mut meta.thanos {
            thanos.index_stats.series_max_size = series_max_size;
            thanos.index_stats.chunk_max_size = chunk_max_size;
        }
        let path = dir.join(META_FILE);
        std::fs::write(&path, meta.to_json()).map_err(|source| WriteError::Io { path, source })?;
        Ok(meta)
    }

    fn count(&mut self, chunk: &NewChunk<'_>) {
        // All encodings of samples begin with their number, two bytes; aggregates do not.
        let (Some(&[high, low]), true) = (chunk.payload.first_chunk(), chunk.encoding != Encoding::Aggregates) else {
            self.all_counted = false;
            return;
        };
        let samples = u64::from(u16::from_be_bytes([high, low]));
        self.stats.num_samples += samples;
        if chunk.encoding.is_float() {
            self.stats.num_float_samples += samples;
        } else {
            self.stats.num_histogram_samples += samples;
        }
    }
}

fn check_chunks(chunks: &[NewChunk<'_>]) -> Result<(), WriteError> {
    for (i, chunk) in chunks.iter().enumerate() {
        if chunk.max_time < chunk.min_time {
            return Err(WriteError::Input(format!("chunk {i} ends at {} before {}", chunk.max_time, chunk.min_time)));
        }
        if i > 0 && chunk.min_time <= chunks[i - 1].max_time {
            let last = chunks[i - 1].max_time;
            return Err(WriteError::Input(format!(
                "chunk {i} begins at {}, the one before ends at {last}",
                chunk.min_time
            )));
        }
    }
    Ok(())
}
