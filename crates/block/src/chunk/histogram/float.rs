use std::sync::Arc;

use model::histogram::{EXPONENTIAL_SCHEMA_MAX, bucket_count};
use model::{FloatHistogram, is_stale};

use super::super::bits::{BitReader, BitWriter};
use super::super::start::StartReader;
use super::super::varbit::read_int;
use super::super::window::Window;
use super::layout::Layout;
use super::{HEADER, Header};
use crate::Corrupt;

/// Reads a float chunk sample by sample.
#[derive(Clone, Debug)]
pub(in crate::chunk) struct FloatReader<'a> {
    r: BitReader<'a>,
    header: Header,
    read: usize,
    layout: Layout,
    start: StartReader,
    t: i64,
    delta: i64,
    count: Xored,
    zero_count: Xored,
    sum: Xored,
    /// Positive buckets, then negative ones.
    buckets: Vec<Xored>,
    positive: usize,
}

/// A float and the window that its next difference may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Xored {
    pub(super) bits: u64,
    window: Window,
}

impl Xored {
    /// As a writer starts.
    pub(super) fn new(value: f64) -> Self {
        Self { bits: value.to_bits(), window: Window::UNSET }
    }

    fn read_first(r: &mut BitReader<'_>) -> Result<Self, Corrupt> {
        Ok(Self { bits: r.bits(64)?, window: Window::FULL })
    }

    #[inline]
    fn read(&mut self, r: &mut BitReader<'_>) -> Result<(), Corrupt> {
        self.bits = self.window.read(r, self.bits)?;
        Ok(())
    }

    #[inline]
    pub(super) fn write(&mut self, w: &mut BitWriter, value: f64) {
        self.window.write(w, value.to_bits(), self.bits);
        self.bits = value.to_bits();
    }

    pub(super) fn value(self) -> f64 {
        f64::from_bits(self.bits)
    }
}

impl<'a> FloatReader<'a> {
    pub(in crate::chunk) fn new(payload: &'a [u8], st: bool) -> Result<Self, Corrupt> {
        let header = Header::read(payload, st)?;
        Ok(Self {
            r: BitReader::new(payload, HEADER),
            header,
            read: 0,
            layout: Layout::default(),
            start: StartReader::new(header.start.unwrap_or(0)),
            t: 0,
            delta: 0,
            count: Xored::new(0.0),
            zero_count: Xored::new(0.0),
            sum: Xored::new(0.0),
            buckets: Vec::new(),
            positive: 0,
        })
    }

    /// Goes to the next sample; `false` behind the last.
    pub(in crate::chunk) fn advance(&mut self) -> Result<bool, Corrupt> {
        if self.read == usize::from(self.header.count) {
            return Ok(false);
        }
        let last_t = self.t;
        if self.read == 0 {
            self.first()?;
        } else {
            self.following()?;
        }
        self.start.read(&mut self.r, self.read, self.t, last_t)?;
        self.read += 1;
        Ok(true)
    }

    fn first(&mut self) -> Result<(), Corrupt> {
        let r = &mut self.r;
        self.layout = Layout::read(r)?;
        self.positive = bucket_count(&self.layout.positive);
        self.t = read_int(r)?;
        self.count = Xored::read_first(r)?;
        self.zero_count = Xored::read_first(r)?;
        self.sum = Xored::read_first(r)?;
        self.buckets.clear();
        for _ in 0..self.positive + bucket_count(&self.layout.negative) {
            self.buckets.push(Xored::read_first(r)?);
        }
        Ok(())
    }

    fn following(&mut self) -> Result<(), Corrupt> {
        let r = &mut self.r;
        self.delta = self.delta.wrapping_add(read_int(r)?);
        self.t = self.t.wrapping_add(self.delta);
        self.count.read(r)?;
        self.zero_count.read(r)?;
        self.sum.read(r)?;
        if !is_stale(self.sum.value()) {
            for bucket in &mut self.buckets {
                bucket.read(r)?;
            }
        }
        Ok(())
    }

    pub(in crate::chunk) fn time(&self) -> i64 {
        self.t
    }

    pub(in crate::chunk) fn start_time(&self) -> i64 {
        self.start.st
    }

    pub(in crate::chunk) fn header(&self) -> Header {
        self.header
    }

    /// The present sample, of a schema that is computed with.
    pub(in crate::chunk) fn histogram(&self) -> Result<FloatHistogram, Corrupt> {
        let mut h = self.as_written();
        if h.schema > EXPONENTIAL_SCHEMA_MAX && !h.reduce_to_supported() {
            return Err(self.r.corrupt("histogram spans overlap"));
        }
        Ok(h)
    }

    /// The present sample in the schema that it was written in.
    pub(super) fn as_written(&self) -> FloatHistogram {
        let sum = self.sum.value();
        if is_stale(sum) {
            return FloatHistogram { sum, ..FloatHistogram::default() };
        }
        let values = |b: &[Xored]| b.iter().map(|b| b.value()).collect();
        let (positive, negative) = self.buckets.split_at(self.positive);
        FloatHistogram {
            counter_reset_hint: self.header.reset.hint(self.read.saturating_sub(1)),
            schema: self.layout.schema,
            zero_threshold: self.layout.zero_threshold,
            zero_count: self.zero_count.value(),
            count: self.count.value(),
            sum,
            positive_spans: Arc::clone(&self.layout.positive),
            negative_spans: Arc::clone(&self.layout.negative),
            positive_buckets: values(positive),
            negative_buckets: values(negative),
            custom_values: Arc::clone(&self.layout.custom_values),
        }
    }
}
