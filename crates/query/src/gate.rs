use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many queries may wait for each that runs.
const WAITING_PER_RUNNING: usize = 50;

/// Lets so many queries run at a time; the others wait their turn, first come, first served. So many
/// wait that more would only time out: those are refused at once.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
    metrics: GateMetrics,
}

#[derive(Debug)]
struct GateMetrics {
    in_flight: Gauge<i64, AtomicI64>,
    total: Counter,
    duration: Histogram,
}

/// A query's turn; given back on drop.
#[derive(Debug)]
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
    inner: Arc<Inner>,
}

/// Too many queries wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many queries: {running} run (--query.max-concurrent) and {waiting} wait")]
pub(crate) struct Full {
    running: usize,
    waiting: usize,
}

impl Gate {
    /// `concurrent` queries at a time; 0 counts as 1. The metrics have Thanos' names.
    pub(crate) fn new(concurrent: usize, registry: &mut Registry) -> Self {
        let concurrent = concurrent.clamp(1, Semaphore::MAX_PERMITS);
        let max: Gauge = Gauge::default();
        max.set(i64::try_from(concurrent).unwrap_or(i64::MAX));
        let metrics = GateMetrics {
            in_flight: Gauge::default(),
            total: Counter::default(),
            duration: Histogram::new([0.01, 0.1, 0.3, 0.6, 1.0, 3.0, 6.0, 9.0, 20.0, 30.0, 60.0, 90.0, 120.0]),
        };
        let name = |what: &str| format!("thanos_query_concurrent_gate_queries_{what}");
        registry.register(name("max"), "How many queries may run at the same time", max);
        registry.register(name("in_flight"), "Queries that wait or run", metrics.in_flight.clone());
        registry.register(
            "thanos_query_concurrent_gate_queries",
            "Queries that came to the gate",
            metrics.total.clone(),
        );
        registry.register(name("duration_seconds"), "How long queries waited at the gate", metrics.duration.clone());
        Self(Arc::new(Inner {
            running: Arc::new(Semaphore::new(concurrent)),
            waiting: AtomicUsize::new(0),
            waiting_max: concurrent.saturating_mul(WAITING_PER_RUNNING),
            metrics,
        }))
    }

    /// Waits for a turn. Dropping the future leaves the queue.
    pub(crate) async fn enter(&self) -> Result<Turn, Full> {
        let inner = &self.0;
        inner.metrics.total.inc();
        let waiting = Waiting::enter(inner);
        if waiting.before >= inner.waiting_max && inner.running.available_permits() == 0 {
            return Err(Full { running: inner.waiting_max / WAITING_PER_RUNNING, waiting: waiting.before });
        }
        let start = Instant::now();
        // The semaphore is never closed; were it, nothing would be limited.
        let Ok(permit) = Arc::clone(&inner.running).acquire_owned().await else {
            return Err(Full { running: 0, waiting: waiting.before });
        };
        inner.metrics.duration.observe(start.elapsed().as_secs_f64());
        inner.metrics.in_flight.inc();
        Ok(Turn { _permit: permit, inner: Arc::clone(inner) })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.inner.metrics.in_flight.dec();
    }
}

/// One place in the queue.
struct Waiting<'a> {
    inner: &'a Inner,
    /// How many waited already.
    before: usize,
}

impl<'a> Waiting<'a> {
    fn enter(inner: &'a Inner) -> Self {
        inner.metrics.in_flight.inc();
        Self { inner, before: inner.waiting.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.inner.metrics.in_flight.dec();
        self.inner.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
