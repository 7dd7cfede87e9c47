//! One XOR-compressed float: the value differs from the one before in a window of significant bits
//! that lasts until a value does not fit it.

use super::bits::{BitReader, BitWriter};
use crate::Corrupt;

/// The significant bits of the last difference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// 1 to 64; 0 as long as there is no window.
    width: u32,
    /// Zero bits behind it.
    trailing: u32,
}

impl Window {
    /// No window yet.
    pub(crate) const UNSET: Self = Self { width: 0, trailing: 0 };
    /// What a reader starts with: reuse before any window means all 64 bits.
    pub(crate) const FULL: Self = Self { width: 64, trailing: 0 };

    /// A window of `width` bits, 1 to 64, with `trailing` behind it; together at most 64.
    #[inline]
    pub(crate) fn new(width: u32, trailing: u32) -> Self {
        Self { width, trailing }
    }

    /// How many bits it has, 1 to 64.
    #[inline]
    pub(crate) fn width(self) -> u32 {
        self.width
    }

    #[inline]
    pub(crate) fn trailing(self) -> u32 {
        self.trailing
    }

    /// The window of 5 bits of leading zeros and 6 bits of width, 0 standing for 64.
    #[inline]
    pub(crate) fn from_header(header: u32) -> Option<Self> {
        let (leading, width) = (header >> 6 & 31, (header.wrapping_sub(1) & 63) + 1);
        let trailing = 64u32.checked_sub(leading + width)?;
        Some(Self { width, trailing })
    }

    /// Reads a new window and the bits in it; gives the difference.
    pub(crate) fn read_new(&mut self, r: &mut BitReader<'_>) -> Result<u64, Corrupt> {
        let header = r.bits(11)? as u32;
        let Some(window) = Self::from_header(header) else {
            return Err(r.corrupt("value window is wider than 64 bits"));
        };
        *self = window;
        self.read_reuse(r)
    }

    /// Reads the bits of the present window; gives the difference.
    pub(crate) fn read_reuse(self, r: &mut BitReader<'_>) -> Result<u64, Corrupt> {
        Ok(r.bits(self.width())? << self.trailing)
    }

    /// The difference whose bits lie behind the first `skip` of `word`, of which `there` are there; `None` if
    /// they are not.
    #[inline]
    pub(crate) fn shown(self, word: u64, there: u32, skip: u32) -> Option<u64> {
        (skip + self.width <= there).then(|| word << skip >> (64 - self.width) << self.trailing)
    }

    /// Reads a value behind `bits`, those of the value before, and gives its bits.
    #[inline]
    pub(crate) fn read(&mut self, r: &mut BitReader<'_>, bits: u64) -> Result<u64, Corrupt> {
        let (word, there) = r.ahead();
        if word >> 62 == 0b10
            && let Some(delta) = self.shown(word, there, 2)
        {
            r.skip(2 + self.width() as usize);
            return Ok(bits ^ delta);
        }
        if !r.bit()? {
            return Ok(bits);
        }
        let delta = if r.bit()? { self.read_new(r)? } else { self.read_reuse(r)? };
        Ok(bits ^ delta)
    }

    /// Whether the difference fits the window; otherwise it becomes the narrowest that holds it.
    #[inline]
    pub(crate) fn keeps(&mut self, delta: u64) -> bool {
        // Five bits say how many zeros lead.
        let leading = delta.leading_zeros().min(31);
        let trailing = delta.trailing_zeros();
        if self.width != 0 && trailing >= self.trailing && leading + self.width + self.trailing >= 64 {
            return true;
        }
        *self = Self { width: 64 - leading - trailing, trailing };
        false
    }

    /// The 11 bits of [`Window::from_header`].
    #[inline]
    pub(crate) fn header(self) -> u64 {
        u64::from(64 - self.width - self.trailing) << 6 | u64::from(self.width & 63)
    }

    /// Writes the bits of a difference that lies in the window.
    #[inline]
    pub(crate) fn write_delta(self, w: &mut BitWriter, delta: u64) {
        w.bits(delta >> self.trailing, self.width());
    }

    /// Writes the value of bits `next` behind that of `bits`.
    #[inline]
    pub(crate) fn write(&mut self, w: &mut BitWriter, next: u64, bits: u64) {
        let delta = next ^ bits;
        if delta == 0 {
            return w.bit(false);
        }
        if self.keeps(delta) {
            w.bits(0b10, 2);
        } else {
            w.bits(0b11 << 11 | self.header(), 13);
        }
        self.write_delta(w, delta);
    }
}
