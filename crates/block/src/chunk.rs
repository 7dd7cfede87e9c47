//! Chunk encodings: decoding in bulk and sample by sample, and encoding.
//!
//! Formats: Prometheus' `tsdb/chunkenc` and Thanos' `pkg/compact/downsample/aggr.go`. Payloads come
//! from outside: whatever they hold, decoding ends, and takes no more memory than their size accounts
//! for.

pub mod aggregates;
mod bits;
mod cursor;
mod encode;
mod histogram;
mod start;
#[cfg(test)]
mod tests;
mod varbit;
mod window;
mod xor;
mod xor2;

pub use aggregates::Aggregates;
pub use cursor::{Cursor, Sample};
pub use encode::{EncodeOptions, SAMPLES_PER_CHUNK, SeriesEncoder, encode_floats};
pub use histogram::{FloatHistogramEncoder, HistogramEncoder, ResetHeader};
pub use xor::{Kernel, XorEncoder};
pub use xor2::Xor2Encoder;

use model::{FloatHistogram, Histogram};

use crate::{Columns, Corrupt};

/// How a chunk's bytes are encoded: the encoding byte in a chunk file. On the `StoreAPI`'s wire the
/// enumeration is Prometheus' minus one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Encoding {
    /// Floats, Gorilla XOR (1).
    Xor,
    /// Integer native histograms (2).
    Histogram,
    /// Float native histograms (3).
    FloatHistogram,
    /// Floats with joint time and value control bits and optional start timestamps (4).
    Xor2,
    /// Integer native histograms with start timestamps (5).
    HistogramSt,
    /// Float native histograms with start timestamps (6).
    FloatHistogramSt,
    /// Thanos' `AggrChunk`: up to five chunks, one per aggregate (255).
    Aggregates,
}

impl Encoding {
    /// The encoding that a byte of a chunk file stands for.
    ///
    /// # Errors
    /// When no encoding has this byte.
    pub fn from_byte(byte: u8) -> Result<Self, Corrupt> {
        Ok(match byte {
            1 => Self::Xor,
            2 => Self::Histogram,
            3 => Self::FloatHistogram,
            4 => Self::Xor2,
            5 => Self::HistogramSt,
            6 => Self::FloatHistogramSt,
            0xff => Self::Aggregates,
            _ => return Err(Corrupt::new(0, format!("unknown chunk encoding {byte}"))),
        })
    }

    /// The byte in a chunk file.
    #[must_use]
    pub fn to_byte(self) -> u8 {
        match self {
            Self::Xor => 1,
            Self::Histogram => 2,
            Self::FloatHistogram => 3,
            Self::Xor2 => 4,
            Self::HistogramSt => 5,
            Self::FloatHistogramSt => 6,
            Self::Aggregates => 0xff,
        }
    }

    /// Whether the samples are floats.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::Xor | Self::Xor2)
    }
}

/// Which aggregate of a downsampled series a chunk holds; `Raw` for what was scraped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Aggregate {
    Raw,
    Count,
    Sum,
    Min,
    Max,
    Counter,
}

/// A finished chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedChunk {
    /// Time of the first sample, Unix milliseconds.
    pub min_time: i64,
    /// Time of the last sample, Unix milliseconds.
    pub max_time: i64,
    pub encoding: Encoding,
    /// The payload: what lies between the encoding byte and the checksum in a chunk file.
    pub bytes: Vec<u8>,
}

/// Appends all samples of a chunk: floats to `t` and `v`, histograms to `ht` and `h`, start timestamps to
/// `st` and `hst` where the chunk has any.
///
/// # Errors
/// When the payload is damaged, with the byte offset in it, or is an aggregate chunk, which is to be
/// split by [`Aggregates::split`] first. `out` is then as it was.
pub fn decode(encoding: Encoding, payload: &[u8], out: &mut Columns) -> Result<(), Corrupt> {
    let mark = out.mark();
    let result = decode_into(encoding, payload, out);
    if result.is_err() {
        out.truncate(mark);
    }
    out.level_starts();
    result
}

/// Appends all samples of several chunks of one series, in the order given; as [`decode`], but
/// several at a time where the CPU can.
///
/// # Errors
/// As [`decode`], for the first damaged chunk. `out` is then as it was.
pub fn decode_many(chunks: &[(Encoding, &[u8])], out: &mut Columns) -> Result<(), Corrupt> {
    decode_many_with(Kernel::widest(), chunks, out)
}

/// The first samples of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Front<'a> {
    pub payload: &'a [u8],
    /// Most samples of it; more than it has are all.
    pub samples: u32,
    /// So many samples of zeros before it, for others to take their place.
    pub room: u32,
}

