//! One classic histogram at one step.

use crate::math::almost_equal;

/// Counts that differ by less than this, relative to their sum, count as equal.
const SMALL_DIFFERENCE: f64 = 1e-12;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    pub(super) upper: f64,
    /// Observations up to `upper`.
    pub(super) count: f64,
}

/// What had to be changed so that counts do not fall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fix {
    pub(super) min_bucket: f64,
    pub(super) max_bucket: f64,
    pub(super) max_difference: f64,
}

/// The `q`-quantile, linear within a bucket. `buckets` are sorted by upper bound; they are changed.
pub(super) fn quantile(q: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<Fix>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    if buckets.last().is_none_or(|b| b.upper != f64::INFINITY) {
        return (f64::NAN, None);
    }
    coalesce(buckets);
    let fix = make_monotonic(buckets);
    let last = buckets.len() - 1;
    let observations = buckets[last].count;
    if last == 0 || observations == 0.0 {
        return (f64::NAN, fix);
    }
    let mut rank = q * observations;
    // The first that reaches the rank, the last one if none does (a NaN does not).
    let b = buckets[..last].iter().position(|b| b.count >= rank).unwrap_or(last);
    if b == last {
        return (buckets[last - 1].upper, fix);
    }
    if b == 0 && buckets[0].upper <= 0.0 {
        return (buckets[0].upper, fix);
    }
    let (mut start, end, mut count) = (0.0, buckets[b].upper, buckets[b].count);
    if b > 0 {
        start = buckets[b - 1].upper;
        count -= buckets[b - 1].count;
        rank -= buckets[b - 1].count;
    }
    (start + (end - start) * (rank / count), fix)
}

/// Joins buckets with the same upper bound.
fn coalesce(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|next, kept| {
        let same = next.upper == kept.upper;
        if same {
            kept.count += next.count;
        }
        same
    });
}

/// Lifts counts that are lower than the one before.
fn make_monotonic(buckets: &mut [Bucket]) -> Option<Fix> {
    let mut fix = Fix { min_bucket: f64::INFINITY, max_bucket: f64::NEG_INFINITY, max_difference: 0.0 };
    let (mut forced, mut previous) = (false, buckets[0].count);
    for bucket in &mut buckets[1..] {
        let count = bucket.count;
        if count == previous {
            continue;
        }
        if almost_equal(previous, count, SMALL_DIFFERENCE) {
            bucket.count = previous;
        } else if count < previous {
            bucket.count = previous;
            forced = true;
            fix.min_bucket = fix.min_bucket.min(bucket.upper);
            fix.max_bucket = fix.max_bucket.max(bucket.upper);
            fix.max_difference = fix.max_difference.max(previous - count);
        } else {
            previous = count;
        }
    }
    forced.then_some(fix)
}

/// The share of observations between `lower` and `upper`.
pub(super) fn fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if buckets.last().is_none_or(|b| b.upper != f64::INFINITY) {
        return f64::NAN;
    }
    coalesce(buckets);
    let count = buckets[buckets.len() - 1].count;
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let capped = |rank: Option<f64>| rank.filter(|&rank| rank <= count).unwrap_or(count);
    let (low, high) = (capped(rank_of(lower, buckets)), capped(rank_of(upper, buckets)));
    (high - low) / count
}

/// Observations up to `value`, linear within a bucket; `None` above them all.
fn rank_of(value: f64, buckets: &[Bucket]) -> Option<f64> {
    let mut below = 0.0;
    for (i, bucket) in buckets.iter().enumerate() {
        let start = match i {
            0 if bucket.upper > 0.0 => 0.0,
            0 => f64::NEG_INFINITY,
            _ => buckets[i - 1].upper,
        };
        if start >= value {
            return Some(below);
        }
        if bucket.upper > value {
            return Some(if start == f64::NEG_INFINITY {
                bucket.count
            } else {
                below + (bucket.count - below) * (value - start) / (bucket.upper - start)
            });
        }
        below = bucket.count;
    }
    None
}
