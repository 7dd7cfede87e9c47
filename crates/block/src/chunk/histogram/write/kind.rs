//! What differs between integer and float histograms when they are written.

use std::fmt::Debug;
use std::sync::Arc;

use model::histogram::bucket_count;
use model::{CounterResetHint, FloatHistogram, Histogram, Span, is_stale};

use super::super::super::bits::BitWriter;
use super::super::super::varbit::{write_int, write_uint};
use super::super::buckets::{Side, Union};
use super::super::float::{FloatReader, Xored};
use super::super::integer::{IntegerReader, Running};
use super::super::layout::Layout;
use super::{Encoding, Fit, ResetHeader};
use crate::Corrupt;

type Spans = Arc<[Span]>;

/// The last sample of a chunk being written, integer or float.
pub(super) trait Kind: Clone + Debug + Default {
    type Histogram: Clone + Debug;
    const ENCODING: Encoding;
    const ENCODING_ST: Encoding;

    fn shape(h: &Self::Histogram) -> Shape;
    fn check(h: &Self::Histogram) -> Result<(), Corrupt>;
    fn is_stale(h: &Self::Histogram) -> bool;
    /// A staleness marker with all else emptied; `None` where `h` is none.
    fn stale(h: &Self::Histogram) -> Option<Self::Histogram>;
    /// What a chunk says that begins because of `fit`.
    fn reset_header(fit: Fit) -> ResetHeader;
    /// Lays the buckets out on the unions and gives the histogram their spans.
    fn spread(h: &mut Self::Histogram, side: Side, positive: (Spans, &Union), negative: (Spans, &Union));
    /// Start timestamp, time and histogram of each sample of a payload just written.
    fn read(payload: &[u8], st: bool) -> Result<Vec<(i64, i64, Self::Histogram)>, Corrupt>;
    fn spans(h: &Self::Histogram) -> (Spans, Spans) {
        let shape = Self::shape(h);
        (shape.positive, shape.negative)
    }

    fn was_stale(&self) -> bool;
    fn count_falls(&self, h: &Self::Histogram) -> bool;
    fn zero_count_falls(&self, h: &Self::Histogram) -> bool;
    fn buckets_fall(&self, h: &Self::Histogram, unions: &Option<[Union; 2]>) -> bool;
    fn write_first(&mut self, w: &mut BitWriter, t: i64, h: &Self::Histogram);
    /// `delta` is the time since the sample before.
    fn write(&mut self, w: &mut BitWriter, delta: i64, h: &Self::Histogram);
}

/// A histogram without its counts.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) counter_reset_hint: CounterResetHint,
    pub(super) schema: i32,
    pub(super) zero_threshold: f64,
    pub(super) positive: Spans,
    pub(super) negative: Spans,
    pub(super) custom_values: Arc<[f64]>,
}

impl Shape {
    pub(super) fn into_layout(self) -> Layout {
        let Self { schema, zero_threshold, positive, negative, custom_values, .. } = self;
        Layout { schema, zero_threshold, positive, negative, custom_values }
    }
}

macro_rules! shape {
    ($h:expr) => {
        Shape {
            counter_reset_hint: $h.counter_reset_hint,
            schema: $h.schema,
            zero_threshold: $h.zero_threshold,
            positive: $h.positive_spans.clone(),
            negative: $h.negative_spans.clone(),
            custom_values: $h.custom_values.clone(),
        }
    };
}

fn check_buckets(spans: &[Span], buckets: usize) -> Result<(), Corrupt> {
    let n = bucket_count(spans);
    if n == buckets {
        return Ok(());
    }
    Err(Corrupt::new(0, format!("histogram has {buckets} buckets where its spans hold {n}")))
}

/// The last integer histogram.
#[derive(Clone, Debug)]
pub(super) struct Integer {
    delta: i64,
    count: Running,
    zero_count: Running,
    sum: Xored,
    positive: Vec<Running>,
    negative: Vec<Running>,
}

impl Default for Integer {
    fn default() -> Self {
        let zero = Running::default();
        Self {
            delta: 0,
            count: zero,
            zero_count: zero,
            sum: Xored::new(0.0),
            positive: Vec::new(),
            negative: Vec::new(),
        }
    }
}

impl Kind for Integer {
    type Histogram = Histogram;
    const ENCODING: Encoding = Encoding::Histogram;
    const ENCODING_ST: Encoding = Encoding::HistogramSt;

    fn shape(h: &Histogram) -> Shape {
        shape!(h)
    }

    fn check(h: &Histogram) -> Result<(), Corrupt> {
        if h.is_stale() {
            return Ok(());
        }
        check_buckets(&h.positive_spans, h.positive_buckets.len())?;
        check_buckets(&h.negative_spans, h.negative_buckets.len())
    }

