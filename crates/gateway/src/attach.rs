//! A gateway within a process: first look at the bucket, then a worker that keeps it current.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bucket::{Bucket, SyncMetrics};
use daemon::worker::{self, Worker};
use daemon::{Shell, now_ms};

use crate::caches::{CacheArgs, index_cache};
use crate::expanded::Expanded;
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
    let index_cache = index_cache(shell, &CacheArgs::default(), settings.index_cache_bytes / 4)?;
    let gateway = create(shell, bucket, settings, index_cache);
    start(shell, &gateway, interval).await?;
    Ok(gateway)
}

/// A gateway that knows no blocks yet, its metrics among the shell's.
pub(crate) fn create(shell: &Shell, bucket: Bucket, settings: Settings, index_cache: Option<Expanded>) -> Arc<Gateway> {
    let metrics = Metrics::default();
    let sync = shell.metrics().register(|r| {
        metrics.register(r);
        SyncMetrics::register(r)
    });
    let gateway = Arc::new(Gateway::with_metrics(bucket, settings, sync, metrics, shell.memory().clone(), index_cache));
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
    worker::spawn(shell, interval.min(WATCH_INTERVAL), Sync { gateway: Arc::clone(gateway), interval, looked });
    Ok(())
}

struct Sync {
    gateway: Arc<Gateway>,
    interval: Duration,
    /// When the bucket was last looked at.
    looked: Instant,
}

impl Worker for Sync {
    fn name(&self) -> &str {
        "block sync"
    }

    async fn work(&mut self) -> Result<()> {
        if self.looked.elapsed() < self.interval && !self.gateway.is_suspicious() {
            return Ok(());
        }
        self.gateway.sync(now_ms()).await?;
        self.looked = Instant::now();
        Ok(())
    }
}
