use std::sync::Arc;

use model::histogram::{EXPONENTIAL_SCHEMA_MAX, bucket_count};
use model::{FloatHistogram, Histogram, is_stale};

use super::super::bits::BitReader;
use super::super::start::StartReader;
use super::super::varbit::{read_int, read_uint};
use super::super::window::Window;
use super::layout::Layout;
use super::{HEADER, Header};
use crate::Corrupt;

/// Reads an integer chunk sample by sample.
#[derive(Clone, Debug)]
pub(in crate::chunk) struct IntegerReader<'a> {
    r: BitReader<'a>,
    header: Header,
    read: usize,
    layout: Layout,
    start: StartReader,
    time: Running,
    count: Running,
    zero_count: Running,
    sum: u64,
    window: Window,
    /// Positive buckets, then negative ones: each a difference to the bucket before it.
    buckets: Vec<Running>,
    positive: usize,
}

/// A number and what it grew by last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Running {
    pub(super) value: i64,
    pub(super) delta: i64,
}

impl Running {
    #[inline]
    fn read(&mut self, r: &mut BitReader<'_>) -> Result<(), Corrupt> {
        self.delta = self.delta.wrapping_add(read_int(r)?);
        self.value = self.value.wrapping_add(self.delta);
        Ok(())
    }
}

impl<'a> IntegerReader<'a> {
    pub(in crate::chunk) fn new(payload: &'a [u8], st: bool) -> Result<Self, Corrupt> {
        let header = Header::read(payload, st)?;
        Ok(Self {
            r: BitReader::new(payload, HEADER),
            header,
            read: 0,
            layout: Layout::default(),
            start: StartReader::new(header.start.unwrap_or(0)),
            time: Running::default(),
            count: Running::default(),
            zero_count: Running::default(),
            sum: 0,
            window: Window::FULL,
            buckets: Vec::new(),
            positive: 0,
        })
    }

    /// Goes to the next sample; `false` behind the last.
    pub(in crate::chunk) fn advance(&mut self) -> Result<bool, Corrupt> {
        if self.read == usize::from(self.header.count) {
            return Ok(false);
        }
        let last_t = self.time.value;
        if self.read == 0 {
            self.first()?;
        } else {
            self.following()?;
        }
        self.start.read(&mut self.r, self.read, self.time.value, last_t)?;
        self.read += 1;
        Ok(true)
    }

    fn first(&mut self) -> Result<(), Corrupt> {
        let r = &mut self.r;
        self.layout = Layout::read(r)?;
        self.positive = bucket_count(&self.layout.positive);
        self.time.value = read_int(r)?;
        self.count.value = read_uint(r)? as i64;
        self.zero_count.value = read_uint(r)? as i64;
        self.sum = r.bits(64)?;
        self.buckets.clear();
        for _ in 0..self.positive + bucket_count(&self.layout.negative) {
            self.buckets.push(Running { value: read_int(r)?, delta: 0 });
        }
        Ok(())
    }

    fn following(&mut self) -> Result<(), Corrupt> {
        let r = &mut self.r;
        self.time.read(r)?;
        self.count.read(r)?;
        self.zero_count.read(r)?;
        self.sum = self.window.read(r, self.sum)?;
        if !is_stale(f64::from_bits(self.sum)) {
            for bucket in &mut self.buckets {
                bucket.read(r)?;
            }
        }
        Ok(())
    }

    pub(in crate::chunk) fn time(&self) -> i64 {
        self.time.value
    }

    pub(in crate::chunk) fn start_time(&self) -> i64 {
        self.start.st
    }

    pub(in crate::chunk) fn header(&self) -> Header {
        self.header
    }

    /// The present sample, of a schema that is computed with.
    pub(in crate::chunk) fn histogram(&self) -> Result<Histogram, Corrupt> {
        let mut h = self.as_written();
        if h.schema > EXPONENTIAL_SCHEMA_MAX && !h.reduce_to_supported() {
            return Err(self.r.corrupt("histogram spans overlap"));
        }
        Ok(h)
    }

    /// The present sample in the schema that it was written in.
    pub(super) fn as_written(&self) -> Histogram {
        let sum = f64::from_bits(self.sum);
        if is_stale(sum) {
            return Histogram { sum, ..Histogram::default() };
        }
        let values = |b: &[Running]| b.iter().map(|b| b.value).collect();
        let (positive, negative) = self.buckets.split_at(self.positive);
        Histogram {
            counter_reset_hint: self.header.reset.hint(self.read.saturating_sub(1)),
            schema: self.layout.schema,
            zero_threshold: self.layout.zero_threshold,
            zero_count: self.zero_count.value as u64,
            count: self.count.value as u64,
            sum,
            positive_spans: Arc::clone(&self.layout.positive),
            negative_spans: Arc::clone(&self.layout.negative),
            positive_buckets: values(positive),
            negative_buckets: values(negative),
            custom_values: Arc::clone(&self.layout.custom_values),
        }
    }

    /// The present sample with float counts.
    pub(in crate::chunk) fn float_histogram(&self) -> Result<FloatHistogram, Corrupt> {
        let sum = f64::from_bits(self.sum);
        if is_stale(sum) {
            return Ok(FloatHistogram { sum, ..FloatHistogram::default() });
        }
        let (positive, negative) = self.buckets.split_at(self.positive);
        let mut h = FloatHistogram {
            counter_reset_hint: self.header.reset.hint(self.read.saturating_sub(1)),
            schema: self.layout.schema,
            zero_threshold: self.layout.zero_threshold,
            zero_count: self.zero_count.value as u64 as f64,
            count: self.count.value as u64 as f64,
            sum,
            positive_spans: Arc::clone(&self.layout.positive),
            negative_spans: Arc::clone(&self.layout.negative),
            positive_buckets: absolute(positive),
            negative_buckets: absolute(negative),
            custom_values: Arc::clone(&self.layout.custom_values),
        };
        if h.schema > EXPONENTIAL_SCHEMA_MAX && !h.reduce_to_supported() {
            return Err(self.r.corrupt("histogram spans overlap"));
        }
        Ok(h)
    }
}

fn absolute(buckets: &[Running]) -> Vec<f64> {
    let mut count = 0i64;
    let sum = |b: &Running| {
        count = count.wrapping_add(b.value);
        count as f64
    };
    buckets.iter().map(sum).collect()
}
