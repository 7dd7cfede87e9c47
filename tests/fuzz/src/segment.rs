//! Chunk segment files: every way to read a chunk gives the same, and an error names file and place.

use block::ChunkReader;
use block::segment::{read_chunk, segment_name};
use block::spread::SpreadUse;
use bytes::Bytes;
use model::TimeRange;

use crate::memory::bounded;
use crate::named;

/// Where the first chunk begins.
const HEADER: usize = 8;

/// Checks bytes that are said to be a segment file.
///
/// # Panics
/// When something does not hold.
pub fn check(file: &[u8]) {
    let bytes = Bytes::copy_from_slice(file);
    let name = segment_name(0);
    let reader = bounded(file.len(), 2, || ChunkReader::new(vec![bytes]));
    let Some(reader) = named(reader, &name, file.len()) else { return };
    let mut at = HEADER;
    let mut steps = 0;
    while let Ok(chunk) = read_chunk(file, at, false) {
        assert!(chunk.end > at && chunk.end <= file.len(), "a chunk at {at} ends at {}", chunk.end);
        check_ref(&reader, at as u64, file.len());
        // The second time it is known.
        let begin = at as i64 * 7_919_000;
        let range = TimeRange::new(begin, begin + chunk.end as i64 % 5 * 1_800_000);
        for of_use in [SpreadUse::Nothing, SpreadUse::Counts, SpreadUse::All] {
            let once = reader.chunk_once(at as u64, range, of_use);
            assert_eq!(once, reader.chunk_once(at as u64, range, of_use));
            assert_eq!(once.map(|once| once.chunk), reader.chunk(at as u64));
        }
        at = chunk.end;
        steps += 1;
        assert!(steps <= file.len(), "more chunks than bytes");
    }
    for reference in [0, 7, HEADER as u64 + 1, at as u64, file.len() as u64, u64::from(u32::MAX)] {
        check_ref(&reader, reference, file.len());
    }
    for reference in [1 << 32, u64::MAX] {
        assert!(reader.chunk(reference).is_err_and(|e| e.file != name));
    }
}

fn check_ref(reader: &ChunkReader, reference: u64, len: usize) {
    let name = segment_name(0);
    let checked = reader.chunk(reference);
    // A place outside the file is that of the reference, not of bytes in the file.
    let len = len.max(reference as usize);
    if let Some(chunk) = named(checked, &name, len) {
        assert_eq!(reader.chunk_unchecked(reference), Ok(chunk));
        assert_eq!(
            reader.payload(reference).map(|(e, b)| (e, b.to_vec())),
            Ok((chunk.encoding, chunk.payload.to_vec()))
        );
    } else {
        named(reader.chunk_unchecked(reference), &name, len);
    }
}
