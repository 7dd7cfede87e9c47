//! Flags, and the settings they become.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use block::chunk::EncodeOptions;
use bucket::{ObjstoreArgs, Selector, SelectorArgs};
use daemon::flags::{Bytes, GoDuration, HttpArgs, Inert, ModelDuration, TimeOrDuration};
use model::TimeRange;

use crate::plan::DEFAULT_RANGES_MS;

/// Merge the bucket's blocks, apply retention, clean up
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub http: HttpArgs,
    #[command(flatten)]
    pub objstore: ObjstoreArgs,
    #[command(flatten)]
    pub selector: SelectorArgs,
    /// Folder for blocks under way; may be emptied between runs
    #[arg(long = "data-dir", default_value = "./data", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Leave blocks alone that are younger than this, but for those the compactor wrote
    #[arg(long = "consistency-delay", default_value = "30m", value_name = "DURATION")]
    pub consistency_delay: GoDuration,
    /// How long to keep raw blocks; 0d keeps them for ever
    #[arg(long = "retention.resolution-raw", default_value = "0d", value_name = "DURATION")]
    pub retention_raw: ModelDuration,
    /// How long to keep blocks of 5 minutes' resolution; 0d keeps them for ever
    #[arg(long = "retention.resolution-5m", default_value = "0d", value_name = "DURATION")]
    pub retention_5m: ModelDuration,
    /// How long to keep blocks of 1 hour's resolution; 0d keeps them for ever
    #[arg(long = "retention.resolution-1h", default_value = "0d", value_name = "DURATION")]
    pub retention_1h: ModelDuration,
    /// Go on after everything is done, and look again every --wait-interval
    #[arg(long = "wait", short = 'w')]
    pub wait: bool,
    /// Pause between cycles with --wait
    #[arg(long = "wait-interval", default_value = "5m", value_name = "DURATION")]
    pub wait_interval: GoDuration,
    /// Do not downsample
    #[arg(long = "downsampling.disable")]
    pub downsampling_disable: bool,
    /// Descriptions of blocks read at a time
    #[arg(long = "block-meta-fetch-concurrency", default_value_t = 32, value_name = "N")]
    pub block_meta_fetch_concurrency: usize,
    /// Groups compacted at a time
    #[arg(long = "compact.concurrency", default_value_t = 1, value_name = "N")]
    pub compact_concurrency: usize,
    /// Blocks fetched at a time for one merge
    #[arg(long = "compact.blocks-fetch-concurrency", default_value_t = 1, value_name = "N")]
    pub compact_blocks_fetch_concurrency: usize,
    /// Encoding of floats whose chunks overlapped: xor, or xor2, which Prometheus reads from 3.11 on
    #[arg(long = "compact.float-encoding", default_value = "xor", value_name = "NAME")]
    pub compact_float_encoding: FloatEncoding,
    /// Time between a block's deletion mark and its deletion; 0s deletes at once
    #[arg(long = "delete-delay", default_value = "48h", value_name = "DURATION")]
    pub delete_delay: ModelDuration,
    /// Leave blocks out of merges whose index would grow beyond this
    #[arg(long = "compact.block-max-index-size", default_value = "64GB", value_name = "BYTES", hide = true)]
    pub block_max_index_size: Bytes,
    /// Up to which level to compact: 0 is 1 h, 4 is 14 d
    #[arg(long = "debug.max-compaction-level", default_value_t = 4, value_name = "N", hide = true)]
    pub max_compaction_level: usize,
    /// Leave out blocks that end before this (RFC 3339, or relative: -2w)
    #[arg(long = "min-time", default_value = "0000-01-01T00:00:00Z", value_name = "TIME", allow_hyphen_values = true)]
    pub min_time: TimeOrDuration,
    /// Leave out blocks that begin after this (RFC 3339, or relative: -2w)
    #[arg(long = "max-time", default_value = "9999-12-31T23:59:59Z", value_name = "TIME", allow_hyphen_values = true)]
    pub max_time: TimeOrDuration,
    /// Merge blocks that differ only in this external label, one sample per time (repeatable, or a list with commas)
    #[arg(long = "deduplication.replica-label", value_delimiter = ',', value_name = "LABEL")]
    pub replica_labels: Vec<String>,
    /// How replicas are merged: empty keeps all their samples; penalty is not available yet
    #[arg(long = "deduplication.func", default_value = "", value_name = "NAME", hide = true)]
    pub deduplication_func: String,
}

