use model::is_stale;

use super::CELL_MS;
use super::cells::is_gap;

/// What neighbouring samples look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The least and the most of the distances between neighbours; the other way round where there are none.
    pub(super) least: i64,
    pub(super) most: i64,
    /// A value is a staleness marker.
    pub(super) stale: bool,
}

/// Looks at all of these times and values.
pub(super) fn look_over(times: &[i64], values: &[f64]) -> Seen {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw")]
        fn widest(times: &[i64], values: &[f64]) -> Seen {
            look(times, values)
        }
        #[target_feature(enable = "avx2")]
        fn wide(times: &[i64], values: &[f64]) -> Seen {
            look(times, values)
        }
        let has_all = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq");
        if has_all && is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("avx512bw") {
            #[expect(unsafe_code, reason = "measured: every sample passes here, and only this has a 64-bit minimum")]
            // SAFETY: the CPU has the features, as was just looked up.
            return unsafe { widest(times, values) };
        }
        if is_x86_feature_detected!("avx2") {
            #[expect(
                unsafe_code,
                reason = "measured: every sample passes here, and the baseline compares one by one"
            )]
            // SAFETY: the CPU has the feature, as was just looked up.
            return unsafe { wide(times, values) };
        }
    }
    look(times, values)
}

/// What the samples of the cell that begins at `start` look like, where it is sure that they leave no gap: every distance is
/// within 1.5 of the least; and none is a staleness marker.
pub(super) fn look_for_gaps(times: &[i64], values: &[f64], start: i64) -> Option<Seen> {
    let (&first, &last) = (times.first()?, times.last()?);
    let seen = look_over(times, values);
    let most = seen.most.max(first - start).max(start.saturating_add(CELL_MS) - last);
    (times.len() > 1 && !is_gap(most, seen.least) && !seen.stale).then_some(seen)
}

/// How many of the distances between neighbours are at most so much.
pub(super) fn count_within(times: &[i64], most: i64) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn wide(times: &[i64], most: i64) -> usize {
            count(times, most)
        }
        if is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "measured: the baseline compares 64 bits one by one")]
            // SAFETY: the CPU has the feature, as was just looked up.
            return unsafe { wide(times, most) };
        }
    }
    count(times, most)
}

#[inline(always)]
fn count(times: &[i64], most: i64) -> usize {
    let pairs = times.iter().zip(times.get(1..).unwrap_or_default());
    let more: i64 = pairs.map(|(a, b)| i64::from(b.wrapping_sub(*a) > most)).sum();
    times.len().saturating_sub(1) - more as usize
}

#[inline(always)]
fn look(times: &[i64], values: &[f64]) -> Seen {
    let pairs = times.iter().zip(times.get(1..).unwrap_or_default());
    let (least, most) = pairs.fold((i64::MAX, i64::MIN), |(least, most), (a, b)| {
        let distance = b.wrapping_sub(*a);
        (least.min(distance), most.max(distance))
    });
    Seen { least, most, stale: values.iter().fold(false, |any, &v| any | is_stale(v)) }
}
