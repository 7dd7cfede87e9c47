//! The parts that work in the background: the gateway's view of the bucket, and the compactor.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bucket::{Bucket, SyncOptions};
use compact::Compactor;
use daemon::worker::{self, Worker};
use daemon::{Shell, now_ms};
use gateway::Gateway;

/// How often the bucket is looked at for blocks of others.
const SYNC_INTERVAL: Duration = Duration::from_secs(60);
/// Between two rounds of compaction.
const COMPACT_INTERVAL: Duration = Duration::from_secs(300);

/// The blocks of the bucket as a store, kept current until the shutdown.
///
/// # Errors
/// When the bucket cannot be listed.
pub(crate) async fn gateway(shell: &Shell, bucket: &Bucket, data_dir: &Path) -> anyhow::Result<Arc<Gateway>> {
    // Blocks that are marked for deletion have their successor in the same bucket already.
    let sync = SyncOptions { ignore_deletion_marks_after: Some(Duration::ZERO), ..SyncOptions::default() };
    let settings = gateway::Settings { data_dir: Some(data_dir.join("store")), sync, ..gateway::Settings::default() };
    gateway::attach(&shell.component("store"), bucket.clone(), settings, SYNC_INTERVAL).await
}

/// Compacts at once and then again and again until the shutdown; what it made is served at once.
pub(crate) fn keep_compacted(
    shell: &Shell,
    bucket: &Bucket,
    data_dir: &Path,
    delete_delay: Duration,
    gateway: &Arc<Gateway>,
) {
    let shell = shell.component("compact");
    let settings = compact::Settings { delete_delay, ..compact::Settings::new(data_dir.join("compact")) };
    let metrics = shell.metrics().register(compact::CompactMetrics::register);
    let sync = shell.metrics().register(bucket::SyncMetrics::register);
    let compactor = Compactor::new(settings, bucket.clone()).with_metrics(metrics, sync);
    worker::spawn(&shell, COMPACT_INTERVAL, Compact { compactor, gateway: Arc::clone(gateway) });
}

struct Compact {
    compactor: Compactor,
    gateway: Arc<Gateway>,
}

impl Worker for Compact {
    fn name(&self) -> &'static str {
        "compactor"
    }

    async fn work(&mut self) -> anyhow::Result<()> {
        let report = self.compactor.run_once().await?;
        for failure in &report.failures {
            tracing::error!(group = failure.group, error = %failure.error, "a group could not be compacted");
        }
        if report.compactions > 0 || report.marked > 0 || report.deleted > 0 {
            let (compactions, deleted) = (report.compactions, report.deleted);
            tracing::info!(compactions, deleted, "compacted the bucket");
            self.gateway.sync(now_ms()).await.context("look into the bucket")?;
        }
        Ok(())
    }
}
