//! Chunk encodings.

use crate::Corrupt;

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
