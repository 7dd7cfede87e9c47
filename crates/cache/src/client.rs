//! Clients of cache servers: the servers' choice, connections that are kept, and patience that ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use parking_lot::{Mutex, RwLock};
use tokio::io::BufStream;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::metrics::Metrics;
use crate::{MemcachedConfig, RedisConfig, memcached, redis};

/// A connection.
pub(crate) type Stream = BufStream<TcpStream>;

/// After so many failures in a row a server is left alone for a while.
const FAILURES_MAX: u32 = 3;
const REST: Duration = Duration::from_secs(5);
/// Keys of one call where the configuration sets no limit.
const BATCH_KEYS: usize = 256;

/// One server and what is known of it.
#[derive(Debug)]
struct Server {
    address: String,
    idle: Mutex<Vec<Stream>>,
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    failures: u32,
    rests_until: Option<Instant>,
}

impl Server {
    fn new(address: &str) -> Self {
        Self { address: address.to_owned(), idle: Mutex::default(), health: Mutex::default() }
    }

    /// Whether it may be asked.
    fn is_up(&self) -> bool {
        let mut health = self.health.lock();
        match health.rests_until {
            Some(until) if Instant::now() < until => false,
            Some(_) => {
                // One more failure, and it rests again.
                *health = Health { failures: FAILURES_MAX - 1, rests_until: None };
                true
            }
            None => true,
        }
    }

    fn failed(&self, what: &std::io::Error) {
        self.idle.lock().clear();
        let mut health = self.health.lock();
        health.failures += 1;
        if health.failures == FAILURES_MAX {
            health.rests_until = Some(Instant::now() + REST);
            let rest = REST.as_secs();
            tracing::warn!(server = self.address, err = %what, rest_seconds = rest, "a cache server does not answer");
        }
    }

    async fn connect(&self) -> std::io::Result<Stream> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        Ok(BufStream::with_capacity(16 << 10, 16 << 10, stream))
    }

    /// Keeps a connection whose last call was answered in full.
    fn keep(&self, stream: Stream, idle_max: usize) {
        self.health.lock().failures = 0;
        let mut idle = self.idle.lock();
        if idle.len() < idle_max {
            idle.push(stream);
        }
    }
}

/// Servers, sorted by address.
#[derive(Debug, Default)]
struct Servers(RwLock<Arc<[Arc<Server>]>>);

impl Servers {
    fn set(&self, addresses: &[String]) {
        let mut servers = self.0.write();
        if servers.iter().map(|s| &s.address).eq(addresses) {
            return;
        }
        let known = |address: &String| servers.iter().find(|s| s.address == *address).cloned();
        let new = addresses.iter().map(|a| known(a).unwrap_or_else(|| Arc::new(Server::new(a))));
        *servers = new.collect();
    }

    fn get(&self) -> Arc<[Arc<Server>]> {
        Arc::clone(&self.0.read())
    }
}

/// The server of a key: jump consistent hash (Lamping and Veach), so that few keys move when servers come.
fn jump_hash(mut key: u64, buckets: usize) -> usize {
    let (mut b, mut j) = (0_i64, 0_i64);
    while j < buckets as i64 {
        b = j;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        j = ((b + 1) as f64 * ((1_i64 << 31) as f64 / ((key >> 33) + 1) as f64)) as i64;
    }
    b as usize
}

fn late() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time")
}

/// Turns for calls side by side; 0 says nothing.
fn calls(concurrency_max: usize) -> Semaphore {
    Semaphore::new(if concurrency_max == 0 { 1000 } else { concurrency_max })
}

/// memcached servers.
#[derive(Debug)]
pub(crate) struct Memcached {
    config: MemcachedConfig,
    servers: Servers,
    calls: Semaphore,
}

impl Memcached {
    pub(crate) fn new(config: MemcachedConfig) -> Self {
        Self { calls: calls(config.max_get_multi_concurrency), config, servers: Servers::default() }
    }

    pub(crate) fn config(&self) -> &MemcachedConfig {
        &self.config
    }

    pub(crate) fn set_servers(&self, addresses: &[String]) {
        self.servers.set(addresses);
    }

    fn server_of(&self, servers: &[Arc<Server>], key: &str) -> usize {
        jump_hash(xxhash_rust::xxh64::xxh64(key.as_bytes(), 0), servers.len())
    }

    pub(crate) async fn get(&self, keys: &[String], metrics: &Metrics) -> Vec<Option<Bytes>> {
        let mut found = vec![None; keys.len()];
        let servers = self.servers.get();
        let mut by_server = vec![Vec::new(); servers.len()];
        for (i, key) in keys.iter().enumerate().filter(|(_, key)| !servers.is_empty() && memcached::is_key(key)) {
            by_server[self.server_of(&servers, key)].push(i);
        }
        let batch =
            if self.config.max_get_multi_batch_size == 0 { BATCH_KEYS } else { self.config.max_get_multi_batch_size };
        let calls = by_server.iter().zip(servers.iter()).flat_map(|(of_server, server)| {
            of_server.chunks(batch).map(move |part| self.get_from(server, keys, part, metrics))
        });
        for (i, value) in join_all(calls).await.into_iter().flatten() {
            found[i] = Some(value);
        }
        found
    }

