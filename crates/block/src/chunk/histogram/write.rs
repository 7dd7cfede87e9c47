//! Appending histograms: when the chunk goes on, when it is recoded, when a new one begins.

use std::sync::Arc;

use model::histogram::is_custom_buckets_schema;
use model::{CounterResetHint, FloatHistogram, Histogram, Span};

use super::super::EncodedChunk;
use super::super::bits::BitWriter;
use super::super::start::StartWriter;
use super::super::varbit::write_int;
use super::buckets::{Side, Union};
use super::kind::{Kind, Value};
use super::layout::Layout;
use super::number::{Number, Xored, absolute, relative};
use super::{COUNT_MASK_ST, HEADER, Header, HistogramReader, ResetHeader};
use crate::Corrupt;

/// The two encoders: the policy is one, [`Kind`] is what differs.
macro_rules! encoder {
    ($(#[$doc:meta])* $name:ident, $histogram:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $name(Encoder<$histogram>);

        impl $name {
            #[must_use]
            pub fn new() -> Self {
                Self::default()
            }

            /// Writes chunks with start timestamps.
            #[must_use]
            pub fn with_start_times() -> Self {
                Self(Encoder { start_times: true, ..Encoder::default() })
            }

            /// How many samples the present chunk holds.
            #[must_use]
            pub fn len(&self) -> usize {
                self.0.chunk.count.into()
            }

            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// How many bytes the present chunk's payload has.
            #[must_use]
            pub fn bytes_len(&self) -> usize {
                self.0.chunk.w.len()
            }

            /// Sets what the present chunk says of a counter reset before it, once it has a sample.
            pub fn set_reset_header(&mut self, reset: ResetHeader) {
                self.0.chunk.reset = reset;
            }

            /// Appends a sample; `st` is its start timestamp (0 for none, and always for chunks
            /// without). Gives the finished chunk if the sample could not go into it and began a new
            /// one. A chunk whose layout lacks some of the sample's buckets is recoded in place.
            ///
            /// # Errors
            /// When the histogram's spans do not fit its buckets; nothing is appended then.
            pub fn append(&mut self, st: i64, t: i64, h: &$histogram) -> Result<Option<EncodedChunk>, Corrupt> {
                self.0.append(st, t, h)
            }

            /// The payload with its times; the encoder is empty thereafter.
            pub fn finish_chunk(&mut self) -> EncodedChunk {
                self.0.finish_chunk()
            }
        }
    };
}

encoder!(
    /// Encodes integer histograms, byte for byte as Prometheus' appender does.
    HistogramEncoder,
    Histogram
);
encoder!(
    /// Encodes float histograms, byte for byte as Prometheus' appender does.
    FloatHistogramEncoder,
    FloatHistogram
);

/// The encoder for either kind of histogram.
#[derive(Clone, Debug)]
struct Encoder<K: Kind> {
    chunk: Open<K>,
    start_times: bool,
}

/// The chunk being written.
#[derive(Clone, Debug)]
struct Open<K: Kind> {
    w: BitWriter,
    count: u16,
    reset: ResetHeader,
    min_time: i64,
    t: i64,
    delta: i64,
    layout: Layout,
    start: StartWriter,
    last: Last<K::Number>,
}

/// The last sample of a chunk being written.
#[derive(Clone, Debug)]
struct Last<N> {
    count: N,
    zero_count: N,
    sum: Xored,
    /// Positive and negative.
    buckets: [Vec<N>; 2],
}

/// How a sample goes with the chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Fits,
    /// It is known to be a counter reset.
    Reset,
    /// It is of another schema, or it comes behind a staleness marker.
    Other,
    /// The one is a gauge, the other is not.
    Gauge,
}

impl Fit {
    /// What a chunk says that begins because of this.
    fn reset_header<K: Kind>(self) -> ResetHeader {
        match self {
            Self::Reset => ResetHeader::CounterReset,
            Self::Gauge => K::BEHIND_GAUGES,
            Self::Other | Self::Fits => ResetHeader::Unknown,
        }
    }
}

/// The chunk's layout joined with a histogram's, positive and negative buckets.
type Unions = [Union; 2];

impl<K: Kind> Default for Encoder<K> {
    fn default() -> Self {
        Self { chunk: Open::new(ResetHeader::Unknown), start_times: false }
    }
}

