//! Native histograms in arithmetic: buckets by index, each sum with its compensation.

mod compare;
mod quantile;
#[cfg(test)]
mod tests;
mod trim;
mod zero;

pub(crate) use compare::{equal, is_reset};
pub(crate) use quantile::{NanNote, fraction, quantile, variance};
pub(crate) use trim::trim;

use std::sync::Arc;

use model::histogram::{bound, indexed};
use model::{CounterResetHint, FloatHistogram, Span};

use crate::math::kahan_add;
use crate::notes::format_g;

/// Exponential and custom buckets do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Incompatible;

/// What is worth a note about an addition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Added {
    /// One was known to be a reset, the other to be none.
    pub(crate) collision: bool,
    /// Custom bounds differed; those that both have are left.
    pub(crate) reconciled: bool,
}

/// A sum in Kahan's form.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sum {
    pub(crate) value: f64,
    lost: f64,
}

impl Sum {
    fn of(value: f64) -> Self {
        Self { value, lost: 0.0 }
    }

    /// Plainly, or compensated.
    fn add(&mut self, other: Self, kahan: bool) {
        if kahan {
            (self.value, self.lost) = kahan_add(other.value, self.value, self.lost);
            (self.value, self.lost) = kahan_add(other.lost, self.value, self.lost);
        } else {
            self.value += other.value;
            self.lost += other.lost;
        }
    }

    fn total(self) -> f64 {
        self.value + self.lost
    }

    fn map(&mut self, change: impl Fn(f64) -> f64) {
        self.value = change(self.value);
        self.lost = if self.lost == 0.0 { 0.0 } else { change(self.lost) };
    }
}

/// Buckets by ascending index.
type Buckets = Vec<(i32, Sum)>;

/// A histogram to compute with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Native {
    pub(crate) hint: CounterResetHint,
    schema: i32,
    zero_threshold: f64,
    zero: Sum,
    count: Sum,
    sum: Sum,
    positive: Buckets,
    negative: Buckets,
    custom: Arc<[f64]>,
}

impl From<&FloatHistogram> for Native {
    fn from(h: &FloatHistogram) -> Self {
        let buckets =
            |spans: &[Span], counts: &[f64]| indexed(spans, counts).map(|(i, count)| (i, Sum::of(count))).collect();
        Self {
            hint: h.counter_reset_hint,
            schema: h.schema,
            zero_threshold: h.zero_threshold,
            zero: Sum::of(h.zero_count),
            count: Sum::of(h.count),
            sum: Sum::of(h.sum),
            positive: buckets(&h.positive_spans, &h.positive_buckets),
            negative: buckets(&h.negative_spans, &h.negative_buckets),
            custom: Arc::clone(&h.custom_values),
        }
    }
}

impl Native {
    /// Nothing observed, of the layout of another.
    pub(crate) fn empty_like(h: &FloatHistogram) -> Self {
        Self { schema: h.schema, custom: Arc::clone(&h.custom_values), ..Self::default() }
    }

    /// In its stored form, without empty buckets.
    pub(crate) fn finish(&self) -> FloatHistogram {
        let (positive_spans, positive_buckets) = laid_out(&self.positive);
        let (negative_spans, negative_buckets) = laid_out(&self.negative);
        FloatHistogram {
            counter_reset_hint: self.hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero.total(),
            count: self.count.total(),
            sum: self.sum.total(),
            positive_spans,
            negative_spans,
            positive_buckets,
            negative_buckets,
            custom_values: Arc::clone(&self.custom),
        }
    }

    fn is_custom(&self) -> bool {
        model::histogram::is_custom_buckets_schema(self.schema)
    }

    fn each(&mut self, change: impl Fn(f64) -> f64) {
        for sum in [&mut self.zero, &mut self.count, &mut self.sum] {
            sum.map(&change);
        }
        for (_, count) in self.positive.iter_mut().chain(&mut self.negative) {
            count.map(&change);
        }
    }

    pub(crate) fn multiply(&mut self, factor: f64) {
        self.each(|v| v * factor);
        if factor < 0.0 {
            self.hint = CounterResetHint::Gauge;
        }
    }

    /// Division by zero leaves no buckets.
    pub(crate) fn divide(&mut self, divisor: f64) {
        self.each(|v| v / divisor);
        if divisor == 0.0 {
            self.positive.clear();
            self.negative.clear();
        } else if divisor < 0.0 {
            self.hint = CounterResetHint::Gauge;
        }
    }

    pub(crate) fn overflows(&self) -> bool {
        let buckets = self.positive.iter().chain(&self.negative).map(|(_, sum)| sum);
        [&self.zero, &self.count, &self.sum].into_iter().chain(buckets).any(|sum| sum.value.is_infinite())
    }

    pub(crate) fn add(&mut self, other: &FloatHistogram, kahan: bool) -> Result<Added, Incompatible> {
        self.combine(Self::from(other), kahan)
    }

    pub(crate) fn subtract(&mut self, other: &FloatHistogram) -> Result<Added, Incompatible> {
        let mut negated = Self::from(other);
        negated.each(|v| -v);
        self.combine(negated, false)
    }

