//! `</` and `>/`: what is left of a histogram below or above a value.

use model::FloatHistogram;
use model::histogram::{Bucket, bound, indexed};

use super::{Native, Sum};

/// The observations below `value` (`keep_below`) or above it; of a bucket that is cut, a share, and the
/// sum estimated from the middles of what is left. Where nothing is cut nothing changes.
pub(crate) fn trim(h: &FloatHistogram, value: f64, keep_below: bool) -> FloatHistogram {
    let custom = h.uses_custom_buckets();
    let mut trimmed = Native::from(h);
    let (mut count, mut sum, mut changed) = (0.0, 0.0, false);
    let mut populated = [false; 2];
    let sides = [
        (true, &h.positive_spans, &h.positive_buckets, &mut trimmed.positive),
        (false, &h.negative_spans, &h.negative_buckets, &mut trimmed.negative),
    ];
    for (positive, spans, counts, side) in sides {
        for ((index, had), (_, kept)) in indexed(spans, counts).zip(side.iter_mut()) {
            if had == 0.0 {
                continue;
            }
            populated[usize::from(positive)] = true;
            let (low, high) =
                (bound(index.wrapping_sub(1), h.schema, &h.custom_values), bound(index, h.schema, &h.custom_values));
            let (lower, upper) = if positive { (low, high) } else { (-high, -low) };
            let bucket = Bucket { lower, upper, lower_inclusive: false, upper_inclusive: true, count: had };
            let (inside, cut) =
                if keep_below { (upper <= value, lower < value) } else { (lower >= value, upper > value) };
            let (keep, middle) = if inside {
                (had, middle(lower, upper, positive, custom))
            } else if cut {
                cut_bucket(bucket, value, keep_below, positive, custom)
            } else {
                (0.0, 0.0)
            };
            count += keep;
            sum += middle * keep;
            changed |= keep != had;
            *kept = Sum::of(keep);
        }
    }
    if h.zero_count > 0.0 {
        let [negative, positive] = populated;
        let (keep, middle) = cut_zero(h, value, keep_below, negative, positive);
        changed |= keep != h.zero_count;
        trimmed.zero = Sum::of(keep);
        sum += middle * keep;
        count += keep;
    }
    if !changed {
        return h.clone();
    }
    trimmed.count = Sum::of(count);
    trimmed.sum = Sum::of(sum);
    trimmed.finish()
}

fn cut_zero(h: &FloatHistogram, value: f64, keep_below: bool, negative: bool, positive: bool) -> (f64, f64) {
    let upper = if negative && !positive { 0.0 } else { h.zero_threshold };
    let lower = if positive && !negative { 0.0 } else { -h.zero_threshold };
    let all = (h.zero_count, f64::midpoint(lower, upper));
    match keep_below {
        true if value <= lower => (0.0, 0.0),
        true if value >= upper => all,
        true => (h.zero_count * ((value - lower) / (upper - lower)), f64::midpoint(lower, value)),
        false if value <= lower => all,
        false if value >= upper => (0.0, 0.0),
        false => (h.zero_count * ((upper - value) / (upper - lower)), f64::midpoint(value, upper)),
    }
}

fn cut_bucket(b: Bucket, value: f64, keep_below: bool, positive: bool, linear: bool) -> (f64, f64) {
    if b.lower == f64::NEG_INFINITY || b.upper == f64::INFINITY {
        return cut_infinite(b, value, keep_below);
    }
    let share = if linear {
        (value - b.lower) / (b.upper - b.lower)
    } else {
        let (low, high, at) = (b.lower.abs().log2(), b.upper.abs().log2(), value.abs().log2());
        if value > 0.0 { (at - low) / (high - low) } else { 1.0 - (at - high) / (low - high) }
    };
    let below = if value <= b.lower {
        0.0
    } else if value >= b.upper {
        b.count
    } else {
        b.count * share
    };
    if keep_below {
        (below, middle(b.lower, value, positive, linear))
    } else {
        (b.count - below, middle(value, b.upper, positive, linear))
    }
}

/// How observations lie in a bucket without end is not known: it goes as a whole, or stays.
fn cut_infinite(b: Bucket, value: f64, keep_below: bool) -> (f64, f64) {
    let finite = |v: f64| if v.is_infinite() { 0.0 } else { v };
    let from_zero = b.upper > 0.0 && b.upper != f64::INFINITY;
    if b.lower == f64::NEG_INFINITY {
        return match keep_below {
            true if value >= b.upper => (b.count, 0.0),
            true if value > 0.0 && from_zero => (b.count * value / b.upper, value / 2.0),
            true if b.upper <= 0.0 => (b.count, value),
            false if value <= b.lower => (b.count, 0.0),
            false if value >= 0.0 && b.upper > value && b.upper != f64::INFINITY => {
                (b.count * (1.0 - value / b.upper), f64::midpoint(value, b.upper))
            }
            _ => (0.0, finite(b.upper)),
        };
    }
    if !keep_below && value >= b.lower { (b.count, value) } else { (0.0, finite(b.lower)) }
}

fn middle(lower: f64, upper: f64, positive: bool, linear: bool) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => 0.0,
        (true, false) if upper > 0.0 => upper / 2.0,
        (true, false) => upper,
        (false, true) => lower,
        (false, false) if linear => f64::midpoint(lower, upper),
        (false, false) => {
            let middle = (lower * upper).abs().sqrt();
            if positive { middle } else { -middle }
        }
    }
}
