//! Floats, XOR2 (encoding 4): control bits that cover time and value together, staleness markers
//! without a value, and an optional start timestamp per sample.

mod write;

pub use write::Xor2Encoder;

use model::STALE_NAN_BITS;

use super::bits::BitReader;
use super::start::StartReader;
use super::window::Window;
use crate::Corrupt;

/// Count and the byte on start timestamps.
pub(super) const HEADER: usize = 3;

/// All that the next sample depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) t: i64,
    delta: i64,
    /// Of the value.
    pub(super) bits: u64,
    /// Of the last value that was no staleness marker, which the next is told from.
    base: u64,
    window: Window,
    pub(super) start: StartReader,
}

impl State {
    /// Before the first sample; `start` is the header's third byte.
    pub(super) fn new(start: u8) -> Self {
        Self { t: 0, delta: 0, bits: 0, base: 0, window: Window::FULL, start: StartReader::new(start) }
    }
}

/// Decodes `t.len()` samples, which must be the header's count.
pub(super) fn decode(payload: &[u8], t: &mut [i64], v: &mut [f64]) -> Result<(), Corrupt> {
    let mut r = BitReader::new(payload, HEADER);
    let mut state = State::new(payload.get(HEADER - 1).copied().unwrap_or(0));
    for (k, (t, v)) in t.iter_mut().zip(v).enumerate() {
        read(&mut r, &mut state, k)?;
        (*t, *v) = (state.t, f64::from_bits(state.bits));
    }
    Ok(())
}

/// Whether any sample of the chunk has a start timestamp.
pub(super) fn has_starts(payload: &[u8]) -> bool {
    payload.get(HEADER - 1).is_some_and(|&header| header != 0)
}

/// As [`decode`], with the start timestamps, 0 for none.
pub(super) fn decode_with_starts(
    payload: &[u8],
    t: &mut [i64],
    v: &mut [f64],
    starts: &mut [i64],
) -> Result<(), Corrupt> {
    let mut r = BitReader::new(payload, HEADER);
    let mut state = State::new(payload.get(HEADER - 1).copied().unwrap_or(0));
    for (k, ((t, v), st)) in t.iter_mut().zip(v).zip(starts).enumerate() {
        read(&mut r, &mut state, k)?;
        (*t, *v, *st) = (state.t, f64::from_bits(state.bits), state.start.st);
    }
    Ok(())
}

/// Reads sample `k` behind the one in `state`, which is of no use after an error.
#[inline]
pub(super) fn read(r: &mut BitReader<'_>, state: &mut State, k: usize) -> Result<(), Corrupt> {
    let last_t = state.t;
    if k > 1 {
        read_joint(r, state)?;
    } else if k == 1 {
        state.delta = r.uvarint()? as i64;
        read_value(r, state)?;
    } else {
        state.t = r.varint()?;
        state.bits = r.bits(64)?;
    }
    if state.bits != STALE_NAN_BITS {
        state.base = state.bits;
    }
    if k > 0 {
        state.t = last_t.wrapping_add(state.delta);
    }
    state.start.read(r, k, state.t, last_t)
}

#[inline]
fn read_joint(r: &mut BitReader<'_>, next: &mut State) -> Result<(), Corrupt> {
    // What is common, as far as one load shows it.
    let (word, there) = r.ahead();
    if word >> 63 == 0 && there > 0 {
        r.skip(1);
        next.bits = next.base;
        return Ok(());
    }
    if word >> 61 == 0b110 && there >= 16 {
        r.skip(16);
        next.delta = next.delta.wrapping_add(twos_complement(word >> 48, 13));
        return read_value(r, next);
    }
    if word >> 61 == 0b100
        && let Some(delta) = next.window.shown(word, there, 3)
    {
        r.skip(3 + next.window.width() as usize);
        next.bits = next.base ^ delta;
        return Ok(());
    }
    let dod = match r.ones(5)? {
        0 => {
            next.bits = next.base;
            return Ok(());
        }
        1 => {
            let delta = if r.bit()? { next.window.read_new(r)? } else { next.window.read_reuse(r)? };
            next.bits = next.base ^ delta;
            return Ok(());
        }
        2 => twos_complement(r.bits(13)?, 13),
        3 => twos_complement(r.bits(20)?, 20),
        4 => r.bits(64)? as i64,
        _ => {
            next.bits = STALE_NAN_BITS;
            return Ok(());
        }
    };
    next.delta = next.delta.wrapping_add(dod);
    read_value(r, next)
}

#[inline]
fn read_value(r: &mut BitReader<'_>, next: &mut State) -> Result<(), Corrupt> {
    let (word, there) = r.ahead();
    if word >> 63 == 0 && there > 0 {
        r.skip(1);
        next.bits = next.base;
        return Ok(());
    }
    if word >> 62 == 0b10
        && let Some(delta) = next.window.shown(word, there, 2)
    {
        r.skip(2 + next.window.width() as usize);
        next.bits = next.base ^ delta;
        return Ok(());
    }
    next.bits = match r.ones(3)? {
        0 => next.base,
        1 => next.base ^ next.window.read_reuse(r)?,
        2 => next.base ^ next.window.read_new(r)?,
        _ => STALE_NAN_BITS,
    };
    Ok(())
}

fn twos_complement(bits: u64, n: u32) -> i64 {
    (bits << (64 - n)) as i64 >> (64 - n)
}
