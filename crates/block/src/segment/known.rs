use std::sync::atomic::{AtomicU64, Ordering};

use crate::spread::Steady;

/// What was found out about the chunks of a segment file: a sixty-fourth of the file.
///
/// Every chunk owns a bit for each eight bytes from where it begins to where the next one does. The first is set
/// where it was found intact; those behind it say what the chunk's first bytes do, where there are enough bits for
/// that: to read those bytes takes a line of memory for each chunk, and the translation of a page.
#[derive(Debug)]
pub(super) struct Known {
    words: Box<[AtomicU64]>,
}

/// What is known of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Intact,
    /// Intact, and of floats (XOR); its payload begins [`FRAME`] bytes behind the chunk.
    Floats {
        payload_len: usize,
        samples: u32,
        /// How they are spread, if that was noted.
        spread: Option<Noted>,
    },
}

/// How a chunk's samples are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noted {
    pub(super) steady: Steady,
    /// Behind as many numbers as were noted, whatever.
    pub(super) numbers: [u8; 3],
}

/// No chunk is shorter: length, encoding, the number of samples and a checksum.
const UNIT: usize = 8;
/// A length of two bytes and the encoding.
pub(super) const FRAME: usize = 3;
/// Lengths of two bytes, as far as there are bits for them.
const LENGTHS: std::ops::Range<usize> = 1 << 7..1 << LENGTH_BITS;

const INTACT: u64 = 1;
const FLOATS: u64 = 1 << 1;
const SAMPLES_AT: u32 = 2;
const SAMPLES_MAX: u32 = 0xff;
const LENGTH_AT: u32 = 10;
const LENGTH_BITS: u32 = 12;
/// Set once it is known how the samples are spread; that follows.
const SPREAD: u64 = 1 << (LENGTH_AT + LENGTH_BITS);
const STEADY_LAST: u64 = SPREAD << 1;
const STEADY: u64 = SPREAD << 2;
const NUMBERS_AT: u32 = LENGTH_AT + LENGTH_BITS + 3;
const NUMBER_BITS: u32 = u8::BITS;
/// What chunks of floats have at least, and what is ever read of them.
const BITS: u32 = NUMBERS_AT;
const BITS_READ: u32 = NUMBERS_AT + 3 * NUMBER_BITS;

impl Known {
    /// For a file of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self { words: (0..bytes.div_ceil(UNIT * u64::BITS as usize)).map(|_| AtomicU64::new(0)).collect() }
    }

    /// What is known of the chunk at `offset`.
    #[inline]
    pub(super) fn get(&self, offset: usize) -> Found {
        let (word, shift) = place(offset);
        let Some(first) = self.words.get(word) else { return Found::Nothing };
        // Was written last.
        let mut bits = first.load(Ordering::Acquire) >> shift;
        if bits & INTACT == 0 {
            return Found::Nothing;
        }
        if shift + BITS_READ > u64::BITS
            && let Some(next) = self.words.get(word + 1)
        {
            bits |= next.load(Ordering::Relaxed) << (u64::BITS - shift);
        }
        if bits & FLOATS == 0 {
            return Found::Intact;
        }
        let samples = (bits >> SAMPLES_AT) as u32 & SAMPLES_MAX;
        let number = |i: u32| (bits >> (NUMBERS_AT + i * NUMBER_BITS)) as u8;
        let steady = match (bits & STEADY, bits & STEADY_LAST) {
            (0, 0) => Steady::Unknown,
            (0, _) => Steady::Last,
            _ => Steady::All,
        };
        let noted = || Noted { steady, numbers: [number(0), number(1), number(2)] };
        let spread = (bits & SPREAD != 0).then(noted);
        Found::Floats { payload_len: (bits >> LENGTH_AT) as usize & (LENGTHS.end - 1), samples, spread }
    }

    /// Notes that the chunk at `offset`, which ends at `end`, is intact, and for XOR floats whose payload
    /// begins [`FRAME`] bytes behind it their length and number.
    pub(super) fn set(&self, offset: usize, end: usize, floats: Option<(usize, u32)>) {
        let own = end / UNIT - offset / UNIT;
        // The second bit is the next chunk's. So short a chunk is quickly checked anew.
        if own < 2 {
            return;
        }
        let fits = |(len, samples): &(usize, u32)| {
            LENGTHS.contains(len) && (1..=SAMPLES_MAX).contains(samples) && own >= BITS as usize
        };
        let bits = match floats.filter(fits) {
            Some((len, samples)) => INTACT | FLOATS | u64::from(samples) << SAMPLES_AT | (len as u64) << LENGTH_AT,
            None => INTACT,
        };
        self.put(offset, bits);
    }

    /// Whether there are bits for so many numbers of a chunk's spread.
    pub(super) fn has_room(offset: usize, end: usize, numbers: usize) -> bool {
        end / UNIT - offset / UNIT >= NUMBERS_AT as usize + numbers * NUMBER_BITS as usize
    }

    /// Notes how the samples are spread of a chunk that was found to be of floats; there is room for so many numbers.
    pub(super) fn set_spread(&self, offset: usize, steady: Steady, numbers: &[u8]) {
        let numbers = numbers.iter().rev().fold(0, |bits, &number| bits << NUMBER_BITS | u64::from(number));
        let steady = match steady {
            Steady::Unknown => 0,
            Steady::Last => STEADY_LAST,
            Steady::All => STEADY,
        };
        self.put(offset, SPREAD | steady | numbers << NUMBERS_AT);
    }

    /// Sets some of a chunk's bits. Who sees the first of them sees all.
    fn put(&self, offset: usize, bits: u64) {
        let (word, shift) = place(offset);
        let behind = if shift == 0 { 0 } else { bits >> (u64::BITS - shift) };
        if let (Some(next), true) = (self.words.get(word + 1), behind != 0) {
            next.fetch_or(behind, Ordering::Relaxed);
        }
        if let (Some(first), true) = (self.words.get(word), bits << shift != 0) {
            first.fetch_or(bits << shift, Ordering::Release);
        }
    }
}

/// The word of a chunk's first bit, and which bit it is there.
fn place(offset: usize) -> (usize, u32) {
    let bit = offset / UNIT;
    (bit / u64::BITS as usize, bit as u32 % u64::BITS)
}

#[cfg(test)]
mod tests;
