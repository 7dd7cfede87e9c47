//! Quantiles, fractions and the variance of a native histogram.

use model::FloatHistogram;
use model::histogram::Bucket;

use crate::math::kahan_add;

/// What is to be said about a quantile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NanNote {
    /// It falls among observations of NaN.
    Result,
    /// Observations of NaN count as the largest, which skews it.
    Skewed,
}

/// The `q`-quantile: linear within custom buckets and the zero bucket, exponential within others.
pub(crate) fn quantile(q: f64, h: &FloatHistogram) -> (f64, Option<NanNote>) {
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    if h.count == 0.0 || q.is_nan() {
        return (f64::NAN, None);
    }
    let mut buckets = h.buckets();
    // From the nearer end; from below where observations of NaN make the count more than the buckets'.
    let forward = h.sum.is_nan() || q < 0.5;
    if !forward {
        buckets.reverse();
    }
    let mut rank = if forward { q * h.count } else { (1.0 - q) * h.count };
    let (mut count, mut bucket, mut seen) = (0.0, None, 0);
    for (i, candidate) in buckets.iter().enumerate() {
        bucket = Some(*candidate);
        seen = i + 1;
        if candidate.count != 0.0 {
            count += candidate.count;
            if count >= rank {
                break;
            }
        }
    }
    let empty = Bucket { lower: 0.0, upper: 0.0, lower_inclusive: false, upper_inclusive: false, count: 0.0 };
    let mut bucket = bucket.unwrap_or(empty);
    let custom = h.uses_custom_buckets();
    if !custom && bucket.lower < 0.0 && bucket.upper > 0.0 {
        one_sided(h, &mut bucket);
    } else if custom {
        if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return (bucket.upper, None);
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return (bucket.lower, None);
        }
    }
    count = if count > h.count { h.count } else { count };
    if count < rank {
        return if h.sum.is_nan() { (f64::NAN, Some(NanNote::Result)) } else { (bucket.upper, None) };
    }
    rank = if forward { rank - (count - bucket.count) } else { count - rank };
    let mut note = None;
    let counted = bucket.count;
    if h.sum.is_nan() {
        let all = buckets[seen..].iter().fold(count, |sum, b| sum + b.count);
        if all < h.count {
            note = Some(NanNote::Skewed);
        }
    }
    let part = rank / counted;
    if custom || (bucket.lower <= 0.0 && bucket.upper >= 0.0) {
        return (bucket.lower + (bucket.upper - bucket.lower) * part, note);
    }
    let (low, high) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    let value = if bucket.lower > 0.0 {
        (low + (high - low) * part).exp2()
    } else {
        -(high + (low - high) * (1.0 - part)).exp2()
    };
    (value, note)
}

/// A zero bucket beside buckets of one sign only ends (or begins) at zero.
fn one_sided(h: &FloatHistogram, bucket: &mut Bucket) {
    match (h.negative_buckets.is_empty(), h.positive_buckets.is_empty()) {
        (true, false) => bucket.lower = 0.0,
        (false, true) => bucket.upper = 0.0,
        _ => {}
    }
}

/// The share of observations between `lower` and `upper`, and whether there are some of NaN, which
/// belong to no share.
pub(crate) fn fraction(lower: f64, upper: f64, h: &FloatHistogram) -> (f64, bool) {
    if h.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return (f64::NAN, false);
    }
    if lower >= upper {
        return (0.0, false);
    }
    let buckets = h.buckets();
    let (low, high) = (rank_of(lower, h, &buckets), rank_of(upper, h, &buckets));
    let (mut count, mut nan) = (h.count, false);
    if h.sum.is_nan() {
        count = buckets.iter().map(|b| b.count).sum();
        nan = count < h.count;
    }
    let capped = |rank: Option<f64>| rank.filter(|&rank| rank <= count).unwrap_or(count);
    ((capped(high) - capped(low)) / h.count, nan)
}

/// Observations below `value`; `None` above all buckets.
fn rank_of(value: f64, h: &FloatHistogram, buckets: &[Bucket]) -> Option<f64> {
    let mut below = 0.0;
    for bucket in buckets {
        let mut bucket = *bucket;
        let zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
        if zero {
            one_sided(h, &mut bucket);
        }
        if bucket.lower >= value {
            return Some(below);
        }
        if bucket.upper > value {
            return Some(if h.uses_custom_buckets() || zero {
                if bucket.lower == f64::NEG_INFINITY {
                    bucket.count
                } else {
                    below + bucket.count * ((value - bucket.lower) / (bucket.upper - bucket.lower))
                }
            } else {
                let (low, high) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
                let at = value.abs().log2();
                let part = if value > 0.0 { (at - low) / (high - low) } else { 1.0 - (at - high) / (low - high) };
                below + bucket.count * part
            });
        }
        below += bucket.count;
    }
    None
}

/// The variance, each bucket standing at its middle: the arithmetic one for custom buckets, the
/// geometric one for exponential buckets, zero for the zero bucket.
pub(crate) fn variance(h: &FloatHistogram) -> f64 {
    let mean = h.sum / h.count;
    let (mut sum, mut lost) = (0.0, 0.0);
    for bucket in h.buckets().iter().filter(|b| b.count != 0.0) {
        let value = if h.uses_custom_buckets() {
            (bucket.upper + bucket.lower) / 2.0
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            let middle = (bucket.upper * bucket.lower).sqrt();
            if bucket.upper < 0.0 { -middle } else { middle }
        };
        let delta = value - mean;
        (sum, lost) = kahan_add(bucket.count * delta * delta, sum, lost);
    }
    (sum + lost) / h.count
}