impl<K: Kind> Encoder<K> {
    fn append(&mut self, st: i64, t: i64, h: &K) -> Result<Option<EncodedChunk>, Corrupt> {
        h.check()?;
        let gauge = h.hint() == CounterResetHint::Gauge;
        if self.chunk.count == 0 {
            self.chunk.write(st, t, h, self.start_times);
            if gauge {
                self.chunk.reset = ResetHeader::Gauge;
            } else if h.hint() == CounterResetHint::CounterReset {
                self.chunk.reset = ResetHeader::CounterReset;
            }
            return Ok(None);
        }
        let full = if self.start_times { COUNT_MASK_ST } else { u16::MAX };
        let unions = self.chunk.unions(h);
        let fit = if self.chunk.count == full { Fit::Other } else { self.chunk.fit(h, gauge, unions.as_ref()) };
        if fit != Fit::Fits {
            let reset = if gauge { ResetHeader::Gauge } else { fit.reset_header::<K>() };
            let done = std::mem::replace(&mut self.chunk, Open::new(reset)).finish(self.start_times);
            self.chunk.write(st, t, h, self.start_times);
            return Ok(Some(done));
        }
        match &unions {
            Some(unions) if !h.is_stale() => self.append_other_layout(st, t, h, gauge, unions)?,
            _ => self.chunk.write(st, t, h, self.start_times),
        }
        Ok(None)
    }

    fn append_other_layout(&mut self, st: i64, t: i64, h: &K, gauge: bool, unions: &Unions) -> Result<(), Corrupt> {
        let wider = unions.iter().any(|u| u.only_b);
        let mut h = h.clone();
        if unions.iter().any(|u| u.only_a) {
            let old = [&self.chunk.layout.positive, &self.chunk.layout.negative];
            let own = h.spans();
            let spans = std::array::from_fn(|i| {
                if gauge || wider && unions[i].only_a {
                    unions[i].spans().into()
                } else {
                    Arc::clone(if wider { own[i] } else { old[i] })
                }
            });
            spread(&mut h, Side::B, spans, unions);
        }
        if wider {
            self.recode(&h.spans().map(Arc::clone), unions)?;
        }
        self.chunk.write(st, t, &h, self.start_times);
        Ok(())
    }

    /// Rewrites the chunk with wider spans, which are those of the unions.
    fn recode(&mut self, spans: &[Arc<[Span]>; 2], unions: &Unions) -> Result<(), Corrupt> {
        let reset = self.chunk.reset;
        let old = std::mem::replace(&mut self.chunk, Open::new(reset)).finish(self.start_times);
        let mut samples = HistogramReader::<K>::new(&old.bytes, self.start_times)?;
        while samples.advance()? {
            let mut h = samples.as_written();
            spread(&mut h, Side::A, spans.clone(), unions);
            self.chunk.write(samples.start_time(), samples.time(), &h, self.start_times);
        }
        Ok(())
    }

    fn finish_chunk(&mut self) -> EncodedChunk {
        std::mem::replace(&mut self.chunk, Open::new(ResetHeader::Unknown)).finish(self.start_times)
    }
}

/// Lays the buckets out on the unions and gives the histogram their spans.
fn spread<K: Kind>(h: &mut K, side: Side, spans: [Arc<[Span]>; 2], unions: &Unions) {
    if h.is_stale() {
        return;
    }
    let buckets = h.buckets();
    let spread = |i: usize| {
        let counts: Vec<_> = absolute::<K::Number>(buckets[i].iter().copied()).collect();
        relative::<K::Number>(&unions[i].spread(side, &counts))
    };
    let buckets = [spread(0), spread(1)];
    h.set_buckets(spans, buckets);
}

impl<K: Kind> Open<K> {
    fn new(reset: ResetHeader) -> Self {
        let zero = K::Number::new(Value::<K>::default());
        Self {
            w: BitWriter::new(HEADER),
            count: 0,
            reset,
            min_time: 0,
            t: 0,
            delta: 0,
            layout: Layout::default(),
            start: StartWriter::default(),
            last: Last { count: zero, zero_count: zero, sum: Xored::new(0.0), buckets: [Vec::new(), Vec::new()] },
        }
    }