/// Flags of Thanos' compactor that are taken without an effect.
pub const INERT: &[Inert] = &[
    Inert::switch("debug.halt-on-error", "the compactor never halts: bad blocks are set aside"),
    Inert::switch("debug.accept-malformed-index", "damaged blocks are set aside"),
    Inert::switch("compact.enable-vertical-compaction", "overlapping blocks are always merged"),
    Inert::switch("compact.skip-block-with-out-of-order-chunks", "chunks out of order are sorted"),
    Inert::value("block-discovery-strategy", "one listing finds all blocks"),
    Inert::value("block-files-concurrency", "files are streamed in parts"),
    Inert::value("block-viewer.global.sync-block-interval", "there is no block viewer"),
    Inert::value("block-viewer.global.sync-block-timeout", "there is no block viewer"),
    Inert::value("compact.cleanup-interval", "cleaning up is part of each cycle"),
    Inert::value("compact.progress-interval", "progress is counted in each cycle"),
    Inert::value("downsample.concurrency", "downsampling is not available yet"),
    Inert::value("hash-func", "files are not hashed"),
    Inert::switch("web.disable", "there is no web page"),
    Inert::value("web.route-prefix", "there is no web page"),
    Inert::value("web.external-prefix", "there is no web page"),
    Inert::value("web.prefix-header", "there is no web page"),
    Inert::switch("web.disable-cors", "there is no web page"),
    Inert::value("bucket-web-label", "there is no web page"),
    Inert::switch("disable-admin-operations", "there are no admin operations"),
];

/// How floats are written that cannot be copied; those with start timestamps are XOR2 in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FloatEncoding {
    #[default]
    Xor,
    Xor2,
}

/// How long blocks are kept by resolution; zero is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    pub raw: Duration,
    pub five_minutes: Duration,
    pub one_hour: Duration,
}

/// What a [`crate::Compactor`] works by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For blocks under way: a subfolder is emptied at each cycle's start.
    pub data_dir: PathBuf,
    pub consistency_delay: Duration,
    pub delete_delay: Duration,
    pub retention: Retention,
    /// Milliseconds; see [`DEFAULT_RANGES_MS`].
    pub ranges_ms: Vec<i64>,
    /// Groups at a time.
    pub concurrency: usize,
    pub meta_fetch_concurrency: usize,
    /// Blocks fetched at a time for one merge.
    pub fetch_concurrency: usize,
    pub index_bytes_max: u64,
    /// Of samples whose chunks overlap.
    pub encode: EncodeOptions,
    pub min_time: TimeOrDuration,
    pub max_time: TimeOrDuration,
    /// External labels in which replicas differ: taken off, so that replicas are merged.
    pub replica_labels: Vec<String>,
    /// Chooses the blocks that are compacted.
    pub selector: Selector,
}

impl Settings {
    /// The defaults, working in `data_dir`.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            consistency_delay: Duration::from_secs(30 * 60),
            delete_delay: Duration::from_secs(48 * 3600),
            retention: Retention::default(),
            ranges_ms: DEFAULT_RANGES_MS.to_vec(),
            concurrency: 1,
            meta_fetch_concurrency: 32,
            fetch_concurrency: 1,
            index_bytes_max: 64 << 30,
            encode: EncodeOptions::default(),
            min_time: TimeOrDuration::Time(i64::MIN),
            max_time: TimeOrDuration::Time(i64::MAX),
            replica_labels: Vec::new(),
            selector: Selector::default(),
        }
    }

    pub(crate) fn range(&self, now_ms: i64) -> TimeRange {
        TimeRange::new(self.min_time.at(now_ms), self.max_time.at(now_ms))
    }
}

impl Args {
    /// # Errors
    /// When flags contradict one another or ask for what is not there.
    pub fn settings(&self) -> Result<Settings> {
        if !self.deduplication_func.is_empty() {
            bail!("--deduplication.func={}: only the empty one is available yet", self.deduplication_func);
        }
        ensure!(self.compact_concurrency > 0, "--compact.concurrency must be above 0");
        ensure!(self.block_meta_fetch_concurrency > 0, "--block-meta-fetch-concurrency must be above 0");
        ensure!(self.compact_blocks_fetch_concurrency > 0, "--compact.blocks-fetch-concurrency must be above 0");
        let levels = DEFAULT_RANGES_MS.get(..=self.max_compaction_level);
        let Some(ranges) = levels else { bail!("--debug.max-compaction-level must be at most 4") };
        Ok(Settings {
            data_dir: self.data_dir.clone(),
            consistency_delay: self.consistency_delay.as_duration(),
            delete_delay: self.delete_delay.as_duration(),
            retention: Retention {
                raw: self.retention_raw.as_duration(),
                five_minutes: self.retention_5m.as_duration(),
                one_hour: self.retention_1h.as_duration(),
            },
            ranges_ms: ranges.to_vec(),
            concurrency: self.compact_concurrency,
            meta_fetch_concurrency: self.block_meta_fetch_concurrency,
            fetch_concurrency: self.compact_blocks_fetch_concurrency,
            index_bytes_max: self.block_max_index_size.0,
            encode: EncodeOptions {
                xor2: self.compact_float_encoding == FloatEncoding::Xor2,
                ..EncodeOptions::default()
            },
            min_time: self.min_time,
            max_time: self.max_time,
            replica_labels: self.replica_labels.iter().filter(|l| !l.is_empty()).cloned().collect(),
            selector: self.selector.load()?,
        })
    }
}