    pub(crate) fn combine(&mut self, mut other: Self, kahan: bool) -> Result<Added, Incompatible> {
        if self.is_custom() != other.is_custom() {
            return Err(Incompatible);
        }
        let collision = self.join_hints(other.hint);
        if self.is_custom() {
            let reconciled = !same_bounds(&self.custom, &other.custom);
            if reconciled {
                let common = common_bounds(&self.custom, &other.custom);
                for side in [&mut *self, &mut other] {
                    side.positive = moved_to(&side.positive, &side.custom, &common);
                }
                self.custom = common;
            }
            self.count.add(other.count, kahan);
            self.sum.add(other.sum, kahan);
            merge(&mut self.positive, &other.positive, kahan);
            return Ok(Added { collision, reconciled });
        }
        self.widen_zero_buckets(&mut other, kahan);
        let schema = self.schema.min(other.schema);
        self.reduce(schema, kahan);
        other.reduce(schema, kahan);
        self.zero.add(other.zero, kahan);
        self.count.add(other.count, kahan);
        self.sum.add(other.sum, kahan);
        merge(&mut self.positive, &other.positive, kahan);
        merge(&mut self.negative, &other.negative, kahan);
        Ok(Added { collision, reconciled: false })
    }

    /// The hint of a sum; whether a known reset meets a known absence of one.
    fn join_hints(&mut self, other: CounterResetHint) -> bool {
        use CounterResetHint::{Gauge, Unknown};
        match (self.hint, other) {
            (a, b) if a == b => {}
            (Gauge, _) | (Unknown, CounterResetHint::CounterReset | CounterResetHint::NotCounterReset) => {}
            (_, Gauge) => self.hint = Gauge,
            (_, Unknown) => self.hint = Unknown,
            _ => {
                self.hint = Unknown;
                return true;
            }
        }
        false
    }

    /// Merges buckets down to a coarser schema.
    pub(crate) fn reduce(&mut self, schema: i32, kahan: bool) {
        if self.is_custom() || schema >= self.schema {
            return;
        }
        let shift = (self.schema - schema).min(31);
        for side in [&mut self.positive, &mut self.negative] {
            for (index, _) in side.iter_mut() {
                *index = (index.wrapping_sub(1) >> shift) + 1;
            }
            side.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1.add(next.1, kahan);
                }
                same
            });
        }
        self.schema = schema;
    }
}

/// As Prometheus writes a histogram: count, sum and the populated buckets with their own bounds.
pub(crate) fn describe(h: &FloatHistogram) -> String {
    let mut text = format!("{{count:{}, sum:{}", format_g(h.count), format_g(h.sum));
    for bucket in h.own_buckets().iter().filter(|bucket| bucket.count != 0.0) {
        let open = if bucket.lower_inclusive { '[' } else { '(' };
        let close = if bucket.upper_inclusive { ']' } else { ')' };
        let [lower, upper, count] = [bucket.lower, bucket.upper, bucket.count].map(format_g);
        text.push_str(&format!(", {open}{lower},{upper}{close}:{count}"));
    }
    text.push('}');
    text
}

/// Adds the buckets of one side to those of another.
fn merge(into: &mut Buckets, other: &Buckets, kahan: bool) {
    if other.is_empty() {
        return;
    }
    let mut merged = Vec::with_capacity(into.len().max(other.len()) + 4);
    let (mut a, mut b) = (into.iter().peekable(), other.iter().peekable());
    loop {
        let next = match (a.peek(), b.peek()) {
            (None, None) => break,
            (Some(x), Some(y)) if x.0 == y.0 => {
                let mut sum = x.1;
                sum.add(y.1, kahan);
                let index = x.0;
                a.next();
                b.next();
                Some((index, sum))
            }
            (Some(x), Some(y)) if x.0 < y.0 => a.next().copied(),
            (Some(_), None) => a.next().copied(),
            _ => b.next().copied(),
        };
        merged.extend(next);
    }
    *into = merged;
}

fn laid_out(buckets: &Buckets) -> (Arc<[Span]>, Vec<f64>) {
    let (mut spans, mut counts): (Vec<Span>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut next = 0;
    for &(index, sum) in buckets {
        let count = sum.total();
        if count == 0.0 {
            continue;
        }
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => spans.push(Span { offset: index.wrapping_sub(next), length: 1 }),
        }
        counts.push(count);
        next = index.wrapping_add(1);
    }
    (spans.into(), counts)
}

pub(super) fn same_bounds(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// The bounds that both have.
fn common_bounds(a: &[f64], b: &[f64]) -> Arc<[f64]> {
    a.iter().copied().filter(|bound| b.contains(bound)).collect()
}

/// Custom buckets, each within the first of the coarser bounds that reaches its own.
fn moved_to(buckets: &Buckets, from: &[f64], to: &[f64]) -> Buckets {
    let mut moved: Buckets = Vec::new();
    for &(index, sum) in buckets {
        let upper = bound(index, model::histogram::CUSTOM_BUCKETS_SCHEMA, from);
        let target = to.partition_point(|&bound| bound < upper) as i32;
        match moved.last_mut() {
            Some((last, total)) if *last == target => total.add(sum, true),
            _ => moved.push((target, sum)),
        }
    }
    moved
}
