//! The bulk kernels for many chunks: up to sixteen side by side, a sample of each per step, without a branch
//! on what the samples are. Which of them bring a new window, or the same delta, cannot be foreseen, and a
//! branch foreseen wrongly costs more than a sample.
//!
//! Chunks are copied into one buffer with room behind each, so that no load leaves it; that costs far
//! less than decoding. What is rare (deltas of deltas of over 14 bits, values that no 64-bit load
//! covers) is done for the one lane by the scalar kernel's step. Damage makes them give up: then the
//! scalar kernel decodes everything and finds out what is wrong.

mod ahead;
mod avx2;
mod avx512;
mod begin;

use super::super::window::Window;
use ahead::Ahead;

use super::{Kernel, Part, Slot, State, fast, go_on, put};

/// Most chunks side by side.
const LANES: usize = 16;
/// Fewer chunks than this are not worth the lanes.
const LANES_MIN: usize = 6;
/// Steps between two looks at where the lanes stand.
const TILE: usize = 8;
/// Room behind each chunk: what a tile's steps of at most 145 bits and a load can go past its end.
const ROOM: usize = 192;
/// Longer chunks are decoded alone: they are no part of the usual 120 samples.
const PAYLOAD_MAX: usize = 16 << 10;
/// With fewer bits a sample than this it is runs of constant samples that the scalar kernel takes at once.
const BITS_MIN: usize = 8;

/// Whether this CPU has what the kernel takes.
pub(super) fn has(kernel: Kernel) -> bool {
    match kernel {
        Kernel::Scalar => false,
        Kernel::Portable => avx2::available(),
        Kernel::Avx512 => avx512::available() && avx2::available(),
    }
}