    fn is_stale(h: &Histogram) -> bool {
        h.is_stale()
    }

    fn stale(h: &Histogram) -> Option<Histogram> {
        h.is_stale().then(|| Histogram { sum: h.sum, ..Histogram::default() })
    }

    fn reset_header(fit: Fit) -> ResetHeader {
        match fit {
            Fit::Reset => ResetHeader::CounterReset,
            Fit::Gauge => ResetHeader::NotCounterReset,
            Fit::Other | Fit::Fits => ResetHeader::Unknown,
        }
    }

    fn spread(h: &mut Histogram, side: Side, positive: (Spans, &Union), negative: (Spans, &Union)) {
        if h.is_stale() {
            return;
        }
        h.positive_buckets = deltas(&positive.1.spread(side, &absolute(h.positive_buckets.iter().copied())));
        h.negative_buckets = deltas(&negative.1.spread(side, &absolute(h.negative_buckets.iter().copied())));
        (h.positive_spans, h.negative_spans) = (positive.0, negative.0);
    }

    fn read(payload: &[u8], st: bool) -> Result<Vec<(i64, i64, Histogram)>, Corrupt> {
        let mut r = IntegerReader::new(payload, st)?;
        let mut samples = Vec::new();
        while r.advance()? {
            samples.push((r.start_time(), r.time(), r.as_written()));
        }
        Ok(samples)
    }

    fn was_stale(&self) -> bool {
        is_stale(self.sum.value())
    }

    fn count_falls(&self, h: &Histogram) -> bool {
        h.count < self.count.value as u64
    }

    fn zero_count_falls(&self, h: &Histogram) -> bool {
        h.zero_count < self.zero_count.value as u64
    }

    fn buckets_fall(&self, h: &Histogram, unions: &Option<[Union; 2]>) -> bool {
        let falls = |i: usize, last: &[Running], now: &[i64]| {
            let last = last.iter().map(|b| b.value);
            if let Some(unions) = unions {
                return unions[i].falls(&absolute(last), &absolute(now.iter().copied()));
            }
            let mut sums = (0i64, 0i64);
            last.zip(now).any(|(a, b)| {
                sums = (sums.0.wrapping_add(a), sums.1.wrapping_add(*b));
                sums.0 > sums.1
            })
        };
        falls(0, &self.positive, &h.positive_buckets) || falls(1, &self.negative, &h.negative_buckets)
    }

    fn write_first(&mut self, w: &mut BitWriter, t: i64, h: &Histogram) {
        write_int(w, t);
        write_uint(w, h.count);
        write_uint(w, h.zero_count);
        w.bits(h.sum.to_bits(), 64);
        self.delta = 0;
        self.count = Running { value: h.count as i64, delta: 0 };
        self.zero_count = Running { value: h.zero_count as i64, delta: 0 };
        self.sum = Xored::new(h.sum);
        for (mine, buckets) in [(&mut self.positive, &h.positive_buckets), (&mut self.negative, &h.negative_buckets)] {
            mine.clear();
            for &value in buckets {
                write_int(w, value);
                mine.push(Running { value, delta: 0 });
            }
        }
    }

    fn write(&mut self, w: &mut BitWriter, delta: i64, h: &Histogram) {
        write_int(w, delta.wrapping_sub(self.delta));
        self.delta = delta;
        let count = self.count.advance(h.count as i64);
        let zero_count = self.zero_count.advance(h.zero_count as i64);
        // The counts of a staleness marker do not matter: the shortest stands in.
        write_int(w, if h.is_stale() { 0 } else { count });
        write_int(w, if h.is_stale() { 0 } else { zero_count });
        self.sum.write(w, h.sum);
        let positive = self.positive.iter_mut().zip(&h.positive_buckets);
        let negative = self.negative.iter_mut().zip(&h.negative_buckets);
        for (last, &value) in positive.chain(negative) {
            write_int(w, last.advance(value));
        }
    }
}

impl Running {
    /// Goes to `value` and gives the delta of delta.
    fn advance(&mut self, value: i64) -> i64 {
        let delta = value.wrapping_sub(self.value);
        let dod = delta.wrapping_sub(self.delta);
        (self.value, self.delta) = (value, delta);
        dod
    }
}

fn absolute(deltas: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut count = 0i64;
    let sum = |d: i64| {
        count = count.wrapping_add(d);
        count
    };
    deltas.map(sum).collect()
}

