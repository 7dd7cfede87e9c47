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
pub(super) fn run(
    lanes: &mut Lanes,
    steps: usize,
    buffer: &[u8],
    ahead: &mut Ahead<'_>,
    t: &mut [Slot<i64>],
    v: &mut [Slot<f64>],
) -> bool {
    let [mut a, mut b] = [load_group(lanes, 0), load_group(lanes, 1)];
    let mut tile = Tile([[[0; WIDE]; TILE]; 2 * GROUPS]);
    let mut left = steps;
    while left > 0 {
        let rows = left.min(TILE);
        left -= rows;
        ahead.tile();
        for k in 0..rows {
            for group in [&mut a, &mut b] {
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
            store(&mut tile.0[0][k], a.t);
            store(&mut tile.0[1][k], a.bits);
            store(&mut tile.0[2][k], b.t);
            store(&mut tile.0[3][k], b.bits);
        }
        for (g, group) in [&a, &b].into_iter().enumerate() {
            if is_past(group.pos, &lanes.end, g) {
                return false;
            }
            let out = &mut lanes.out[g * WIDE..][..WIDE];
            if !put_tile(&tile.0[2 * g], &tile.0[2 * g + 1], rows, out, t, v) {
                return false;
            }
        }
    }
    store_group(lanes, 0, a);
    store_group(lanes, 1, b);
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
    // A window of more than 64 bits is damage: the scalar step says so.
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
