//! The first two samples of a chunk.

use super::super::super::window::Window;
use super::super::{HEADER, Slot, State, begin as begin_checked, put};

/// Decodes them; `None` for damage.
pub(super) fn begin(payload: &[u8], t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> Option<State> {
    usual(payload, t, v).or_else(|| begin_checked(payload, t, v).ok())
}

/// A time and an interval of at most eight bytes each, and a second value that is the first or in a window of its
/// own. `None` for anything else.
fn usual(payload: &[u8], t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> Option<State> {
    let (first, value_at) = uvarint(payload, HEADER)?;
    let time = (first >> 1).cast_signed() ^ -(first & 1).cast_signed();
    let bits = eight(payload, value_at)?;
    put(t.first_mut()?, v.first_mut()?, time, bits);
    let (delta, at) = uvarint(payload, value_at + 8)?;
    let (delta, word) = (delta.cast_signed(), eight(payload, at)?);
    let same = State { pos: at * 8 + 1, t: time.wrapping_add(delta), delta, bits, window: State::START.window };
    let state = match word >> 62 {
        0b00 | 0b01 => same,
        0b11 => {
            let window = Window::from_header((word >> 51) as u32 & 0x7ff)?;
            let end = 13 + window.width();
            if end > u64::BITS {
                return None;
            }
            let xored = word << 13 >> (64 - window.width()) << window.trailing();
            State { pos: at * 8 + end as usize, bits: bits ^ xored, window, ..same }
        }
        _ => return None,
    };
    put(t.get_mut(1)?, v.get_mut(1)?, state.t, state.bits);
    Some(state)
}

/// The eight bytes at `at`, the first one highest.
#[inline]
fn eight(payload: &[u8], at: usize) -> Option<u64> {
    payload.get(at..)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// The number at `at` of up to eight bytes, and where it ends.
#[inline]
fn uvarint(payload: &[u8], at: usize) -> Option<(u64, usize)> {
    let bytes: &[u8; 8] = payload.get(at..)?.first_chunk()?;
    let mut value = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Some((value, at + i + 1));
        }
    }
    None
}
