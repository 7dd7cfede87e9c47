//! Going through a chunk sample by sample.

use model::{FloatHistogram, Histogram};

use super::bits::BitReader;
use super::histogram::{HistogramReader, ResetHeader};
use super::{Encoding, sample_count, xor, xor2};
use crate::Corrupt;

/// One value as it was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    Float(f64),
    Histogram(Histogram),
    FloatHistogram(FloatHistogram),
}

/// Reads one chunk's samples in order; for merging, verifying and wherever integer histograms and
/// start timestamps matter. Queries take [`decode`](super::decode).
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    kind: Kind<'a>,
    count: usize,
    read: usize,
}

#[derive(Clone, Debug)]
enum Kind<'a> {
    Xor(BitReader<'a>, xor::State),
    Xor2(BitReader<'a>, xor2::State),
    Integer(Box<HistogramReader<'a, Histogram>>),
    Float(Box<HistogramReader<'a, FloatHistogram>>),
}

impl<'a> Cursor<'a> {
    /// Stands before the first sample.
    ///
    /// # Errors
    /// When the payload is too short for its header, or is an aggregate chunk, which is to be split.
    pub fn new(encoding: Encoding, payload: &'a [u8]) -> Result<Self, Corrupt> {
        let count = sample_count(encoding, payload)? as usize;
        let kind = match encoding {
            Encoding::Xor => Kind::Xor(BitReader::new(payload, xor::HEADER), xor::State::START),
            Encoding::Xor2 => {
                let start = payload.get(xor2::HEADER - 1).copied().unwrap_or(0);
                Kind::Xor2(BitReader::new(payload, xor2::HEADER), xor2::State::new(start))
            }
            Encoding::Histogram | Encoding::HistogramSt => {
                Kind::Integer(Box::new(HistogramReader::new(payload, encoding == Encoding::HistogramSt)?))
            }
            Encoding::FloatHistogram | Encoding::FloatHistogramSt => {
                Kind::Float(Box::new(HistogramReader::new(payload, encoding == Encoding::FloatHistogramSt)?))
            }
            Encoding::Aggregates => return Err(super::not_split()),
        };
        Ok(Self { kind, count, read: 0 })
    }

    /// How many samples the chunk says it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Goes to the next sample; `false` behind the last. After an error the cursor is of no use.
    ///
    /// # Errors
    /// When the chunk is damaged there.
    pub fn advance(&mut self) -> Result<bool, Corrupt> {
        if self.read == self.count {
            return Ok(false);
        }
        match &mut self.kind {
            Kind::Xor(r, state) => *state = xor::read(r, *state, self.read)?,
            Kind::Xor2(r, state) => xor2::read(r, state, self.read)?,
            Kind::Integer(r) => _ = r.advance()?,
            Kind::Float(r) => _ = r.advance()?,
        }
        self.read += 1;
        Ok(true)
    }

    /// Goes forward to the first sample at or after `t`, which may be the present one; `false` if
    /// there is none.
    ///
    /// # Errors
    /// When the chunk is damaged before it.
    pub fn seek(&mut self, t: i64) -> Result<bool, Corrupt> {
        while self.read == 0 || self.time() < t {
            if !self.advance()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Time of the present sample, Unix milliseconds.
    #[must_use]
    pub fn time(&self) -> i64 {
        match &self.kind {
            Kind::Xor(_, state) => state.t,
            Kind::Xor2(_, state) => state.t,
            Kind::Integer(r) => r.time(),
            Kind::Float(r) => r.time(),
        }
    }

    /// Start timestamp of the present sample, Unix milliseconds; 0 for none.
    #[must_use]
    pub fn start_time(&self) -> i64 {
        match &self.kind {
            Kind::Xor(..) => 0,
            Kind::Xor2(_, state) => state.start.st,
            Kind::Integer(r) => r.start_time(),
            Kind::Float(r) => r.start_time(),
        }
    }

    /// What the chunk says of a counter reset before it; `Unknown` for floats.
    #[must_use]
    pub fn reset_header(&self) -> ResetHeader {
        match &self.kind {
            Kind::Xor(..) | Kind::Xor2(..) => ResetHeader::Unknown,
            Kind::Integer(r) => r.header().reset,
            Kind::Float(r) => r.header().reset,
        }
    }

    /// The present sample.
    ///
    /// # Errors
    /// When a histogram is of a finer schema than is computed with and its spans are not in order.
    pub fn sample(&self) -> Result<Sample, Corrupt> {
        Ok(match &self.kind {
            Kind::Xor(_, state) => Sample::Float(f64::from_bits(state.bits)),
            Kind::Xor2(_, state) => Sample::Float(f64::from_bits(state.bits)),
            Kind::Integer(r) => Sample::Histogram(r.histogram()?),
            Kind::Float(r) => Sample::FloatHistogram(r.histogram()?),
        })
    }
}
