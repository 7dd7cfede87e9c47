//! Eight steps in a vector: their samples are gathered.

use std::arch::x86_64::*;

use super::{ABREAST, Found, Samples, Try, walk_by};

/// Whether this CPU has what it takes.
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl")
}

/// As [`walk`](super::walk).
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
pub(super) fn walk<const BEHIND: bool, const UPTO: bool>(
    t: &[i64],
    v: &[f64],
    instants: (i64, i64),
    place: &mut [u32],
    behind: &mut Samples,
    upto: &mut Samples,
    at: usize,
) {
    walk_by::<BEHIND, UPTO>(t, v, instants, place, behind, upto, at, |t, v, from, found| {
        abreast::<BEHIND, UPTO>(t, v, from, found)
    });
}

#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn abreast<const BEHIND: bool, const UPTO: bool>(t: &[i64], v: &[f64], from: Try, found: Found<'_>) -> bool {
    let Try { now, stride, instant, step } = from;
    // Where columns are so long that this does not hold they are not in memory.
    let (Some(end), Ok(stride)) = (now.checked_add(stride * ABREAST), i64::try_from(stride)) else { return false };
    if now as u64 + stride as u64 == 0 || end >= t.len().min(v.len()) {
        return false;
    }
    let number = |n: i64| _mm512_set1_epi64(n);
    let count = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    let first = number(now as i64 + stride);
    let next = _mm512_add_epi64(first, _mm512_mullo_epi64(count, number(stride)));
    let last = _mm512_sub_epi64(next, number(1));
    let instants = _mm512_add_epi64(number(instant), _mm512_mullo_epi64(count, number(step)));
    #[expect(unsafe_code, reason = "measured: eight loads of one instruction, where steps pass by the million")]
    // SAFETY: the places ascend from `now + stride`, which is 1 at least, to `end`, which lies inside both columns; and so
    // do those before them.
    let [t_behind, t_upto, v_behind, v_upto] = unsafe {
        let (t, v) = (t.as_ptr(), v.as_ptr());
        [
            _mm512_i64gather_epi64::<8>(next, t),
            _mm512_i64gather_epi64::<8>(last, t),
            if BEHIND { _mm512_i64gather_epi64::<8>(next, v.cast()) } else { next },
            if UPTO { _mm512_i64gather_epi64::<8>(last, v.cast()) } else { last },
        ]
    };
    let right = _mm512_cmpgt_epi64_mask(t_behind, instants) & _mm512_cmple_epi64_mask(t_upto, instants);
    #[expect(unsafe_code, reason = "vector stores")]
    // SAFETY: each place is eight numbers of its width long.
    unsafe {
        _mm256_storeu_si256(found.place.as_mut_ptr().cast(), _mm512_cvtepi64_epi32(next));
        if BEHIND {
            _mm512_storeu_si512(found.behind_t.as_mut_ptr().cast(), t_behind);
            _mm512_storeu_si512(found.behind_v.as_mut_ptr().cast(), v_behind);
        }
        if UPTO {
            _mm512_storeu_si512(found.upto_t.as_mut_ptr().cast(), t_upto);
            _mm512_storeu_si512(found.upto_v.as_mut_ptr().cast(), v_upto);
        }
    }
    right == u8::MAX
}
