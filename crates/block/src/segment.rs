//! Chunk segment files: `chunks/000001` and on.
//!
//! Layout: a header of 8 bytes (magic, version 1, padding), then for each chunk the payload's length
//! (varint), the encoding byte, the payload, and a crc32c over encoding and payload.

mod known;

use std::path::Path;
use std::sync::Arc;

use ::bytes::Bytes;
use model::TimeRange;

use crate::bytes::{Cursor, check_crc};
use crate::chunk::sample_count;
use crate::spread::{Spread, SpreadUse, noted};
use crate::{Corrupt, Encoding};
use known::{FRAME, Found, Known, Noted};

/// The folder of the segment files within a block.
pub const CHUNKS_DIR: &str = "chunks";
/// The first four bytes of a segment file.
pub const MAGIC: u32 = 0x85BD_40DD;
pub(crate) const VERSION: u8 = 1;
pub(crate) const HEADER_LEN: usize = 8;
const CHECKSUM_LEN: usize = 4;

/// The name of segment `index` (from 0) within a block: `chunks/000001` and on.
#[must_use]
pub fn segment_name(index: u32) -> String {
    format!("{CHUNKS_DIR}/{:06}", u64::from(index) + 1)
}

/// Reads chunks from segment files that lie in memory or are mapped into it.
#[derive(Clone, Debug)]
pub struct ChunkReader {
    segments: Vec<Bytes>,
    /// For each segment what was found out about its chunks.
    known: Arc<[Known]>,
}

/// One chunk as it lies in its segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawChunk<'a> {
    pub encoding: Encoding,
    /// Without encoding byte, length or checksum.
    pub payload: &'a [u8],
    /// Where the payload begins in the segment file (or in the part that was read of it).
    pub payload_offset: usize,
    /// Where the next chunk begins, if one follows.
    pub end: usize,
}

/// A chunk as [`ChunkReader::chunk_once`] gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once<'a> {
    pub chunk: RawChunk<'a>,
    /// How many floats it has; 0 where it has others.
    pub samples: u32,
    pub spread: Spread,
}

impl ChunkReader {
    /// Over the bytes of all segment files in order.
    ///
    /// # Errors
    /// When a file's header is damaged.
    pub fn new(segments: Vec<Bytes>) -> Result<Self, Corrupt> {
        for (i, segment) in segments.iter().enumerate() {
            check_header(segment).map_err(|e| e.within(&segment_name(i as u32), 0))?;
        }
        let known = segments.iter().map(|segment| Known::new(segment.len())).collect();
        Ok(Self { segments, known })
    }

    /// Maps all segment files of the block in `dir`; a block without any has no chunks.
    ///
    /// # Errors
    /// When a file cannot be mapped, its header is damaged, or one is missing between others.
    pub fn open(dir: &Path) -> Result<Self, Corrupt> {
        Self::open_with(dir, crate::map_file)
    }

