//! An index as one request reads it: whole, or by ranges.

use std::sync::Arc;

use block::index::NextChunk;
use block::{Corrupt, IndexReader, SeriesEntry};

use crate::ranged::Ranged;

/// Where a request looks series up. Symbols, names and values are always here; of an index read by ranges
/// selections are made and series brought here beforehand, by [`Ranged`].
#[derive(Debug)]
pub(crate) enum Index {
    Whole(Arc<IndexReader>),
    Ranged(Box<Ranged>),
}

impl Index {
    /// The reader of ranges, where it is read so.
    pub(crate) fn ranged(&self) -> Option<&Ranged> {
        match self {
            Self::Whole(_) => None,
            Self::Ranged(ranged) => Some(ranged),
        }
    }

    #[inline]
    pub(crate) fn symbol(&self, reference: u32) -> Result<&str, Corrupt> {
        match self {
            Self::Whole(index) => index.symbol(reference),
            Self::Ranged(ranged) => ranged.index().symbol(reference),
        }
    }

    pub(crate) fn symbol_ref(&self, text: &str) -> Result<Option<u32>, Corrupt> {
        match self {
            Self::Whole(index) => index.symbol_ref(text),
            Self::Ranged(ranged) => ranged.index().symbol_ref(text),
        }
    }

    pub(crate) fn label_names(&self) -> Result<Vec<&str>, Corrupt> {
        match self {
            Self::Whole(index) => index.label_names(),
            Self::Ranged(ranged) => ranged.index().label_names(),
        }
    }

    pub(crate) fn label_values(&self, name: &str) -> Result<Vec<&str>, Corrupt> {
        match self {
            Self::Whole(index) => index.label_values(name),
            Self::Ranged(ranged) => ranged.index().label_values(name),
        }
    }

    pub(crate) fn label_value_count(&self, name: &str) -> Result<usize, Corrupt> {
        match self {
            Self::Whole(index) => index.label_value_count(name),
            Self::Ranged(ranged) => ranged.index().label_value_count(name),
        }
    }

    #[inline]
    pub(crate) fn series(&self, reference: u32, entry: &mut SeriesEntry) -> Result<(), Corrupt> {
        match self {
            Self::Whole(index) => index.series(reference, entry),
            Self::Ranged(ranged) => ranged.series(reference, entry),
        }
    }

    /// The chunk behind the last one of a series.
    #[inline]
    pub(crate) fn chunk_after(&self, reference: u32) -> Result<NextChunk, Corrupt> {
        match self {
            Self::Whole(index) => Ok(index.first_chunk_after(reference)?.map_or(NextChunk::End, NextChunk::At)),
            Self::Ranged(ranged) => ranged.chunk_after(reference),
        }
    }
}
