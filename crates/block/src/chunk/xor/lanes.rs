//! The AVX-512 bulk kernel: sixteen chunks side by side, a sample of each per step.
//!
//! Chunks are copied into one buffer with room behind each, so that no load leaves it; that costs far
//! less than decoding. What is rare (deltas of deltas of over 14 bits, values that no 64-bit load
//! covers) is done for the one lane by the portable kernel's step. Damage makes it give up: then the
//! portable kernel decodes everything and finds out what is wrong.

mod vector;

use std::arch::x86_64::*;

use super::super::window::Window;
use vector::{Rows, load_row, store, swap_bytes, transpose};

use super::{Part, Slot, State, begin, fast, go_on, put};

/// Lanes of a vector.
const WIDE: usize = 8;
/// Vectors side by side: their steps do not wait for each other.
const GROUPS: usize = 2;
const LANES: usize = WIDE * GROUPS;
/// Fewer chunks than this are not worth the lanes.
const LANES_MIN: usize = 5;
/// Steps between two looks at where the lanes stand.
const TILE: usize = 8;
/// Room behind each chunk: what a tile's steps of at most 145 bits and a load can go past its end.
const ROOM: usize = 192;
/// Longer chunks are decoded alone: they are no part of the usual 120 samples.
const PAYLOAD_MAX: usize = 16 << 10;
/// With fewer bits a sample than this it is runs of constant samples that the portable kernel takes at once.
const BITS_MIN: usize = 8;

/// Whether this CPU has what the kernel takes.
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512dq")
}

