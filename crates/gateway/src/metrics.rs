use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// What dashboards read of a store gateway, under Thanos' names.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) block_load_failures: Counter,
    pub(crate) blocks_queried: Histogram,
    block_loads: Counter,
    block_drops: Counter,
    blocks_loaded: Gauge,
    last_loaded: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            block_load_failures: Counter::default(),
            blocks_queried: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]),
            block_loads: Counter::default(),
            block_drops: Counter::default(),
            blocks_loaded: Gauge::default(),
            last_loaded: Gauge::default(),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let name = |n: &str| format!("thanos_bucket_store_{n}");
        registry.register(name("block_loads"), "Blocks that began to be served", self.block_loads.clone());
        let failures = "Blocks that could not be loaded, by sync";
        registry.register(name("block_load_failures"), failures, self.block_load_failures.clone());
        registry.register(name("block_drops"), "Blocks that are no longer served", self.block_drops.clone());
        registry.register(name("blocks_loaded"), "Blocks that are served", self.blocks_loaded.clone());
        let last = "Unix time of the last sync that found a new block";
        registry.register(name("blocks_last_loaded_timestamp_seconds"), last, self.last_loaded.clone());
        registry.register(
            name("series_blocks_queried"),
            "Blocks that a series request read",
            self.blocks_queried.clone(),
        );
    }

    pub(crate) fn synced(&self, added: usize, dropped: usize, loaded: usize, now_ms: i64) {
        self.block_loads.inc_by(added as u64);
        self.block_drops.inc_by(dropped as u64);
        self.blocks_loaded.set(loaded as i64);
        if added > 0 {
            self.last_loaded.set(now_ms as f64 / 1000.0);
        }
    }
}
