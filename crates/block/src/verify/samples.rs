use super::{Cover, Files, Findings};
use crate::chunk::{self, Aggregates};
use crate::segment::{HEADER_LEN, segment_name};
use crate::{Aggregate, ChunkReader, ChunkRef, Columns, Corrupt, Encoding, SeriesEntry};

/// What was found in the chunks that series refer to.
#[derive(Debug, Default)]
pub struct Samples {
    findings: Findings,
    /// One per segment file.
    covers: Vec<Cover>,
    columns: Columns,
    chunks: u64,
    floats: u64,
    histograms: u64,
    aggregated: u64,
    range: Option<(i64, i64)>,
    /// Bytes of the longest chunk: of all, and of those that another one of the series follows.
    chunk_max: (u64, u64),
}

impl Samples {
    /// Nothing of a block with so many segment files.
    pub(super) fn new(segments: usize) -> Self {
        Self { covers: (0..segments).map(|_| Cover::default()).collect(), ..Self::default() }
    }

    /// Adds what was found in other chunks of the block.
    pub(super) fn append(&mut self, other: Self) {
        self.findings.append(other.findings);
        self.covers.iter_mut().zip(other.covers).for_each(|(to, cover)| to.append(cover));
        self.chunks += other.chunks;
        self.floats += other.floats;
        self.histograms += other.histograms;
        self.aggregated += other.aggregated;
        other.range.into_iter().for_each(|(first, last)| self.add_range(first, last));
        let (a, b) = (self.chunk_max, other.chunk_max);
        self.chunk_max = (a.0.max(b.0), a.1.max(b.1));
    }

    pub(super) fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Samples as meta.json counts them.
    pub(super) fn count(&self) -> u64 {
        self.floats + self.histograms + self.aggregated
    }

    /// Raw floats and native histograms.
    pub(super) fn kinds(&self) -> (u64, u64) {
        (self.floats, self.histograms)
    }

    /// Times of the first and the last sample.
    pub(super) fn range(&self) -> Option<(i64, i64)> {
        self.range
    }

    /// Bytes of the longest chunk, and of the longest that is not the last of its series in its file.
    pub(super) fn chunk_max(&self) -> (u64, u64) {
        self.chunk_max
    }

    pub(super) fn series(&mut self, chunks: &ChunkReader, entry: &SeriesEntry) {
        for (i, at) in entry.chunks.iter().enumerate() {
            self.chunks += 1;
            let raw = match chunks.chunk(at.chunk_ref) {
                Ok(raw) => raw,
                Err(e) => {
                    self.findings.add(e);
                    continue;
                }
            };
            let file = segment_name(at.segment());
            if let Some(cover) = self.covers.get_mut(at.segment() as usize) {
                cover.add(at.offset().into(), raw.end as u64, "a chunk");
            }
            let len = (raw.end as u64).saturating_sub(at.offset().into());
            self.chunk_max.0 = self.chunk_max.0.max(len);
            if entry.chunks.get(i + 1).is_some_and(|next| next.segment() == at.segment()) {
                self.chunk_max.1 = self.chunk_max.1.max(len);
            }
            if let Err(e) = self.chunk(raw.encoding, raw.payload, at) {
                // Offsets within a payload become those of the file.
                self.findings.add(e.within(&file, raw.payload_offset as u64));
            }
        }
    }

    fn add_range(&mut self, first: i64, last: i64) {
        self.range = Some(self.range.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
    }

    fn chunk(&mut self, encoding: Encoding, payload: &[u8], at: &ChunkRef) -> Result<(), Corrupt> {
        let (first, last) = if encoding == Encoding::Aggregates {
            self.aggregated += u64::from(chunk::sample_count(encoding, payload)?);
            let mut range: Option<(i64, i64)> = None;
            for (aggregate, encoding, part) in Aggregates::split(payload)?.iter() {
                let (first, last) = self.part(encoding, part, aggregate == Aggregate::Counter)?;
                // The counter, which comes last, begins with the first raw value, before its window's time.
                range = Some(match range {
                    Some((a, b)) if aggregate == Aggregate::Counter => (a, b.max(last)),
                    Some((a, b)) => (a.min(first), b.max(last)),
                    None => (first, last),
                });
            }
            range.ok_or_else(|| Corrupt::new(0, "aggregate chunk without any aggregate"))?
        } else {
            let range = self.part(encoding, payload, false)?;
            self.floats += self.columns.t.len() as u64;
            self.histograms += self.columns.ht.len() as u64;
            range
        };
        self.add_range(first, last);
        if (first, last) == (at.min_time, at.max_time) {
            return Ok(());
        }
        let what = format!(
            "samples from {first} to {last} in a chunk that the index has from {} to {}",
            at.min_time, at.max_time
        );
        Err(Corrupt::new(0, what))
    }

    /// Decodes one chunk of samples; gives the times of the first and the last.
    fn part(&mut self, encoding: Encoding, payload: &[u8], counter: bool) -> Result<(i64, i64), Corrupt> {
        self.columns.clear();
        chunk::decode(encoding, payload, &mut self.columns)?;
        let t = if encoding.is_float() { &self.columns.t } else { &self.columns.ht };
        let (Some(&first), Some(&last)) = (t.first(), t.last()) else {
            return Err(Corrupt::new(0, "chunk without samples"));
        };
        // A counter aggregate ends in its last raw value at the last window's time.
        let ascending = if counter { &t[..t.len() - 1] } else { t };
        let in_order = ascending.windows(2).all(|w| w[0] < w[1]) && ascending.last().is_none_or(|&t| t <= last);
        if in_order { Ok((first, last)) } else { Err(Corrupt::new(0, "samples do not ascend in time")) }
    }

    /// Hands over what was found, and looks for bytes of the segment files that no series refers to.
    pub(super) fn finish(&mut self, files: &Files, findings: &mut Findings) {
        findings.append(std::mem::take(&mut self.findings));
        for (i, (mut cover, bytes)) in std::mem::take(&mut self.covers).into_iter().zip(&files.segments).enumerate() {
            let name = segment_name(i as u32);
            if bytes.get(5..HEADER_LEN).is_some_and(|padding| padding.iter().any(|&b| b != 0)) {
                findings.note(&name, 5, "padding of the header is not zero");
            }
            cover.add(0, HEADER_LEN as u64, "the header");
            cover.finish(&name, bytes, 0, findings);
        }
        findings.chunks = self.chunks;
        findings.samples = self.count();
    }
}
