use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use bucket::{Bucket, ObjstoreArgs};
use daemon::flags::{GoDuration, ModelDuration};
use store::dedup;

/// Flags of `esker up`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Listen address for HTTP: the query API, probes and metrics of all parts
    #[arg(long = "http-address", default_value = "127.0.0.1:10902", value_name = "ADDRESS")]
    pub http_address: String,
    /// How long requests under way may take after a signal
    #[arg(long = "http-grace-period", default_value = "10s", value_name = "DURATION")]
    pub http_grace_period: ModelDuration,
    /// Folder for everything that is kept: the bucket (unless --objstore.config… names another), blocks under way
    #[arg(long = "data-dir", default_value = "./esker-data", value_name = "DIR")]
    pub data_dir: PathBuf,
    #[command(flatten)]
    pub objstore: ObjstoreArgs,

    /// Base URL of a Prometheus to attach; repeatable, each with its --tsdb.path
    #[arg(long = "prometheus.url", value_name = "URL", help_heading = "Prometheus")]
    pub prometheus_url: Vec<String>,
    /// Data directory of the Prometheus whose --prometheus.url stands at the same place; its blocks are shipped
    #[arg(long = "tsdb.path", value_name = "DIR", help_heading = "Prometheus")]
    pub tsdb_path: Vec<PathBuf>,
    /// How long to wait for each Prometheus at the start
    #[arg(
        long = "prometheus.ready_timeout",
        default_value = "10m",
        value_name = "DURATION",
        help_heading = "Prometheus"
    )]
    pub prometheus_ready_timeout: GoDuration,

    /// Fill an empty bucket with three weeks of a made-up world, and let it go on
    #[arg(long = "demo")]
    pub demo: bool,

    /// Labels that tell replicas apart; repeatable, or a list with commas
    #[arg(
        long = "query.replica-label",
        default_value = "replica,prometheus_replica",
        value_delimiter = ',',
        value_name = "LABEL",
        help_heading = "Query"
    )]
    pub replica_label: Vec<String>,
    /// How replicas become one series: stable, penalty (as Thanos) or chain (one to one)
    #[arg(long = "deduplication.func", default_value = "stable", value_name = "FUNC", help_heading = "Query")]
    pub dedup_func: dedup::Func,
    #[command(flatten)]
    pub limits: query::LimitArgs,
    #[command(flatten)]
    pub features: query::FeatureArgs,

    /// Do not compact the bucket
    #[arg(long = "compact.disable", help_heading = "Compaction")]
    pub compact_disable: bool,
    /// Time between a block's deletion mark and its deletion
    #[arg(long = "delete-delay", default_value = "1h", value_name = "DURATION", help_heading = "Compaction")]
    pub delete_delay: ModelDuration,
}

impl Args {
    /// Opens the bucket that is configured; else the one in the data directory.
    ///
    /// # Errors
    /// When the configuration is wrong or the folder cannot be created.
    pub(crate) async fn bucket(&self) -> anyhow::Result<Bucket> {
        if let Some(config) = self.objstore.load()? {
            return Ok(config.connect().await?);
        }
        let path = self.data_dir.join("bucket");
        std::fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(Bucket::filesystem(path)?)
    }

    /// Each Prometheus to attach with its data directory.
    ///
    /// # Errors
    /// When there are not as many of one flag as of the other.
    pub(crate) fn sources(&self) -> anyhow::Result<Vec<(String, PathBuf)>> {
        ensure!(
            self.prometheus_url.len() == self.tsdb_path.len(),
            "each --prometheus.url needs its --tsdb.path: there are {} of one and {} of the other",
            self.prometheus_url.len(),
            self.tsdb_path.len()
        );
        Ok(self.prometheus_url.iter().cloned().zip(self.tsdb_path.iter().cloned()).collect())
    }

    pub(crate) fn query(&self) -> query::Settings {
        query::Settings {
            replica_labels: self.replica_label.iter().filter(|l| !l.is_empty()).cloned().collect(),
            dedup_func: self.dedup_func,
            features: self.features.features(),
            ..self.limits.settings()
        }
    }
}
