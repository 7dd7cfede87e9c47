use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// `thanos_shipper_*`.
#[derive(Clone, Debug, Default)]
pub struct ShipperMetrics {
    pub(super) dir_syncs: Counter,
    pub(super) dir_sync_failures: Counter,
    pub(super) uploads: Counter,
    pub(super) upload_failures: Counter,
    pub(super) corrupted_blocks: Counter,
    upload_compacted_done: Gauge,
}

impl ShipperMetrics {
    /// Registers the metrics; once per registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let mut counter = |name: &str, help: &str, counter: &Counter| {
            registry.register(format!("thanos_shipper_{name}"), help, counter.clone());
        };
        counter("dir_syncs", "Passes over the data directory", &metrics.dir_syncs);
        counter("dir_sync_failures", "Passes over the data directory that failed", &metrics.dir_sync_failures);
        counter("uploads", "Blocks uploaded", &metrics.uploads);
        counter("upload_failures", "Block uploads that failed", &metrics.upload_failures);
        counter("corrupted_blocks", "Corrupt blocks met", &metrics.corrupted_blocks);
        registry.register(
            "thanos_shipper_upload_compacted_done",
            "Whether all compacted blocks are uploaded",
            metrics.upload_compacted_done.clone(),
        );
        metrics
    }
}