    /// As [`open`](Self::open), with files mapped by `map`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(dir: &Path, mut map: impl FnMut(&Path) -> Result<Bytes, Corrupt>) -> Result<Self, Corrupt> {
        let mut segments = Vec::new();
        loop {
            let name = segment_name(segments.len() as u32);
            if !dir.join(&name).exists() {
                break;
            }
            segments.push(map(&dir.join(&name)).map_err(|e| Corrupt { file: name, ..e })?);
        }
        Self::new(segments)
    }

    #[must_use]
    pub fn segments(&self) -> &[Bytes] {
        &self.segments
    }

    /// The chunk that an index refers to (segment in the upper half, offset in the lower), its checksum
    /// verified.
    ///
    /// # Errors
    /// When there is no such chunk or it is damaged.
    pub fn chunk(&self, chunk_ref: u64) -> Result<RawChunk<'_>, Corrupt> {
        self.read(chunk_ref, true)
    }

    /// As [`chunk`](Self::chunk), with the number of samples where these are floats, and 0 elsewhere; and how these,
    /// which lie in `range`, are spread, as far as that is of use and there is room to note it. The checksum is verified
    /// only the first time, and later most chunks of floats are not even looked at: for files that do not change while
    /// they are open, and references that come from an index (one into the middle of a chunk would pass for that chunk).
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    #[inline]
    pub fn chunk_once(&self, chunk_ref: u64, range: TimeRange, of_use: SpreadUse) -> Result<Once<'_>, Corrupt> {
        let borders = of_use.borders(range);
        let (segment, offset) = ((chunk_ref >> 32) as usize, chunk_ref as u32 as usize);
        let known = self.known.get(segment);
        let found = known.map_or(Found::Nothing, |known| known.get(offset));
        if let Found::Floats { payload_len, samples, spread } = found {
            let payload_offset = offset + FRAME;
            let end = payload_offset + payload_len + CHECKSUM_LEN;
            if let Some(body) = self.segments[segment].get(payload_offset..end) {
                let payload = &body[..payload_len];
                let chunk = RawChunk { encoding: Encoding::Xor, payload, payload_offset, end };
                let spread = match (borders, spread) {
                    (None, _) => Spread::default(),
                    (Some(borders), Some(Noted { steady, numbers })) => {
                        Spread::from_noted(steady, numbers, borders, samples)
                    }
                    (Some(borders), None) => self.look(chunk_ref, &chunk, (range, borders), samples),
                };
                return Ok(Once { chunk, samples, spread });
            }
        }
        let chunk = self.read(chunk_ref, found != Found::Intact)?;
        let samples =
            if chunk.encoding.is_float() { sample_count(chunk.encoding, chunk.payload).unwrap_or(0) } else { 0 };
        if let (Some(known), Found::Nothing) = (known, found) {
            let is_usual = chunk.encoding == Encoding::Xor && chunk.payload_offset == offset + FRAME;
            known.set(offset, chunk.end, is_usual.then_some((chunk.payload.len(), samples)));
        }
        let spread = match (borders, known.map(|known| known.get(offset))) {
            (Some(borders), Some(Found::Floats { .. })) => self.look(chunk_ref, &chunk, (range, borders), samples),
            _ => Spread::default(),
        };
        Ok(Once { chunk, samples, spread })
    }

    /// Looks how the samples of a chunk that is known to be of floats are spread, if there is room to note it.
    #[cold]
    fn look(&self, chunk_ref: u64, chunk: &RawChunk<'_>, (range, borders): (TimeRange, i64), samples: u32) -> Spread {
        let (segment, offset) = ((chunk_ref >> 32) as usize, chunk_ref as u32 as usize);
        let count = noted(borders);
        match self.known.get(segment) {
            Some(known) if Known::has_room(offset, chunk.end, count) => {
                let spread = Spread::look(chunk.encoding, chunk.payload, range);
                known.set_spread(offset, spread.steady(), &spread.numbers()[..count]);
                Spread::from_noted(spread.steady(), spread.numbers(), borders, samples)
            }
            _ => Spread::default(),
        }
    }

    /// As [`chunk`](Self::chunk), without the checksum: for where decoding checks enough.
    ///
    /// # Errors
    /// When there is no such chunk or its frame is damaged.
    pub fn chunk_unchecked(&self, chunk_ref: u64) -> Result<RawChunk<'_>, Corrupt> {
        self.read(chunk_ref, false)
    }

    /// Asks the CPU to fetch what [`chunk_once`](Self::chunk_once) is soon going to read of a chunk; `false` if that is
    /// known already.
    #[inline]
    pub fn prefetch(&self, chunk_ref: u64) -> bool {
        let (segment, offset) = ((chunk_ref >> 32) as usize, chunk_ref as u32 as usize);
        if let Some(Found::Floats { .. }) = self.known.get(segment).map(|known| known.get(offset)) {
            return false;
        }
        if let Some(begin) = self.segments.get(segment).and_then(|s| s.get(offset..offset + 1)) {
            crate::prefetch(begin);
        }
        true
    }

    /// The payload as a slice that keeps its file alive; checksum verified.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub fn payload(&self, chunk_ref: u64) -> Result<(Encoding, Bytes), Corrupt> {
        let chunk = self.chunk(chunk_ref)?;
        let segment = &self.segments[(chunk_ref >> 32) as usize];
        let payload = segment.slice(chunk.payload_offset..chunk.payload_offset + chunk.payload.len());
        Ok((chunk.encoding, payload))
    }

    #[inline]
    fn read(&self, chunk_ref: u64, check: bool) -> Result<RawChunk<'_>, Corrupt> {
        let (segment, offset) = ((chunk_ref >> 32) as u32, chunk_ref as u32 as usize);
        let name = || segment_name(segment);
        let Some(bytes) = self.segments.get(segment as usize) else {
            let what = format!("segment {} of {}", u64::from(segment) + 1, self.segments.len());
            return Err(Corrupt::new(offset as u64, what).within(&name(), 0));
        };
        if offset < HEADER_LEN {
            return Err(Corrupt::new(offset as u64, "a chunk in the header").within(&name(), 0));
        }
        read_chunk(bytes, offset, check).map_err(|e| e.within(&name(), 0))
    }
}

/// Reads the chunk at `offset` of `bytes`, a segment file or a part of one.
///
/// # Errors
/// When the chunk does not fit, its encoding is unknown or, with `check`, its checksum is wrong.
#[inline]
pub fn read_chunk(bytes: &[u8], offset: usize, check: bool) -> Result<RawChunk<'_>, Corrupt> {
    let mut cursor = Cursor::at(bytes, offset);
    let len = usize::try_from(cursor.uvarint()?).unwrap_or(usize::MAX);
    let start = cursor.position();
    let body = cursor.take(len.saturating_add(1))?;
    if check {
        check_crc(cursor.be32()?, body, offset)?;
    } else {
        // Not looked at: that alone would fetch a line of memory.
        cursor.take(CHECKSUM_LEN)?;
    }
    let encoding = Encoding::from_byte(body[0]).map_err(|e| e.within("", start as u64))?;
    Ok(RawChunk { encoding, payload: &body[1..], payload_offset: start + 1, end: cursor.position() })
}

fn check_header(bytes: &[u8]) -> Result<(), Corrupt> {
    let mut cursor = Cursor::at(bytes, 0);
    let magic = cursor.be32()?;
    if magic != MAGIC {
        return Err(Corrupt::new(0, format!("magic number is {magic:08x}, expected {MAGIC:08x}")));
    }
    let version = cursor.byte()?;
    if version != VERSION {
        return Err(Corrupt::new(4, format!("unknown version {version}")));
    }
    cursor.take(HEADER_LEN - 5).map(drop)
}
