//! Floats, Gorilla XOR (encoding 1): time as delta of delta, value as window of the XOR.
//!
//! A payload is a `u16` count, the first sample in full, the second with its delta as a varint, then
//! the rest bit by bit. [`decode`] is the hot path: it loads eight bytes per field and branches on
//! what is common. Where that gives up (close to the end, a field of over 57 bits, damage), the
//! checked reader goes on.

mod fast;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod write;

pub use write::XorEncoder;

use std::mem::MaybeUninit;

use super::bits::BitReader;
use super::varbit::signed;
use super::window::Window;
use super::{Encoding, sample_count};
use crate::{Columns, Corrupt};

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

impl State {
    /// Before the first sample.
    pub(super) const START: Self = Self { pos: 0, t: 0, delta: 0, bits: 0, window: Window::FULL };
}

/// The ways to decode; all give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kernel {
    /// Chunk after chunk, on any CPU.
    Scalar,
    /// What nearly every CPU of the kind has: eight chunks at a time with AVX2, else as [`Kernel::Scalar`].
    Portable,
    /// Sixteen chunks at a time, with AVX-512.
    Avx512,
}

impl Kernel {
    /// The fastest that this CPU has.
    #[must_use]
    pub fn widest() -> Self {
        #[cfg(target_arch = "x86_64")]
        if lanes::has(Self::Avx512) {
            return Self::Avx512;
        }
        Self::Portable
    }
}

/// Appends the samples of an XOR chunk; `count` is the header's.
pub(super) fn decode_one(payload: &[u8], count: usize, out: &mut Columns) -> Result<(), Corrupt> {
    append(count, out, |t, v| decode(payload, t, v))
}

/// Appends the samples of XOR chunks: so many zeros, then of a chunk no more than so many. The CPU is asked meanwhile for
/// `ahead`, the payloads that come next.
pub(super) fn decode_many<'a>(
    kernel: Kernel,
    chunks: impl ExactSizeIterator<Item = (usize, &'a [u8], usize)>,
    ahead: &[&[u8]],
    out: &mut Columns,
) -> Result<(), Corrupt> {
    let mut parts = Vec::with_capacity(chunks.len());
    let mut end = 0;
    // The first damaged chunk is told of, and that may be one before a short one.
    let mut short = Ok(());
    let mut rooms = Vec::new();
    for (room, payload, most) in chunks {
        if room > 0 {
            rooms.push(end..end + room);
            end += room;
        }
        match sample_count(Encoding::Xor, payload) {
            Ok(count) => parts.push(Part { payload, at: end, count: most.min(count as usize) }),
            Err(e) => {
                short = Err(e);
                break;
            }
        }
        end += parts.last().map_or(0, |part| part.count);
    }
    append(end, out, |t, v| {
        for room in rooms {
            t[room.clone()].fill(Slot::new(0));
            v[room].fill(Slot::new(0.0));
        }
        #[cfg(target_arch = "x86_64")]
        if lanes::has(kernel) && lanes::decode(kernel, &parts, ahead, t, v) {
            return short;
        }
        let _only_one = kernel;
        ahead.iter().for_each(|payload| crate::prefetch(payload));
        for Part { payload, at, count } in parts {
            decode(payload, &mut t[at..at + count], &mut v[at..at + count])?;
        }
        short
    })
}

/// Room for a number in a column.
type Slot<T> = MaybeUninit<T>;

/// Appends `count` samples, all of which `decode` puts into their slots unless it fails.
fn append(
    count: usize,
    out: &mut Columns,
    decode: impl FnOnce(&mut [Slot<i64>], &mut [Slot<f64>]) -> Result<(), Corrupt>,
) -> Result<(), Corrupt> {
    out.t.reserve(count);
    out.v.reserve(count);
    decode(&mut out.t.spare_capacity_mut()[..count], &mut out.v.spare_capacity_mut()[..count])?;
    #[expect(unsafe_code, reason = "measured: zeros in the slots first take a tenth of the time")]
    // SAFETY: there is room for so many more, and decoding without an error wrote them all.
    unsafe {
        out.t.set_len(out.t.len() + count);
        out.v.set_len(out.v.len() + count);
    }
    Ok(())
}

/// A chunk and the place of its samples in the columns.
#[derive(Clone, Copy, Debug)]
struct Part<'a> {
    payload: &'a [u8],
    at: usize,
    count: usize,
}

/// Decodes as many samples as there are slots, which must be no more than the header's count. Writes every slot or gives
/// an error.
fn decode(payload: &[u8], t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> Result<(), Corrupt> {
    let state = begin(payload, t, v)?;
    let begun = t.len().min(2);
    go_on(payload, state, &mut t[begun..], &mut v[begun..])
}

/// Decodes the first two samples, or as many as there is room for.
fn begin(payload: &[u8], t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> Result<State, Corrupt> {
    let mut r = BitReader::new(payload, HEADER);
    let mut state = State::START;
    for (k, (t, v)) in t.iter_mut().zip(v).take(2).enumerate() {
        state = read(&mut r, state, k)?;
        put(t, v, state.t, state.bits);
    }
    Ok(state)
}

/// Decodes the samples behind `state`, which is that of the second sample or a later one.
fn go_on(payload: &[u8], state: State, t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> Result<(), Corrupt> {
    if t.is_empty() {
        return Ok(());
    }
    let (done, mut state) = fast::decode(payload, state, t, v);
    let mut r = BitReader::new(payload, 0);
    r.seek(state.pos);
    for (t, v) in t.iter_mut().zip(v).skip(done) {
        state = read(&mut r, state, 2)?;
        put(t, v, state.t, state.bits);
    }
    Ok(())
}

#[inline(always)]
fn put(t: &mut Slot<i64>, v: &mut Slot<f64>, time: i64, bits: u64) {
    t.write(time);
    v.write(f64::from_bits(bits));
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
