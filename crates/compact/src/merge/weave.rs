//! The chunks of one series from several blocks as one ascending list.
//!
//! The rules are those of Prometheus' vertical compaction: chunks that do not overlap stay as they are,
//! exact copies are dropped, and a run of overlapping chunks is decoded, merged by time and encoded anew
//! in chunks of 120 samples. Where two have a sample at the same time, the earlier input's counts.

use block::chunk::{Cursor, EncodeOptions, Sample, SeriesEncoder};
use block::{Corrupt, Encoding, NewChunk, Ulid};
use bytes::Bytes;
use model::histogram::CounterResetHint;

use super::corrupt;
use crate::{Error, Result};

/// A chunk on its way into the new block.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) min_time: i64,
    pub(super) max_time: i64,
    pub(super) encoding: Encoding,
    pub(super) payload: Bytes,
    /// Which input it comes from.
    pub(super) source: usize,
}

impl Part {
    pub(super) fn as_new(&self) -> NewChunk<'_> {
        NewChunk { min_time: self.min_time, max_time: self.max_time, encoding: self.encoding, payload: &self.payload }
    }

    fn same(&self, other: &Self) -> bool {
        (self.min_time, self.max_time, self.encoding) == (other.min_time, other.max_time, other.encoding)
            && self.payload == other.payload
    }
}

/// What had to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Woven {
    pub(super) encoded: bool,
    pub(super) duplicates: u64,
}

/// Brings `parts` into ascending order without overlap; what overlaps is encoded anew by `options`. `ids` names
/// the inputs.
pub(super) fn weave(parts: &mut Vec<Part>, options: EncodeOptions, ids: &dyn Fn(usize) -> Ulid) -> Result<Woven> {
    let mut woven = Woven::default();
    if parts.windows(2).all(|pair| pair[0].max_time < pair[1].min_time) {
        return Ok(woven);
    }
    parts.sort_by_key(|p| (p.min_time, p.max_time, p.source));
    let mut out: Vec<Part> = Vec::with_capacity(parts.len());
    let mut rest = std::mem::take(parts).into_iter().peekable();
    while let Some(first) = rest.next() {
        let mut end = first.max_time;
        let mut run = vec![first];
        while let Some(next) = rest.next_if(|next| next.min_time <= end) {
            if run.last().is_some_and(|last| last.same(&next)) {
                woven.duplicates += 1;
                continue;
            }
            end = end.max(next.max_time);
            run.push(next);
        }
        if run.len() == 1 {
            out.append(&mut run);
            continue;
        }
        if let Some(part) = run.iter().find(|p| p.encoding == Encoding::Aggregates) {
            return Err(Error::Overlap { block: ids(part.source) });
        }
        woven.encoded = true;
        out.extend(encode(&run, options, ids)?);
    }
    *parts = out;
    Ok(woven)
}

/// All samples of overlapping chunks, encoded anew.
fn encode(run: &[Part], options: EncodeOptions, ids: &dyn Fn(usize) -> Ulid) -> Result<Vec<Part>> {
    let mut samples: Vec<(i64, usize, i64, Sample)> = Vec::new();
    for part in run {
        read(part, &mut samples).map_err(|e| corrupt(ids(part.source), e))?;
    }
    samples.sort_by_key(|(t, source, ..)| (*t, *source));
    samples.dedup_by_key(|(t, ..)| *t);
    let mut encoder = SeriesEncoder::new(options);
    let mut from = None;
    for (t, source, st, mut sample) in samples {
        if from.replace(source) != Some(source) {
            // What the chunk said of a reset was about another sample before this one.
            forget_reset(&mut sample);
        }
        encoder.push(st, t, &sample).map_err(|e| corrupt(ids(source), e))?;
    }
    let source = run[0].source;
    let parts = encoder.finish().into_iter().map(|chunk| Part {
        min_time: chunk.min_time,
        max_time: chunk.max_time,
        encoding: chunk.encoding,
        payload: chunk.bytes.into(),
        source,
    });
    Ok(parts.collect())
}

fn read(part: &Part, samples: &mut Vec<(i64, usize, i64, Sample)>) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(part.encoding, &part.payload)?;
    while cursor.advance()? {
        samples.push((cursor.time(), part.source, cursor.start_time(), cursor.sample()?));
    }
    Ok(())
}

fn forget_reset(sample: &mut Sample) {
    let hint = match sample {
        Sample::Float(_) => return,
        Sample::Histogram(h) => &mut h.counter_reset_hint,
        Sample::FloatHistogram(h) => &mut h.counter_reset_hint,
    };
    if *hint != CounterResetHint::Gauge {
        *hint = CounterResetHint::Unknown;
    }
}

#[cfg(test)]
mod tests;
