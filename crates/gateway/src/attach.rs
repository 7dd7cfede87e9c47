//! A gateway within a process: first look at the bucket, then a worker that keeps it current.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bucket::{Bucket, SyncMetrics};
use daemon::worker::{self, Worker};
use daemon::{Shell, now_ms};

use crate::metrics::Metrics;
use crate::{Gateway, Settings};

/// The first look at a bucket is tried so often.
const FIRST_TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(10);

/// Looks at `bucket` and serves its blocks, looking again every `interval`. The shell is ready from then on.
///
/// # Errors
/// When the bucket cannot be listed, after some tries where that may help.
pub async fn attach(shell: &Shell, bucket: Bucket, settings: Settings, interval: Duration) -> Result<Arc<Gateway>> {
    let gateway = create(shell, bucket, settings);
    start(shell, &gateway, interval).await?;
    Ok(gateway)
}

/// A gateway that knows no blocks yet, its metrics among the shell's.
pub(crate) fn create(shell: &Shell, bucket: Bucket, settings: Settings) -> Arc<Gateway> {
    let metrics = Metrics::default();
    let sync = shell.metrics().register(|r| {
        metrics.register(r);
        SyncMetrics::register(r)
    });
    Arc::new(Gateway::with_metrics(bucket, settings, sync, metrics))
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
    worker::spawn(shell, interval, Sync { gateway: Arc::clone(gateway), first: true });
    Ok(())
}

struct Sync {
    gateway: Arc<Gateway>,
    /// The first turn comes at once, when the bucket has just been looked at.
    first: bool,
}

impl Worker for Sync {
    fn name(&self) -> &str {
        "block sync"
    }

    async fn work(&mut self) -> Result<()> {
        if std::mem::take(&mut self.first) {
            return Ok(());
        }
        Ok(self.gateway.sync(now_ms()).await?)
    }
}
