use model::STALE_NAN_BITS;

use super::super::bits::BitWriter;
use super::super::start::StartWriter;
use super::super::window::Window;
use super::super::{EncodedChunk, Encoding};
use super::HEADER;

/// Encodes floats with optional start timestamps, byte for byte as Prometheus' XOR2 appender does.
#[derive(Clone, Debug)]
pub struct Xor2Encoder {
    w: BitWriter,
    count: u16,
    min_time: i64,
    t: i64,
    delta: i64,
    /// Of the last value that was no staleness marker.
    base: u64,
    window: Window,
    start: StartWriter,
}

impl Default for Xor2Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Xor2Encoder {
    #[must_use]
    pub fn new() -> Self {
        Self {
            w: BitWriter::new(HEADER),
            count: 0,
            min_time: 0,
            t: 0,
            delta: 0,
            base: 0,
            window: Window::UNSET,
            start: StartWriter::default(),
        }
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

    /// Appends a sample; `st` is its start timestamp, 0 for none. `false`, and nothing is appended,
    /// if the chunk is full (65 535 samples).
    pub fn append(&mut self, st: i64, t: i64, v: f64) -> bool {
        let bits = v.to_bits();
        let delta = t.wrapping_sub(self.t);
        match self.count {
            0 => {
                self.min_time = t;
                self.w.varint(t);
                self.w.bits(bits, 64);
            }
            1 => {
                self.w.uvarint(delta as u64);
                self.write_value(bits);
                self.delta = delta;
            }
            u16::MAX => return false,
            _ => {
                self.write_joint(delta.wrapping_sub(self.delta), bits);
                self.delta = delta;
            }
        }
        self.start.write(&mut self.w, self.count.into(), t, self.t, st);
        self.t = t;
        if bits != STALE_NAN_BITS {
            self.base = bits;
        }
        self.count += 1;
        true
    }

    fn write_joint(&mut self, dod: i64, bits: u64) {
        let w = &mut self.w;
        let low = |n: u32| dod as u64 & ((1 << n) - 1);
        let fits = |n: u32| (-(1 << (n - 1))..1 << (n - 1)).contains(&dod);
        if dod == 0 {
            let delta = bits ^ self.base;
            if bits == STALE_NAN_BITS {
                w.bits(0b11111, 5);
            } else if delta == 0 {
                w.bit(false);
            } else if self.window.keeps(delta) {
                w.bits(0b100, 3);
                self.window.write_delta(w, delta);
            } else {
                w.bits(0b101 << 11 | self.window.header(), 14);
                self.window.write_delta(w, delta);
            }
            return;
        }
        if fits(13) {
            w.bits(0b110 << 13 | low(13), 16);
        } else if fits(20) {
            w.bits(0b1110 << 20 | low(20), 24);
        } else {
            w.bits(0b11110, 5);
            w.bits(dod as u64, 64);
        }
        self.write_value(bits);
    }

    fn write_value(&mut self, bits: u64) {
        let (w, delta) = (&mut self.w, bits ^ self.base);
        if bits == STALE_NAN_BITS {
            w.bits(0b111, 3);
        } else if delta == 0 {
            w.bit(false);
        } else if self.window.keeps(delta) {
            w.bits(0b10, 2);
            self.window.write_delta(w, delta);
        } else {
            w.bits(0b110 << 11 | self.window.header(), 14);
            self.window.write_delta(w, delta);
        }
    }

    /// The payload with its times; the encoder is empty thereafter and keeps its memory.
    pub fn finish_chunk(&mut self) -> EncodedChunk {
        let mut bytes = self.w.finish();
        bytes[..2].copy_from_slice(&self.count.to_be_bytes());
        bytes[2] = self.start.header();
        let (min_time, max_time) = (self.min_time, self.t);
        self.w.reset(HEADER);
        *self = Self { w: std::mem::replace(&mut self.w, BitWriter::new(0)), ..Self::new() };
        EncodedChunk { min_time, max_time, encoding: Encoding::Xor2, bytes }
    }
}
