use super::super::bits::BitWriter;
use super::super::varbit::fits;
use super::super::window::Window;
use super::super::{EncodedChunk, Encoding};
use super::HEADER;

/// Encodes floats, byte for byte as Prometheus' XOR appender does.
#[derive(Clone, Debug)]
pub struct XorEncoder {
    w: BitWriter,
    count: u16,
    min_time: i64,
    t: i64,
    delta: i64,
    bits: u64,
    window: Window,
}

impl Default for XorEncoder {
    fn default() -> Self {
        Self::new()
    }
}

impl XorEncoder {
    #[must_use]
    pub fn new() -> Self {
        Self { w: BitWriter::new(HEADER), count: 0, min_time: 0, t: 0, delta: 0, bits: 0, window: Window::UNSET }
    }

    /// How many samples it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count.into()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many bytes the payload has so far.
    #[must_use]
    pub fn bytes_len(&self) -> usize {
        self.w.len()
    }

    /// Appends a sample. `false`, and nothing is appended, if the chunk is full (65 535 samples).
    /// Times need not ascend for the encoding's sake: Thanos' counter aggregate repeats its last.
    #[inline]
    pub fn append(&mut self, t: i64, v: f64) -> bool {
        let bits = v.to_bits();
        match self.count {
            0 => {
                self.min_time = t;
                self.w.varint(t);
                self.w.bits(bits, 64);
            }
            1 => {
                self.delta = t.wrapping_sub(self.t);
                self.w.uvarint(self.delta as u64);
                self.window.write(&mut self.w, bits, self.bits);
            }
            u16::MAX => return false,
            _ => {
                let delta = t.wrapping_sub(self.t);
                self.write_dod(delta.wrapping_sub(self.delta));
                self.delta = delta;
                self.window.write(&mut self.w, bits, self.bits);
            }
        }
        (self.t, self.bits) = (t, bits);
        self.count += 1;
        true
    }

    #[inline]
    fn write_dod(&mut self, dod: i64) {
        let low = |n: u32| dod as u64 & ((1 << n) - 1);
        if dod == 0 {
            self.w.bit(false);
        } else if fits(dod, 14) {
            self.w.bits(0b10 << 14 | low(14), 16);
        } else if fits(dod, 17) {
            self.w.bits(0b110 << 17 | low(17), 20);
        } else if fits(dod, 20) {
            self.w.bits(0b1110 << 20 | low(20), 24);
        } else {
            self.w.bits(0b1111, 4);
            self.w.bits(dod as u64, 64);
        }
    }

    /// The payload; the encoder is empty thereafter and keeps its memory.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut bytes = self.w.finish();
        bytes[..HEADER].copy_from_slice(&self.count.to_be_bytes());
        self.w.reset(HEADER);
        (self.count, self.delta, self.window) = (0, 0, Window::UNSET);
        bytes
    }

    /// The payload with its times, as [`XorEncoder::finish`].
    pub fn finish_chunk(&mut self) -> EncodedChunk {
        let (min_time, max_time) = (self.min_time, self.t);
        EncodedChunk { min_time, max_time, encoding: Encoding::Xor, bytes: self.finish() }
    }
}
