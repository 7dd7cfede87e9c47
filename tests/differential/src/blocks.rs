//! Data as TSDB blocks: written with our writer, read as a source for the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use block::chunk::{self, Sample, SeriesEncoder};
use block::{BlockMeta, BlockReader, BlockWriter, Columns, Corrupt, NewChunk, SeriesEntry};
use engine::{Encoded, Error, Queryable, Select};
use futures::stream::{self, BoxStream, StreamExt};
use model::{LabelTable, LabelTableBuilder, Labels, LabelsBuilder, LabelsRef, MatchOp, Matcher};
use request::Context;

use crate::data::{BLOCK_MS, Series};

/// Writes `series` as blocks of two hours into `dir`, which may be the data directory of a Prometheus.
///
/// # Errors
/// When files cannot be written.
pub fn write(dir: &Path, series: &[Series]) -> Result<()> {
    let times = || series.iter().flat_map(|s| s.samples.iter().map(|(t, _)| *t));
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(()) };
    let mut start = first - first.rem_euclid(BLOCK_MS);
    while start <= last {
        let ulid = block::meta::ulid_at(start, 1);
        let symbols: BTreeSet<&str> =
            series.iter().flat_map(|s| s.labels.iter().flat_map(|(name, value)| [name, value])).collect();
        let mut writer = BlockWriter::create(&dir.join(ulid.to_string()), symbols)?;
        for one in series {
            let mut encoder = SeriesEncoder::default();
            for (t, sample) in one.samples.iter().filter(|(t, _)| (start..start + BLOCK_MS).contains(t)) {
                encoder.push(0, *t, sample)?;
            }
            let chunks = encoder.finish();
            let chunks: Vec<NewChunk<'_>> = chunks
                .iter()
                .map(|c| NewChunk {
                    min_time: c.min_time,
                    max_time: c.max_time,
                    encoding: c.encoding,
                    payload: &c.bytes,
                })
                .collect();
            if !chunks.is_empty() {
                writer.add_series(one.labels.iter(), &chunks)?;
            }
        }
        writer.finish(BlockMeta::new(ulid, start, start + BLOCK_MS))?;
        start += BLOCK_MS;
    }
    Ok(())
}

/// All blocks of a folder.
pub struct Blocks(Arc<Vec<BlockReader>>);

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} blocks", self.0.len())
    }
}

impl Blocks {
    /// # Errors
    /// When the folder cannot be listed or a block is damaged.
    pub fn open(dir: &Path) -> Result<Self> {
        let entries = std::fs::read_dir(dir)?;
        let dirs = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|dir| dir.join("meta.json").exists());
        let mut blocks = dirs.map(|dir| BlockReader::open(&dir)).collect::<Result<Vec<_>, Corrupt>>()?;
        blocks.sort_by_key(|block| block.meta.min_time);
        Ok(Self(Arc::new(blocks)))
    }

    fn find(&self, select: &Select) -> Result<BTreeMap<Labels, Vec<(usize, u64)>>, Corrupt> {
        let mut found: BTreeMap<Labels, Vec<(usize, u64)>> = BTreeMap::new();
        let mut entry = SeriesEntry::default();
        let mut matchers = select.matchers.clone();
        if matchers.is_empty() {
            matchers.extend(Matcher::new(MatchOp::Regex, "__name__", ".*"));
        }
        for (i, block) in self.0.iter().enumerate() {
            if !block.meta.time_range().overlaps(select.samples) {
                continue;
            }
            for series in block::postings::select(&block.index, &matchers)? {
                block.index.series(series, &mut entry)?;
                let mut labels = LabelsBuilder::new();
                for &(name, value) in &entry.labels {
                    labels.set(block.index.symbol(name)?, block.index.symbol(value)?);
                }
                let chunks = entry.chunks.iter().filter(|chunk| chunk.range().overlaps(select.samples));
                found.entry(labels.build()).or_default().extend(chunks.map(|chunk| (i, chunk.chunk_ref)));
            }
        }
        Ok(found)
    }
}

impl Queryable for Blocks {
    fn select(&self, _: &Context, select: Select) -> BoxStream<'static, Result<Box<dyn Encoded>, Error>> {
        let batches = self.find(&select).map(|found| {
            let all: Vec<_> = found.into_iter().collect();
            // Several batches, so that more than one job runs.
            all.chunks(7).map(|part| self.batch(part)).collect::<Vec<_>>()
        });
        match batches {
            Ok(batches) => stream::iter(batches.into_iter().map(Ok)).boxed(),
            Err(e) => stream::iter([Err(Error::from(e))]).boxed(),
        }
    }
}

impl Blocks {
    fn batch(&self, part: &[(Labels, Vec<(usize, u64)>)]) -> Box<dyn Encoded> {
        let mut table = LabelTableBuilder::new();
        for (labels, _) in part {
            table.push(labels);
        }
        let chunks = part.iter().map(|(_, chunks)| chunks.clone()).collect();
        Box::new(Batch { blocks: Arc::clone(&self.0), labels: table.finish(), chunks })
    }
}

struct Batch {
    blocks: Arc<Vec<BlockReader>>,
    labels: LabelTable,
    chunks: Vec<Vec<(usize, u64)>>,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} series", self.chunks.len())
    }
}

impl Encoded for Batch {
    fn len(&self) -> usize {
        self.chunks.len()
    }

    fn labels(&self, i: usize) -> LabelsRef<'_> {
        self.labels.get(i)
    }

    fn decode(&self, i: usize, out: &mut Columns) -> Result<(), Corrupt> {
        out.clear();
        let mut chunks = Vec::with_capacity(self.chunks[i].len());
        for &(block, chunk_ref) in &self.chunks[i] {
            let raw = self.blocks[block].chunks.chunk_unchecked(chunk_ref)?;
            chunks.push((raw.encoding, raw.payload));
        }
        chunk::decode_many(&chunks, out)
    }
}

/// How many samples there are.
#[must_use]
pub fn sample_count(series: &[Series]) -> usize {
    series.iter().map(|s| s.samples.len()).sum()
}

/// Whether a series holds native histograms.
#[must_use]
pub fn is_native(series: &Series) -> bool {
    series.samples.iter().any(|(_, sample)| !matches!(sample, Sample::Float(_)))
}
