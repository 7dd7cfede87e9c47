//! Merging the buckets of an exponential histogram into those of a coarser schema.

use super::{EXPONENTIAL_SCHEMA_MAX, FloatHistogram, Histogram, Span};

impl FloatHistogram {
    /// Merges buckets until the schema is `schema`. `false`, and nothing is changed, if the histogram
    /// has custom buckets, is no finer than that, or its spans do not fit its buckets.
    pub fn reduce_resolution(&mut self, schema: i32) -> bool {
        if self.uses_custom_buckets() || schema >= self.schema {
            return false;
        }
        let Some(positive) = reduce(&self.positive_spans, &self.positive_buckets, self.schema, schema) else {
            return false;
        };
        let Some(negative) = reduce(&self.negative_spans, &self.negative_buckets, self.schema, schema) else {
            return false;
        };
        (self.positive_spans, self.positive_buckets) = (positive.0.into(), positive.1);
        (self.negative_spans, self.negative_buckets) = (negative.0.into(), negative.1);
        self.schema = schema;
        true
    }
}

impl Histogram {
    /// Merges buckets until the schema is `schema`, as [`FloatHistogram::reduce_resolution`] does.
    pub fn reduce_resolution(&mut self, schema: i32) -> bool {
        if self.uses_custom_buckets() || schema >= self.schema {
            return false;
        }
        let Some(positive) = reduce(&self.positive_spans, &running(&self.positive_buckets), self.schema, schema) else {
            return false;
        };
        let Some(negative) = reduce(&self.negative_spans, &running(&self.negative_buckets), self.schema, schema) else {
            return false;
        };
        (self.positive_spans, self.positive_buckets) = (positive.0.into(), deltas(&positive.1));
        (self.negative_spans, self.negative_buckets) = (negative.0.into(), deltas(&negative.1));
        self.schema = schema;
        true
    }

    /// Reduces a schema finer than any that is computed with, as Prometheus does when it reads a chunk.
    /// `false` if that cannot be done, for the spans do not fit the buckets.
    pub fn reduce_to_supported(&mut self) -> bool {
        self.schema <= EXPONENTIAL_SCHEMA_MAX || self.reduce_resolution(EXPONENTIAL_SCHEMA_MAX)
    }
}

impl FloatHistogram {
    /// As [`Histogram::reduce_to_supported`].
    pub fn reduce_to_supported(&mut self) -> bool {
        self.schema <= EXPONENTIAL_SCHEMA_MAX || self.reduce_resolution(EXPONENTIAL_SCHEMA_MAX)
    }
}

trait Count: Copy {
    fn plus(self, other: Self) -> Self;
}

impl Count for f64 {
    fn plus(self, other: Self) -> Self {
        self + other
    }
}

impl Count for i64 {
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
}

/// `buckets` are absolute. The index of a bucket in a coarser schema is its own, divided and rounded up.
fn reduce<C: Count>(spans: &[Span], buckets: &[C], from: i32, to: i32) -> Option<(Vec<Span>, Vec<C>)> {
    let (mut out_spans, mut out) = (Vec::<Span>::new(), Vec::new());
    let shift = u32::try_from(from - to).ok()?.min(31);
    let (mut index, mut last, mut next) = (0i32, 0i32, buckets.iter());
    for (n, span) in spans.iter().enumerate() {
        if n > 0 && span.offset < 0 {
            return None;
        }
        index = index.checked_add(span.offset)?;
        for _ in 0..span.length {
            let count = *next.next()?;
            let target = (index.wrapping_sub(1) >> shift) + 1;
            match out_spans.last_mut() {
                Some(_) if target == last => {
                    let sum = out.last_mut()?;
                    *sum = count.plus(*sum);
                }
                Some(span) if target == last + 1 => {
                    span.length += 1;
                    out.push(count);
                }
                Some(_) => {
                    out_spans.push(Span { offset: target - last - 1, length: 1 });
                    out.push(count);
                }
                None => {
                    out_spans.push(Span { offset: target, length: 1 });
                    out.push(count);
                }
            }
            last = target;
            index = index.checked_add(1)?;
        }
    }
    next.next().is_none().then_some((out_spans, out))
}

fn running(deltas: &[i64]) -> Vec<i64> {
    let mut count = 0i64;
    let sum = |d: &i64| {
        count = count.wrapping_add(*d);
        count
    };
    deltas.iter().map(sum).collect()
}

fn deltas(counts: &[i64]) -> Vec<i64> {
    let mut last = 0i64;
    let difference = |c: &i64| {
        let d = c.wrapping_sub(last);
        last = *c;
        d
    };
    counts.iter().map(difference).collect()
}
