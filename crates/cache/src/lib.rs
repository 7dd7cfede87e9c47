//! Caches of bytes under text keys: in memory, memcached and redis, behind one best-effort get and put.
//!
//! Place: L3. Configured by the YAML of Thanos' index cache, caching bucket and query-frontend.
//!
//! Invariants: a cache never fails a request: what cannot be read in time is missing, what cannot be written is
//! dropped; a server that does not answer is left alone for a while; [`Cache::put`] never waits; everything is
//! bounded. The task that writes and looks up addresses is the caller's: [`Worker::run`].

mod client;
mod config;
mod error;
mod memcached;
mod metrics;
mod redis;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use discovery::{Dns, Targets};
use futures::StreamExt;
use tokio::sync::mpsc;

use client::{Memcached, Redis};
pub use config::{Config, MemcachedConfig, MemoryConfig, RedisConfig};
pub use error::Error;
use metrics::Metrics;

/// A cache. Clones are the same one.
#[derive(Clone)]
pub struct Cache {
    backend: Backend,
    puts: Option<mpsc::Sender<Put>>,
    metrics: Metrics,
}

#[derive(Clone)]
enum Backend {
    Memory { items: moka::sync::Cache<Arc<str>, Bytes>, item_bytes_max: usize },
    Memcached(Arc<Memcached>),
    Redis(Arc<Redis>),
}

struct Put {
    key: String,
    value: Bytes,
    ttl: Duration,
}

/// What an item costs in memory beside its bytes.
const ITEM_BYTES: usize = 128;

impl Cache {
    /// A cache of `config`, and the worker without which nothing is written to a server.
    ///
    /// # Errors
    /// When an address or a setting is wrong.
    pub fn new(config: &Config) -> Result<(Self, Worker), Error> {
        let metrics = Metrics::default();
        let (backend, worker, puts) = match config {
            Config::Memory(config) => {
                let weigh = |key: &Arc<str>, value: &Bytes| {
                    u32::try_from(key.len() + value.len() + ITEM_BYTES).unwrap_or(u32::MAX)
                };
                let evicted = metrics.clone();
                let items = moka::sync::Cache::builder()
                    .max_capacity(config.bytes_max)
                    .weigher(weigh)
                    .eviction_listener(move |_, _, cause| {
                        if cause.was_evicted() {
                            evicted.evicted.inc();
                        }
                    })
                    .build();
                let item_bytes_max = usize::try_from(config.item_bytes_max).unwrap_or(usize::MAX);
                (Backend::Memory { items, item_bytes_max }, Worker(None), None)
            }
            Config::Memcached(config) => {
                let backend = Backend::Memcached(Arc::new(Memcached::new(config.clone())));
                served(backend, config.targets()?, config.max_async_buffer_size, &metrics)
            }
            Config::Redis(config) => {
                let backend = Backend::Redis(Arc::new(Redis::new(config.clone())));
                served(backend, config.targets()?, config.max_async_buffer_size, &metrics)
            }
        };
        Ok((Self { backend, puts, metrics }, worker))
    }

    /// The values of `keys`, in their order; `None` for what is not there, or cannot be had in time.
    pub async fn get(&self, keys: &[String]) -> Vec<Option<Bytes>> {
        self.metrics.requests.inc_by(keys.len() as u64);
        let found = match &self.backend {
            Backend::Memory { items, .. } => keys.iter().map(|key| items.get(key.as_str())).collect(),
            Backend::Memcached(client) => client.get(keys, &self.metrics).await,
            Backend::Redis(client) => client.get(keys, &self.metrics).await,
        };
        self.metrics.hits.inc_by(found.iter().flatten().count() as u64);
        found
    }

    /// Keeps `value` for at most `ttl`; drops it where it is too large or the cache does not keep up.
    pub fn put(&self, key: String, value: Bytes, ttl: Duration) {
        match &self.backend {
            Backend::Memory { items, item_bytes_max } => {
                if *item_bytes_max > 0 && value.len() > *item_bytes_max {
                    self.metrics.skipped.inc();
                    return;
                }
                self.metrics.added.inc();
                items.insert(key.into(), Bytes::copy_from_slice(&value));
            }
            Backend::Memcached(_) | Backend::Redis(_) => {
                let full = self.puts.as_ref().is_none_or(|puts| puts.try_send(Put { key, value, ttl }).is_err());
                if full {
                    self.metrics.skipped.inc();
                }
            }
        }
    }

