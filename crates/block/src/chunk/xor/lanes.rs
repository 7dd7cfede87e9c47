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
    // Those of one length begin and end side by side; what is left at the end are the shortest.
    order.sort_unstable_by_key(|part| std::cmp::Reverse(part.count));
    // A place for each lane. What others left behind a chunk does not matter: who reads it is past the end, and told so.
    let place = longest + ROOM;
    let mut buffer = vec![0; order.len().min(LANES) * place];
    let samples: usize = order.iter().map(|part| part.count).sum();
    let mut ahead = Ahead::new(ahead, samples / (LANES * TILE));
    let sound = decode_all(kernel, &order, (&mut buffer, place), &mut ahead, t, v);
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

/// What a lane is at.
struct Work<'a> {
    part: &'a Part<'a>,
    /// Samples that are still to be decoded.
    left: usize,
    /// Where in the buffer its chunk is.
    from: usize,
}

/// Decodes chunks of at least ten samples each: a lane that is through takes the next of them. The buffer has a place of
/// so many bytes for each lane.
fn decode_all(
    kernel: Kernel,
    parts: &[&Part<'_>],
    (buffer, place): (&mut [u8], usize),
    ahead: &mut Ahead<'_>,
    t: &mut [Slot<i64>],
    v: &mut [Slot<f64>],
) -> bool {
    let mut parts = parts.iter();
    let mut lanes = Lanes::default();
    // Of the first lanes; the others are spare.
    let mut work: Vec<Work<'_>> = Vec::with_capacity(LANES);
    loop {
        let mut i = 0;
        while i < LANES {
            if work.get(i).is_some_and(|work| work.left > 0) {
                i += 1;
            } else if let Some(part) = parts.next() {
                let from = work.get(i).map_or(i * place, |work| work.from);
                if !lanes.take(i, part, (buffer, from), t, v) {
                    return false;
                }
                let next = Work { part, left: part.count - 2, from };
                if i == work.len() {
                    work.push(next);
                } else {
                    work[i] = next;
                }
                i += 1;
            } else if i < work.len() {
                // The last one moves here.
                work.swap_remove(i);
                lanes.copy(work.len(), i);
            } else {
                break;
            }
        }
        let count = work.len();
        if count < LANES_MIN {
            return work.iter().enumerate().all(|(i, work)| lanes.go_on_alone(i, work, t, v));
        }
        for i in count..LANES {
            // Lanes to spare repeat the first chunk and write the same to the same place.
            lanes.copy(0, i);
        }
        let steps = work.iter().map(|work| work.left).min().unwrap_or(0);
        #[expect(unsafe_code, reason = "the kernels need CPU features that were looked for at run time")]
        // SAFETY: the caller of `decode` found the CPU to have the features.
        let sound = unsafe {
            match kernel {
                // Few chunks fill the narrower one.
                Kernel::Avx512 if count > avx2::LANES => avx512::run(&mut lanes, steps, buffer, ahead, t, v),
                _ => avx2::run(&mut lanes, count, steps, buffer, ahead, t, v),
            }
        };
        if !sound {
            return false;
        }
        work.iter_mut().for_each(|work| work.left -= steps);
    }
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
    /// Begins a chunk in lane `i`, copied to `from` in the buffer; `false` if it is damaged.
    fn take(
        &mut self,
        i: usize,
        part: &Part<'_>,
        (buffer, from): (&mut [u8], usize),
        t: &mut [Slot<i64>],
        v: &mut [Slot<f64>],
    ) -> bool {
        let range = part.at..part.at + part.count;
        let Some(state) = begin::begin(part.payload, &mut t[range.clone()], &mut v[range]) else { return false };
        buffer[from..from + part.payload.len()].copy_from_slice(part.payload);
        self.set(i, &State { pos: from * 8 + state.pos, ..state });
        self.base[i] = from as u64 * 8;
        self.end[i] = (from + part.payload.len()) as u64 * 8;
        self.out[i] = part.at + 2;
        true
    }

    /// Decodes what is left of the chunk in lane `i` by itself; `false` if it is damaged.
    fn go_on_alone(&self, i: usize, work: &Work<'_>, t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> bool {
        let end = work.part.at + work.part.count;
        let (state, range) = (self.get(i), end - work.left..end);
        let state = State { pos: state.pos - self.base[i] as usize, ..state };
        go_on(work.part.payload, state, &mut t[range.clone()], &mut v[range]).is_ok()
    }

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
