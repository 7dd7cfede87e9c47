//! Ships the blocks that Prometheus cuts to the bucket: oldest first, each once, `meta.json` last.
//!
//! A block is linked aside before it is sent, so that Prometheus may delete its own copy meanwhile. What
//! was sent is noted in a progress file in Thanos' format; the bucket itself has the last word, so a
//! lost note costs one look at the bucket and never a second upload. Killed at any point, the next pass
//! goes on where this one stopped: files that are there with the right size are not sent again.

mod metrics;
mod progress;
mod snapshot;

pub use metrics::ShipperMetrics;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use block::meta::{META_FILE, Thanos};
use block::{BlockMeta, Corrupt};
use bucket::{Bucket, Uploaded};
use model::Labels;
use tracing::{info, warn};
use ulid::Ulid;

use progress::Progress;
use snapshot::Snapshot;

/// What is shipped and how.
#[derive(Clone, Debug)]
pub struct ShipperSettings {
    /// Prometheus' data directory.
    pub tsdb_path: PathBuf,
    /// The progress file's name below it.
    pub progress_file: String,
    /// Ship blocks that Prometheus has compacted itself too.
    pub upload_compacted: bool,
    /// Go on with the next block when one fails.
    pub allow_out_of_order_uploads: bool,
    /// Go past blocks whose meta.json cannot be read.
    pub skip_corrupted_blocks: bool,
}

/// Ships from one data directory to one bucket.
#[derive(Debug)]
pub struct Shipper {
    settings: ShipperSettings,
    bucket: Bucket,
    metrics: ShipperMetrics,
}

/// What one pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shipped {
    pub uploaded: usize,
    pub already_there: usize,
}

impl Shipper {
    #[must_use]
    pub fn new(settings: ShipperSettings, bucket: Bucket, metrics: ShipperMetrics) -> Self {
        Self { settings, bucket, metrics }
    }

    /// Ships what is new. `labels` are written into each block as its external labels.
    ///
    /// # Errors
    /// With the first block that failed; those before it are shipped, it is tried again by the next pass.
    pub async fn ship(&self, labels: &Labels) -> Result<Shipped> {
        self.metrics.dir_syncs.inc();
        let shipped = self.ship_all(labels).await;
        if shipped.is_err() {
            self.metrics.dir_sync_failures.inc();
        }
        shipped
    }

    async fn ship_all(&self, labels: &Labels) -> Result<Shipped> {
        let dir = &self.settings.tsdb_path;
        let blocks = self.local_blocks()?;
        let path = dir.join(&self.settings.progress_file);
        let before = Progress::read(&path).unwrap_or_else(|e| {
            warn!(error = format!("{e:#}"), "the progress file cannot be read; asking the bucket about every block");
            Progress::default()
        });
        Snapshot::clear_old(dir)?;
        let mut shipped = Shipped::default();
        let mut done = Vec::with_capacity(blocks.len());
        let mut failed: Option<anyhow::Error> = None;
        for meta in &blocks {
            let noted = before.contains(meta.ulid);
            // After a failure blocks wait for their turn, unless order does not matter.
            let waits = failed.is_some() && !self.settings.allow_out_of_order_uploads;
            if noted || waits || !self.wants(meta) {
                if noted {
                    done.push(meta.ulid);
                }
                continue;
            }
            match self.ship_block(meta, labels).await {
                Ok(Uploaded::New { .. }) => {
                    shipped.uploaded += 1;
                    done.push(meta.ulid);
                    // Noted at once: a crash between two blocks loses nothing.
                    Progress::new(&done, &before).write(&path)?;
                }
                Ok(Uploaded::AlreadyThere) => {
                    shipped.already_there += 1;
                    done.push(meta.ulid);
                }
                Err(e) => {
                    self.metrics.upload_failures.inc();
                    warn!(block = %meta.ulid, error = format!("{e:#}"), "could not ship a block; it is tried again");
                    failed.get_or_insert(e.context(format!("ship block {}", meta.ulid)));
                }
            }
        }
        let after = Progress::of(done);
        if after != before {
            after.write(&path)?;
        }
        failed.map_or(Ok(shipped), Err)
    }

    fn wants(&self, meta: &BlockMeta) -> bool {
        let compacted = meta.compaction.level > 1;
        meta.stats.num_samples > 0 && (!compacted || self.settings.upload_compacted)
    }

    async fn ship_block(&self, meta: &BlockMeta, labels: &Labels) -> Result<Uploaded> {
        let id = meta.ulid;
        let snapshot = Snapshot::take(&self.settings.tsdb_path, id)?;
        let mut meta = meta.clone();
        let thanos = meta.thanos.get_or_insert_with(Thanos::default);
        thanos.version = 1;
        "sidecar".clone_into(&mut thanos.source);
        thanos.labels = labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let uploaded = self.bucket.upload_block(snapshot.dir(), &meta).await?;
        if let Uploaded::New { bytes, skipped } = uploaded {
            self.metrics.uploads.inc();
            info!(block = %id, bytes, resumed_files = skipped, "shipped a block");
        }
        Ok(uploaded)
    }

    /// The metas of all local blocks, oldest first.
    fn local_blocks(&self) -> Result<Vec<BlockMeta>> {
        let dir = &self.settings.tsdb_path;
        let entries = std::fs::read_dir(dir).with_context(|| format!("read --tsdb.path {}", dir.display()))?;
        let mut metas = Vec::new();
        for entry in entries {
            let path = entry.with_context(|| format!("read {}", dir.display()))?.path();
            let id = path.file_name().and_then(|n| n.to_str()).and_then(|n| Ulid::from_string(n).ok());
            if id.is_none() || !path.is_dir() {
                continue;
            }
            match read_meta(&path) {
                Ok(Some(meta)) => metas.push(meta),
                // Being written or deleted by Prometheus right now.
                Ok(None) => {}
                Err(e) if self.settings.skip_corrupted_blocks => {
                    self.metrics.corrupted_blocks.inc();
                    warn!(error = format!("{e:#}"), "going past a corrupt block");
                }
                Err(e) => return Err(e),
            }
        }
        metas.sort_by_key(|m| (m.min_time, m.ulid));
        Ok(metas)
    }
}

/// The meta of a local block; `None` where there is none.
fn read_meta(dir: &Path) -> Result<Option<BlockMeta>> {
    let path = dir.join(META_FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).with_context(|| format!("read {}", path.display())),
    };
    let meta = BlockMeta::parse(&bytes).map_err(|e| Corrupt { file: path.display().to_string(), ..e })?;
    Ok(Some(meta))
}

#[cfg(test)]
mod tests;
