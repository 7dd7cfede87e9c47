use std::sync::atomic::{AtomicU64, Ordering};

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
    },
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
const BITS: u32 = LENGTH_AT + LENGTH_BITS;

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
        if shift + BITS > u64::BITS
            && let Some(next) = self.words.get(word + 1)
        {
            bits |= next.load(Ordering::Relaxed) << (u64::BITS - shift);
        }
        if bits & FLOATS == 0 {
            return Found::Intact;
        }
        let samples = (bits >> SAMPLES_AT) as u32 & SAMPLES_MAX;
        Found::Floats { payload_len: (bits >> LENGTH_AT) as usize & (LENGTHS.end - 1), samples }
    }

    /// Notes that the chunk at `offset`, which ends at `end`, is intact, and for XOR floats whose payload
    /// begins [`FRAME`] bytes behind it their length and number.
    pub(super) fn set(&self, offset: usize, end: usize, floats: Option<(usize, u32)>) {
        let (word, shift) = place(offset);
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
        if shift + BITS > u64::BITS
            && let Some(next) = self.words.get(word + 1)
        {
            next.fetch_or(bits >> (u64::BITS - shift), Ordering::Relaxed);
        }
        if let Some(first) = self.words.get(word) {
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
