use std::collections::BTreeMap;
use std::time::Duration;

use store::dedup;

use crate::Features;

/// What a querier does where a request does not say.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Labels that tell replicas of one series apart.
    pub replica_labels: Vec<String>,
    pub dedup_func: dedup::Func,
    /// Answer with what there is, and say what is missing.
    pub partial_response: bool,
    /// A query's time, waiting included.
    pub timeout: Duration,
    /// Queries that run at the same time.
    pub concurrent_max: usize,
    pub lookback_ms: i64,
    /// The least step of a range query that names none.
    pub default_step_ms: i64,
    /// The step of subqueries that name none.
    pub subquery_step_ms: i64,
    /// How far back labels and series are looked for where no start is given; 0 is all of time.
    pub metadata_range_ms: i64,
    /// The coarsest resolution of instant queries that do not say.
    pub instant_resolution_ms: i64,
    /// Range queries that do not say may read a resolution of a fifth of their step.
    pub auto_downsampling: bool,
    /// Values that one query may hold at once.
    pub samples_max: u64,
    /// Queries that take longer are logged; zero logs all, `None` none.
    pub log_longer_than: Option<Duration>,
    /// Bytes that one query may hold; within the process's budget.
    pub query_memory_bytes: u64,
    /// What of the language is on.
    pub features: Features,
    /// Leading path of all routes, without trailing slash; empty for none.
    pub route_prefix: String,
    /// Let pages of other origins read answers.
    pub cors: bool,
    /// What `status/flags` shows.
    pub flags: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            replica_labels: Vec::new(),
            dedup_func: dedup::Func::default(),
            partial_response: true,
            timeout: Duration::from_secs(120),
            concurrent_max: 20,
            lookback_ms: 300_000,
            default_step_ms: 1_000,
            subquery_step_ms: 60_000,
            metadata_range_ms: 0,
            instant_resolution_ms: 0,
            auto_downsampling: false,
            samples_max: i32::MAX as u64,
            log_longer_than: None,
            query_memory_bytes: u64::MAX,
            features: Features::default(),
            route_prefix: String::new(),
            cors: true,
            flags: BTreeMap::new(),
        }
    }
}
