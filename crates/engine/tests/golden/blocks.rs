//! Blocks in a folder as a source, every replica a series of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use block::index::SeriesEntry;
use block::{BlockReader, Columns, Corrupt, chunk};
use engine::{Encoded, Error, Queryable, Select};
use futures::stream::{self, BoxStream, StreamExt};
use model::{LabelTable, LabelTableBuilder, Labels, LabelsBuilder, LabelsRef, MatchOp, Matcher};
use request::Context;

/// All blocks of a bucket, mapped.
pub(crate) struct Blocks(Arc<Vec<BlockReader>>);

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} blocks", self.0.len())
    }
}

impl Blocks {
    pub(crate) fn open(bucket: &Path) -> Self {
        let entries = std::fs::read_dir(bucket).expect("the bucket can be listed");
        let dirs = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|dir| dir.join("meta.json").exists());
        let mut blocks: Vec<BlockReader> = dirs.map(|dir| BlockReader::open(&dir).expect("a golden block")).collect();
        blocks.sort_by_key(|block| block.meta.min_time);
        Self(Arc::new(blocks))
    }

    fn find(&self, select: &Select) -> Result<BTreeMap<Labels, Vec<(usize, u64)>>, Corrupt> {
        let mut found: BTreeMap<Labels, Vec<(usize, u64)>> = BTreeMap::new();
        let mut entry = SeriesEntry::default();
        for (i, block) in self.0.iter().enumerate() {
            if !block.meta.time_range().overlaps(select.samples) {
                continue;
            }
            let external = block.meta.labels();
            let (outer, inner): (Vec<&Matcher>, Vec<&Matcher>) =
                select.matchers.iter().partition(|matcher| external.get(&matcher.name).is_some());
            if !outer.iter().all(|matcher| matcher.matches(external.get(&matcher.name).unwrap_or(""))) {
                continue;
            }
            let mut inner: Vec<Matcher> = inner.into_iter().cloned().collect();
            if inner.is_empty() {
                inner.push(Matcher::new(MatchOp::Regex, "__name__", ".*").expect("a pattern"));
            }
            for series in block::postings::select(&block.index, &inner)? {
                block.index.series(series, &mut entry)?;
                let mut labels = LabelsBuilder::new();
                for &(name, value) in &entry.labels {
                    labels.set(block.index.symbol(name)?, block.index.symbol(value)?);
                }
                for (name, value) in &external {
                    labels.set(name, value);
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
        let found = self.find(&select).map(|found| {
            let mut table = LabelTableBuilder::new();
            let mut chunks = Vec::with_capacity(found.len());
            for (labels, refs) in found {
                table.push(&labels);
                chunks.push(refs);
            }
            let batch = Batch { blocks: Arc::clone(&self.0), labels: table.finish(), chunks };
            Box::new(batch) as Box<dyn Encoded>
        });
        stream::iter([found.map_err(Error::from)]).boxed()
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
