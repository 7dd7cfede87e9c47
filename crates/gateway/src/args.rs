use std::path::PathBuf;
use std::time::Duration;

use bucket::{Discovery, ObjstoreArgs, SelectorArgs, SyncOptions};
use clap::ArgAction;
use daemon::flags::{Bytes, GoDuration, GrpcArgs, HttpArgs, Inert, ModelDuration, TimeOrDuration};
use store::Limits;

use crate::Settings;
use crate::caches::CacheArgs;

/// Flags of `esker store`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub http: HttpArgs,
    #[command(flatten)]
    pub grpc: GrpcArgs,
    #[command(flatten)]
    pub objstore: ObjstoreArgs,
    #[command(flatten)]
    pub caches: CacheArgs,
    #[command(flatten)]
    pub selector: SelectorArgs,
    /// Where indexes fetched from the bucket are kept; may be removed at any time
    #[arg(long = "data-dir", default_value = "./data", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Keep fetched indexes in --data-dir; else in memory
    #[arg(long = "cache-index-header", default_value_t = true, action = ArgAction::Set)]
    pub cache_index_header: bool,
    /// Disk that fetched indexes may take in --data-dir, the least recently used go first; 0 is no limit
    #[arg(long = "index-cache.disk-max-bytes", default_value = "0", value_name = "BYTES")]
    pub index_cache_disk_max_bytes: Bytes,
    /// An index larger than this share of --index-cache.disk-max-bytes (of --index-cache-size, where there is no room on disk) is read by ranges
    #[arg(long = "index-cache.whole-max-share", default_value_t = 0.1, value_name = "SHARE")]
    pub index_cache_whole_max_share: f64,
    /// Memory that open indexes may take
    #[arg(long = "index-cache-size", default_value = "250MB", value_name = "BYTES")]
    pub index_cache_size: Bytes,
    /// How often the bucket is looked at
    #[arg(long = "sync-block-duration", default_value = "15m", value_name = "DURATION")]
    pub sync_block_duration: GoDuration,
    /// How often everything in the bucket is listed; in between only what is newer than the bucket index
    #[arg(long = "bucket-index.full-sync-interval", default_value = "1h", value_name = "DURATION")]
    pub full_sync_interval: GoDuration,
    /// Metas read side by side
    #[arg(long = "block-meta-fetch-concurrency", default_value_t = 32, value_name = "N")]
    pub block_meta_fetch_concurrency: usize,
    /// Serve nothing older: a time or a duration before now
    #[arg(long = "min-time", default_value = "0000-01-01T00:00:00Z", value_name = "TIME", allow_hyphen_values = true)]
    pub min_time: TimeOrDuration,
    /// Serve nothing younger: a time or a duration before now
    #[arg(long = "max-time", default_value = "9999-12-31T23:59:59Z", value_name = "TIME", allow_hyphen_values = true)]
    pub max_time: TimeOrDuration,
    /// Blocks younger than this are not served yet, but for those of the compactor
    #[arg(long = "consistency-delay", default_value = "0s", value_name = "DURATION")]
    pub consistency_delay: ModelDuration,
    /// Blocks marked for deletion are served so much longer
    #[arg(long = "ignore-deletion-marks-delay", default_value = "24h", value_name = "DURATION")]
    pub ignore_deletion_marks_delay: ModelDuration,
    /// Files that no request needed for so long are closed
    #[arg(
        long = "store.index-header-lazy-reader-idle-timeout",
        default_value = "5m",
        value_name = "DURATION",
        hide = true
    )]
    pub idle_timeout: GoDuration,
    /// Memory that chunks fetched from the bucket may take in all requests together
    #[arg(long = "chunk-pool-size", default_value = "2GB", value_name = "BYTES")]
    pub chunk_pool_size: Bytes,
    /// The most bytes of chunks that one request may fetch; 0 is no limit
    #[arg(long = "store.grpc.downloaded-bytes-limit", default_value = "0", value_name = "BYTES")]
    pub downloaded_bytes_limit: Bytes,
    /// Series requests served side by side; others wait
    #[arg(long = "store.grpc.series-max-concurrency", default_value_t = 20, value_name = "N")]
    pub series_max_concurrency: usize,
    /// The most series that one request may give; 0 is no limit
    #[arg(long = "store.limits.request-series", default_value_t = 0, value_name = "N")]
    pub request_series: u64,
    /// The most samples that one request may give, a chunk counted as 120; 0 is no limit
    #[arg(long = "store.limits.request-samples", default_value_t = 0, value_name = "N")]
    pub request_samples: u64,
    /// Replaced by --store.limits.request-series
    #[arg(long = "store.grpc.touched-series-limit", default_value_t = 0, hide = true)]
    pub touched_series_limit: u64,
    /// Replaced by --store.limits.request-samples
    #[arg(long = "store.grpc.series-sample-limit", default_value_t = 0, hide = true)]
    pub series_sample_limit: u64,
}

