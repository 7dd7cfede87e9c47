//! The tombstones file: what was read is in order and can be written again.

use block::Tombstones;
use block::tombstones::TOMBSTONES_FILE;

use crate::memory::bounded;
use crate::named;

/// A range of three bytes and its place in a map of lists.
const MEMORY_FACTOR: usize = 128;

/// Checks bytes that are said to be a tombstones file.
///
/// # Panics
/// When something does not hold.
pub fn check(file: &[u8]) {
    let read = bounded(file.len(), MEMORY_FACTOR, || Tombstones::parse(file));
    let Some(tombstones) = named(read, TOMBSTONES_FILE, file.len()) else { return };
    let mut count = 0;
    for series in tombstones.series() {
        let ranges = tombstones.get(series);
        assert!(ranges.iter().all(|r| r.min <= r.max));
        assert!(ranges.is_sorted_by(|a, b| a.max < b.min && a.max + 1 < b.min), "{ranges:?}");
        count += ranges.len();
    }
    assert_eq!((tombstones.len(), tombstones.is_empty()), (count, count == 0));
    assert_eq!(Tombstones::parse(&tombstones.to_bytes()), Ok(tombstones));
}

/// As [`check`], with the checksum put right first.
///
/// # Panics
/// As [`check`].
pub fn check_sealed(file: &[u8]) {
    check(file);
    let mut file = file.to_vec();
    if let Some(end) = file.len().checked_sub(4).filter(|&end| end >= 5) {
        let crc = crc32c::crc32c(&file[5..end]);
        file[end..].copy_from_slice(&crc.to_be_bytes());
        check(&file);
    }
}