fn deltas(counts: &[i64]) -> Vec<i64> {
    let mut last = 0i64;
    let difference = |&c: &i64| c.wrapping_sub(std::mem::replace(&mut last, c));
    counts.iter().map(difference).collect()
}

/// The last float histogram.
#[derive(Clone, Debug)]
pub(super) struct Float {
    delta: i64,
    count: Xored,
    zero_count: Xored,
    sum: Xored,
    positive: Vec<Xored>,
    negative: Vec<Xored>,
}

impl Default for Float {
    fn default() -> Self {
        let zero = Xored::new(0.0);
        Self { delta: 0, count: zero, zero_count: zero, sum: zero, positive: Vec::new(), negative: Vec::new() }
    }
}

impl Kind for Float {
    type Histogram = FloatHistogram;
    const ENCODING: Encoding = Encoding::FloatHistogram;
    const ENCODING_ST: Encoding = Encoding::FloatHistogramSt;

    fn shape(h: &FloatHistogram) -> Shape {
        shape!(h)
    }

    fn check(h: &FloatHistogram) -> Result<(), Corrupt> {
        if h.is_stale() {
            return Ok(());
        }
        check_buckets(&h.positive_spans, h.positive_buckets.len())?;
        check_buckets(&h.negative_spans, h.negative_buckets.len())
    }

    fn is_stale(h: &FloatHistogram) -> bool {
        h.is_stale()
    }

    fn stale(h: &FloatHistogram) -> Option<FloatHistogram> {
        h.is_stale().then(|| FloatHistogram { sum: h.sum, ..FloatHistogram::default() })
    }

    fn reset_header(fit: Fit) -> ResetHeader {
        match fit {
            Fit::Reset => ResetHeader::CounterReset,
            Fit::Gauge | Fit::Other | Fit::Fits => ResetHeader::Unknown,
        }
    }

    fn spread(h: &mut FloatHistogram, side: Side, positive: (Spans, &Union), negative: (Spans, &Union)) {
        if h.is_stale() {
            return;
        }
        h.positive_buckets = positive.1.spread(side, &h.positive_buckets);
        h.negative_buckets = negative.1.spread(side, &h.negative_buckets);
        (h.positive_spans, h.negative_spans) = (positive.0, negative.0);
    }

    fn read(payload: &[u8], st: bool) -> Result<Vec<(i64, i64, FloatHistogram)>, Corrupt> {
        let mut r = FloatReader::new(payload, st)?;
        let mut samples = Vec::new();
        while r.advance()? {
            samples.push((r.start_time(), r.time(), r.as_written()));
        }
        Ok(samples)
    }

    fn was_stale(&self) -> bool {
        is_stale(self.sum.value())
    }

    fn count_falls(&self, h: &FloatHistogram) -> bool {
        h.count < self.count.value()
    }

    fn zero_count_falls(&self, h: &FloatHistogram) -> bool {
        h.zero_count < self.zero_count.value()
    }

    fn buckets_fall(&self, h: &FloatHistogram, unions: &Option<[Union; 2]>) -> bool {
        let falls = |i: usize, last: &[Xored], now: &[f64]| {
            let last = last.iter().map(|b| b.value());
            match unions {
                Some(unions) => unions[i].falls(&last.collect::<Vec<_>>(), now),
                None => last.zip(now).any(|(a, b)| a > *b),
            }
        };
        falls(0, &self.positive, &h.positive_buckets) || falls(1, &self.negative, &h.negative_buckets)
    }

    fn write_first(&mut self, w: &mut BitWriter, t: i64, h: &FloatHistogram) {
        write_int(w, t);
        for value in [h.count, h.zero_count, h.sum] {
            w.bits(value.to_bits(), 64);
        }
        self.delta = 0;
        self.count = Xored::new(h.count);
        self.zero_count = Xored::new(h.zero_count);
        self.sum = Xored::new(h.sum);
        for (mine, buckets) in [(&mut self.positive, &h.positive_buckets), (&mut self.negative, &h.negative_buckets)] {
            mine.clear();
            for &value in buckets {
                w.bits(value.to_bits(), 64);
                mine.push(Xored::new(value));
            }
        }
    }

    fn write(&mut self, w: &mut BitWriter, delta: i64, h: &FloatHistogram) {
        write_int(w, delta.wrapping_sub(self.delta));
        self.delta = delta;
        self.count.write(w, h.count);
        self.zero_count.write(w, h.zero_count);
        self.sum.write(w, h.sum);
        let positive = self.positive.iter_mut().zip(&h.positive_buckets);
        let negative = self.negative.iter_mut().zip(&h.negative_buckets);
        for (last, &value) in positive.chain(negative) {
            last.write(w, value);
        }
    }
}
