//! Chunk encodings.

/// How a chunk's bytes are encoded: the encoding byte in a chunk file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Encoding {
    /// Floats, Gorilla XOR (1).
    Xor,
    /// Integer native histograms (2).
    Histogram,
    /// Float native histograms (3).
    FloatHistogram,
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
