//! Bits, most significant first, as all chunk encodings have them.

use crate::Corrupt;

/// Reads bits from a payload, checked: it never goes past the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    /// In bits.
    pos: usize,
}

impl<'a> BitReader<'a> {
    /// Starts at byte `start`, which may lie behind the end: then the first read fails.
    pub(crate) fn new(bytes: &'a [u8], start: usize) -> Self {
        Self { bytes, pos: start * 8 }
    }

    /// The error for what is wrong here.
    #[cold]
    pub(crate) fn corrupt(&self, what: impl Into<String>) -> Corrupt {
        Corrupt::new(self.pos as u64 / 8, what)
    }

    #[cold]
    fn short(&self) -> Corrupt {
        Corrupt::new(self.bytes.len() as u64, "chunk ends within a sample")
    }

    /// The bits left.
    pub(crate) fn left(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.pos)
    }

    /// The next bits at the high end, and how many of them there are: 57 and more but close to the end.
    #[inline]
    pub(crate) fn ahead(&self) -> (u64, u32) {
        let skip = (self.pos % 8) as u32;
        (load(self.bytes, self.pos / 8) << skip, (64 - skip).min(self.left().min(64) as u32))
    }

    /// How many of the bits ahead are zeros before the first that is none, as far as one load shows.
    #[inline]
    pub(crate) fn zeros_ahead(&self) -> usize {
        let (word, there) = self.ahead();
        word.leading_zeros().min(there) as usize
    }

    /// Passes over bits that [`BitReader::ahead`] has shown.
    #[inline]
    pub(crate) fn skip(&mut self, n: usize) {
        self.pos += n;
    }

    /// Reads `n` bits, 1 to 64, into the low end.
    #[inline]
    pub(crate) fn bits(&mut self, n: u32) -> Result<u64, Corrupt> {
        if n as usize > self.left() {
            return Err(self.short());
        }
        let value = self.peek(n);
        self.pos += n as usize;
        Ok(value)
    }

    #[inline]
    pub(crate) fn bit(&mut self) -> Result<bool, Corrupt> {
        let Some(byte) = self.bytes.get(self.pos / 8) else { return Err(self.short()) };
        let bit = byte << (self.pos % 8) & 0x80 != 0;
        self.pos += 1;
        Ok(bit)
    }

    /// The next `n` bits, 1 to 64, zeros behind the end.
    #[inline]
    fn peek(&self, n: u32) -> u64 {
        let (at, skip) = (self.pos / 8, (self.pos % 8) as u32);
        let word = load(self.bytes, at) << skip;
        if n + skip <= 64 {
            return word >> (64 - n);
        }
        // The field reaches into a ninth byte.
        let ninth = self.bytes.get(at + 8).copied().unwrap_or(0);
        (word | u64::from(ninth) >> (8 - skip)) >> (64 - n)
    }

    /// How many of the next bits are ones, at most `max` of them, a following zero consumed.
    #[inline]
    pub(crate) fn ones(&mut self, max: u32) -> Result<u32, Corrupt> {
        let window = self.peek(max) << (64 - max);
        let ones = window.leading_ones().min(max);
        let used = (ones + 1).min(max) as usize;
        if used > self.left() {
            return Err(self.short());
        }
        self.pos += used;
        Ok(ones)
    }

    /// A variable-length unsigned integer as Go's `encoding/binary` has it.
    pub(crate) fn uvarint(&mut self) -> Result<u64, Corrupt> {
        if self.left() >= 64 {
            // The first byte that stands for the end, and the bits before it put together: sevens to
            // fourteens, those to twenty-eights.
            let word = self.peek(64).swap_bytes();
            let ends = !word & 0x8080_8080_8080_8080;
            if ends != 0 {
                let used = ends.trailing_zeros() + 1;
                let word = word << (64 - used) >> (64 - used);
                let word = (word & 0x007f_007f_007f_007f) | (word & 0x7f00_7f00_7f00_7f00) >> 1;
                let word = (word & 0x0000_3fff_0000_3fff) | (word & 0x3fff_0000_3fff_0000) >> 2;
                self.pos += used as usize;
                return Ok((word & 0x0fff_ffff) | (word & 0x0fff_ffff_0000_0000) >> 4);
            }
        }
        let mut value = 0u64;
        for i in 0..10 {
            let byte = self.bits(8)?;
            if i == 9 && byte > 1 {
                break;
            }
            value |= (byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.corrupt("varint overflows 64 bits"))
    }

    /// A zigzag variable-length integer.
    pub(crate) fn varint(&mut self) -> Result<i64, Corrupt> {
        let value = self.uvarint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Goes to a bit position that [`BitReader::position`] gave.
    pub(crate) fn seek(&mut self, pos: usize) {
        self.pos = pos;
    }

    /// The bit position within the payload.
    pub(crate) fn position(&self) -> usize {
        self.pos
    }
}

/// Eight bytes from `at` on as a big-endian number, zeros behind the end.
#[inline]
pub(crate) fn load(bytes: &[u8], at: usize) -> u64 {
    if let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        return u64::from_be_bytes(*word);
    }
    load_tail(bytes, at)
}

#[cold]
fn load_tail(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    let tail = bytes.get(at..).unwrap_or_default();
    word[..tail.len()].copy_from_slice(tail);
    u64::from_be_bytes(word)
}

/// Writes bits behind a header of whole bytes.
#[derive(Clone, Debug)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// What is not yet in `bytes`, at the high end.
    word: u64,
    /// How many bits of `word` are taken: 0 to 63.
    used: u32,
}

impl BitWriter {
    /// `header` zero bytes lie in front.
    pub(crate) fn new(header: usize) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.resize(header, 0);
        Self { bytes, word: 0, used: 0 }
    }

    /// Empties it, keeping the memory.
    pub(crate) fn reset(&mut self, header: usize) {
        self.bytes.clear();
        self.bytes.resize(header, 0);
        (self.word, self.used) = (0, 0);
    }

    /// Writes the low `n` bits, 1 to 64.
    #[inline]
    pub(crate) fn bits(&mut self, value: u64, n: u32) {
        let value = value & (u64::MAX >> (64 - n));
        let free = 64 - self.used;
        if n < free {
            self.word |= value << (free - n);
            self.used += n;
            return;
        }
        let rest = n - free;
        self.bytes.extend_from_slice(&(self.word | value >> rest).to_be_bytes());
        self.word = if rest == 0 { 0 } else { value << (64 - rest) };
        self.used = rest;
    }

    #[inline]
    pub(crate) fn bit(&mut self, bit: bool) {
        self.bits(u64::from(bit), 1);
    }

    pub(crate) fn uvarint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bits(value | 0x80, 8);
            value >>= 7;
        }
        self.bits(value, 8);
    }

    pub(crate) fn varint(&mut self, value: i64) {
        self.uvarint((value << 1 ^ value >> 63) as u64);
    }

    /// The bytes so far, the last filled up with zeros; the header still zero.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let tail = self.word.to_be_bytes();
        let mut bytes = Vec::with_capacity(self.bytes.len() + 8);
        bytes.extend_from_slice(&self.bytes);
        bytes.extend_from_slice(&tail[..self.used.div_ceil(8) as usize]);
        bytes
    }

    /// How many bytes [`BitWriter::finish`] gives.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + self.used.div_ceil(8) as usize
    }
}
