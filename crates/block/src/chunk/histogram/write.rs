//! Appending histograms: when the chunk goes on, when it is recoded, when a new one begins.

mod kind;

use std::sync::Arc;

use model::{CounterResetHint, FloatHistogram, Histogram, Span};

use super::super::bits::BitWriter;
use super::super::start::StartWriter;
use super::super::{EncodedChunk, Encoding};
use super::buckets::{Side, Union};
use super::layout::Layout;
use super::{COUNT_MASK_ST, HEADER, Header, ResetHeader};
use crate::Corrupt;
use kind::{Float, Integer, Kind};

/// The two encoders: the policy is one, [`Kind`] is what differs.
macro_rules! encoder {
    ($(#[$doc:meta])* $name:ident, $kind:ty, $histogram:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $name(Encoder<$kind>);

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
    Integer,
    Histogram
);
encoder!(
    /// Encodes float histograms, byte for byte as Prometheus' appender does.
    FloatHistogramEncoder,
    Float,
    FloatHistogram
);

/// The encoder for either kind of histogram.
#[derive(Clone, Debug)]
struct Encoder<K> {
    chunk: Open<K>,
    start_times: bool,
}

/// The chunk being written.
#[derive(Clone, Debug)]
struct Open<K> {
    w: BitWriter,
    count: u16,
    reset: ResetHeader,
    min_time: i64,
    t: i64,
    layout: Layout,
    start: StartWriter,
    last: K,
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

impl<K: Kind> Default for Encoder<K> {
    fn default() -> Self {
        Self { chunk: Open::new(ResetHeader::Unknown), start_times: false }
    }
}

impl<K: Kind> Encoder<K> {
    fn append(&mut self, st: i64, t: i64, h: &K::Histogram) -> Result<Option<EncodedChunk>, Corrupt> {
        K::check(h)?;
        let gauge = K::shape(h).counter_reset_hint == CounterResetHint::Gauge;
        if self.chunk.count == 0 {
            self.chunk.write(st, t, h, self.start_times);
            if gauge {
                self.chunk.reset = ResetHeader::Gauge;
            } else if K::shape(h).counter_reset_hint == CounterResetHint::CounterReset {
                self.chunk.reset = ResetHeader::CounterReset;
            }
            return Ok(None);
        }
        let full = if self.start_times { COUNT_MASK_ST } else { u16::MAX };
        let unions = self.chunk.unions(h);
        let fit = if self.chunk.count == full { Fit::Other } else { self.chunk.fit(h, gauge, &unions) };
        if fit != Fit::Fits {
            let reset = if gauge { ResetHeader::Gauge } else { K::reset_header(fit) };
            let done = std::mem::replace(&mut self.chunk, Open::new(reset)).finish(self.start_times);
            self.chunk.write(st, t, h, self.start_times);
            return Ok(Some(done));
        }
        match &unions {
            Some(unions) if !K::is_stale(h) => self.append_other_layout(st, t, h, gauge, unions)?,
            _ => self.chunk.write(st, t, h, self.start_times),
        }
        Ok(None)
    }

    fn append_other_layout(
        &mut self,
        st: i64,
        t: i64,
        h: &K::Histogram,
        gauge: bool,
        [positive, negative]: &[Union; 2],
    ) -> Result<(), Corrupt> {
        let wider = positive.only_b || negative.only_b;
        let mut h = h.clone();
        if positive.only_a || negative.only_a {
            let (p, n) = K::spans(&h);
            let (p, n): (Arc<[Span]>, Arc<[Span]>) = if gauge {
                (positive.spans().into(), negative.spans().into())
            } else if !wider {
                (self.chunk.layout.positive.clone(), self.chunk.layout.negative.clone())
            } else {
                (
                    if positive.only_a { positive.spans().into() } else { p },
                    if negative.only_a { negative.spans().into() } else { n },
                )
            };
            K::spread(&mut h, Side::B, (p, positive), (n, negative));
        }
        if wider {
            self.recode(K::spans(&h), positive, negative)?;
        }
        self.chunk.write(st, t, &h, self.start_times);
        Ok(())
    }

    /// Rewrites the chunk with wider spans, which are those of the unions.
    fn recode(&mut self, spans: (Arc<[Span]>, Arc<[Span]>), positive: &Union, negative: &Union) -> Result<(), Corrupt> {
        let reset = self.chunk.reset;
        let old = std::mem::replace(&mut self.chunk, Open::new(reset)).finish(self.start_times);
        for (st, t, mut h) in K::read(&old.bytes, self.start_times)? {
            K::spread(&mut h, Side::A, (spans.0.clone(), positive), (spans.1.clone(), negative));
            self.chunk.write(st, t, &h, self.start_times);
        }
        Ok(())
    }

    fn finish_chunk(&mut self) -> EncodedChunk {
        std::mem::replace(&mut self.chunk, Open::new(ResetHeader::Unknown)).finish(self.start_times)
    }
}

impl<K: Kind> Open<K> {
    fn new(reset: ResetHeader) -> Self {
        Self {
            w: BitWriter::new(HEADER),
            count: 0,
            reset,
            min_time: 0,
            t: 0,
            layout: Layout::default(),
            start: StartWriter::default(),
            last: K::default(),
        }
    }

    /// The chunk's layout joined with the histogram's; `None` where they are the same.
    fn unions(&self, h: &K::Histogram) -> Option<[Union; 2]> {
        let shape = K::shape(h);
        let (positive, negative) = (&self.layout.positive, &self.layout.negative);
        if *positive == shape.positive && *negative == shape.negative {
            return None;
        }
        Some([Union::new(positive, &shape.positive), Union::new(negative, &shape.negative)])
    }

    fn fit(&self, h: &K::Histogram, gauge: bool, unions: &Option<[Union; 2]>) -> Fit {
        let shape = K::shape(h);
        if gauge != (self.reset == ResetHeader::Gauge) {
            return Fit::Gauge;
        }
        if !gauge && shape.counter_reset_hint == CounterResetHint::CounterReset {
            return Fit::Reset;
        }
        if K::is_stale(h) {
            return Fit::Fits;
        }
        if self.last.was_stale() {
            return Fit::Other;
        }
        if !gauge && self.last.count_falls(h) {
            return Fit::Reset;
        }
        if shape.schema != self.layout.schema || shape.zero_threshold != self.layout.zero_threshold {
            return Fit::Other;
        }
        if model::histogram::is_custom_buckets_schema(shape.schema) && shape.custom_values != self.layout.custom_values
        {
            return if gauge { Fit::Other } else { Fit::Reset };
        }
        if !gauge && (self.last.zero_count_falls(h) || self.last.buckets_fall(h, unions)) {
            return Fit::Reset;
        }
        Fit::Fits
    }

    fn write(&mut self, st: i64, t: i64, h: &K::Histogram, start_times: bool) {
        let stale = K::stale(h);
        let h = stale.as_ref().unwrap_or(h);
        if self.count == 0 {
            self.layout = K::shape(h).into_layout();
            self.layout.write(&mut self.w);
            self.min_time = t;
            self.last.write_first(&mut self.w, t, h);
        } else {
            self.last.write(&mut self.w, t.wrapping_sub(self.t), h);
        }
        if start_times {
            self.start.write(&mut self.w, self.count.into(), t, self.t, st);
        }
        self.t = t;
        self.count += 1;
    }

    fn finish(mut self, start_times: bool) -> EncodedChunk {
        let start = start_times.then(|| self.start.header());
        let mut bytes = self.w.finish();
        bytes[..HEADER].copy_from_slice(&Header { count: self.count, reset: self.reset, start }.to_bytes());
        let encoding = if start_times { K::ENCODING_ST } else { K::ENCODING };
        EncodedChunk { min_time: self.min_time, max_time: self.t, encoding, bytes }
    }
}
