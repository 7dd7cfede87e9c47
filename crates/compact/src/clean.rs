//! Marking and deleting: blocks that others cover, blocks past their retention, uploads cut short.

use std::time::{Duration, Instant};

use block::{DeletionMark, Ulid};
use bucket::Snapshot;

use crate::metrics::Marked;
use crate::{Compactor, Result};

/// An upload without a `meta.json` is given up for lost when nothing was added for this long.
const PARTIAL_AGE_MS: i64 = 48 * 3_600_000;

impl Compactor {
    /// Deletes the blocks whose mark is older than the delay. One that fails does not stop the others.
    pub(crate) async fn delete_marked(&self, snapshot: &Snapshot) -> usize {
        self.metrics.todo_deletions.set(i64::try_from(snapshot.deletion_marks.len()).unwrap_or(i64::MAX));
        let delay_ms = millis(self.settings.delete_delay);
        let mut deleted = 0;
        for (block, mark) in &snapshot.deletion_marks {
            if self.now_ms() - mark.deletion_time.saturating_mul(1000) < delay_ms {
                continue;
            }
            deleted += usize::from(self.delete(*block, "it was marked for deletion").await);
        }
        self.metrics.cleanup_loops.inc();
        deleted
    }

    /// Deletes what uploads cut short left long ago. Blocks with a damaged `meta.json` are left for
    /// somebody to look at.
    pub(crate) async fn delete_partial(&self, snapshot: &Snapshot) -> usize {
        let mut deleted = 0;
        for (block, partial) in &snapshot.partial {
            if self.now_ms() - partial.newest_ms <= PARTIAL_AGE_MS {
                continue;
            }
            self.metrics.partial_deletions.inc();
            deleted += usize::from(self.delete(*block, "its upload was cut short over two days ago").await);
        }
        deleted
    }

    async fn delete(&self, block: Ulid, why: &str) -> bool {
        match self.bucket().delete_block(block).await {
            Ok(()) => {
                tracing::info!(%block, "deleted block: {why}");
                self.metrics.blocks_cleaned.inc();
                true
            }
            Err(e) => {
                tracing::warn!(%block, error = %e, "could not delete block");
                self.metrics.cleanup_failures.inc();
                false
            }
        }
    }

    /// Marks the blocks that another one covers: what is left of merges cut short.
    pub(crate) async fn collect_garbage(&self, snapshot: &Snapshot) -> Result<usize> {
        let start = Instant::now();
        self.metrics.garbage_collections.inc();
        let mut marked = 0;
        for block in &snapshot.duplicates {
            if snapshot.deletion_marks.contains_key(block) {
                continue;
            }
            let done = self.mark_for_deletion(*block, "outdated block").await;
            if done.is_err() {
                self.metrics.garbage_failures.inc();
            }
            marked += usize::from(done?);
            self.metrics.garbage_collected.inc();
        }
        self.metrics.garbage_seconds.observe(start.elapsed().as_secs_f64());
        Ok(marked)
    }

    /// Marks the blocks whose last sample is older than their resolution's retention.
    pub(crate) async fn apply_retention(&self, snapshot: &Snapshot) -> Result<usize> {
        let retention = self.settings.retention;
        let now_ms = self.now_ms();
        let mut marked = 0;
        for (id, block) in &snapshot.blocks {
            let keep = match block.meta.resolution_ms() {
                0 => retention.raw,
                300_000 => retention.five_minutes,
                3_600_000 => retention.one_hour,
                _ => continue,
            };
            let past = !keep.is_zero() && block.meta.max_time.saturating_add(millis(keep)) < now_ms;
            if past && !snapshot.deletion_marks.contains_key(id) {
                marked += usize::from(self.mark_for_deletion(*id, "block exceeding retention").await?);
            }
        }
        Ok(marked)
    }

    /// `false`: it was marked before.
    pub(crate) async fn mark_for_deletion(&self, block: Ulid, why: &str) -> Result<bool> {
        let mark = DeletionMark::new(block, self.now_ms().div_euclid(1000), why);
        let new = self.bucket().mark_for_deletion(&mark).await?;
        if new {
            tracing::info!(%block, "marked block for deletion: {why}");
            self.metrics.marked.get_or_create(&Marked { marker: "deletion-mark.json", reason: "" }).inc();
        }
        Ok(new)
    }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