/// Decodes the chunks to their places in the columns; `false` if one is damaged.
pub(super) fn decode(parts: &[Part<'_>], t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> bool {
    let mut order: Vec<_> = parts.iter().collect();
    // Lanes go as far as the shortest of them.
    order.sort_by_key(|part| part.count);
    let mut buffer = Vec::new();
    let (order, others): (Vec<_>, Vec<_>) = order.into_iter().partition(|part| fits(part));
    if !others.into_iter().all(|part| alone(part, t, v)) {
        return false;
    }
    for lanes in order.chunks(LANES) {
        let done = if lanes.len() < LANES_MIN {
            lanes.iter().all(|part| alone(part, t, v))
        } else {
            batch(lanes, &mut buffer, t, v)
        };
        if !done {
            return false;
        }
    }
    true
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
fn batch(parts: &[&Part<'_>], buffer: &mut Vec<u8>, t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> bool {
    let mut lanes = Lanes::default();
    let mut steps = usize::MAX;
    buffer.clear();
    for (i, part) in parts.iter().enumerate() {
        let range = part.at..part.at + part.count;
        let Ok(state) = begin(part.payload, &mut t[range.clone()], &mut v[range]) else { return false };
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
    // SAFETY: the caller of `decode` found the CPU to have the features.
    #[expect(unsafe_code, reason = "the kernel needs CPU features that were looked for at run time")]
    let sound = unsafe { run(&mut lanes, steps, buffer, t, v) };
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

/// One vector of lanes, in registers.
#[derive(Clone, Copy)]
struct Group {
    pos: __m512i,
    t: __m512i,
    delta: __m512i,
    bits: __m512i,
    width: __m512i,
    trailing: __m512i,
}

/// Decodes `steps` samples per lane; `false` if a lane is damaged.
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn run(lanes: &mut Lanes, steps: usize, buffer: &[u8], t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> bool {
    let mut groups = [load_group(lanes, 0), load_group(lanes, 1)];
    let mut tile = Tile([[[0; WIDE]; TILE]; 2 * GROUPS]);
    let mut left = steps;
    while left > 0 {
        let rows = left.min(TILE);
        left -= rows;
        for k in 0..rows {
            for (g, group) in groups.iter_mut().enumerate() {
                let Some(next) = step(*group, buffer) else { return false };
                *group = next;
                store(&mut tile.0[2 * g][k], next.t);
                store(&mut tile.0[2 * g + 1][k], next.bits);
            }
        }
        for (g, group) in groups.iter().enumerate() {
            if is_past(group.pos, &lanes.end, g) {
                return false;
            }
            let out = &mut lanes.out[g * WIDE..][..WIDE];
            let [times, values] = [&tile.0[2 * g], &tile.0[2 * g + 1]];
            if !(if rows == TILE {
                put_tile(times, values, out, t, v)
            } else {
                put_rows(times, values, rows, out, t, v)
            }) {
                return false;
            }
        }
    }
    for (g, group) in groups.into_iter().enumerate() {
        store_group(lanes, g, group);
    }
    true
}

/// Rows of a tile: time and value of each group.
#[repr(align(64))]
struct Tile([Rows; 2 * GROUPS]);

/// Puts a full tile into the columns; `false` if there is no room.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn put_tile(times: &Rows, values: &Rows, out: &mut [usize], t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> bool {
    let (times, values) = (transpose(times), transpose(values));
    for (lane, at) in out.iter_mut().enumerate() {
        let (Some(t), Some(v)) = (t.get_mut(*at..*at + TILE), v.get_mut(*at..*at + TILE)) else { return false };
        *at += TILE;
        #[expect(unsafe_code, reason = "vector stores of eight samples at once")]
        // SAFETY: both slices are eight numbers of eight bytes long.
        unsafe {
            _mm512_storeu_si512(t.as_mut_ptr().cast(), times[lane]);
            _mm512_storeu_si512(v.as_mut_ptr().cast(), values[lane]);
        }
    }
    true
}

/// As [`put_tile`] for the first rows, one by one.
fn put_rows(
    times: &Rows,
    values: &Rows,
    rows: usize,
    out: &mut [usize],
    t: &mut [Slot<i64>],
    v: &mut [Slot<f64>],
) -> bool {
    for (lane, at) in out.iter_mut().enumerate() {
        let (Some(t), Some(v)) = (t.get_mut(*at..*at + rows), v.get_mut(*at..*at + rows)) else { return false };
        *at += rows;
        for (k, (t, v)) in t.iter_mut().zip(v).enumerate() {
            put(t, v, times[k][lane] as i64, values[k][lane]);
        }
    }
    true
}

/// Decodes one sample per lane; `None` if one is damaged. Every lane lies within [`ROOM`] behind its chunk.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn step(last: Group, buffer: &[u8]) -> Option<Group> {
    let one = _mm512_set1_epi64(1);
    let word = gather(last.pos, buffer);
    // Time: nothing, or 14 bits behind `10`.
    let has_dod = _mm512_movepi64_mask(word);
    let mut rare = _mm512_movepi64_mask(_mm512_and_si512(word, _mm512_slli_epi64(word, 1)));
    let dod = _mm512_sub_epi64(_mm512_slli_epi64(word, 2), _mm512_set1_epi64(1 << 50));
    let dod = _mm512_add_epi64(_mm512_srai_epi64(dod, 50), one);
    let delta = _mm512_mask_add_epi64(last.delta, has_dod, last.delta, dod);
    let t = _mm512_add_epi64(last.t, delta);
    let used = _mm512_mask_blend_epi64(has_dod, one, _mm512_set1_epi64(16));
    let word = _mm512_sllv_epi64(word, used);
    // Value: the same, in the window, or in a new one.
    let has_value = _mm512_movepi64_mask(word);
    let is_new = _mm512_movepi64_mask(_mm512_and_si512(word, _mm512_slli_epi64(word, 1)));
    let six = _mm512_set1_epi64(63);
    let header = _mm512_srli_epi64(word, 51);
    let leading = _mm512_and_si512(_mm512_srli_epi64(header, 6), _mm512_set1_epi64(31));
    let new_width = _mm512_add_epi64(_mm512_and_si512(_mm512_sub_epi64(header, one), six), one);
    let full = _mm512_set1_epi64(64);
    let new_trailing = _mm512_sub_epi64(_mm512_sub_epi64(full, leading), new_width);
    // A window of more than 64 bits is damage: the portable step says so.
    rare |= is_new & _mm512_movepi64_mask(new_trailing);
    let width = _mm512_mask_mov_epi64(last.width, is_new, new_width);
    let trailing = _mm512_mask_mov_epi64(last.trailing, is_new, new_trailing);
    let skip = _mm512_mask_blend_epi64(has_value, one, _mm512_set1_epi64(2));
    let skip = _mm512_mask_mov_epi64(skip, is_new, _mm512_set1_epi64(13));
    let start = _mm512_add_epi64(last.pos, _mm512_add_epi64(used, skip));
    let pos = _mm512_mask_add_epi64(start, has_value, start, width);
    // From the first load if it reaches so far, else from one at the value's own place.
    let seven = _mm512_set1_epi64(7);
    let first = _mm512_andnot_si512(seven, last.pos);
    let far = _mm512_mask_cmpgt_epi64_mask(has_value, _mm512_sub_epi64(pos, first), full);
    let mut field = _mm512_sllv_epi64(word, skip);
    if far != 0 {
        field = _mm512_mask_mov_epi64(field, far, gather_where(far, start, buffer));
        let first = _mm512_andnot_si512(seven, start);
        rare |= _mm512_mask_cmpgt_epi64_mask(far, _mm512_sub_epi64(pos, first), full);
    }
    let xored = _mm512_sllv_epi64(_mm512_srlv_epi64(field, _mm512_sub_epi64(full, width)), trailing);
    let bits = _mm512_mask_xor_epi64(last.bits, has_value, last.bits, xored);
    let next = Group { pos, t, delta, bits, width, trailing };
    if rare == 0 { Some(next) } else { step_rare(rare, last, next, buffer) }
}

/// Decodes the sample of the lanes in `rare` with the portable step.
#[cold]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn step_rare(rare: u8, last: Group, next: Group, buffer: &[u8]) -> Option<Group> {
    let (mut before, mut after) = (Lanes::default(), Lanes::default());
    store_group(&mut before, 0, last);
    store_group(&mut after, 0, next);
    for i in (0..WIDE).filter(|i| rare >> i & 1 == 1) {
        after.set(i, &fast::step_at(buffer, before.get(i))?);
    }
    Some(load_group(&after, 0))
}

/// The 57 or more bits from each lane's bit position on, at the high end.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn gather(pos: __m512i, buffer: &[u8]) -> __m512i {
    #[expect(unsafe_code, reason = "the gather is what the lanes are for")]
    // SAFETY: positions are checked against the chunk's end once a tile, and [`ROOM`] bytes behind
    // that are in the buffer, more than a tile's steps advance by.
    let word = unsafe { _mm512_i64gather_epi64::<1>(_mm512_srli_epi64(pos, 3), buffer.as_ptr().cast()) };
    _mm512_sllv_epi64(swap_bytes(word), _mm512_and_si512(pos, _mm512_set1_epi64(7)))
}

/// As [`gather`] for the lanes of the mask; the others are zero.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn gather_where(mask: u8, pos: __m512i, buffer: &[u8]) -> __m512i {
    let (none, at) = (_mm512_setzero_si512(), _mm512_srli_epi64(pos, 3));
    #[expect(unsafe_code, reason = "the gather is what the lanes are for")]
    // SAFETY: as in `gather`.
    let word = unsafe { _mm512_mask_i64gather_epi64::<1>(none, mask, at, buffer.as_ptr().cast()) };
    _mm512_sllv_epi64(swap_bytes(word), _mm512_and_si512(pos, _mm512_set1_epi64(7)))
}

/// Whether a lane of group `g` went past the end of its chunk.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn is_past(pos: __m512i, end: &[u64; LANES], g: usize) -> bool {
    _mm512_cmpgt_epu64_mask(pos, load(end, g)) != 0
}