    /// `None` where the layouts are the same.
    fn unions(&self, h: &K) -> Option<Unions> {
        let mine = [&self.layout.positive, &self.layout.negative];
        if mine == h.spans() {
            return None;
        }
        Some(std::array::from_fn(|i| Union::new(mine[i], h.spans()[i])))
    }

    fn fit(&self, h: &K, gauge: bool, unions: Option<&Unions>) -> Fit {
        if gauge != (self.reset == ResetHeader::Gauge) {
            return Fit::Gauge;
        }
        if !gauge && h.hint() == CounterResetHint::CounterReset {
            return Fit::Reset;
        }
        if h.is_stale() {
            return Fit::Fits;
        }
        if model::is_stale(self.last.sum.value()) {
            return Fit::Other;
        }
        if !gauge && K::Number::count_falls(self.last.count.value(), h.count()) {
            return Fit::Reset;
        }
        if h.schema() != self.layout.schema || h.zero_threshold() != self.layout.zero_threshold {
            return Fit::Other;
        }
        if is_custom_buckets_schema(h.schema()) && *h.custom_values() != self.layout.custom_values {
            return if gauge { Fit::Other } else { Fit::Reset };
        }
        let zero_count_falls = K::Number::count_falls(self.last.zero_count.value(), h.zero_count());
        if !gauge && (zero_count_falls || self.buckets_fall(h, unions)) {
            return Fit::Reset;
        }
        Fit::Fits
    }

    fn buckets_fall(&self, h: &K, unions: Option<&Unions>) -> bool {
        (0..2).any(|i| {
            let last = absolute::<K::Number>(self.last.buckets[i].iter().map(|b| b.value()));
            let mut now = absolute::<K::Number>(h.buckets()[i].iter().copied());
            match unions {
                Some(unions) => unions[i].falls(last, now),
                None => last.zip(&mut now).any(|(a, b)| a > b),
            }
        })
    }

    fn write(&mut self, st: i64, t: i64, h: &K, start_times: bool) {
        let stale = h.is_stale().then(|| K::stale(h.sum()));
        let h = stale.as_ref().unwrap_or(h);
        if self.count == 0 {
            self.min_time = t;
            self.write_first(t, h);
        } else {
            self.write_following(t, h);
        }
        if start_times {
            self.start.write(&mut self.w, self.count.into(), t, self.t, st);
        }
        self.t = t;
        self.count += 1;
    }

    fn write_first(&mut self, t: i64, h: &K) {
        let w = &mut self.w;
        self.layout = h.layout();
        self.layout.write(w);
        write_int(w, t);
        for count in [h.count(), h.zero_count()] {
            K::Number::write_first_count(w, count);
        }
        Xored::write_first_count(w, h.sum());
        let buckets = h.buckets().map(|buckets| {
            buckets.iter().for_each(|&value| K::Number::write_first_bucket(w, value));
            buckets.iter().map(|&value| K::Number::new(value)).collect()
        });
        let [count, zero_count] = [h.count(), h.zero_count()].map(K::Number::new);
        self.last = Last { count, zero_count, sum: Xored::new(h.sum()), buckets };
    }

    fn write_following(&mut self, t: i64, h: &K) {
        let (w, last) = (&mut self.w, &mut self.last);
        let delta = t.wrapping_sub(self.t);
        write_int(w, delta.wrapping_sub(self.delta));
        self.delta = delta;
        for (last, value) in [(&mut last.count, h.count()), (&mut last.zero_count, h.zero_count())] {
            if h.is_stale() { last.write_stale(w) } else { last.write(w, value) }
        }
        last.sum.write(w, h.sum());
        for (last, buckets) in last.buckets.iter_mut().zip(h.buckets()) {
            last.iter_mut().zip(buckets).for_each(|(last, &value)| last.write(w, value));
        }
    }

    fn finish(mut self, start_times: bool) -> EncodedChunk {
        let start = start_times.then(|| self.start.header());
        let mut bytes = self.w.finish();
        bytes[..HEADER].copy_from_slice(&Header { count: self.count, reset: self.reset, start }.to_bytes());
        let encoding = if start_times { K::ENCODING_ST } else { K::ENCODING };
        EncodedChunk { min_time: self.min_time, max_time: self.t, encoding, bytes }
    }
}
