use super::{Cover, Files, Findings};
use crate::chunk::{self, Aggregates};
use crate::segment::{HEADER_LEN, segment_name};
use crate::{Aggregate, ChunkReader, ChunkRef, Columns, Corrupt, Encoding, SeriesEntry};

/// Verifies the chunks that series refer to, and counts what is in them.
#[derive(Debug)]
pub(super) struct Samples {
    /// One per segment file.
    covers: Vec<Cover>,
    columns: Columns,
    series: u64,
    chunks: u64,
    floats: u64,
    histograms: u64,
    aggregated: u64,
    range: Option<(i64, i64)>,
}

impl Samples {
    pub(super) fn new(files: &Files) -> Self {
        let mut covers = Vec::new();
        for _ in &files.segments {
            let mut cover = Cover::default();
            cover.add(0, HEADER_LEN as u64, "the header");
            covers.push(cover);
        }
        Self {
            covers,
            columns: Columns::new(),
            series: 0,
            chunks: 0,
            floats: 0,
            histograms: 0,
            aggregated: 0,
            range: None,
        }
    }

    pub(super) fn series_count(&self) -> u64 {
        self.series
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

    pub(super) fn series(&mut self, chunks: &ChunkReader, entry: &SeriesEntry, findings: &mut Findings) {
        self.series += 1;
        for at in &entry.chunks {
            self.chunks += 1;
            let raw = match chunks.chunk(at.chunk_ref) {
                Ok(raw) => raw,
                Err(e) => {
                    findings.add(e);
                    continue;
                }
            };
            let file = segment_name(at.segment());
            if let Some(cover) = self.covers.get_mut(at.segment() as usize) {
                cover.add(at.offset().into(), raw.end as u64, "a chunk");
            }
            if let Err(e) = self.chunk(raw.encoding, raw.payload, at) {
                // Offsets within a payload become those of the file.
                findings.add(e.within(&file, raw.payload_offset as u64));
            }
        }
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
        self.range = Some(self.range.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
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

    /// Looks for bytes of the segment files that no series refers to.
    pub(super) fn finish(&mut self, files: &Files, findings: &mut Findings) {
        for (i, (cover, bytes)) in std::mem::take(&mut self.covers).into_iter().zip(&files.segments).enumerate() {
            let name = segment_name(i as u32);
            if bytes.get(5..HEADER_LEN).is_some_and(|padding| padding.iter().any(|&b| b != 0)) {
                findings.note(&name, 5, "padding of the header is not zero");
            }
            cover.finish(&name, bytes, 0, findings);
        }
        findings.chunks = self.chunks;
        findings.samples = self.count();
    }
}