/// The numbers of group `g`.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(numbers: &[u64; LANES], g: usize) -> __m512i {
    load_row(&std::array::from_fn(|i| numbers[g * WIDE + i]))
}

#[target_feature(enable = "avx512f")]
fn load_group(lanes: &Lanes, g: usize) -> Group {
    let signed = |numbers: &[i64; LANES]| load(&numbers.map(|n| n as u64), g);
    Group {
        pos: load(&lanes.pos, g),
        t: signed(&lanes.t),
        delta: signed(&lanes.delta),
        bits: load(&lanes.bits, g),
        width: load(&lanes.width, g),
        trailing: load(&lanes.trailing, g),
    }
}

#[target_feature(enable = "avx512f")]
fn store_group(lanes: &mut Lanes, g: usize, group: Group) {
    let mut row = [0; WIDE];
    let mut put = |numbers: &mut [u64], value| {
        store(&mut row, value);
        numbers[g * WIDE..][..WIDE].copy_from_slice(&row);
    };
    put(&mut lanes.pos, group.pos);
    put(&mut lanes.bits, group.bits);
    put(&mut lanes.width, group.width);
    put(&mut lanes.trailing, group.trailing);
    let mut put_signed = |numbers: &mut [i64], value| {
        store(&mut row, value);
        numbers[g * WIDE..][..WIDE].copy_from_slice(&row.map(|n| n as i64));
    };
    put_signed(&mut lanes.t, group.t);
    put_signed(&mut lanes.delta, group.delta);
}
