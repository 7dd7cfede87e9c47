//! Cutting a series' samples into chunks.

use super::cursor::Sample;
use super::histogram::{FloatHistogramEncoder, HistogramEncoder};
use super::xor::XorEncoder;
use super::xor2::Xor2Encoder;
use super::{EncodedChunk, Encoding};
use crate::Corrupt;

/// The samples per chunk where Prometheus' compaction encodes anew.
pub const SAMPLES_PER_CHUNK: usize = 120;

/// Encodes floats as XOR chunks of at most `samples_max` samples (1 to 65 535, e.g.
/// [`SAMPLES_PER_CHUNK`]). `t` and `v` are as long as each other.
#[must_use]
pub fn encode_floats(t: &[i64], v: &[f64], samples_max: usize) -> Vec<EncodedChunk> {
    let samples_max = samples_max.clamp(1, u16::MAX.into());
    let mut encoder = XorEncoder::new();
    let mut chunks = Vec::with_capacity(t.len().div_ceil(samples_max));
    for (t, v) in t.chunks(samples_max).zip(v.chunks(samples_max)) {
        for (&t, &v) in t.iter().zip(v) {
            encoder.append(t, v);
        }
        chunks.push(encoder.finish_chunk());
    }
    chunks
}

/// How samples become chunks.
#[derive(Clone, Copy, Debug)]
pub struct EncodeOptions {
    /// Samples per chunk, 1 to 16 383.
    pub samples_max: usize,
    /// Writes XOR2 chunks for all floats, not only for those with a start timestamp.
    pub xor2: bool,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self { samples_max: SAMPLES_PER_CHUNK, xor2: false }
    }
}

/// Encodes a series' samples of any kind, cut into chunks as Prometheus' compaction does: at
/// `samples_max`, where the kind changes, where a start timestamp comes up, at counter resets and
/// changes of layout of histograms.
#[derive(Debug)]
pub struct SeriesEncoder {
    options: EncodeOptions,
    open: Open,
    chunks: Vec<EncodedChunk>,
    /// Samples since the last cut.
    samples: usize,
}

#[derive(Debug)]
enum Open {
    None,
    Xor(XorEncoder),
    Xor2(Xor2Encoder),
    Histogram(Box<HistogramEncoder>, Encoding),
    FloatHistogram(Box<FloatHistogramEncoder>, Encoding),
}

impl Open {
    fn new(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Xor2 => Self::Xor2(Xor2Encoder::new()),
            Encoding::Histogram => Self::Histogram(Box::default(), encoding),
            Encoding::HistogramSt => Self::Histogram(Box::new(HistogramEncoder::with_start_times()), encoding),
            Encoding::FloatHistogram => Self::FloatHistogram(Box::default(), encoding),
            Encoding::FloatHistogramSt => {
                Self::FloatHistogram(Box::new(FloatHistogramEncoder::with_start_times()), encoding)
            }
            Encoding::Xor | Encoding::Aggregates => Self::Xor(XorEncoder::new()),
        }
    }

    /// Whether a sample that asks for `encoding` can go on in this chunk.
    fn takes(&self, encoding: Encoding, has_start: bool) -> bool {
        match self {
            Self::None => false,
            Self::Xor(_) => encoding.is_float() && !has_start,
            Self::Xor2(_) => encoding.is_float(),
            Self::Histogram(_, mine) | Self::FloatHistogram(_, mine) => *mine == encoding,
        }
    }

    fn finish(self) -> Option<EncodedChunk> {
        match self {
            Self::None => None,
            Self::Xor(mut e) => Some(e.finish_chunk()),
            Self::Xor2(mut e) => Some(e.finish_chunk()),
            Self::Histogram(mut e, _) => Some(e.finish_chunk()),
            Self::FloatHistogram(mut e, _) => Some(e.finish_chunk()),
        }
    }
}

impl Default for SeriesEncoder {
    fn default() -> Self {
        Self::new(EncodeOptions::default())
    }
}

impl SeriesEncoder {
    #[must_use]
    pub fn new(options: EncodeOptions) -> Self {
        let samples_max = options.samples_max.clamp(1, 16_383);
        Self { options: EncodeOptions { samples_max, ..options }, open: Open::None, chunks: Vec::new(), samples: 0 }
    }

    /// Appends a sample; `st` is its start timestamp, 0 for none. Times ascend.
    ///
    /// # Errors
    /// When a histogram's spans do not fit its buckets; nothing is appended then.
    pub fn push(&mut self, st: i64, t: i64, sample: &Sample) -> Result<(), Corrupt> {
        let has_start = st != 0;
        let encoding = match sample {
            Sample::Float(_) if has_start || self.options.xor2 => Encoding::Xor2,
            Sample::Float(_) => Encoding::Xor,
            Sample::Histogram(_) if has_start => Encoding::HistogramSt,
            Sample::Histogram(_) => Encoding::Histogram,
            Sample::FloatHistogram(_) if has_start => Encoding::FloatHistogramSt,
            Sample::FloatHistogram(_) => Encoding::FloatHistogram,
        };
        if self.samples >= self.options.samples_max || !self.open.takes(encoding, has_start) {
            let done = std::mem::replace(&mut self.open, Open::new(encoding));
            self.chunks.extend(done.finish());
            self.samples = 0;
        }
        let cut = match (&mut self.open, sample) {
            (Open::Xor(e), Sample::Float(v)) => {
                e.append(t, *v);
                None
            }
            (Open::Xor2(e), Sample::Float(v)) => {
                e.append(st, t, *v);
                None
            }
            (Open::Histogram(e, _), Sample::Histogram(h)) => e.append(st, t, h)?,
            (Open::FloatHistogram(e, _), Sample::FloatHistogram(h)) => e.append(st, t, h)?,
            _ => None,
        };
        if let Some(chunk) = cut {
            self.chunks.push(chunk);
            self.samples = 0;
        }
        self.samples += 1;
        Ok(())
    }

    /// All chunks, in order.
    #[must_use]
    pub fn finish(mut self) -> Vec<EncodedChunk> {
        // An encoder whose only sample was refused is empty.
        let open = if self.samples == 0 { Open::None } else { self.open };
        self.chunks.extend(open.finish());
        self.chunks
    }
}
