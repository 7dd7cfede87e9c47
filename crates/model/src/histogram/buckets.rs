//! The buckets of a float histogram with their bounds.

use std::sync::LazyLock;

use super::{EXPONENTIAL_SCHEMA_MAX, FloatHistogram, Span, is_custom_buckets_schema};

/// One bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    pub lower: f64,
    pub upper: f64,
    pub lower_inclusive: bool,
    pub upper_inclusive: bool,
    pub count: f64,
}

impl FloatHistogram {
    /// All buckets, from the lowest up: negative ones, the zero bucket if it is populated, positive
    /// ones. Where one overlaps the zero bucket it begins (or ends) at the zero threshold.
    #[must_use]
    pub fn buckets(&self) -> Vec<Bucket> {
        let mut all = self.gather(self.zero_count > 0.0);
        for Bucket { lower, upper, .. } in &mut all {
            if *upper < 0.0 && *upper > -self.zero_threshold {
                *upper = -self.zero_threshold;
            }
            if *lower > 0.0 && *lower < self.zero_threshold {
                *lower = self.zero_threshold;
            }
        }
        all
    }

    /// All buckets with the bounds of their own, from the lowest up. The zero bucket is among them where it is not
    /// empty, and be it that it lacks something, as in a difference.
    #[must_use]
    pub fn own_buckets(&self) -> Vec<Bucket> {
        self.gather(self.zero_count != 0.0)
    }

    fn gather(&self, zero: bool) -> Vec<Bucket> {
        let mut all = Vec::with_capacity(self.negative_buckets.len() + self.positive_buckets.len() + 1);
        let negative = indexed(&self.negative_spans, &self.negative_buckets);
        all.extend(negative.rev().map(|(index, count)| {
            let upper = -bound(index.wrapping_sub(1), self.schema, &[]);
            self.bucket(-bound(index, self.schema, &[]), upper, index, count)
        }));
        if zero {
            all.push(Bucket {
                lower: -self.zero_threshold,
                upper: self.zero_threshold,
                lower_inclusive: true,
                upper_inclusive: true,
                count: self.zero_count,
            });
        }
        all.extend(indexed(&self.positive_spans, &self.positive_buckets).map(|(index, count)| {
            let lower = bound(index.wrapping_sub(1), self.schema, &self.custom_values);
            self.bucket(lower, bound(index, self.schema, &self.custom_values), index, count)
        }));
        all
    }

    fn bucket(&self, lower: f64, upper: f64, index: i32, count: f64) -> Bucket {
        let custom = self.uses_custom_buckets();
        let lower_inclusive = if custom { index == 0 } else { lower < 0.0 };
        let upper_inclusive = custom || upper > 0.0;
        Bucket { lower, upper, lower_inclusive, upper_inclusive, count }
    }
}

/// The buckets that spans lay out, with their indices, ascending.
pub fn indexed<'a>(spans: &[Span], buckets: &'a [f64]) -> impl DoubleEndedIterator<Item = (i32, f64)> + use<'a> {
    let mut indices = Vec::with_capacity(buckets.len());
    let mut next = 0i32;
    for span in spans {
        next = next.wrapping_add(span.offset);
        for _ in 0..span.length {
            // Spans may promise more than there is.
            if indices.len() == buckets.len() {
                break;
            }
            indices.push(next);
            next = next.wrapping_add(1);
        }
    }
    let n = indices.len();
    indices.into_iter().zip(buckets[..n].iter().copied())
}

/// The upper bound of bucket `index`: of the positive side for exponential schemas.
#[must_use]
pub fn bound(index: i32, schema: i32, custom_values: &[f64]) -> f64 {
    if is_custom_buckets_schema(schema) {
        return match usize::try_from(index) {
            Err(_) => f64::NEG_INFINITY,
            Ok(i) => custom_values.get(i).copied().unwrap_or(f64::INFINITY),
        };
    }
    // The bound beyond the largest number is kept for ±∞: the last but one ends at the largest number.
    if schema < 0 {
        let exponent = i64::from(index) << (-schema).min(31);
        return if exponent == 1024 { f64::MAX } else { power_of_two(exponent) };
    }
    let schema = schema.min(30);
    let fraction = index & ((1 << schema) - 1);
    let exponent = i64::from(index >> schema);
    if fraction == 0 {
        return if exponent == 1024 { f64::MAX } else { power_of_two(exponent) };
    }
    let within = match FRACTIONS.get(schema as usize) {
        Some(fractions) => fractions[fraction as usize],
        None => (f64::from(fraction) / f64::from(1 << schema)).exp2() / 2.0,
    };
    // Twice the fraction: the product with a power of two rounds only once.
    2.0 * within * power_of_two(exponent)
}

/// The bounds within a power of two, `2^(i / 2^schema) / 2`, for the schemas that are computed with. Every
/// other one is that of the next coarser schema, those between are a constant factor above it: by this
/// way the same bits come out as in the clients and in Prometheus, which print them.
static FRACTIONS: LazyLock<Vec<Vec<f64>>> = LazyLock::new(|| {
    let mut all: Vec<Vec<f64>> = vec![vec![0.5]];
    for schema in 1..=EXPONENTIAL_SCHEMA_MAX {
        // Go's square root of two is the number below the nearest one.
        let factor = if schema == 1 { 2_f64.sqrt().next_down() } else { f64::from(-schema).exp2().exp2() };
        let coarser = all.last().map_or(&[][..], |bounds| bounds);
        all.push(coarser.iter().flat_map(|&bound| [bound, bound * factor]).collect());
    }
    all
});

fn power_of_two(exponent: i64) -> f64 {
    // Exact down to the smallest denormal.
    (exponent as f64).exp2()
}