    /// Counts what it does among the metrics of `registry`, as `<prefix>_requests_total` and so on.
    pub fn register(&self, registry: &mut prometheus_client::registry::Registry, prefix: &str) {
        self.metrics.register(registry, prefix);
    }

    /// `in-memory`, `memcached` or `redis`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.backend {
            Backend::Memory { .. } => "in-memory",
            Backend::Memcached(_) => "memcached",
            Backend::Redis(_) => "redis",
        }
    }

    /// Items and bytes in memory; nothing is known of servers.
    #[must_use]
    pub fn held(&self) -> Option<(u64, u64)> {
        let Backend::Memory { items, .. } = &self.backend else { return None };
        items.run_pending_tasks();
        Some((items.entry_count(), items.weighted_size()))
    }

    /// Requests, hits and failures so far.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        (self.metrics.requests.get(), self.metrics.hits.get(), self.metrics.failures.get())
    }
}

impl Backend {
    fn set_servers(&self, addresses: &[String]) {
        match self {
            Self::Memory { .. } => {}
            Self::Memcached(client) => client.set_servers(addresses),
            Self::Redis(client) => client.set_servers(addresses),
        }
    }
}

/// A backend of servers, its worker and the queue of what is to be written.
fn served(
    backend: Backend,
    targets: Targets,
    buffer: usize,
    metrics: &Metrics,
) -> (Backend, Worker, Option<mpsc::Sender<Put>>) {
    backend.set_servers(&targets.current());
    let (sender, puts) = mpsc::channel(buffer.max(1));
    let work = Work { backend: backend.clone(), puts, targets, metrics: metrics.clone() };
    (backend, Worker(Some(work)), Some(sender))
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

/// Writes to a cache's servers and keeps their addresses current.
pub struct Worker(Option<Work>);

struct Work {
    backend: Backend,
    puts: mpsc::Receiver<Put>,
    targets: Targets,
    metrics: Metrics,
}

impl Worker {
    /// Until the cache is dropped: run it in a task.
    pub async fn run(self) {
        let Some(Work { backend, puts, targets, metrics }) = self.0 else { return };
        let (concurrency, every) = match &backend {
            Backend::Memory { .. } => return,
            Backend::Memcached(client) => (client.config().max_async_concurrency, client.config().dns_interval),
            Backend::Redis(client) => (client.config().max_async_concurrency, Duration::from_secs(10)),
        };
        let put_all = futures::stream::unfold(puts, |mut puts| async { puts.recv().await.map(|put| (put, puts)) })
            .for_each_concurrent(concurrency.max(1), |put| {
                let (backend, metrics) = (&backend, &metrics);
                async move {
                    match backend {
                        Backend::Memory { .. } => {}
                        Backend::Memcached(client) => client.put(&put.key, &put.value, put.ttl, metrics).await,
                        Backend::Redis(client) => client.put(&put.key, &put.value, put.ttl, metrics).await,
                    }
                }
            });
        tokio::select! {
            () = put_all => {}
            () = look_up(&backend, targets, every) => {}
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Worker")
    }
}

/// Keeps the servers' addresses current, for ever.
async fn look_up(backend: &Backend, mut targets: Targets, every: Duration) {
    if targets.is_fixed() {
        return std::future::pending().await;
    }
    let dns = match Dns::system() {
        Ok(dns) => dns,
        Err(e) => {
            tracing::warn!(err = %e, "cannot look up the addresses of a cache");
            return std::future::pending().await;
        }
    };
    loop {
        for e in targets.refresh(&dns).await {
            tracing::warn!(err = %e, "cannot look up the addresses of a cache");
        }
        backend.set_servers(&targets.current());
        tokio::time::sleep(every.max(Duration::from_secs(1))).await;
    }
}

#[cfg(test)]
mod tests;
