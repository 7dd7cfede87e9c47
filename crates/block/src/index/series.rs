use model::TimeRange;

use super::{IndexReader, SERIES_ALIGN, named};
use crate::Corrupt;
use crate::bytes::{Cursor, check_crc};

/// One series as the index has it. Reused from series to series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesEntry {
    /// Name and value as symbol references, sorted by name.
    pub labels: Vec<(u32, u32)>,
    /// Ascending in time.
    pub chunks: Vec<ChunkRef>,
    /// Bytes that it takes in the index, its length and checksum included.
    pub len: u32,
}

/// Where a chunk lies and which time it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChunkRef {
    /// Closed range in Unix milliseconds.
    pub min_time: i64,
    pub max_time: i64,
    /// Number of the segment file (from 0) in the upper half, byte offset in it in the lower.
    pub chunk_ref: u64,
}

impl ChunkRef {
    #[must_use]
    pub fn range(&self) -> TimeRange {
        TimeRange::new(self.min_time, self.max_time)
    }

    /// Index of the segment file: 0 is `chunks/000001`.
    #[must_use]
    pub fn segment(&self) -> u32 {
        (self.chunk_ref >> 32) as u32
    }

    /// Byte offset in the segment file.
    #[must_use]
    pub fn offset(&self) -> u32 {
        self.chunk_ref as u32
    }
}

impl IndexReader {
    /// Reads a series into `entry`. Chunks come as they are stored, whether or not they ascend.
    ///
    /// # Errors
    /// When `reference` is not a series or the series is damaged.
    pub fn series(&self, reference: u32, entry: &mut SeriesEntry) -> Result<(), Corrupt> {
        let mut cursor = self.series_body(reference, &mut entry.labels).map_err(named)?;
        entry.len = entry_len(usize::try_from(self.series_offset(reference)).unwrap_or(usize::MAX), &cursor);
        read_chunks(&mut cursor, &mut entry.chunks).map_err(named)
    }

    /// As [`series`](Self::series), without the chunks.
    ///
    /// # Errors
    /// As [`series`](Self::series).
    pub fn series_labels(&self, reference: u32, labels: &mut Vec<(u32, u32)>) -> Result<(), Corrupt> {
        self.series_body(reference, labels).map(drop).map_err(named)
    }

    /// The first chunk of the next series that has any: where the last chunk of this series ends, if that
    /// lies in the same segment file. `None` after the last series.
    ///
    /// # Errors
    /// As [`series`](Self::series).
    pub fn first_chunk_after(&self, reference: u32) -> Result<Option<u64>, Corrupt> {
        let mut labels = Vec::new();
        let mut next = reference;
        loop {
            let cursor = self.series_body(next, &mut labels).map_err(named)?;
            let mut end = cursor.end() as u64 + 4;
            if self.version() != 1 {
                end = end.next_multiple_of(SERIES_ALIGN);
            }
            if end >= self.toc().label_indices {
                return Ok(None);
            }
            let unit = if self.version() == 1 { 1 } else { SERIES_ALIGN };
            next = u32::try_from(end / unit).map_err(|_| named(cursor.corrupt("a series lies too far behind")))?;
            let mut cursor = self.series_body(next, &mut labels).map_err(named)?;
            if let Some(first) = read_first_chunk(&mut cursor).map_err(named)? {
                return Ok(Some(first));
            }
        }
    }

    /// Reads the labels and gives the rest of the entry.
    fn series_body(&self, reference: u32, labels: &mut Vec<(u32, u32)>) -> Result<Cursor<'_>, Corrupt> {
        let start = usize::try_from(self.series_offset(reference)).unwrap_or(usize::MAX);
        read_labels(self.bytes(), start, labels)
    }
}

/// The length of the series at `start`, of which the rest is in `cursor`.
#[inline]
pub(super) fn entry_len(start: usize, cursor: &Cursor<'_>) -> u32 {
    (cursor.end() + 4).saturating_sub(start) as u32
}

/// Where the first chunk lies, if there is one.
pub(super) fn read_first_chunk(cursor: &mut Cursor<'_>) -> Result<Option<u64>, Corrupt> {
    if cursor.uvarint()? == 0 {
        return Ok(None);
    }
    cursor.varint()?;
    cursor.uvarint()?;
    cursor.uvarint().map(Some)
}

/// Reads the labels of the series at `start` and gives the rest of the entry, its checksum verified.
#[inline]
pub(super) fn read_labels<'a>(
    bytes: &'a [u8],
    start: usize,
    labels: &mut Vec<(u32, u32)>,
) -> Result<Cursor<'a>, Corrupt> {
    let mut cursor = Cursor::at(bytes, start);
    let len = usize::try_from(cursor.uvarint()?).unwrap_or(usize::MAX);
    let body_start = cursor.position();
    let body = cursor.take(len)?;
    check_crc(cursor.be32()?, body, start)?;
    let mut cursor = Cursor::at(&bytes[..body_start + len], body_start);
    let count = cursor.uvarint()?;
    if count > cursor.remaining() as u64 {
        return Err(cursor.corrupt(format!("{count} labels in {} bytes", cursor.remaining())));
    }
    labels.clear();
    for _ in 0..count {
        labels.push((cursor.uvarint32()?, cursor.uvarint32()?));
    }
    Ok(cursor)
}

pub(super) fn read_chunks(cursor: &mut Cursor<'_>, chunks: &mut Vec<ChunkRef>) -> Result<(), Corrupt> {
    chunks.clear();
    let count = cursor.uvarint()?;
    if count > cursor.remaining() as u64 {
        return Err(cursor.corrupt(format!("{count} chunks in {} bytes", cursor.remaining())));
    }
    if count == 0 {
        return Ok(());
    }
    let min_time = cursor.varint()?;
    let max_time = min_time.wrapping_add(cursor.uvarint()?.cast_signed());
    let mut last = ChunkRef { min_time, max_time, chunk_ref: cursor.uvarint()? };
    chunks.push(last);
    for _ in 1..count {
        let min_time = last.max_time.wrapping_add(cursor.uvarint()?.cast_signed());
        let max_time = min_time.wrapping_add(cursor.uvarint()?.cast_signed());
        last = ChunkRef { min_time, max_time, chunk_ref: last.chunk_ref.wrapping_add_signed(cursor.varint()?) };
        chunks.push(last);
    }
    if !cursor.is_empty() {
        return Err(cursor.corrupt(format!("{} bytes after the last chunk", cursor.remaining())));
    }
    Ok(())
}
