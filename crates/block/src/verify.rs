//! Deep verification: every checksum, the order of everything, every reference, every sample, what
//! meta.json says, and that every byte of every file is accounted for.

mod cover;
mod index;
mod samples;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::Path;

use ::bytes::Bytes;

use crate::index::INDEX_FILE;
use crate::meta::META_FILE;
use crate::segment::segment_name;
use crate::tombstones::TOMBSTONES_FILE;
use crate::{BlockMeta, ChunkReader, Corrupt, IndexReader, Postings, SeriesEntry, Tombstones, map_file};
use cover::Cover;
pub use index::Indexed;
pub use samples::Samples;

/// So many problems are listed; of the others there is the count.
pub const PROBLEMS_MAX: usize = 100;

/// A block's files, in memory or mapped into it.
#[derive(Clone, Debug, Default)]
pub struct Files {
    pub meta: Bytes,
    pub index: Bytes,
    /// `chunks/000001` and on.
    pub segments: Vec<Bytes>,
    /// `None` where there is no such file; objects in a bucket have none.
    pub tombstones: Option<Bytes>,
}

/// What a block holds and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// At most [`PROBLEMS_MAX`], each with file and byte offset.
    pub problems: Vec<Corrupt>,
    /// Problems beyond those listed.
    pub omitted: u64,
    pub series: u64,
    pub chunks: u64,
    /// As meta.json counts them: of an aggregate chunk, those of its count.
    pub samples: u64,
    /// Of all files.
    pub bytes: u64,
}

impl Files {
    /// Maps the files of the block in `dir` into memory.
    ///
    /// # Errors
    /// When one cannot be mapped.
    pub fn open(dir: &Path) -> Result<Self, Corrupt> {
        let mut segments = Vec::new();
        loop {
            let name = segment_name(segments.len() as u32);
            if !dir.join(&name).exists() {
                break;
            }
            segments.push(map_file(&dir.join(&name)).map_err(|e| Corrupt { file: name, ..e })?);
        }
        let tombstones = dir.join(TOMBSTONES_FILE);
        Ok(Self {
            meta: map_file(&dir.join(META_FILE))?,
            index: map_file(&dir.join(INDEX_FILE))?,
            segments,
            tombstones: tombstones.exists().then(|| map_file(&tombstones)).transpose()?,
        })
    }

    fn bytes(&self) -> u64 {
        let all = [&self.meta, &self.index].into_iter().chain(&self.segments).chain(&self.tombstones);
        all.map(|f| f.len() as u64).sum()
    }
}

impl Findings {
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn add(&mut self, problem: Corrupt) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        } else {
            self.omitted += 1;
        }
    }

    fn append(&mut self, other: Self) {
        other.problems.into_iter().for_each(|problem| self.add(problem));
        self.omitted += other.omitted;
        self.series += other.series;
    }

    fn note(&mut self, file: &str, offset: u64, what: impl Into<String>) {
        self.add(Corrupt::new(offset, what).within(file, 0));
    }

    /// Notes the error and gives what was read without one.
    fn or_note<T>(&mut self, result: Result<T, Corrupt>, file: &str) -> Option<T> {
        result.map_err(|e| self.add(e.within(file, 0))).ok()
    }
}

/// Verifies a block. Whatever the files hold, it ends; it goes on behind a problem as far as it can.
#[must_use]
pub fn verify(files: &Files) -> Findings {
    let verification = Verification::new(files.clone());
    let samples = verification.samples(verification.parts(1).into_iter().next().unwrap_or_default());
    let index = verification.index();
    verification.finish(index, [samples])
}

/// The verification of one block as jobs that can run side by side: [`index`](Self::index), and
/// [`samples`](Self::samples) of each of the [`parts`](Self::parts).
#[derive(Debug)]
pub struct Verification {
    files: Files,
    meta: Option<BlockMeta>,
    index: Option<IndexReader>,
    chunks: Option<ChunkReader>,
    /// As far as they can be read.
    references: Vec<u32>,
    findings: Findings,
}

impl Verification {
    #[must_use]
    pub fn new(files: Files) -> Self {
        let mut findings = Findings { bytes: files.bytes(), ..Findings::default() };
        let meta = findings.or_note(BlockMeta::parse(&files.meta), META_FILE);
        let index = findings.or_note(IndexReader::new(files.index.clone()), INDEX_FILE);
        let chunks = findings.or_note(ChunkReader::new(files.segments.clone()), "chunks");
        let all = index.as_ref().map(|index| index.all_postings().and_then(Postings::to_sorted));
        let references = all.and_then(|all| findings.or_note(all, INDEX_FILE)).unwrap_or_default();
        Self { files, meta, index, chunks, references, findings }
    }

    /// `None` where it cannot be read.
    #[must_use]
    pub fn meta(&self) -> Option<&BlockMeta> {
        self.meta.as_ref()
    }

    /// All series in at most `count` parts of similar size.
    #[must_use]
    pub fn parts(&self, count: usize) -> Vec<Range<usize>> {
        let (all, size) = (self.references.len(), self.references.len().div_ceil(count.max(1)).max(1));
        (0..all).step_by(size).map(|start| start..all.min(start + size)).collect()
    }

