//! The `tombstones` file: time ranges of series that are deleted but still stored.
//!
//! Layout: magic (4 bytes), format byte 1, then series reference (varint), begin and end (zigzag
//! varints) for each range, then a crc32c over what stands between format byte and checksum.

use std::collections::BTreeMap;

use model::TimeRange;

use crate::Corrupt;
use crate::bytes::{Cursor, check_crc, put_uvarint, put_varint};

/// The file's name within a block.
pub const TOMBSTONES_FILE: &str = "tombstones";
const MAGIC: u32 = 0x0130_BA30;
const FORMAT: u8 = 1;

/// Deleted ranges by series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tombstones {
    ranges: BTreeMap<u64, Vec<TimeRange>>,
}

impl Tombstones {
    /// # Errors
    /// When the bytes are not a tombstones file.
    pub fn parse(file: &[u8]) -> Result<Self, Corrupt> {
        Self::read(file).map_err(|e| e.within(TOMBSTONES_FILE, 0))
    }

    fn read(file: &[u8]) -> Result<Self, Corrupt> {
        let mut cursor = Cursor::at(file, 0);
        let magic = cursor.be32()?;
        if magic != MAGIC {
            return Err(Corrupt::new(0, format!("magic number is {magic:08x}, expected {MAGIC:08x}")));
        }
        let format = cursor.byte()?;
        if format != FORMAT {
            return Err(Corrupt::new(4, format!("unknown format {format}")));
        }
        let Some(end) = file.len().checked_sub(4).filter(|&end| end >= 5) else {
            return Err(cursor.corrupt("ends before the checksum"));
        };
        check_crc(Cursor::at(file, end).be32()?, &file[5..end], 5)?;
        let mut cursor = Cursor::at(&file[..end], 5);
        let mut tombstones = Self::default();
        while !cursor.is_empty() {
            let series = cursor.uvarint()?;
            let range = TimeRange::new(cursor.varint()?, cursor.varint()?);
            if !range.is_empty() {
                tombstones.ranges.entry(series).or_default().push(range);
            }
        }
        // All at once: adding one by one takes ever longer where they come in no order.
        for ranges in tombstones.ranges.values_mut() {
            ranges.sort_unstable_by_key(|r| r.min);
            ranges.dedup_by(|next, last| {
                let touches = next.min <= last.max.saturating_add(1);
                last.max = if touches { last.max.max(next.max) } else { last.max };
                touches
            });
        }
        Ok(tombstones)
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut file = MAGIC.to_be_bytes().to_vec();
        file.push(FORMAT);
        for (&series, ranges) in &self.ranges {
            for range in ranges {
                put_uvarint(&mut file, series);
                put_varint(&mut file, range.min);
                put_varint(&mut file, range.max);
            }
        }
        let crc = crc32c::crc32c(&file[5..]);
        file.extend_from_slice(&crc.to_be_bytes());
        file
    }

    /// Adds a deleted range; ranges that touch become one. An empty range changes nothing.
    pub fn add(&mut self, series: u64, range: TimeRange) {
        if range.is_empty() {
            return;
        }
        let ranges = self.ranges.entry(series).or_default();
        let first = ranges.partition_point(|r| r.max < range.min.saturating_sub(1));
        let last = ranges.partition_point(|r| r.min <= range.max.saturating_add(1));
        let merged = ranges[first..last].iter().fold(range, |all, r| all.union(*r));
        ranges.splice(first..last, [merged]);
    }

    /// The deleted ranges of a series, ascending and apart.
    #[must_use]
    pub fn get(&self, series: u64) -> &[TimeRange] {
        self.ranges.get(&series).map_or(&[], Vec::as_slice)
    }

    /// The series that have deleted ranges, ascending.
    pub fn series(&self) -> impl Iterator<Item = u64> {
        self.ranges.keys().copied()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many ranges there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.values().map(Vec::len).sum()
    }
}

#[cfg(test)]
mod tests;
