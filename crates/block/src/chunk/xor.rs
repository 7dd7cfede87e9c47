//! Floats, Gorilla XOR (encoding 1): time as delta of delta, value as window of the XOR.
//!
//! A payload is a `u16` count, the first sample in full, the second with its delta as a varint, then
//! the rest bit by bit. [`decode`] is the hot path: it loads eight bytes per field and branches on
//! what is common. Where that gives up (close to the end, a field of over 57 bits, damage), the
//! checked reader goes on.

mod fast;
mod write;

pub use write::XorEncoder;

use super::bits::BitReader;
use super::varbit::signed;
use super::window::Window;
use crate::Corrupt;

pub(super) const HEADER: usize = 2;

/// All that the next sample depends on: the last one, and where it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    /// In bits.
    pub(super) pos: usize,
    pub(super) t: i64,
    pub(super) delta: i64,
    /// Of the value.
    pub(super) bits: u64,
    pub(super) window: Window,
}

/// Decodes `t.len()` samples, which must be the header's count.
pub(super) fn decode(payload: &[u8], t: &mut [i64], v: &mut [f64]) -> Result<(), Corrupt> {
    let mut r = BitReader::new(payload, HEADER);
    let mut state = State { pos: 0, t: 0, delta: 0, bits: 0, window: Window::FULL };
    for k in 0..t.len().min(2) {
        state = read(&mut r, state, k)?;
        (t[k], v[k]) = (state.t, f64::from_bits(state.bits));
    }
    let mut k = 2;
    if t.len() > k {
        let (done, next) = fast::decode(payload, state, &mut t[k..], &mut v[k..]);
        (k, state) = (k + done, next);
    }
    r.seek(state.pos);
    for k in k..t.len() {
        state = read(&mut r, state, k)?;
        (t[k], v[k]) = (state.t, f64::from_bits(state.bits));
    }
    Ok(())
}

/// Reads sample `k` behind `last`, whose `pos` is where `r` stands.
pub(super) fn read(r: &mut BitReader<'_>, last: State, k: usize) -> Result<State, Corrupt> {
    let mut next = last;
    match k {
        0 => {
            next.t = r.varint()?;
            next.bits = r.bits(64)?;
        }
        1 => {
            next.delta = r.uvarint()? as i64;
            next.t = last.t.wrapping_add(next.delta);
            next.bits = next.window.read(r, last.bits)?;
        }
        _ => {
            let dod = match r.ones(4)? {
                0 => 0,
                1 => signed(r.bits(14)?, 14),
                2 => signed(r.bits(17)?, 17),
                3 => signed(r.bits(20)?, 20),
                _ => r.bits(64)? as i64,
            };
            next.delta = last.delta.wrapping_add(dod);
            next.t = last.t.wrapping_add(next.delta);
            next.bits = next.window.read(r, last.bits)?;
        }
    }
    next.pos = r.position();
    Ok(next)
}
