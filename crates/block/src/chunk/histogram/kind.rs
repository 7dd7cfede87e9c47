//! What differs between integer and float histograms.

use std::fmt::Debug;
use std::sync::Arc;

use model::histogram::bucket_count;
use model::{CounterResetHint, FloatHistogram, Histogram, Span};

use super::layout::Layout;
use super::number::{Number, Running, Xored};
use super::{Encoding, ResetHeader};
use crate::Corrupt;

/// A number of such a histogram.
pub(super) type Value<K> = <<K as Kind>::Number as Number>::Value;

/// An integer or a float histogram.
pub(in crate::chunk) trait Kind: Clone + Debug + Default {
    type Number: Number;
    const ENCODING: Encoding;
    const ENCODING_ST: Encoding;
    /// What a chunk says that begins because gauges end.
    const BEHIND_GAUGES: ResetHeader;

    fn from_parts(parts: Parts<'_, Value<Self>>) -> Self;
    fn hint(&self) -> CounterResetHint;
    fn schema(&self) -> i32;
    fn zero_threshold(&self) -> f64;
    fn custom_values(&self) -> &Arc<[f64]>;
    fn sum(&self) -> f64;
    fn count(&self) -> Value<Self>;
    fn zero_count(&self) -> Value<Self>;
    /// Of the positive buckets, then of the negative ones; so are the buckets.
    fn spans(&self) -> [&Arc<[Span]>; 2];
    fn buckets(&self) -> [&[Value<Self>]; 2];
    fn set_buckets(&mut self, spans: [Arc<[Span]>; 2], buckets: [Vec<Value<Self>>; 2]);
    /// Reduces a finer schema than is computed with; `false` if spans overlap.
    fn reduce(&mut self) -> bool;

    fn layout(&self) -> Layout {
        let [positive, negative] = self.spans().map(Arc::clone);
        let (schema, zero_threshold) = (self.schema(), self.zero_threshold());
        Layout { schema, zero_threshold, positive, negative, custom_values: Arc::clone(self.custom_values()) }
    }

    fn is_stale(&self) -> bool {
        model::is_stale(self.sum())
    }

    /// A staleness marker is nothing but its sum.
    fn stale(sum: f64) -> Self {
        let layout = Layout::default();
        let zero = Value::<Self>::default();
        Self::from_parts(Parts {
            hint: CounterResetHint::Unknown,
            layout: &layout,
            count: zero,
            zero_count: zero,
            sum,
            buckets: [Vec::new(), Vec::new()],
        })
    }

    /// Whether the spans hold as many buckets as there are.
    fn check(&self) -> Result<(), Corrupt> {
        if self.is_stale() {
            return Ok(());
        }
        for (spans, buckets) in self.spans().into_iter().zip(self.buckets()) {
            let (n, buckets) = (bucket_count(spans), buckets.len());
            if n != buckets {
                return Err(Corrupt::new(0, format!("histogram has {buckets} buckets where its spans hold {n}")));
            }
        }
        Ok(())
    }
}

/// What a histogram is made of.
#[derive(Debug)]
pub(in crate::chunk) struct Parts<'a, V> {
    pub(super) hint: CounterResetHint,
    pub(super) layout: &'a Layout,
    pub(super) count: V,
    pub(super) zero_count: V,
    pub(super) sum: f64,
    pub(super) buckets: [Vec<V>; 2],
}

macro_rules! kind {
    ($histogram:ident, $number:ident, $encoding:ident, $encoding_st:ident, $behind_gauges:ident, $from:expr, $to:expr) => {
        impl Kind for $histogram {
            type Number = $number;
            const ENCODING: Encoding = Encoding::$encoding;
            const ENCODING_ST: Encoding = Encoding::$encoding_st;
            const BEHIND_GAUGES: ResetHeader = ResetHeader::$behind_gauges;

            fn from_parts(parts: Parts<'_, Value<Self>>) -> Self {
                let Parts { hint, layout, count, zero_count, sum, buckets: [positive_buckets, negative_buckets] } =
                    parts;
                Self {
                    counter_reset_hint: hint,
                    schema: layout.schema,
                    zero_threshold: layout.zero_threshold,
                    zero_count: $from(zero_count),
                    count: $from(count),
                    sum,
                    positive_spans: Arc::clone(&layout.positive),
                    negative_spans: Arc::clone(&layout.negative),
                    positive_buckets,
                    negative_buckets,
                    custom_values: Arc::clone(&layout.custom_values),
                }
            }

            fn hint(&self) -> CounterResetHint {
                self.counter_reset_hint
            }

            fn schema(&self) -> i32 {
                self.schema
            }

            fn zero_threshold(&self) -> f64 {
                self.zero_threshold
            }

            fn custom_values(&self) -> &Arc<[f64]> {
                &self.custom_values
            }

            fn sum(&self) -> f64 {
                self.sum
            }

            fn count(&self) -> Value<Self> {
                $to(self.count)
            }

            fn zero_count(&self) -> Value<Self> {
                $to(self.zero_count)
            }

            fn spans(&self) -> [&Arc<[Span]>; 2] {
                [&self.positive_spans, &self.negative_spans]
            }

            fn buckets(&self) -> [&[Value<Self>]; 2] {
                [&self.positive_buckets, &self.negative_buckets]
            }

            fn set_buckets(&mut self, spans: [Arc<[Span]>; 2], buckets: [Vec<Value<Self>>; 2]) {
                [self.positive_spans, self.negative_spans] = spans;
                [self.positive_buckets, self.negative_buckets] = buckets;
            }

            fn reduce(&mut self) -> bool {
                self.reduce_to_supported()
            }
        }
    };
}

kind!(Histogram, Running, Histogram, HistogramSt, NotCounterReset, |n: i64| n as u64, |n: u64| n as i64);
kind!(FloatHistogram, Xored, FloatHistogram, FloatHistogramSt, Unknown, |n: f64| n, |n: f64| n);
