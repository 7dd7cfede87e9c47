//! `thanos_compact_*`.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Resolution {
    pub(crate) resolution: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Marked {
    pub(crate) marker: &'static str,
    pub(crate) reason: &'static str,
}

/// Metrics of a [`crate::Compactor`]. Cloning shares them.
#[derive(Clone, Debug)]
pub struct CompactMetrics {
    /// Always 0: a bad block is set aside, the rest goes on.
    pub(crate) halted: Gauge,
    pub(crate) retries: Counter,
    pub(crate) iterations: Counter,
    pub(crate) cleanup_loops: Counter,
    pub(crate) partial_deletions: Counter,
    pub(crate) blocks_cleaned: Counter,
    pub(crate) cleanup_failures: Counter,
    pub(crate) marked: Family<Marked, Counter>,
    pub(crate) garbage_collected: Counter,
    pub(crate) garbage_collections: Counter,
    pub(crate) garbage_failures: Counter,
    pub(crate) garbage_seconds: Histogram,
    pub(crate) index_failures: Counter,
    pub(crate) compactions: Family<Resolution, Counter>,
    pub(crate) runs_started: Family<Resolution, Counter>,
    pub(crate) runs_completed: Family<Resolution, Counter>,
    pub(crate) failures: Family<Resolution, Counter>,
    pub(crate) vertical: Family<Resolution, Counter>,
    pub(crate) todo_compactions: Gauge,
    pub(crate) todo_blocks: Gauge,
    pub(crate) todo_deletions: Gauge,
}

impl Default for CompactMetrics {
    fn default() -> Self {
        Self {
            halted: Gauge::default(),
            retries: Counter::default(),
            iterations: Counter::default(),
            cleanup_loops: Counter::default(),
            partial_deletions: Counter::default(),
            blocks_cleaned: Counter::default(),
            cleanup_failures: Counter::default(),
            marked: Family::default(),
            garbage_collected: Counter::default(),
            garbage_collections: Counter::default(),
            garbage_failures: Counter::default(),
            garbage_seconds: Histogram::new([0.01, 0.1, 1.0, 10.0, 100.0]),
            index_failures: Counter::default(),
            compactions: Family::default(),
            runs_started: Family::default(),
            runs_completed: Family::default(),
            failures: Family::default(),
            vertical: Family::default(),
            todo_compactions: Gauge::default(),
            todo_blocks: Gauge::default(),
            todo_deletions: Gauge::default(),
        }
    }
}

impl CompactMetrics {
    /// Registers the metrics under Thanos' names; once per registry.
    pub fn register(registry: &mut Registry) -> Self {
        let m = Self::default();
        registry.register(
            "esker_compact_bucket_index_failures",
            "Writes of the bucket index that failed",
            m.index_failures.clone(),
        );
        let r = registry.sub_registry_with_prefix("thanos_compact");
        r.register("halted", "Whether compaction has stopped for good; it never does", m.halted.clone());
        r.register("retries", "Cycles that failed and are tried again", m.retries.clone());
        r.register("iterations", "Cycles that went through", m.iterations.clone());
        r.register("block_cleanup_loops", "Rounds of cleaning up blocks", m.cleanup_loops.clone());
        r.register(
            "aborted_partial_uploads_deletion_attempts",
            "Uploads cut short that were cleaned up",
            m.partial_deletions.clone(),
        );
        r.register("blocks_cleaned", "Blocks deleted", m.blocks_cleaned.clone());
        r.register("block_cleanup_failures", "Blocks that could not be deleted", m.cleanup_failures.clone());
        r.register("blocks_marked", "Marks put on blocks", m.marked.clone());
        r.register("garbage_collected_blocks", "Blocks marked because others cover them", m.garbage_collected.clone());
        r.register("garbage_collection", "Rounds of garbage collection", m.garbage_collections.clone());
        r.register(
            "garbage_collection_failures",
            "Rounds of garbage collection that failed",
            m.garbage_failures.clone(),
        );
        r.register(
            "garbage_collection_duration_seconds",
            "Duration of rounds of garbage collection",
            m.garbage_seconds.clone(),
        );
        r.register("group_compactions", "Merges that gave a new block", m.compactions.clone());
        r.register("group_compaction_runs_started", "Attempts to compact a group", m.runs_started.clone());
        r.register("group_compaction_runs_completed", "Attempts that went through", m.runs_completed.clone());
        r.register("group_compactions_failures", "Attempts that failed", m.failures.clone());
        r.register("group_vertical_compactions", "Merges of overlapping blocks", m.vertical.clone());
        r.register("todo_compactions", "Merges due at the start of the cycle", m.todo_compactions.clone());
        r.register("todo_compaction_blocks", "Blocks in merges due at the start of the cycle", m.todo_blocks.clone());
        r.register("todo_deletion_blocks", "Blocks marked for deletion", m.todo_deletions.clone());
        for marker in ["deletion-mark.json", "no-compact-mark.json", "no-downsample-mark.json"] {
            let _present = m.marked.get_or_create(&Marked { marker, reason: "" });
        }
        for resolution in [0, 300_000, 3_600_000] {
            for family in [&m.compactions, &m.runs_started, &m.runs_completed, &m.failures, &m.vertical] {
                let _present = family.get_or_create(&Resolution { resolution });
            }
        }
        m
    }
}
