use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use bucket::ObjstoreArgs;
use daemon::flags::{GoDuration, GrpcArgs, HttpArgs, Inert, TimeOrDuration};

use crate::{HttpConfig, ReloaderSettings};

/// Flags of `esker sidecar`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub http: HttpArgs,
    #[command(flatten)]
    pub grpc: GrpcArgs,
    #[command(flatten)]
    pub objstore: ObjstoreArgs,
    /// Base URL of Prometheus; a path prefix is allowed
    #[arg(long = "prometheus.url", default_value = "http://localhost:9090", value_name = "URL")]
    pub prometheus_url: String,
    /// How long to wait for Prometheus at the start
    #[arg(long = "prometheus.ready_timeout", default_value = "10m", value_name = "DURATION")]
    pub prometheus_ready_timeout: GoDuration,
    /// How often external labels are read anew
    #[arg(long = "prometheus.get_config_interval", default_value = "30s", value_name = "DURATION")]
    pub prometheus_get_config_interval: GoDuration,
    /// How long a call to Prometheus' configuration API may take
    #[arg(long = "prometheus.get_config_timeout", default_value = "30s", value_name = "DURATION")]
    pub prometheus_get_config_timeout: GoDuration,
    /// How to talk to Prometheus, as YAML: basic_auth, bearer_token, tls_config, proxy_url, transport_config
    #[arg(long = "prometheus.http-client", default_value = "", value_name = "YAML")]
    pub prometheus_http_client: String,
    /// The same from a file
    #[arg(long = "prometheus.http-client-file", value_name = "FILE")]
    pub prometheus_http_client_file: Option<PathBuf>,
    /// Prometheus' data directory; blocks are shipped from it
    #[arg(long = "tsdb.path", default_value = "./data", value_name = "DIR")]
    pub tsdb_path: PathBuf,
    /// Ship blocks that Prometheus has compacted itself too
    #[arg(long = "shipper.upload-compacted")]
    pub shipper_upload_compacted: bool,
    /// Name of the file below --tsdb.path that notes what was shipped
    #[arg(long = "shipper.meta-file-name", default_value = "thanos.shipper.json", value_name = "NAME")]
    pub shipper_meta_file_name: String,
    /// Ship although Prometheus' minimum and maximum block durations differ
    #[arg(long = "shipper.ignore-unequal-block-size", hide = true)]
    pub shipper_ignore_unequal_block_size: bool,
    /// Go on with the next block when one cannot be shipped
    #[arg(long = "shipper.allow-out-of-order-uploads", hide = true)]
    pub shipper_allow_out_of_order_uploads: bool,
    /// Go past blocks whose meta.json cannot be read
    #[arg(long = "shipper.skip-corrupted-blocks", hide = true)]
    pub shipper_skip_corrupted_blocks: bool,
    /// Prometheus' configuration to watch; $(VARIABLES) in it are expanded
    #[arg(long = "reloader.config-file", value_name = "FILE")]
    pub reloader_config_file: Option<PathBuf>,
    /// Where the expanded configuration is written for Prometheus
    #[arg(long = "reloader.config-envsubst-file", value_name = "FILE")]
    pub reloader_config_envsubst_file: Option<PathBuf>,
    /// Folder with rule files to watch; repeatable
    #[arg(long = "reloader.rule-dir", value_name = "DIR")]
    pub reloader_rule_dir: Vec<PathBuf>,
    /// How often the files are looked at; 0 looks once
    #[arg(long = "reloader.watch-interval", default_value = "3m", value_name = "DURATION")]
    pub reloader_watch_interval: GoDuration,
    /// How Prometheus is asked to reload
    #[arg(long = "reloader.method", default_value = "http", value_parser = ["http"], value_name = "METHOD")]
    pub reloader_method: String,
    /// Pause after a reload that failed
    #[arg(long = "reloader.retry-interval", default_value = "5s", value_name = "DURATION")]
    pub reloader_retry_interval: GoDuration,
    /// Serve nothing older than this: a time or a duration before now
    #[arg(long = "min-time", default_value = "0000-01-01T00:00:00Z", value_name = "TIME", allow_hyphen_values = true)]
    pub min_time: TimeOrDuration,
}

/// Flags of Thanos' sidecar that do nothing here.
pub const INERT: &[Inert] = &[
    Inert::value("reloader.process-name", "Prometheus is asked to reload over HTTP"),
    Inert::value(
        "shipper.upload-concurrency",
        "the files of a block are sent one after the other, their parts in parallel",
    ),
    Inert::value("hash-func", "files are listed with their sizes, not with hashes"),
];

impl Args {
    /// What the reloader watches.
    #[must_use]
    pub fn reloader(&self) -> ReloaderSettings {
        ReloaderSettings {
            config_file: self.reloader_config_file.clone(),
            output_file: self.reloader_config_envsubst_file.clone(),
            rule_dirs: self.reloader_rule_dir.clone(),
            retry_interval: self.reloader_retry_interval.as_duration(),
        }
    }

    /// The settings for talking to Prometheus.
    ///
    /// # Errors
    /// When both flags are given, the file cannot be read, or the YAML is wrong.
    pub fn http_config(&self) -> Result<HttpConfig> {
        let inline = &self.prometheus_http_client;
        match &self.prometheus_http_client_file {
            Some(_) if !inline.is_empty() => {
                bail!("both prometheus.http-client-file and prometheus.http-client flags set")
            }
            Some(path) => {
                let text = std::fs::read_to_string(path);
                HttpConfig::parse(
                    &text.with_context(|| format!("read --prometheus.http-client-file {}", path.display()))?,
                )
            }
            None => HttpConfig::parse(inline),
        }
    }
}
