//! Native histograms (encodings 2, 3, and 5 and 6 with start timestamps).
//!
//! A payload is a header of three bytes, the bucket layout, then per sample time, counts, sum and
//! buckets. In integer chunks counts and buckets are deltas of deltas, in float chunks XORs. All
//! samples of a chunk have one layout; a staleness marker has no buckets.

mod buckets;
mod kind;
mod layout;
mod number;
mod read;
mod write;

pub use write::{FloatHistogramEncoder, HistogramEncoder};

pub(super) use kind::Kind;
pub(super) use read::HistogramReader;

use model::CounterResetHint;

use super::Encoding;
use crate::{Columns, Corrupt};

pub(super) const HEADER: usize = 3;
/// Time, count, zero count and sum of a sample take a bit each at least.
pub(super) const SAMPLE_BITS_MIN: usize = 4;
/// The two bits of a header that tell of a counter reset.
const RESET_MASK: u8 = 0b1100_0000;
/// The bits of the count in chunks with start timestamps.
const COUNT_MASK_ST: u16 = 0x3fff;

/// What a chunk's header says of a counter reset between it and the chunk before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ResetHeader {
    /// Nothing.
    #[default]
    Unknown,
    NotCounterReset,
    CounterReset,
    /// The chunk holds gauges.
    Gauge,
}

impl ResetHeader {
    fn from_byte(byte: u8) -> Self {
        match byte & RESET_MASK {
            0b0100_0000 => Self::NotCounterReset,
            0b1000_0000 => Self::CounterReset,
            0b1100_0000 => Self::Gauge,
            _ => Self::Unknown,
        }
    }

    fn to_byte(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::NotCounterReset => 0b0100_0000,
            Self::CounterReset => 0b1000_0000,
            Self::Gauge => 0b1100_0000,
        }
    }

    /// The hint for sample `k` of a chunk. The chunk before may be gone, so the first sample's is
    /// unknown even where the header knows.
    fn hint(self, k: usize) -> CounterResetHint {
        match self {
            Self::Gauge => CounterResetHint::Gauge,
            _ if k > 0 => CounterResetHint::NotCounterReset,
            _ => CounterResetHint::Unknown,
        }
    }
}

/// The three bytes in front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) count: u16,
    pub(super) reset: ResetHeader,
    /// The byte on start timestamps; `None` in chunks without them.
    pub(super) start: Option<u8>,
}

impl Header {
    pub(super) fn read(payload: &[u8], st: bool) -> Result<Self, Corrupt> {
        let Some(&[a, b, c]) = payload.first_chunk() else {
            return Err(Corrupt::new(payload.len() as u64, "chunk ends within its header"));
        };
        let count = u16::from_be_bytes([a, b]);
        Ok(if st {
            Self { count: count & COUNT_MASK_ST, reset: ResetHeader::from_byte(a), start: Some(c) }
        } else {
            Self { count, reset: ResetHeader::from_byte(c), start: None }
        })
    }

    fn to_bytes(self) -> [u8; HEADER] {
        let [a, b] = self.count.to_be_bytes();
        match self.start {
            Some(start) => [a | self.reset.to_byte(), b, start],
            None => [a, b, self.reset.to_byte()],
        }
    }
}

/// Appends a chunk's samples, integer ones converted to float counts; `st` says whether it is an encoding
/// with start timestamps.
pub(super) fn decode<K: Kind>(payload: &[u8], st: bool, out: &mut Columns) -> Result<(), Corrupt> {
    let mut r = HistogramReader::<K>::new(payload, st)?;
    let count = usize::from(r.header().count);
    out.ht.reserve(count);
    out.h.reserve(count);
    while r.advance()? {
        out.ht.push(r.time());
        out.h.push(r.float_histogram()?);
        if st {
            out.set_last_histogram_start(r.start_time());
        }
    }
    Ok(())
}
