//! `thanos_blocks_meta_*`: what syncs saw.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::Snapshot;
use crate::Error;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    state: State,
}

/// Why blocks are in or out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    Loaded,
    Failed,
    Corrupt,
    NoMeta,
    TimeExcluded,
    LabelExcluded,
    TooFresh,
    MarkedForDeletion,
    Duplicate,
    NoCompact,
    NoDownsample,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Failed => "failed",
            Self::Corrupt => "corrupted-meta-json",
            Self::NoMeta => "no-meta-json",
            Self::TimeExcluded => "time-excluded",
            Self::LabelExcluded => "label-excluded",
            Self::TooFresh => "too-fresh",
            Self::MarkedForDeletion => "marked-for-deletion",
            Self::Duplicate => "duplicate",
            Self::NoCompact => "marked-for-no-compact",
            Self::NoDownsample => "marked-for-no-downsample",
        }
    }
}

impl EncodeLabelValue for State {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.as_str().encode(encoder)
    }
}

/// Metrics of a [`super::MetaSync`]. Cloning shares them.
#[derive(Clone, Debug)]
pub struct SyncMetrics {
    syncs: Counter,
    failures: Counter,
    duration: Histogram,
    pub(super) full_listings: Counter,
    states: Family<Labels, Gauge>,
}

impl Default for SyncMetrics {
    fn default() -> Self {
        Self {
            syncs: Counter::default(),
            failures: Counter::default(),
            duration: Histogram::new([0.01, 1.0, 10.0, 100.0, 300.0, 600.0, 1000.0]),
            full_listings: Counter::default(),
            states: Family::default(),
        }
    }
}

impl SyncMetrics {
    /// Registers the metrics under Thanos' names; once per registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("thanos_blocks_meta_syncs", "Syncs of block metas", metrics.syncs.clone());
        registry.register("thanos_blocks_meta_base_syncs", "Syncs of block metas", metrics.syncs.clone());
        registry.register(
            "thanos_blocks_meta_sync_failures",
            "Syncs of block metas that failed",
            metrics.failures.clone(),
        );
        registry.register(
            "thanos_blocks_meta_sync_duration_seconds",
            "Duration of syncs of block metas",
            metrics.duration.clone(),
        );
        registry.register(
            "esker_blocks_meta_full_listings",
            "Syncs that listed the whole bucket, not only what is newer than the bucket index",
            metrics.full_listings.clone(),
        );
        registry.register("thanos_blocks_meta_synced", "Blocks at the last sync by state", metrics.states.clone());
        metrics
    }

    pub(super) fn state(&self, state: State, blocks: usize) {
        self.states.get_or_create(&Labels { state }).set(i64::try_from(blocks).unwrap_or(i64::MAX));
    }

    pub(super) fn synced(&self, duration: Duration, snapshot: Result<&Snapshot, &Error>) {
        self.syncs.inc();
        self.duration.observe(duration.as_secs_f64());
        match snapshot {
            Err(_) => {
                self.failures.inc();
            }
            Ok(snapshot) => {
                if !snapshot.failed.is_empty() {
                    self.failures.inc();
                }
                self.state(State::Loaded, snapshot.blocks.len());
                self.state(State::Failed, snapshot.failed.len());
                self.state(State::Corrupt, snapshot.corrupt.len());
                self.state(State::NoMeta, snapshot.partial.len());
                self.state(State::NoCompact, snapshot.no_compact_marks.len());
                self.state(State::NoDownsample, snapshot.no_downsample_marks.len());
            }
        }
    }
}
