//! The AVX2 bulk kernel: four chunks in a vector and two vectors side by side.

use std::arch::x86_64::*;

use super::super::Slot;
use super::ahead::Ahead;
use super::{Lanes, TILE, put_rows, rare_step};

/// Lanes of a vector.
const WIDE: usize = 4;
/// Vectors side by side: their steps do not wait for each other.
const GROUPS: usize = 2;
/// Chunks side by side.
pub(super) const LANES: usize = WIDE * GROUPS;
/// A row per step, a number per lane.
type Rows = [[u64; WIDE]; TILE];

/// Whether this CPU has what the kernel takes.
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx2")
}

/// One vector of lanes, in registers. The window is what moves its bits from the high end of a word to their
/// place: down, then up.
#[derive(Clone, Copy)]
struct Group {
    pos: __m256i,
    t: __m256i,
    delta: __m256i,
    bits: __m256i,
    down: __m256i,
    up: __m256i,
}

/// Decodes `steps` samples in each of the first `count` lanes; `false` if one is damaged.
#[target_feature(enable = "avx2")]
pub(super) fn run(
    lanes: &mut Lanes,
    count: usize,
    steps: usize,
    buffer: &[u8],
    ahead: &mut Ahead<'_>,
    t: &mut [Slot<i64>],
    v: &mut [Slot<f64>],
) -> bool {
    (0..count.div_ceil(WIDE)).step_by(GROUPS).all(|first| run_groups(lanes, first, steps, buffer, ahead, t, v))
}

/// Decodes `steps` samples per lane of the groups from `first` on.
#[target_feature(enable = "avx2")]
fn run_groups(
    lanes: &mut Lanes,
    first: usize,
    steps: usize,
    buffer: &[u8],
    ahead: &mut Ahead<'_>,
    t: &mut [Slot<i64>],
    v: &mut [Slot<f64>],
) -> bool {
    let (mut a, mut b) = (load_group(lanes, first), load_group(lanes, first + 1));
    let mut tiles = [Tile::default(), Tile::default()];
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
            tiles[0].put(k, &a);
            tiles[1].put(k, &b);
        }
        for (g, group, tile) in [(first, &a, &tiles[0]), (first + 1, &b, &tiles[1])] {
            if is_past(group.pos, &lanes.end, g) {
                return false;
            }
            let out = &mut lanes.out[g * WIDE..][..WIDE];
            if !tile.put_out(rows, out, t, v) {
                return false;
            }
        }
    }
    store_group(lanes, first, a);
    store_group(lanes, first + 1, b);
    true
}

/// Times and values of a group.
#[derive(Default)]
#[repr(align(32))]
struct Tile {
    times: Rows,
    values: Rows,
}

impl Tile {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn put(&mut self, k: usize, group: &Group) {
        store(&mut self.times[k], group.t);
        store(&mut self.values[k], group.bits);
    }

    /// Puts the first `rows` into the columns; `false` if there is no room.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn put_out(&self, rows: usize, out: &mut [usize], t: &mut [Slot<i64>], v: &mut [Slot<f64>]) -> bool {
        let whole = rows / WIDE * WIDE;
        for k in (0..whole).step_by(WIDE) {
            let (times, values) = (transpose(&self.times[k..k + WIDE]), transpose(&self.values[k..k + WIDE]));
            for (lane, at) in out.iter_mut().enumerate() {
                let (Some(t), Some(v)) = (t.get_mut(*at..*at + WIDE), v.get_mut(*at..*at + WIDE)) else {
                    return false;
                };
                *at += WIDE;
                #[expect(unsafe_code, reason = "vector stores of four samples at once")]
                // SAFETY: both slices are four numbers of eight bytes long.
                unsafe {
                    _mm256_storeu_si256(t.as_mut_ptr().cast(), times[lane]);
                    _mm256_storeu_si256(v.as_mut_ptr().cast(), values[lane]);
                }
            }
        }
        put_rows(&self.times[whole..rows], &self.values[whole..rows], out, t, v)
    }
}

