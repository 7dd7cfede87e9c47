//! What became of queries: metrics, and a line in the log for those that took long.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::{ApiError, Limit};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::active::{Entry, Listed};

/// Keeps count of queries. Clones are the same journal.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    metrics: Arc<Metrics>,
    /// Queries that take longer are logged; `None`: none is.
    log_longer_than: Option<Duration>,
}

#[derive(Debug)]
struct Metrics {
    running: Gauge,
    ended: Family<Outcome, Counter>,
    refused: Family<RefusedBy, Counter>,
    samples: Counter,
    duration: Family<Endpoint, Histogram, fn() -> Histogram>,
    memory_peak: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    endpoint: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedBy {
    limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    endpoint: &'static str,
}

const LIMITS: [Limit; 6] =
    [Limit::Memory, Limit::Samples, Limit::Store, Limit::Time, Limit::Concurrency, Limit::Operator];

/// As the metric names it.
const fn name(limit: Limit) -> &'static str {
    match limit {
        Limit::Memory => "memory",
        Limit::Samples => "samples",
        Limit::Store => "store",
        Limit::Time => "timeout",
        Limit::Concurrency => "concurrency",
        Limit::Operator => "operator",
    }
}

const SECONDS: [f64; 12] = [0.005, 0.02, 0.1, 0.3, 0.6, 1.0, 3.0, 6.0, 15.0, 30.0, 60.0, 120.0];

impl Journal {
    /// Registers its metrics.
    pub(crate) fn new(concurrent: usize, log_longer_than: Option<Duration>, registry: &mut Registry) -> Self {
        let metrics = Metrics {
            running: Gauge::default(),
            ended: Family::default(),
            refused: Family::default(),
            samples: Counter::default(),
            duration: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            memory_peak: Histogram::new((0..8).map(|i| f64::from(1_u32 << 16) * 8_f64.powi(i))),
        };
        for limit in LIMITS {
            let _present = metrics.refused.get_or_create(&RefusedBy { limit: name(limit) });
        }
        let max: Gauge = Gauge::default();
        max.set(i64::try_from(concurrent).unwrap_or(i64::MAX));
        registry.register("prometheus_engine_queries", "Queries that wait or run", metrics.running.clone());
        registry.register("prometheus_engine_queries_concurrent_max", "Queries that may run at a time", max);
        let samples = metrics.samples.clone();
        registry.register("prometheus_engine_query_samples", "Samples that queries have read", samples);
        let (ended, refused) = (metrics.ended.clone(), metrics.refused.clone());
        registry.register("esker_query_ended", "Queries by what became of them", ended);
        registry.register("esker_query_refused", "Queries that a limit has ended", refused);
        let duration = metrics.duration.clone();
        registry.register("esker_query_duration_seconds", "How long queries took, waiting included", duration);
        let peak = metrics.memory_peak.clone();
        registry.register("esker_query_memory_peak_bytes", "The most that a query held at once", peak);
        Self { metrics: Arc::new(metrics), log_longer_than }
    }

    /// Begins to follow a query.
    pub(crate) fn begin(&self, listed: Listed) -> Followed {
        self.metrics.running.inc();
        Followed { journal: self.clone(), listed, outcome: "gone" }
    }

    fn ended(&self, entry: &Entry, outcome: &'static str) {
        let (elapsed, endpoint, metrics) = (entry.elapsed(), entry.endpoint, &self.metrics);
        let samples = entry.cx.stats().samples.load(Ordering::Relaxed);
        metrics.running.dec();
        metrics.ended.get_or_create(&Outcome { endpoint, outcome }).inc();
        metrics.samples.inc_by(samples);
        metrics.duration.get_or_create(&Endpoint { endpoint }).observe(elapsed.as_secs_f64());
        metrics.memory_peak.observe(entry.cx.memory().peak() as f64);
        if self.log_longer_than.is_some_and(|least| elapsed >= least) {
            log(entry, elapsed, outcome);
        }
    }
}

/// The fields of Thanos' slow-query log, then what the query took.
fn log(entry: &Entry, elapsed: Duration, outcome: &'static str) {
    let (client, stats) = (&entry.client, entry.cx.stats());
    tracing::info!(
        method = client.method,
        path = client.path,
        remote_addr = client.address,
        remote_user_agent = client.user_agent,
        time_taken_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        grafana_dashboard_uid = client.dashboard,
        grafana_panel_id = client.panel,
        trace_id = client.request_id,
        param_query = entry.query,
        outcome,
        series = stats.series.load(Ordering::Relaxed),
        samples = stats.samples.load(Ordering::Relaxed),
        bytes = stats.bytes.load(Ordering::Relaxed),
        memory_peak_bytes = entry.cx.memory().peak(),
        "slow query detected"
    );
}

/// A query from its coming to its end, however it ends; a client that leaves drops this.
#[derive(Debug)]
pub(crate) struct Followed {
    journal: Journal,
    listed: Listed,
    outcome: &'static str,
}

impl Followed {
    pub(crate) fn listed(&self) -> &Listed {
        &self.listed
    }

    /// Notes how the query has ended.
    pub(crate) fn end<T>(&mut self, result: &Result<T, ApiError>) {
        self.outcome = match result {
            Ok(_) => "success",
            Err(e) => e.kind.as_str(),
        };
        let Some(limit) = result.as_ref().err().and_then(|e| e.limit) else { return };
        let limit = match limit {
            // A store of this process draws on the query's own account.
            Limit::Store if self.listed.entry().cx.memory().has_refused() => Limit::Memory,
            limit => limit,
        };
        self.journal.metrics.refused.get_or_create(&RefusedBy { limit: name(limit) }).inc();
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.journal.ended(self.listed.entry(), self.outcome);
    }
}
