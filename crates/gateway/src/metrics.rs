use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use store::Stats;

/// What dashboards read of a store gateway, under Thanos' names.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) block_load_failures: Counter,
    pub(crate) blocks_queried: Histogram,
    /// Until the first series of a request came, and from there to its end; seconds.
    pub(crate) get_all_seconds: Histogram,
    pub(crate) merge_seconds: Histogram,
    pub(crate) result_series: Histogram,
    pub(crate) sent_chunk_bytes: Histogram,
    pub(crate) gate_seconds: Histogram,
    pub(crate) gate_max: Gauge,
    pub(crate) gate_in_flight: Gauge,
    pub(crate) gate_total: Counter,
    pub(crate) queries_dropped: Family<Reason, Counter>,
    pub(crate) indexes: IndexMetrics,
    touched: Family<Touched, Histogram, fn() -> Histogram>,
    fetched: Family<Touched, Histogram, fn() -> Histogram>,
    touched_bytes: Family<Touched, Histogram, fn() -> Histogram>,
    fetched_bytes: Family<Touched, Histogram, fn() -> Histogram>,
    block_loads: Counter,
    block_drops: Counter,
    block_drop_failures: Counter,
    blocks_loaded: Gauge,
    last_loaded: Gauge<f64, AtomicU64>,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Reason {
    pub(crate) reason: &'static str,
    pub(crate) tenant: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Touched {
    data_type: &'static str,
    tenant: &'static str,
}

/// How indexes are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct IndexMetrics {
    opened: Family<How, Counter>,
    /// Of indexes that are read by ranges.
    pub(crate) fetched_bytes: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct How {
    how: &'static str,
}

impl IndexMetrics {
    /// `mapped` from this machine, `memory` where it was fetched there, or by `ranges`.
    pub(crate) fn opened(&self, how: &'static str) {
        self.opened.get_or_create(&How { how }).inc();
    }
}

/// There is one tenant.
pub(crate) const TENANT: &str = "default-tenant";

const SECONDS: [f64; 14] = [0.001, 0.01, 0.1, 0.3, 0.6, 1.0, 3.0, 6.0, 9.0, 20.0, 30.0, 60.0, 90.0, 120.0];
const COUNTS: [f64; 10] = [50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 6400.0, 25_600.0, 102_400.0, 409_600.0];

fn counts() -> Histogram {
    Histogram::new(COUNTS)
}

fn sizes() -> Histogram {
    Histogram::new((10..25).map(|power| f64::from(1 << power)))
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            block_load_failures: Counter::default(),
            blocks_queried: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]),
            get_all_seconds: Histogram::new(SECONDS),
            merge_seconds: Histogram::new(SECONDS),
            result_series: Histogram::new([1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0]),
            sent_chunk_bytes: Histogram::new([32.0, 256.0, 512.0, 1024.0, 32.0 * 1024.0, 256.0 * 1024.0]),
            gate_seconds: Histogram::new(SECONDS),
            gate_max: Gauge::default(),
            gate_in_flight: Gauge::default(),
            gate_total: Counter::default(),
            queries_dropped: Family::default(),
            indexes: IndexMetrics::default(),
            touched: Family::new_with_constructor(counts),
            fetched: Family::new_with_constructor(counts),
            touched_bytes: Family::new_with_constructor(sizes),
            fetched_bytes: Family::new_with_constructor(sizes),
            block_loads: Counter::default(),
            block_drops: Counter::default(),
            block_drop_failures: Counter::default(),
            blocks_loaded: Gauge::default(),
            last_loaded: Gauge::default(),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, r: &mut Registry) {
        let name = |n: &str| format!("thanos_bucket_store_{n}");
        r.register(name("block_loads"), "Blocks that began to be served", self.block_loads.clone());
        let failures = "Blocks that could not be loaded, by sync";
        r.register(name("block_load_failures"), failures, self.block_load_failures.clone());
        r.register(name("block_drops"), "Blocks that are no longer served", self.block_drops.clone());
        let failures = "Blocks that could not be dropped; dropping does not fail here";
        r.register(name("block_drop_failures"), failures, self.block_drop_failures.clone());
        r.register(name("blocks_loaded"), "Blocks that are served", self.blocks_loaded.clone());
        let last = "Unix time of the last sync that found a new block";
        r.register(name("blocks_last_loaded_timestamp_seconds"), last, self.last_loaded.clone());
        r.register(name("series_blocks_queried"), "Blocks that a series request read", self.blocks_queried.clone());
        let help = "From a series request's begin to its first series";
        r.register(name("series_get_all_duration_seconds"), help, self.get_all_seconds.clone());
        let help = "From a series request's first series to its end, the client's reading included";
        r.register(name("series_merge_duration_seconds"), help, self.merge_seconds.clone());
        r.register(name("series_result_series"), "Series in an answer", self.result_series.clone());
        r.register(name("sent_chunk_size_bytes"), "Bytes of a chunk that was sent", self.sent_chunk_bytes.clone());
        let help = "How long series requests waited for their turn";
        r.register(name("series_gate_duration_seconds"), help, self.gate_seconds.clone());
        let help = "Series requests that may be served side by side";
        r.register(name("series_gate_queries_max"), help, self.gate_max.clone());
        let help = "Series requests that are being served";
        r.register(name("series_gate_queries_in_flight"), help, self.gate_in_flight.clone());
        r.register(name("series_gate_queries"), "Series requests that got their turn", self.gate_total.clone());
        r.register(name("queries_dropped"), "Requests that a limit refused", self.queries_dropped.clone());
        r.register(name("series_data_touched"), "Items that a request looked at", self.touched.clone());
        r.register(name("series_data_fetched"), "Items that a request fetched", self.fetched.clone());
        let help = "Bytes of what a request looked at";
        r.register(name("series_data_size_touched_bytes"), help, self.touched_bytes.clone());
        let help = "Bytes of what a request fetched";
        r.register(name("series_data_size_fetched_bytes"), help, self.fetched_bytes.clone());
        let help = "Indexes that were opened, by where they are read: mapped, memory, ranges";
        r.register("esker_store_indexes_opened", help, self.indexes.opened.clone());
        let help = "Bytes fetched of indexes that are read by ranges";
        r.register("esker_store_index_ranges_fetched_bytes", help, self.indexes.fetched_bytes.clone());
    }

    pub(crate) fn synced(&self, added: usize, dropped: usize, loaded: usize, now_ms: i64) {
        self.block_loads.inc_by(added as u64);
        self.block_drops.inc_by(dropped as u64);
        self.blocks_loaded.set(loaded as i64);
        if added > 0 {
            self.last_loaded.set(now_ms as f64 / 1000.0);
        }
    }

    /// How many series an answer held, and what it took.
    pub(crate) fn answered(&self, series: u64, stats: &Stats) {
        self.result_series.observe(series as f64);
        for (data_type, looked) in [("postings", stats.postings), ("series", stats.series), ("chunks", stats.chunks)] {
            let of = Touched { data_type, tenant: TENANT };
            self.touched.get_or_create(&of).observe(looked.touched as f64);
            self.fetched.get_or_create(&of).observe(looked.fetched as f64);
            self.touched_bytes.get_or_create(&of).observe(looked.touched_bytes as f64);
            self.fetched_bytes.get_or_create(&of).observe(looked.fetched_bytes as f64);
        }
    }
}