const HEADERS: &str = "indexes are mapped and read in place, there are no index headers";
const SIZES: &str = "series and chunk sizes are known from the index";
const EXPANDED: &str = "matchers are ordered by cost for every request";

/// Flags of Thanos' store that do nothing here.
pub const INERT: &[Inert] = &[
    Inert::value("objstore-parquet.config", "parquet blocks are not read"),
    Inert::value("objstore-parquet.config-file", "parquet blocks are not read"),
    Inert::value("block-discovery-strategy", "blocks are found by one listing"),
    Inert::value("block-sync-concurrency", "blocks are opened when they are first needed"),
    Inert::value("debug.series-batch-size", "batches are cut by series and bytes"),
    Inert::value("debug.estimated-max-series-size", SIZES),
    Inert::value("debug.estimated-max-chunk-size", SIZES),
    Inert::value("store.index-header-posting-offsets-in-mem-sampling", HEADERS),
    Inert::switch("store.enable-index-header-lazy-reader", HEADERS),
    Inert::value("store.index-header-lazy-download-strategy", HEADERS),
    Inert::switch("store.enable-lazy-expanded-postings", EXPANDED),
    Inert::value("store.posting-group-max-key-series-ratio", EXPANDED),
    Inert::switch("web.disable", "there are no pages"),
    Inert::value("web.external-prefix", "there are no pages"),
    Inert::value("web.prefix-header", "there are no pages"),
    Inert::switch("web.disable-cors", "there are no pages"),
    Inert::value("bucket-web-label", "there are no pages"),
    Inert::switch("disable-admin-operations", "there are no admin operations"),
    Inert::value("matcher-cache-size", "matchers are compiled in microseconds"),
];

impl Args {
    /// What the gateway is made from.
    ///
    /// # Errors
    /// When the rules that choose blocks are wrong.
    pub fn settings(&self) -> bucket::Result<Settings> {
        let delay = |d: ModelDuration| -> Duration { d.as_duration() };
        Ok(Settings {
            name: "store".to_owned(),
            data_dir: self.cache_index_header.then(|| self.data_dir.clone()),
            disk_bytes_max: self.index_cache_disk_max_bytes.0,
            index_cache_bytes: self.index_cache_size.0,
            whole_index_share: self.index_cache_whole_max_share,
            chunk_pool_bytes: self.chunk_pool_size.0,
            fetched_bytes_max: self.downloaded_bytes_limit.0,
            idle: self.idle_timeout.as_duration(),
            min_time: self.min_time,
            max_time: self.max_time,
            sync: SyncOptions {
                concurrency: self.block_meta_fetch_concurrency.max(1),
                consistency_delay: delay(self.consistency_delay),
                ignore_deletion_marks_after: Some(delay(self.ignore_deletion_marks_delay)),
                selector: self.selector.load()?,
                discovery: Discovery::Index { full_every: self.full_sync_interval.as_duration() },
                ..SyncOptions::default()
            },
        })
    }

    /// Limits of each request; the old flags count where the new ones are not given.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let or = |new: u64, old: u64| if new > 0 { new } else { old };
        Limits {
            series: or(self.request_series, self.touched_series_limit),
            samples: or(self.request_samples, self.series_sample_limit),
        }
    }
}
