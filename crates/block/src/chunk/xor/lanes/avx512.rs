//! The AVX-512 bulk kernel: eight chunks in a vector and two vectors side by side.

mod vector;

use std::arch::x86_64::*;

use super::super::Slot;
use super::ahead::Ahead;
use super::{LANES, Lanes, TILE, rare_step};
use vector::{Rows, load_row, store, swap_bytes, transpose};

/// Lanes of a vector.
const WIDE: usize = 8;
/// Vectors side by side: their steps do not wait for each other.
const GROUPS: usize = LANES / WIDE;

/// Whether this CPU has what the kernel takes.
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512dq")
}

/// One vector of lanes, in registers. The window is what moves its bits from the high end of a word to their
/// place: down, then up.
#[derive(Clone, Copy)]
struct Group {
    pos: __m512i,
    t: __m512i,
    delta: __m512i,
    bits: __m512i,
    down: __m512i,
    up: __m512i,
}

/// Decodes `steps` samples per lane; `false` if a lane is damaged.
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
pub(super) fn run(
    lanes: &mut Lanes,
    steps: usize,
    buffer: &[u8],
    ahead: &mut Ahead<'_>,
    t: &mut [Slot<i64>],
    v: &mut [Slot<f64>],
) -> bool {
    let mut groups: [Group; GROUPS] = std::array::from_fn(|g| load_group(lanes, g));
    let mut tile = Tile([[[0; WIDE]; TILE]; 2 * GROUPS]);
    let mut left = steps;
    while left > 0 {
        let rows = left.min(TILE);
        left -= rows;
        ahead.tile();
        for k in 0..rows {
            for group in &mut groups {
                let (next, rare) = step(*group, buffer);
                if rare == 0 {
                    *group = next;
                } else {
                    // Its own places in memory, so that the groups can stay in registers.
                    let (last, mut next) = (*group, next);
                    if !step_rare(rare, &last, &mut next, buffer) {
                        return false;
                    }
                    *group = next;
                }
            }
            for (g, group) in groups.iter().enumerate() {
                store(&mut tile.0[2 * g][k], group.t);
                store(&mut tile.0[2 * g + 1][k], group.bits);
            }
        }
        for (g, group) in groups.iter().enumerate() {
            if is_past(group.pos, &lanes.end, g) {
                return false;
            }
            let out = &mut lanes.out[g * WIDE..][..WIDE];
            if !put_tile(&tile.0[2 * g], &tile.0[2 * g + 1], rows, out, t, v) {
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

/// Puts the first `rows` of a tile into the columns; `false` if there is no room.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn put_tile(
    times: &Rows,
    values: &Rows,
    rows: usize,
    out: &mut [usize],
    t: &mut [Slot<i64>],
    v: &mut [Slot<f64>],
) -> bool {
    let (times, values) = (transpose(times), transpose(values));
    let mask = u8::MAX >> (TILE - rows);
    for (lane, at) in out.iter_mut().enumerate() {
        let (Some(t), Some(v)) = (t.get_mut(*at..*at + rows), v.get_mut(*at..*at + rows)) else { return false };
        *at += rows;
        #[expect(unsafe_code, reason = "vector stores of eight samples at once")]
        // SAFETY: both slices are as many numbers of eight bytes long as the mask has ones.
        unsafe {
            _mm512_mask_storeu_epi64(t.as_mut_ptr().cast(), mask, times[lane]);
            _mm512_mask_storeu_epi64(v.as_mut_ptr().cast(), mask, values[lane]);
        }
    }
    true
}

/// Decodes one sample per lane, and tells for which lanes it takes [`step_rare`]. Every lane lies within [`super::ROOM`] behind its chunk.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn step(last: Group, buffer: &[u8]) -> (Group, u8) {
    let number = |n: i64| _mm512_set1_epi64(n);
    let (zero, one, two_ones) = (_mm512_setzero_si512(), number(1), number(0b11 << 62));
    let word = gather(last.pos, buffer);
    // Time: nothing, or 14 bits behind `10`.
    let has_dod = _mm512_movepi64_mask(word);
    let mut rare = _mm512_cmpge_epu64_mask(word, two_ones);
    let dod = _mm512_srai_epi64(_mm512_sub_epi64(_mm512_slli_epi64(word, 2), number(1 << 50)), 50);
    let delta = _mm512_mask_add_epi64(last.delta, has_dod, last.delta, _mm512_add_epi64(dod, one));
    let t = _mm512_add_epi64(last.t, delta);
    let used = _mm512_mask_blend_epi64(has_dod, one, number(16));
    // Value: the same, in the window, or in a new one.
    let value = _mm512_sllv_epi64(word, used);
    let has_value = _mm512_movepi64_mask(value);
    let is_new = _mm512_cmpge_epu64_mask(value, two_ones);
    let leading = _mm512_and_si512(_mm512_srli_epi64(value, 57), number(31));
    let new_down = _mm512_sub_epi64(zero, _mm512_srli_epi64(value, 51));
    let down = _mm512_mask_and_epi64(last.down, is_new, new_down, number(63));
    let up = _mm512_mask_sub_epi64(last.up, is_new, down, leading);
    // A window of more than 64 bits is damage: the scalar step says so.
    rare |= _mm512_movepi64_mask(up);
    // The prefix, and with a value a whole word more, of which the window leaves out what is moved down.
    let skip = _mm512_mask_blend_epi64(has_value, one, number(64 + 2));
    let skip = _mm512_mask_mov_epi64(skip, is_new, number(64 + 13));
    let end = _mm512_add_epi64(last.pos, _mm512_add_epi64(used, skip));
    let pos = _mm512_mask_sub_epi64(end, has_value, end, down);
    // The first load shows 57 bits at least; behind them it takes another one at the value's own place. A rotation
    // takes the prefix to the low end, from where moving down drops it.
    let mut field = _mm512_rolv_epi64(value, skip);
    let far = _mm512_mask_cmpgt_epi64_mask(has_value, _mm512_sub_epi64(pos, last.pos), number(57));
    if far != 0 {
        let start = _mm512_sub_epi64(end, number(64));
        field = _mm512_mask_mov_epi64(field, far, gather_where(far, start, buffer));
        let first = _mm512_andnot_si512(number(7), start);
        rare |= _mm512_mask_cmpgt_epi64_mask(far, _mm512_sub_epi64(pos, first), number(64));
    }
    let xored = _mm512_sllv_epi64(_mm512_srlv_epi64(field, down), up);
    let bits = _mm512_mask_xor_epi64(last.bits, has_value, last.bits, xored);
    let next = Group { pos, t, delta, bits, down, up };
    (next, rare)
}

/// Decodes the sample of the lanes in `rare` with the scalar step; `false` if one is damaged.
#[cold]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn step_rare(rare: u8, last: &Group, next: &mut Group, buffer: &[u8]) -> bool {
    let (mut before, mut after) = (Lanes::default(), Lanes::default());
    store_group(&mut before, 0, *last);
    store_group(&mut after, 0, *next);
    let done = rare_step(rare, &before, &mut after, buffer);
    *next = load_group(&after, 0);
    done
}

/// The 57 or more bits from each lane's bit position on, at the high end.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn gather(pos: __m512i, buffer: &[u8]) -> __m512i {
    #[expect(unsafe_code, reason = "the gather is what the lanes are for")]
    // SAFETY: positions are checked against the chunk's end once a tile, and [`super::ROOM`] bytes behind
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
        down: _mm512_sub_epi64(_mm512_set1_epi64(64), load(&lanes.width, g)),
        up: load(&lanes.trailing, g),
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
    put(&mut lanes.width, _mm512_sub_epi64(_mm512_set1_epi64(64), group.down));
    put(&mut lanes.trailing, group.up);
    let mut put_signed = |numbers: &mut [i64], value| {
        store(&mut row, value);
        numbers[g * WIDE..][..WIDE].copy_from_slice(&row.map(|n| n as i64));
    };
    put_signed(&mut lanes.t, group.t);
    put_signed(&mut lanes.delta, group.delta);
}