    /// Verifies everything in the index.
    #[must_use]
    pub fn index(&self) -> Indexed {
        self.index.as_ref().map_or_else(Indexed::default, |index| index::verify(index, &self.references))
    }

    /// Verifies the chunks of a part of the series.
    #[must_use]
    pub fn samples(&self, part: Range<usize>) -> Samples {
        let mut samples = Samples::new(self.files.segments.len());
        let mut entry = SeriesEntry::default();
        if let (Some(index), Some(chunks)) = (&self.index, &self.chunks) {
            for &reference in self.references.get(part).unwrap_or_default() {
                // What cannot be read is noted with the index.
                if index.series(reference, &mut entry).is_ok() {
                    samples.series(chunks, &entry);
                }
            }
        }
        samples
    }

    /// Holds the jobs' results, in the order of the parts, against each other and against `meta.json`.
    #[must_use]
    pub fn finish(&self, indexed: Indexed, samples: impl IntoIterator<Item = Samples>) -> Findings {
        let mut findings = self.findings.clone();
        findings.append(indexed.findings);
        let mut all = Samples::new(self.files.segments.len());
        samples.into_iter().for_each(|one| all.append(one));
        if self.index.is_some() && self.chunks.is_some() {
            all.finish(&self.files, &mut findings);
        }
        let tombstones = verify_tombstones(&self.files, &self.references, &mut findings);
        if let Some(meta) = &self.meta {
            let counts = Counts { series: findings.series, series_max: indexed.series_max, tombstones };
            verify_meta(meta, &self.files, &all, &counts, &mut findings);
        }
        findings
    }
}

/// What the other files hold.
struct Counts {
    series: u64,
    /// From one series to the next, in bytes.
    series_max: u64,
    tombstones: u64,
}

/// Gives how many ranges there are.
fn verify_tombstones(files: &Files, references: &[u32], findings: &mut Findings) -> u64 {
    let Some(file) = &files.tombstones else { return 0 };
    let Some(tombstones) = findings.or_note(Tombstones::parse(file), TOMBSTONES_FILE) else { return 0 };
    for series in tombstones.series() {
        if !u32::try_from(series).is_ok_and(|s| references.binary_search(&s).is_ok()) {
            findings.note(TOMBSTONES_FILE, 0, format!("deletes from series {series}, which does not exist"));
        }
    }
    tombstones.len() as u64
}

fn verify_meta(meta: &BlockMeta, files: &Files, samples: &Samples, found: &Counts, findings: &mut Findings) {
    let mut note = |what: String| findings.note(META_FILE, 0, what);
    if meta.min_time > meta.max_time {
        note(format!("minTime {} is after maxTime {}", meta.min_time, meta.max_time));
    }
    if let Some((first, last)) = samples.range()
        && (first < meta.min_time || last >= meta.max_time)
    {
        note(format!(
            "samples from {first} to {last} lie outside of {} to {} (exclusive)",
            meta.min_time, meta.max_time
        ));
    }
    let stats = &meta.stats;
    let (floats, histograms) = samples.kinds();
    let mut counts = vec![
        ("numSeries", stats.num_series, found.series),
        ("numChunks", stats.num_chunks, samples.chunks()),
        ("numSamples", stats.num_samples, samples.count()),
        ("numTombstones", stats.num_tombstones, found.tombstones),
    ];
    // Only newer writers tell the kinds apart.
    if stats.num_float_samples + stats.num_histogram_samples > 0 && meta.resolution_ms() == 0 {
        counts.push(("numFloatSamples", stats.num_float_samples, floats));
        counts.push(("numHistogramSamples", stats.num_histogram_samples, histograms));
    }
    for (name, said, found) in counts {
        if said != found {
            note(format!("{name} is {said}, there are {found}"));
        }
    }
    let Some(thanos) = &meta.thanos else { return };
    let said = &thanos.index_stats;
    if said.series_max_size > 0 && said.series_max_size != found.series_max {
        note(format!("series_max_size is {}, the longest series has {}", said.series_max_size, found.series_max));
    }
    // Others leave out the last chunk of each series, whose end they do not see in the index.
    let (longest, longest_but_last) = samples.chunk_max();
    if said.chunk_max_size > 0 && ![longest, longest_but_last].contains(&said.chunk_max_size) {
        note(format!("chunk_max_size is {}, the longest chunk has {longest}", said.chunk_max_size));
    }
    for file in thanos.files.iter().filter(|f| f.rel_path != META_FILE) {
        let segment = (0..files.segments.len()).find(|&i| segment_name(i as u32) == file.rel_path);
        let found = match (segment, &*file.rel_path) {
            (Some(i), _) => Some(&files.segments[i]),
            (_, INDEX_FILE) => Some(&files.index),
            (_, TOMBSTONES_FILE) => files.tombstones.as_ref(),
            _ => None,
        };
        match found {
            Some(bytes) if bytes.len() as u64 == file.size_bytes => {}
            Some(bytes) => {
                note(format!("{} is said to have {} bytes, it has {}", file.rel_path, file.size_bytes, bytes.len()))
            }
            None => note(format!("{} is listed, it does not exist", file.rel_path)),
        }
    }
}