/// As [`decode_many`], for [`Encoding::Xor`] chunks, of which not all samples need be wanted. The CPU is asked meanwhile for
/// `ahead`, payloads that are going to be decoded next and lie elsewhere in memory.
///
/// # Errors
/// As [`decode_many`]; damage behind the samples that are wanted need not be found.
pub fn decode_fronts_ahead(chunks: &[Front<'_>], ahead: &[&[u8]], out: &mut Columns) -> Result<(), Corrupt> {
    let mark = out.mark();
    let fronts = chunks.iter().map(|front| (front.room as usize, front.payload, front.samples as usize));
    let result = xor::decode_many(Kernel::widest(), fronts, ahead, out);
    if result.is_err() {
        out.truncate(mark);
    }
    out.level_starts();
    result
}

/// As [`decode_many`] with a kernel of choice, for comparing them: all give the same bits. One that
/// this CPU lacks is replaced by the scalar one.
///
/// # Errors
/// As [`decode_many`].
pub fn decode_many_with(kernel: Kernel, chunks: &[(Encoding, &[u8])], out: &mut Columns) -> Result<(), Corrupt> {
    let mark = out.mark();
    let is_xor = |c: &(Encoding, &[u8])| c.0 == Encoding::Xor;
    for run in chunks.chunk_by(|a, b| is_xor(a) && is_xor(b)) {
        let result = match run {
            [(encoding, payload)] => decode_into(*encoding, payload, out),
            run => {
                let chunks = run.iter().map(|(_, payload)| (0, *payload, usize::MAX));
                xor::decode_many(kernel, chunks, &[], out)
            }
        };
        if let Err(e) = result {
            out.truncate(mark);
            out.level_starts();
            return Err(e);
        }
    }
    out.level_starts();
    Ok(())
}

fn decode_into(encoding: Encoding, payload: &[u8], out: &mut Columns) -> Result<(), Corrupt> {
    if encoding == Encoding::Aggregates {
        return Err(not_split());
    }
    let count = sample_count(encoding, payload)? as usize;
    match encoding {
        Encoding::Xor => xor::decode_one(payload, count, out),
        Encoding::Xor2 => {
            let (start, end) = (out.t.len(), out.t.len() + count);
            out.t.resize(end, 0);
            out.v.resize(end, 0.0);
            let (t, v) = (&mut out.t[start..], &mut out.v[start..]);
            if xor2::has_starts(payload) {
                out.st.resize(end, 0);
                xor2::decode_with_starts(payload, t, v, &mut out.st[start..])
            } else {
                xor2::decode(payload, t, v)
            }
        }
        Encoding::Histogram => histogram::decode::<Histogram>(payload, false, out),
        Encoding::HistogramSt => histogram::decode::<Histogram>(payload, true, out),
        Encoding::FloatHistogram => histogram::decode::<FloatHistogram>(payload, false, out),
        _ => histogram::decode::<FloatHistogram>(payload, true, out),
    }
}

/// How many samples a chunk holds, from its header; of an aggregate chunk, how many its count has.
///
/// # Errors
/// When the payload is shorter than its header, or than so many samples must be.
pub fn sample_count(encoding: Encoding, payload: &[u8]) -> Result<u32, Corrupt> {
    if encoding == Encoding::Aggregates {
        return match Aggregates::split(payload)?.get(Aggregate::Count) {
            Some((encoding, payload)) => sample_count(encoding, payload),
            None => Ok(0),
        };
    }
    let header = if encoding == Encoding::Xor { xor::HEADER } else { histogram::HEADER };
    let (Some(&[a, b]), true) = (payload.first_chunk(), payload.len() >= header) else {
        return Err(Corrupt::new(payload.len() as u64, "chunk ends within its header"));
    };
    let st = matches!(encoding, Encoding::HistogramSt | Encoding::FloatHistogramSt);
    let count = u16::from_be_bytes([if st { a & 0x3f } else { a }, b]);
    // Time and value take so many bits at least, the first sample's nine bytes and more.
    let bits_min = match encoding {
        Encoding::Xor2 => 1,
        Encoding::Xor => 2,
        _ => histogram::SAMPLE_BITS_MIN,
    };
    if usize::from(count) * bits_min > payload.len() * 8 {
        return Err(Corrupt::new(0, format!("{count} samples in a chunk of {} bytes", payload.len())));
    }
    Ok(count.into())
}

#[cold]
fn not_split() -> Corrupt {
    Corrupt::new(0, "aggregate chunk where a chunk of samples is expected")
}