    async fn get_from(
        &self,
        server: &Server,
        keys: &[String],
        part: &[usize],
        metrics: &Metrics,
    ) -> Vec<(usize, Bytes)> {
        if !server.is_up() {
            return Vec::new();
        }
        let call = async {
            // Waiting for one's turn is part of the patience.
            let _turn = self.calls.acquire().await;
            let kept = server.idle.lock().pop();
            let mut stream = match kept {
                Some(stream) => stream,
                None => server.connect().await?,
            };
            let found = memcached::get(&mut stream, part.iter().map(|&i| keys[i].as_str())).await?;
            server.keep(stream, self.config.max_idle_connections);
            Ok(found)
        };
        match tokio::time::timeout(self.config.timeout, call).await.unwrap_or_else(|_| Err(late())) {
            Ok(found) => {
                // Values come in the order asked for, without those that are not there.
                let mut found = found.into_iter().peekable();
                part.iter()
                    .filter_map(|&i| found.next_if(|(key, _)| *key == keys[i]).map(|(_, value)| (i, value)))
                    .collect()
            }
            Err(e) => {
                metrics.failures.inc();
                server.failed(&e);
                Vec::new()
            }
        }
    }

    pub(crate) async fn put(&self, key: &str, value: &Bytes, ttl: Duration, metrics: &Metrics) {
        let servers = self.servers.get();
        let too_large = self.config.max_item_size > 0 && value.len() as u64 > self.config.max_item_size;
        if servers.is_empty() || too_large || !memcached::is_key(key) {
            metrics.skipped.inc();
            return;
        }
        let server = &servers[self.server_of(&servers, key)];
        if !server.is_up() {
            metrics.skipped.inc();
            return;
        }
        let call = async {
            let kept = server.idle.lock().pop();
            let mut stream = match kept {
                Some(stream) => stream,
                None => server.connect().await?,
            };
            let stored = memcached::set(&mut stream, key, value, ttl).await?;
            server.keep(stream, self.config.max_idle_connections);
            Ok(stored)
        };
        match tokio::time::timeout(self.config.timeout, call).await.unwrap_or_else(|_| Err(late())) {
            Ok(true) => drop(metrics.added.inc()),
            Ok(false) => drop(metrics.skipped.inc()),
            Err(e) => {
                metrics.failures.inc();
                server.failed(&e);
            }
        }
    }
}

/// A redis server; of several addresses the first that answers.
#[derive(Debug)]
pub(crate) struct Redis {
    config: RedisConfig,
    servers: Servers,
    calls: Semaphore,
}

impl Redis {
    pub(crate) fn new(config: RedisConfig) -> Self {
        Self { calls: calls(config.max_get_multi_concurrency), config, servers: Servers::default() }
    }

    pub(crate) fn config(&self) -> &RedisConfig {
        &self.config
    }

    pub(crate) fn set_servers(&self, addresses: &[String]) {
        self.servers.set(addresses);
    }

    async fn stream(&self, server: &Server) -> std::io::Result<Stream> {
        if let Some(stream) = server.idle.lock().pop() {
            return Ok(stream);
        }
        let dialed = async {
            let mut stream = server.connect().await?;
            redis::greet(&mut stream, &self.config).await?;
            Ok(stream)
        };
        tokio::time::timeout(self.config.dial_timeout, dialed).await.unwrap_or_else(|_| Err(late()))
    }

    fn first_up(&self) -> Option<Arc<Server>> {
        self.servers.get().iter().find(|s| s.is_up()).cloned()
    }

    pub(crate) async fn get(&self, keys: &[String], metrics: &Metrics) -> Vec<Option<Bytes>> {
        let batch = if self.config.get_multi_batch_size == 0 { BATCH_KEYS } else { self.config.get_multi_batch_size };
        let calls = keys.chunks(batch).map(|part| async move {
            let Some(server) = self.first_up() else { return vec![None; part.len()] };
            let call = async {
                let _turn = self.calls.acquire().await;
                let mut stream = self.stream(&server).await?;
                let found = redis::mget(&mut stream, &self.config.prefix, part).await?;
                server.keep(stream, self.config.max_get_multi_concurrency);
                Ok(found)
            };
            match tokio::time::timeout(self.config.read_timeout, call).await.unwrap_or_else(|_| Err(late())) {
                Ok(found) => found,
                Err(e) => {
                    metrics.failures.inc();
                    server.failed(&e);
                    vec![None; part.len()]
                }
            }
        });
        join_all(calls).await.concat()
    }

    pub(crate) async fn put(&self, key: &str, value: &Bytes, ttl: Duration, metrics: &Metrics) {
        let Some(server) = self.first_up() else {
            metrics.skipped.inc();
            return;
        };
        let call = async {
            let mut stream = self.stream(&server).await?;
            redis::set(&mut stream, &self.config.prefix, key, value, ttl).await?;
            server.keep(stream, self.config.max_get_multi_concurrency);
            Ok(())
        };
        match tokio::time::timeout(self.config.write_timeout, call).await.unwrap_or_else(|_| Err(late())) {
            Ok(()) => drop(metrics.added.inc()),
            Err(e) => {
                metrics.failures.inc();
                server.failed(&e);
            }
        }
    }
}
