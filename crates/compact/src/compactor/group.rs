//! One group: plan, merge, upload, mark the inputs; bad blocks are set aside.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use block::meta::{BlockStats, Parent, Thanos, reason, ulid_at};
use block::{BlockMeta, Corrupt, NoCompactMark, Ulid};

use super::{Compactor, Group};
use crate::metrics::{Marked, Resolution};
use crate::plan::{self, GroupKey};
use crate::{Error, Merged, Result, merge};

/// Why a damaged block is not to be compacted.
const REASON_CORRUPT: &str = "corrupt";

/// Hints that a merged block keeps only if all its inputs have them; it keeps others that any has.
const HINT_OF_ALL: &str = "from-out-of-order";

impl Compactor {
    /// Merges until nothing is due. Damaged blocks are marked, reported and left out from then on.
    pub(super) async fn compact_group(&self, group: &mut Group) -> Result<()> {
        loop {
            let planned = plan::plan(&group.blocks, &group.no_compact, &self.settings.ranges_ms);
            if planned.is_empty() {
                return Ok(());
            }
            if let Some((block, why, details)) = self.unfit(&planned) {
                self.set_aside(group, block, why, details).await?;
                continue;
            }
            match self.compact(&group.key, &planned).await {
                Ok(new) => {
                    let merged: BTreeSet<Ulid> = planned.iter().map(|b| b.ulid).collect();
                    group.blocks.retain(|b| !merged.contains(&b.ulid));
                    group.report.marked += planned.len();
                    if let Some(new) = new {
                        group.report.compactions += 1;
                        group.blocks.push(Arc::new(new));
                        plan::sort(&mut group.blocks);
                    }
                }
                Err(error @ Error::Corrupt { .. }) => {
                    let Error::Corrupt { block, corrupt } = &error else { continue };
                    self.set_aside(group, *block, REASON_CORRUPT, corrupt.to_string()).await?;
                    group.fail(error);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A planned block that cannot be part of a merge, the reason and the details.
    fn unfit(&self, planned: &[Arc<BlockMeta>]) -> Option<(Ulid, &'static str, String)> {
        let overlap = !plan::overlapping(planned).is_empty();
        if let Some(block) = planned.iter().find(|b| overlap && b.resolution_ms() > 0) {
            let details = "downsampled block overlaps others, which cannot be merged".to_owned();
            return Some((block.ulid, reason::DOWNSAMPLE_VERTICAL, details));
        }
        let index_bytes = |b: &BlockMeta| {
            let files = b.thanos.iter().flat_map(|t| &t.files);
            files.filter(|f| f.rel_path == block::index::INDEX_FILE).map(|f| f.size_bytes).sum::<u64>()
        };
        // The sum counts shared symbols more than once, but an index may also grow: 15 % are kept free.
        let total: u64 = planned.iter().map(|b| index_bytes(b)).sum();
        let max = self.settings.index_bytes_max;
        if total.saturating_mul(100) / 85 > max {
            let largest = planned.iter().max_by_key(|b| index_bytes(b))?;
            return Some((largest.ulid, reason::INDEX_SIZE, format!("the merged index could exceed {max} bytes")));
        }
        None
    }

    async fn set_aside(&self, group: &mut Group, block: Ulid, why: &'static str, details: String) -> Result<()> {
        tracing::warn!(group = %group.key, %block, reason = why, details, "setting a block aside from compaction");
        let mark = NoCompactMark::new(block, self.now_ms().div_euclid(1000), why, details);
        if self.bucket().mark_no_compact(&mark).await? {
            self.metrics.marked.get_or_create(&Marked { marker: "no-compact-mark.json", reason: why }).inc();
        }
        group.no_compact.insert(block);
        Ok(())
    }

    /// Merges blocks into one, uploads it, and only then marks them for deletion. `None`: they were empty.
    async fn compact(&self, key: &GroupKey, planned: &[Arc<BlockMeta>]) -> Result<Option<BlockMeta>> {
        let start = Instant::now();
        let id = ulid_at(self.now_ms(), random());
        let overlap = !plan::overlapping(planned).is_empty();
        tracing::info!(group = %key, block = %id, inputs = %spell(planned), overlap, "compaction planned");
        let scratch = Scratch::create(self.scratch().join(id.to_string()))?;
        let merged = self.merge(key, planned, id, &scratch.0).await?;
        let resolution = Resolution { resolution: key.resolution_ms };
        if merged.meta.stats.num_series == 0 {
            if let Some(block) = planned.iter().find(|b| b.stats.num_samples > 0) {
                let what = format!("holds none of its {} samples", block.stats.num_samples);
                return Err(Error::Corrupt { block: block.ulid, corrupt: Corrupt::new(0, what) });
            }
        } else {
            self.bucket().adopt_block(&scratch.0.join("block"), &merged.meta).await?;
            self.metrics.compactions.get_or_create(&resolution).inc();
            self.metrics.vertical.get_or_create(&resolution).inc_by(u64::from(overlap));
        }
        for block in planned {
            self.mark_for_deletion(block.ulid, "source of compacted block").await?;
        }
        tracing::info!(
            group = %key,
            block = %id,
            level = merged.meta.compaction.level,
            series = merged.meta.stats.num_series,
            samples = merged.meta.stats.num_samples,
            woven_series = merged.woven_series,
            duplicate_chunks = merged.duplicate_chunks,
            duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
            "compacted blocks"
        );
        Ok((merged.meta.stats.num_series > 0).then_some(merged.meta))
    }

    /// Merges on a thread of its own, which ends soon after this future is dropped.
    async fn merge(&self, key: &GroupKey, planned: &[Arc<BlockMeta>], id: Ulid, scratch: &Path) -> Result<Merged> {
        let inputs = self.fetch(planned, scratch).await?;
        let mut meta = new_meta(key, planned, id);
        meta.thanos.get_or_insert_default().upload_time = upload_time(self.now_ms());
        let dir = scratch.join("block");
        let encode = self.settings.encode;
        let stop = StopOnDrop::default();
        let stopped = Arc::clone(&stop.0);
        let work = move || merge(inputs, &dir, meta, encode, &|| stopped.load(Ordering::Relaxed));
        let mut merged = tokio::task::spawn_blocking(work).await.map_err(|e| Error::Panicked(e.to_string()))??;
        bucket::describe_files(&scratch.join("block"), &mut merged.meta).or_else(|e| {
            // A block without series has no chunk files, and is not uploaded.
            if merged.meta.stats.num_series == 0 { Ok(()) } else { Err(e) }
        })?;
        Ok(merged)
    }

    pub(super) fn scratch(&self) -> PathBuf {
        self.settings.data_dir.join("compact")
    }

    /// Removes what an earlier process left.
    pub(super) fn clear_scratch(&self) -> Result<()> {
        match std::fs::remove_dir_all(self.scratch()) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(local(self.scratch(), e)),
            _ => Ok(()),
        }
    }
}

/// What the new block says of itself, but for what is counted while it is written.
fn new_meta(key: &GroupKey, planned: &[Arc<BlockMeta>], id: Ulid) -> BlockMeta {
    let min_time = planned.iter().map(|b| b.min_time).min().unwrap_or_default();
    let max_time = planned.iter().map(|b| b.max_time).max().unwrap_or_default();
    let mut meta = BlockMeta::new(id, min_time, max_time);
    meta.stats = planned.iter().fold(BlockStats::default(), |mut sum, b| {
        sum.num_samples += b.stats.num_samples;
        sum.num_float_samples += b.stats.num_float_samples;
        sum.num_histogram_samples += b.stats.num_histogram_samples;
        sum
    });
    let compaction = &mut meta.compaction;
    compaction.level = planned.iter().map(|b| b.compaction.level).max().unwrap_or_default() + 1;
    let sources: BTreeSet<Ulid> = planned.iter().flat_map(|b| &b.compaction.sources).copied().collect();
    compaction.sources = sources.into_iter().collect();
    compaction.parents = planned.iter().map(|b| Parent::new(b.ulid, b.min_time, b.max_time)).collect();
    let hints: BTreeSet<&String> = planned.iter().flat_map(|b| &b.compaction.hints).collect();
    let kept = hints
        .into_iter()
        .filter(|hint| hint.as_str() != HINT_OF_ALL || planned.iter().all(|b| b.compaction.hints.contains(hint)));
    compaction.hints = kept.cloned().collect();
    let mut thanos = Thanos { version: 1, source: "compactor".to_owned(), ..Thanos::default() };
    thanos.labels = key.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    thanos.downsample.resolution = key.resolution_ms;
    thanos.extensions = planned.iter().find_map(|b| b.thanos.as_ref()?.extensions.clone());
    meta.thanos = Some(thanos);
    meta
}

fn upload_time(now_ms: i64) -> Option<String> {
    Some(jiff::Timestamp::from_millisecond(now_ms).ok()?.to_string())
}

fn spell(blocks: &[Arc<BlockMeta>]) -> String {
    blocks.iter().map(|b| b.ulid.to_string()).collect::<Vec<_>>().join(",")
}

/// 80 bits that no other process has.
fn random() -> u128 {
    // Each state is seeded by the system.
    let word = || u128::from(RandomState::new().hash_one(0));
    (word() << 64 | word()) & ((1 << 80) - 1)
}

pub(super) fn local(path: PathBuf, source: std::io::Error) -> Error {
    bucket::Error::Local { path, source }.into()
}

/// A folder that goes when its owner does.
struct Scratch(PathBuf);

impl Scratch {
    fn create(path: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&path).map_err(|e| local(path.clone(), e))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!(path = %self.0.display(), %error, "could not remove a scratch folder");
        }
    }
}

#[derive(Default)]
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
