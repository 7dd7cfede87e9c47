//! A gateway within a process: first look at the bucket, then a worker that keeps it current.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bucket::{Bucket, SyncMetrics};
use daemon::worker::{self, Worker};
use daemon::{Shell, now_ms};

use crate::caches::{CacheArgs, index_caches};
use crate::gateway::IndexCaches;
use crate::metrics::Metrics;
use crate::{Gateway, Settings};

/// The first look at a bucket is tried so often.
const FIRST_TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(10);

/// When a block turns out to be gone, the bucket is looked at again so soon.
const WATCH_INTERVAL: Duration = Duration::from_secs(30);

/// Looks at `bucket` and serves its blocks, looking again every `interval`. The shell is ready from then on.
///
/// # Errors
/// When the bucket cannot be listed, after some tries where that may help.
pub async fn attach(shell: &Shell, bucket: Bucket, settings: Settings, interval: Duration) -> Result<Arc<Gateway>> {
    let caches = index_caches(shell, &CacheArgs::default(), settings.index_cache_bytes / 4)?;
    let gateway = create(shell, bucket, settings, caches);
    start(shell, &gateway, interval).await?;
    Ok(gateway)
}

/// A gateway that knows no blocks yet, its metrics among the shell's.
pub(crate) fn create(shell: &Shell, bucket: Bucket, settings: Settings, caches: IndexCaches) -> Arc<Gateway> {
    let metrics = Metrics::default();
    let sync = shell.metrics().register(|r| {
        metrics.register(r);
        SyncMetrics::register(r)
    });
    let gateway = Arc::new(Gateway::with_metrics(bucket, settings, sync, metrics, shell.memory().clone(), caches));
    let maps = Arc::downgrade(gateway.files().maps());
    shell.memory().reclaim_from(maps);
    gateway
}

/// Looks at the bucket for the first time and leaves the next looks to a worker.
pub(crate) async fn start(shell: &Shell, gateway: &Arc<Gateway>, interval: Duration) -> Result<()> {
    for left in (0..FIRST_TRIES).rev() {
        match gateway.sync(now_ms()).await {
            Ok(()) => break,
            Err(e) if left > 0 && e.is_transient() => {
                tracing::warn!(err = %e, "the first look at the bucket failed, trying again");
                tokio::time::sleep(FIRST_PAUSE).await;
            }
            Err(e) => return Err(e).context("look at the bucket"),
        }
    }
    shell.probe().set_ready(true);
    let looked = Instant::now();
    let sync = Sync { shell: shell.clone(), gateway: Arc::clone(gateway), interval, looked, prepared: false };
    worker::spawn(shell, interval.min(WATCH_INTERVAL), sync);
    Ok(())
}

/// Indexes are prepared for so long between two looks.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(600);

struct Sync {
    shell: Shell,
    gateway: Arc<Gateway>,
    interval: Duration,
    /// When the bucket was last looked at.
    looked: Instant,
    /// Whether the indexes of what was found there were seen to.
    prepared: bool,
}

impl Worker for Sync {
    fn name(&self) -> &str {
        "block sync"
    }

    async fn work(&mut self) -> Result<()> {
        if self.looked.elapsed() < self.interval && !self.gateway.is_suspicious() {
            if !std::mem::replace(&mut self.prepared, true) {
                self.gateway.prepare(&self.shell.request(PREPARE_TIMEOUT)).await;
            }
            return Ok(());
        }
        self.gateway.sync(now_ms()).await?;
        self.looked = Instant::now();
        self.gateway.prepare(&self.shell.request(PREPARE_TIMEOUT)).await;
        Ok(())
    }
}
