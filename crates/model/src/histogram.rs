//! Native histograms, with integer counts as scraped and with float counts as `PromQL` works on them.
//!
//! The shapes are those of Prometheus' `model/histogram`. Spans and custom bounds are shared, for all
//! samples of a chunk have the same.

mod buckets;
mod resolution;
#[cfg(test)]
mod tests;

pub use buckets::{Bucket, bound, indexed};

use std::sync::Arc;

use crate::is_stale;

/// The finest exponential schema that is computed with.
pub const EXPONENTIAL_SCHEMA_MAX: i32 = 8;
/// The coarsest exponential schema that is computed with.
pub const EXPONENTIAL_SCHEMA_MIN: i32 = -4;
/// The finest exponential schema that is read: anything over [`EXPONENTIAL_SCHEMA_MAX`] is reduced to it.
pub const EXPONENTIAL_SCHEMA_MAX_RESERVED: i32 = 52;
/// The coarsest exponential schema that is read.
pub const EXPONENTIAL_SCHEMA_MIN_RESERVED: i32 = -9;
/// The schema of histograms with custom bucket bounds.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// Whether buckets of `schema` can be read at all, possibly after a reduction of their resolution.
#[must_use]
pub fn is_known_schema(schema: i32) -> bool {
    is_custom_buckets_schema(schema)
        || (EXPONENTIAL_SCHEMA_MIN_RESERVED..=EXPONENTIAL_SCHEMA_MAX_RESERVED).contains(&schema)
}

/// Whether `schema` stands for custom bucket bounds.
#[must_use]
pub fn is_custom_buckets_schema(schema: i32) -> bool {
    schema == CUSTOM_BUCKETS_SCHEMA
}

/// What is known of a counter reset between a histogram and its predecessor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CounterResetHint {
    /// Nothing: compare the two to know.
    #[default]
    Unknown,
    /// There was a reset.
    CounterReset,
    /// There was none.
    NotCounterReset,
    /// The histogram is a gauge: it has no resets.
    Gauge,
}

/// A run of consecutive buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Buckets skipped since the previous span; for the first span, the index of its first bucket.
    pub offset: i32,
    /// How many buckets follow.
    pub length: u32,
}

/// A histogram with integer counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    pub counter_reset_hint: CounterResetHint,
    /// −4 to 8: each power of two divided into `2^schema` buckets; −53: custom bounds.
    pub schema: i32,
    /// Half the width of the zero bucket.
    pub zero_threshold: f64,
    pub zero_count: u64,
    /// All observations.
    pub count: u64,
    /// Sum of the observations; the staleness marker stands here.
    pub sum: f64,
    pub positive_spans: Arc<[Span]>,
    pub negative_spans: Arc<[Span]>,
    /// The first an absolute count, the others differences to the one before.
    pub positive_buckets: Vec<i64>,
    /// As `positive_buckets`.
    pub negative_buckets: Vec<i64>,
    /// Upper bounds of the buckets, ascending, for schema −53; else empty.
    pub custom_values: Arc<[f64]>,
}

/// A histogram with float counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FloatHistogram {
    pub counter_reset_hint: CounterResetHint,
    /// −4 to 8: each power of two divided into `2^schema` buckets; −53: custom bounds.
    pub schema: i32,
    /// Half the width of the zero bucket.
    pub zero_threshold: f64,
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// Sum of the observations; the staleness marker stands here.
    pub sum: f64,
    pub positive_spans: Arc<[Span]>,
    pub negative_spans: Arc<[Span]>,
    /// Absolute counts.
    pub positive_buckets: Vec<f64>,
    /// Absolute counts.
    pub negative_buckets: Vec<f64>,
    /// Upper bounds of the buckets, ascending, for schema −53; else empty.
    pub custom_values: Arc<[f64]>,
}

impl Histogram {
    /// Whether this is a staleness marker.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }

    #[must_use]
    pub fn uses_custom_buckets(&self) -> bool {
        is_custom_buckets_schema(self.schema)
    }

    /// The same with float counts.
    #[must_use]
    pub fn to_float(&self) -> FloatHistogram {
        FloatHistogram {
            counter_reset_hint: self.counter_reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count as f64,
            count: self.count as f64,
            sum: self.sum,
            positive_spans: self.positive_spans.clone(),
            negative_spans: self.negative_spans.clone(),
            positive_buckets: absolute(&self.positive_buckets),
            negative_buckets: absolute(&self.negative_buckets),
            custom_values: self.custom_values.clone(),
        }
    }
}

impl FloatHistogram {
    /// Whether this is a staleness marker.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }

    #[must_use]
    pub fn uses_custom_buckets(&self) -> bool {
        is_custom_buckets_schema(self.schema)
    }

    /// How many bytes of memory it takes, without spans and bounds: those are mostly shared.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + 8 * (self.positive_buckets.capacity() + self.negative_buckets.capacity())
    }
}

/// How many buckets the spans hold.
#[must_use]
pub fn bucket_count(spans: &[Span]) -> usize {
    spans.iter().fold(0usize, |n, s| n.saturating_add(s.length as usize))
}

fn absolute(deltas: &[i64]) -> Vec<f64> {
    let mut count = 0i64;
    let sum = |d: &i64| {
        count = count.wrapping_add(*d);
        count as f64
    };
    deltas.iter().map(sum).collect()
}