/// Decodes one sample per lane, and tells for which lanes it takes [`step_rare`]. Every lane lies within [`super::ROOM`] behind its
/// chunk. Masks are all ones, or only the highest bit counts.
#[inline]
#[target_feature(enable = "avx2")]
fn step(last: Group, buffer: &[u8]) -> (Group, u8) {
    let number = |n: i64| _mm256_set1_epi64x(n);
    let (add, sub, and) = (|a, b| _mm256_add_epi64(a, b), |a, b| _mm256_sub_epi64(a, b), |a, b| _mm256_and_si256(a, b));
    let zero = _mm256_setzero_si256();
    let word = gather(last.pos, buffer);
    // Time: nothing, or 14 bits behind `10`, of which only 2^13 and less is positive.
    let is_timed = _mm256_cmpgt_epi64(zero, word);
    let rare = and(word, add(word, word));
    let dod = and(add(_mm256_srli_epi64::<48>(word), number(8191)), number(0x3fff));
    let dod = and(sub(dod, number(8191)), is_timed);
    let delta = add(last.delta, dod);
    let t = add(last.t, delta);
    let used = and(is_timed, number(15));
    // Value: the same, in the window, or in a new one.
    let value = _mm256_sllv_epi64(add(word, word), used);
    let is_other = _mm256_cmpgt_epi64(zero, value);
    let is_new = and(value, add(value, value));
    let leading = and(_mm256_srli_epi64::<57>(value), number(31));
    let new_down = and(sub(zero, _mm256_srli_epi64::<51>(value)), number(63));
    let down = choose(last.down, new_down, is_new);
    let up = choose(last.up, sub(new_down, leading), is_new);
    let skip = choose(and(is_other, number(1)), number(12), is_new);
    let start = add(add(last.pos, number(2)), add(used, skip));
    let width = and(sub(number(64), down), is_other);
    let pos = add(start, width);
    // A window of more than 64 bits, or one that no load shows, is left to the scalar step.
    let rare = _mm256_or_si256(_mm256_or_si256(rare, up), and(sub(down, number(7)), is_other));
    // From the first load if it reaches so far, else from one at the value's own place.
    let seen = _mm256_or_si256(last.pos, number(7));
    let far = _mm256_cmpgt_epi64(sub(pos, seen), number(57));
    let field = if _mm256_testz_si256(far, far) == 1 {
        _mm256_sllv_epi64(value, add(skip, number(1)))
    } else {
        gather(start, buffer)
    };
    let xored = and(_mm256_sllv_epi64(_mm256_srlv_epi64(field, down), up), is_other);
    let next = Group { pos, t, delta, bits: _mm256_xor_si256(last.bits, xored), down, up };
    (next, _mm256_movemask_pd(_mm256_castsi256_pd(rare)) as u8)
}

/// Decodes the sample of the lanes in `rare` with the scalar step; `false` if one is damaged.
#[cold]
#[inline(never)]
#[target_feature(enable = "avx2")]
fn step_rare(rare: u8, last: &Group, next: &mut Group, buffer: &[u8]) -> bool {
    let (mut before, mut after) = (Lanes::default(), Lanes::default());
    store_group(&mut before, 0, *last);
    store_group(&mut after, 0, *next);
    let done = rare_step(rare, &before, &mut after, buffer);
    *next = load_group(&after, 0);
    done
}

/// `b` where the highest bit of `mask` is set, else `a`.
#[inline]
#[target_feature(enable = "avx2")]
fn choose(a: __m256i, b: __m256i, mask: __m256i) -> __m256i {
    let [a, b, mask] = [a, b, mask].map(|x| _mm256_castsi256_pd(x));
    _mm256_castpd_si256(_mm256_blendv_pd(a, b, mask))
}

