use model::histogram::{EXPONENTIAL_SCHEMA_MAX, bucket_count};
use model::{FloatHistogram, is_stale};

use super::super::bits::BitReader;
use super::super::start::StartReader;
use super::kind::{Kind, Parts, Value};
use super::layout::Layout;
use super::number::{Number, Running, Xored, absolute};
use super::{HEADER, Header};
use crate::Corrupt;

/// Reads a histogram chunk sample by sample.
#[derive(Clone, Debug)]
pub(in crate::chunk) struct HistogramReader<'a, K: Kind> {
    r: BitReader<'a>,
    header: Header,
    read: usize,
    layout: Layout,
    start: StartReader,
    last: Option<Last<K::Number>>,
    /// Positive buckets, then negative ones.
    buckets: Vec<K::Number>,
    positive: usize,
}

/// The last sample without its buckets.
#[derive(Clone, Copy, Debug)]
struct Last<N> {
    time: Running,
    count: N,
    zero_count: N,
    sum: Xored,
}

impl<'a, K: Kind> HistogramReader<'a, K> {
    /// `st` says whether it is an encoding with start timestamps.
    pub(in crate::chunk) fn new(payload: &'a [u8], st: bool) -> Result<Self, Corrupt> {
        let header = Header::read(payload, st)?;
        Ok(Self {
            r: BitReader::new(payload, HEADER),
            header,
            read: 0,
            layout: Layout::default(),
            start: StartReader::new(header.start.unwrap_or(0)),
            last: None,
            buckets: Vec::new(),
            positive: 0,
        })
    }

    /// Goes to the next sample; `false` behind the last.
    pub(in crate::chunk) fn advance(&mut self) -> Result<bool, Corrupt> {
        if self.read == usize::from(self.header.count) {
            return Ok(false);
        }
        let last_t = self.time();
        let r = &mut self.r;
        match &mut self.last {
            Some(last) => {
                last.time.read(r)?;
                last.count.read(r)?;
                last.zero_count.read(r)?;
                last.sum.read(r)?;
                if !is_stale(last.sum.value()) {
                    Number::read_all(&mut self.buckets, r)?;
                }
            }
            None => self.first()?,
        }
        let t = self.time();
        self.start.read(&mut self.r, self.read, t, last_t)?;
        self.read += 1;
        Ok(true)
    }

    fn first(&mut self) -> Result<(), Corrupt> {
        let r = &mut self.r;
        self.layout = Layout::read(r)?;
        self.positive = bucket_count(&self.layout.positive);
        let time = Running::read_first_bucket(r)?;
        let count = K::Number::read_first_count(r)?;
        let zero_count = K::Number::read_first_count(r)?;
        let sum = Xored::read_first(r)?;
        let buckets = self.positive + bucket_count(&self.layout.negative);
        self.buckets = Vec::with_capacity(buckets);
        for _ in 0..buckets {
            self.buckets.push(K::Number::read_first_bucket(r)?);
        }
        self.last = Some(Last { time, count, zero_count, sum });
        Ok(())
    }

    /// Time of the present sample, Unix milliseconds.
    pub(in crate::chunk) fn time(&self) -> i64 {
        self.last.map_or(0, |last| last.time.value())
    }

    pub(in crate::chunk) fn start_time(&self) -> i64 {
        self.start.st
    }

    pub(in crate::chunk) fn header(&self) -> Header {
        self.header
    }

    /// The present sample, of a schema that is computed with.
    pub(in crate::chunk) fn histogram(&self) -> Result<K, Corrupt> {
        self.reduced(self.as_written())
    }

    /// The present sample in the schema that it was written in.
    pub(super) fn as_written(&self) -> K {
        self.build(|count| count, |buckets| buckets.iter().map(|b| b.value()).collect())
    }

    /// The present sample with float counts, of a schema that is computed with.
    pub(in crate::chunk) fn float_histogram(&self) -> Result<FloatHistogram, Corrupt> {
        self.reduced(self.build(K::Number::count_to_float, |buckets| {
            let counts = absolute::<K::Number>(buckets.iter().map(|b| b.value()));
            counts.map(K::Number::bucket_to_float).collect()
        }))
    }

    #[inline(always)]
    fn build<T: Kind>(
        &self,
        count: impl Fn(Value<K>) -> Value<T>,
        buckets: impl Fn(&[K::Number]) -> Vec<Value<T>>,
    ) -> T {
        let Some(last) = self.last else { return T::default() };
        let sum = last.sum.value();
        if is_stale(sum) {
            return T::stale(sum);
        }
        let (positive, negative) = self.buckets.split_at(self.positive);
        T::from_parts(Parts {
            hint: self.header.reset.hint(self.read.saturating_sub(1)),
            layout: &self.layout,
            count: count(last.count.value()),
            zero_count: count(last.zero_count.value()),
            sum,
            buckets: [buckets(positive), buckets(negative)],
        })
    }

    fn reduced<T: Kind>(&self, mut h: T) -> Result<T, Corrupt> {
        if h.schema() > EXPONENTIAL_SCHEMA_MAX && !h.reduce() {
            return Err(self.r.corrupt("histogram spans overlap"));
        }
        Ok(h)
    }
}
