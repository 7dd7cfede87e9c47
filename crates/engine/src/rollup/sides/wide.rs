//! Eight instants at a time with AVX-512: where scrapes are regular, the place of each is known before any is
//! looked at, and is only to be confirmed.

use std::arch::x86_64::*;

/// Instants that are looked at together.
pub(super) const STEPS: usize = 8;

pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq")
}

/// Confirmed places: the indices of the samples behind the instants, all with one before them, and the times
/// of both.
pub(super) struct Found {
    at: [i64; STEPS],
    behind: [i64; STEPS],
    upto: [i64; STEPS],
}

/// Guesses that from each instant to the next `stride` samples pass, the first of them behind sample `now`;
/// `None` where that is wrong for one of them. The CPU must have what [`available`] looks for.
#[inline]
pub(super) fn guess(t: &[i64], (now, stride): (usize, usize), (instant, step): (i64, i64)) -> Option<Found> {
    #[expect(unsafe_code, reason = "measured: a third of the time of finding windows")]
    // SAFETY: the caller has looked for the features.
    unsafe {
        confirm(t, now, stride, instant, step)
    }
}

#[target_feature(enable = "avx512f,avx512dq")]
fn confirm(t: &[i64], now: usize, stride: usize, instant: i64, step: i64) -> Option<Found> {
    let last = stride.checked_mul(STEPS)?.checked_add(now)?;
    if now + stride == 0 || last >= t.len() {
        return None;
    }
    let count = _mm512_set_epi64(8, 7, 6, 5, 4, 3, 2, 1);
    let one = _mm512_set1_epi64(1);
    let passed = _mm512_mullo_epi64(count, _mm512_set1_epi64(stride as i64));
    let at = _mm512_add_epi64(_mm512_set1_epi64(now as i64), passed);
    let later = _mm512_mullo_epi64(_mm512_sub_epi64(count, one), _mm512_set1_epi64(step));
    let instants = _mm512_add_epi64(_mm512_set1_epi64(instant), later);
    #[expect(unsafe_code, reason = "gathers have no safe form")]
    // SAFETY: indices run from `now + stride - 1`, which is not negative, to `last`, which is inside.
    let (behind, upto) = unsafe {
        let times = t.as_ptr();
        (_mm512_i64gather_epi64::<8>(at, times), _mm512_i64gather_epi64::<8>(_mm512_sub_epi64(at, one), times))
    };
    let right = _mm512_cmpgt_epi64_mask(behind, instants) & _mm512_cmple_epi64_mask(upto, instants);
    (right == 0xff).then(|| Found { at: numbers(at), behind: numbers(behind), upto: numbers(upto) })
}

#[inline]
#[target_feature(enable = "avx512f")]
fn numbers(vector: __m512i) -> [i64; STEPS] {
    let mut out = [0; STEPS];
    #[expect(unsafe_code, reason = "a vector store")]
    // SAFETY: the array is 64 bytes.
    unsafe {
        _mm512_storeu_si512(out.as_mut_ptr().cast(), vector);
    }
    out
}

impl Found {
    #[inline]
    pub(super) fn places(&self, place: &mut [u32; STEPS]) {
        for (place, &at) in place.iter_mut().zip(&self.at) {
            *place = at as u32;
        }
    }

    #[inline]
    pub(super) fn behind(&self, v: &[f64], times: &mut [i64; STEPS], values: &mut [f64; STEPS]) {
        *times = self.behind;
        for (value, &at) in values.iter_mut().zip(&self.at) {
            *value = v[at as usize];
        }
    }

    #[inline]
    pub(super) fn upto(&self, v: &[f64], times: &mut [i64; STEPS], values: &mut [f64; STEPS]) {
        *times = self.upto;
        for (value, &at) in values.iter_mut().zip(&self.at) {
            *value = v[at as usize - 1];
        }
    }
}
