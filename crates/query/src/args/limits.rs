use std::time::Duration;

use daemon::flags::{Bytes, GoDuration, ModelDuration};

use crate::Settings;

/// What one query may take, and how many run; for all commands that evaluate queries.
#[derive(clap::Args, Clone, Debug)]
pub struct LimitArgs {
    /// The longest a query may take, waiting included.
    #[arg(long = "query.timeout", default_value = "2m", value_name = "DURATION", help_heading = "Query")]
    pub timeout: ModelDuration,
    /// Queries that run at the same time; others wait.
    #[arg(long = "query.max-concurrent", default_value_t = 20, value_name = "N", help_heading = "Query")]
    pub max_concurrent: usize,
    /// Values that one query may hold at once, 8 bytes each; series of an aggregation do not add up.
    #[arg(long = "query.max-samples", default_value_t = 2_147_483_647, value_name = "N", help_heading = "Query")]
    pub max_samples: u64,
    /// Bytes that one query may hold, within --memory.limit [default: all of it].
    #[arg(long = "query.max-memory", value_name = "BYTES", help_heading = "Query")]
    pub max_memory: Option<Bytes>,
    /// Log queries that take longer, with what they read; 0s logs none, a negative duration all.
    #[arg(
        long = "query.log-queries-longer-than",
        default_value = "0s",
        value_name = "DURATION",
        allow_hyphen_values = true,
        help_heading = "Query"
    )]
    pub log_longer_than: GoDuration,
    /// How old the newest sample may be for a series still to have a value.
    #[arg(long = "query.lookback-delta", default_value = "5m", value_name = "DURATION", help_heading = "Query")]
    pub lookback_delta: ModelDuration,
}

impl LimitArgs {
    /// Settings with these limits, and else by default.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            timeout: match self.timeout.ms() {
                // Never, as in Thanos: a year.
                0 => Duration::from_secs(365 * 86_400),
                _ => self.timeout.as_duration(),
            },
            concurrent_max: self.max_concurrent,
            lookback_ms: match self.lookback_delta.ms() {
                0 => 300_000,
                ms => ms,
            },
            samples_max: self.max_samples,
            log_longer_than: (self.log_longer_than.ms() != 0).then(|| self.log_longer_than.as_duration()),
            query_memory_bytes: self.max_memory.map_or(u64::MAX, |b| b.0),
            ..Settings::default()
        }
    }
}
