//! What the lanes do with whole vectors.

use std::arch::x86_64::*;

use super::{TILE, WIDE};

/// A row per step, a number per lane.
pub(super) type Rows = [[u64; WIDE]; TILE];

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
pub(super) fn swap_bytes(word: __m512i) -> __m512i {
    let order = _mm512_set4_epi32(0x0809_0a0b, 0x0c0d_0e0f, 0x0001_0203, 0x0405_0607);
    _mm512_shuffle_epi8(word, order)
}

/// Turns eight rows of a lane each into eight columns.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
pub(super) fn transpose(rows: &Rows) -> [__m512i; WIDE] {
    let r: [__m512i; 8] = std::array::from_fn(|i| load_row(&rows[i]));
    // Pairs of numbers, then quarters, then halves.
    let lo = |a, b| _mm512_unpacklo_epi64(a, b);
    let hi = |a, b| _mm512_unpackhi_epi64(a, b);
    let pairs = [
        lo(r[0], r[1]),
        hi(r[0], r[1]),
        lo(r[2], r[3]),
        hi(r[2], r[3]),
        lo(r[4], r[5]),
        hi(r[4], r[5]),
        lo(r[6], r[7]),
        hi(r[6], r[7]),
    ];
    let mut out = [_mm512_setzero_si512(); WIDE];
    for odd in 0..2 {
        let [a, b, c, d] = [pairs[odd], pairs[odd + 2], pairs[odd + 4], pairs[odd + 6]];
        let ab_even = _mm512_shuffle_i64x2::<0b10_00_10_00>(a, b);
        let ab_odd = _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b);
        let cd_even = _mm512_shuffle_i64x2::<0b10_00_10_00>(c, d);
        let cd_odd = _mm512_shuffle_i64x2::<0b11_01_11_01>(c, d);
        // Quarters 0, 2 of a and b, and of c and d, are lanes 0 and 4; 1, 3 are lanes 2 and 6.
        out[odd] = _mm512_shuffle_i64x2::<0b10_00_10_00>(ab_even, cd_even);
        out[odd + 4] = _mm512_shuffle_i64x2::<0b11_01_11_01>(ab_even, cd_even);
        out[odd + 2] = _mm512_shuffle_i64x2::<0b10_00_10_00>(ab_odd, cd_odd);
        out[odd + 6] = _mm512_shuffle_i64x2::<0b11_01_11_01>(ab_odd, cd_odd);
    }
    out
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load_row(row: &[u64; WIDE]) -> __m512i {
    #[expect(unsafe_code, reason = "a vector load")]
    // SAFETY: the row is 64 bytes.
    unsafe {
        _mm512_loadu_si512(row.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn store(row: &mut [u64; WIDE], value: __m512i) {
    #[expect(unsafe_code, reason = "a vector store")]
    // SAFETY: the row is 64 bytes.
    unsafe {
        _mm512_storeu_si512(row.as_mut_ptr().cast(), value);
    }
}