/// Decodes the chunks to their places in the columns and asks for the lines of `ahead` meanwhile; `false` if
/// one is damaged.
pub(super) fn decode(
    kernel: Kernel,
    parts: &[Part<'_>],
    ahead: &[&[u8]],
    t: &mut [Slot<i64>],
    v: &mut [Slot<f64>],
) -> bool {
    let mut order = Vec::with_capacity(parts.len());
    let mut longest = 0;
    for part in parts {
        if fits(part) {
            longest = longest.max(part.payload.len());
            order.push(part);
        } else if !alone(part, t, v) {
            return false;
        }
    }
    // Lanes go as far as the shortest of them.
    order.sort_unstable_by_key(|part| part.count);
    let mut buffer = Vec::with_capacity(order.len().min(LANES) * (longest + ROOM));
    let mut ahead = Ahead::new(ahead, order.chunks(LANES).map(|some| some[0].count / TILE).sum());
    let sound = order.chunks(LANES).all(|some| {
        if some.len() < LANES_MIN {
            some.iter().all(|part| alone(part, t, v))
        } else {
            batch(kernel, some, &mut buffer, &mut ahead, t, v)
        }
    });
    ahead.rest();
    sound
}

/// Whether a chunk is better off in a lane than alone.
fn fits(part: &Part<'_>) -> bool {
    let bits = part.payload.len() * 8;
    part.count >= 2 + TILE && part.payload.len() <= PAYLOAD_MAX && bits / part.count >= BITS_MIN
}

fn alone(part: &Part<'_>, t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> bool {
    let range = part.at..part.at + part.count;
    super::decode(part.payload, &mut t[range.clone()], &mut v[range]).is_ok()
}

/// Decodes up to [`LANES`] chunks, of at least ten samples each.
fn batch(
    kernel: Kernel,
    parts: &[&Part<'_>],
    buffer: &mut Vec<u8>,
    ahead: &mut Ahead<'_>,
    t: &mut [Slot<i64>],
    v: &mut [Slot<f64>],
) -> bool {
    let mut lanes = Lanes::default();
    let mut steps = usize::MAX;
    buffer.clear();
    for (i, part) in parts.iter().enumerate() {
        let range = part.at..part.at + part.count;
        let Some(state) = begin::begin(part.payload, &mut t[range.clone()], &mut v[range]) else { return false };
        let base = buffer.len() * 8;
        lanes.set(i, &State { pos: base + state.pos, ..state });
        lanes.base[i] = base as u64;
        lanes.end[i] = (base + part.payload.len() * 8) as u64;
        lanes.out[i] = part.at + 2;
        steps = steps.min(part.count - 2);
        buffer.extend_from_slice(part.payload);
        buffer.resize(buffer.len() + ROOM, 0);
    }
    for i in parts.len()..LANES {
        // Lanes to spare repeat the first chunk and write the same to the same place.
        lanes.copy(0, i);
    }
    #[expect(unsafe_code, reason = "the kernels need CPU features that were looked for at run time")]
    // SAFETY: the caller of `decode` found the CPU to have the features.
    let sound = unsafe {
        match kernel {
            // Few chunks fill the narrower one.
            Kernel::Avx512 if parts.len() > avx2::LANES => avx512::run(&mut lanes, steps, buffer, ahead, t, v),
            _ => avx2::run(&mut lanes, parts.len(), steps, buffer, ahead, t, v),
        }
    };
    sound
        && parts.iter().enumerate().all(|(i, part)| {
            let state = lanes.get(i);
            let range = part.at + 2 + steps..part.at + part.count;
            let state = State { pos: state.pos - lanes.base[i] as usize, ..state };
            go_on(part.payload, state, &mut t[range.clone()], &mut v[range]).is_ok()
        })
}

/// [`State`] of each lane, and where it reads and writes.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Lanes {
    pos: [u64; LANES],
    t: [i64; LANES],
    delta: [i64; LANES],
    bits: [u64; LANES],
    width: [u64; LANES],
    trailing: [u64; LANES],
    /// First and last bit of the lane's chunk in the buffer.
    base: [u64; LANES],
    end: [u64; LANES],
    /// Where the next sample goes in the columns.
    out: [usize; LANES],
}

impl Lanes {
    fn set(&mut self, i: usize, state: &State) {
        self.pos[i] = state.pos as u64;
        self.t[i] = state.t;
        self.delta[i] = state.delta;
        self.bits[i] = state.bits;
        self.width[i] = state.window.width().into();
        self.trailing[i] = state.window.trailing().into();
    }

    fn get(&self, i: usize) -> State {
        State {
            pos: self.pos[i] as usize,
            t: self.t[i],
            delta: self.delta[i],
            bits: self.bits[i],
            window: Window::new(self.width[i] as u32, self.trailing[i] as u32),
        }
    }

    fn copy(&mut self, from: usize, to: usize) {
        let state = self.get(from);
        self.set(to, &state);
        (self.base[to], self.end[to], self.out[to]) = (self.base[from], self.end[from], self.out[from]);
    }
}

/// Decodes the sample of the lanes in `rare` with the scalar step; `false` if one is damaged.
fn rare_step(rare: u8, before: &Lanes, after: &mut Lanes, buffer: &[u8]) -> bool {
    (0..8).filter(|i| rare >> i & 1 == 1).all(|i| {
        let next = fast::step_at(buffer, before.get(i));
        next.inspect(|next| after.set(i, next)).is_some()
    })
}

/// Puts rows of time and value into the columns, one by one; `false` if there is no room.
fn put_rows<const WIDE: usize>(
    times: &[[u64; WIDE]],
    values: &[[u64; WIDE]],
    out: &mut [usize],
    t: &mut [Slot<i64>],
    v: &mut [Slot<f64>],
) -> bool {
    let rows = times.len();
    for (lane, at) in out.iter_mut().enumerate() {
        let (Some(t), Some(v)) = (t.get_mut(*at..*at + rows), v.get_mut(*at..*at + rows)) else { return false };
        *at += rows;
        for (k, (t, v)) in t.iter_mut().zip(v).enumerate() {
            put(t, v, times[k][lane] as i64, values[k][lane]);
        }
    }
    true
}