/// The 57 or more bits from each lane's bit position on, at the high end.
#[inline]
#[target_feature(enable = "avx2")]
fn gather(pos: __m256i, buffer: &[u8]) -> __m256i {
    #[expect(unsafe_code, reason = "the gather is what the lanes are for")]
    // SAFETY: positions are checked against the chunk's end once a tile, and as many bytes behind that are
    // in the buffer as a tile's steps and a load can go past it.
    let word = unsafe { _mm256_i64gather_epi64::<1>(buffer.as_ptr().cast(), _mm256_srli_epi64::<3>(pos)) };
    let order =
        _mm256_set_epi64x(0x0809_0a0b_0c0d_0e0f, 0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f, 0x0001_0203_0405_0607);
    _mm256_sllv_epi64(_mm256_shuffle_epi8(word, order), _mm256_and_si256(pos, _mm256_set1_epi64x(7)))
}

/// Turns four rows of a lane each into four columns.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(rows: &[[u64; WIDE]]) -> [__m256i; WIDE] {
    let [a, b, c, d] = [load(&rows[0]), load(&rows[1]), load(&rows[2]), load(&rows[3])];
    let (ab_even, ab_odd) = (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    let (cd_even, cd_odd) = (_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
    [
        _mm256_permute2x128_si256::<0x20>(ab_even, cd_even),
        _mm256_permute2x128_si256::<0x20>(ab_odd, cd_odd),
        _mm256_permute2x128_si256::<0x31>(ab_even, cd_even),
        _mm256_permute2x128_si256::<0x31>(ab_odd, cd_odd),
    ]
}

/// Whether a lane of group `g` went past the end of its chunk.
#[inline]
#[target_feature(enable = "avx2")]
fn is_past(pos: __m256i, end: &[u64; super::LANES], g: usize) -> bool {
    let past = _mm256_cmpgt_epi64(pos, load_lanes(end, g));
    _mm256_testz_si256(past, past) == 0
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(row: &[u64; WIDE]) -> __m256i {
    #[expect(unsafe_code, reason = "a vector load")]
    // SAFETY: the row is 32 bytes.
    unsafe {
        _mm256_loadu_si256(row.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(row: &mut [u64; WIDE], value: __m256i) {
    #[expect(unsafe_code, reason = "a vector store")]
    // SAFETY: the row is 32 bytes.
    unsafe {
        _mm256_storeu_si256(row.as_mut_ptr().cast(), value);
    }
}

/// The numbers of group `g`.
#[inline]
#[target_feature(enable = "avx2")]
fn load_lanes(numbers: &[u64; super::LANES], g: usize) -> __m256i {
    load(&std::array::from_fn(|i| numbers[g * WIDE + i]))
}

#[target_feature(enable = "avx2")]
fn load_group(lanes: &Lanes, g: usize) -> Group {
    let signed = |numbers: &[i64; super::LANES]| load_lanes(&numbers.map(|n| n as u64), g);
    Group {
        pos: load_lanes(&lanes.pos, g),
        t: signed(&lanes.t),
        delta: signed(&lanes.delta),
        bits: load_lanes(&lanes.bits, g),
        down: _mm256_sub_epi64(_mm256_set1_epi64x(64), load_lanes(&lanes.width, g)),
        up: load_lanes(&lanes.trailing, g),
    }
}

#[target_feature(enable = "avx2")]
fn store_group(lanes: &mut Lanes, g: usize, group: Group) {
    let row = |value| {
        let mut row = [0; WIDE];
        store(&mut row, value);
        row
    };
    let lane = g * WIDE..(g + 1) * WIDE;
    lanes.pos[lane.clone()].copy_from_slice(&row(group.pos));
    lanes.t[lane.clone()].copy_from_slice(&row(group.t).map(|n| n as i64));
    lanes.delta[lane.clone()].copy_from_slice(&row(group.delta).map(|n| n as i64));
    lanes.bits[lane.clone()].copy_from_slice(&row(group.bits));
    lanes.width[lane.clone()].copy_from_slice(&row(group.down).map(|n| 64 - n));
    lanes.trailing[lane].copy_from_slice(&row(group.up));
}
