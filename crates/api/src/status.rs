use std::collections::BTreeMap;

use serde::Serialize;

/// What `status/buildinfo` says.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildInfo {
    pub version: String,
    pub revision: String,
    pub branch: String,
    pub build_user: String,
    pub build_date: String,
    /// Clients expect the field; it names the compiler.
    pub go_version: String,
}

/// What `status/runtimeinfo` says. The names are Prometheus', whose clients read them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RuntimeInfo {
    /// RFC 3339.
    #[serde(rename = "startTime")]
    pub start_time: String,
    #[serde(rename = "CWD")]
    pub working_directory: String,
    #[serde(rename = "goroutineCount")]
    pub tasks: usize,
    #[serde(rename = "GOMAXPROCS")]
    pub threads: usize,
    #[serde(rename = "GOGC")]
    pub gogc: String,
    #[serde(rename = "GODEBUG")]
    pub godebug: String,
    #[serde(rename = "GOMEMLIMIT")]
    pub memory_limit_bytes: u64,
}

/// One endpoint in the answer of `stores`.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreStatus {
    pub name: String,
    /// RFC 3339.
    pub last_check: String,
    /// `null` while all is well.
    pub last_error: Option<String>,
    pub label_sets: Vec<BTreeMap<String, String>>,
    /// Unix milliseconds.
    pub min_time: i64,
    pub max_time: i64,
}

/// Groups endpoints by their kind (`sidecar`, `store`, …), as `stores` shows them.
pub fn stores(all: impl IntoIterator<Item = (&'static str, StoreStatus)>) -> BTreeMap<&'static str, Vec<StoreStatus>> {
    let mut grouped: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (kind, status) in all {
        grouped.entry(kind).or_default().push(status);
    }
    grouped
}

/// One query in the answer of `status/active_queries`, with what it has cost so far.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveQuery {
    /// For `DELETE status/active_queries/{id}`.
    pub id: u64,
    /// `query`, `query_range`, `series`, ….
    pub endpoint: &'static str,
    /// As it was sent; for lookups the selectors.
    pub query: String,
    /// RFC 3339.
    pub start: String,
    pub elapsed_seconds: f64,
    /// It waits for its turn.
    pub waiting: bool,
    pub series: u64,
    pub chunks: u64,
    pub samples: u64,
    /// Of chunks, still encoded.
    pub bytes: u64,
    /// Held now, and at most so far.
    pub memory_bytes: u64,
    pub memory_peak_bytes: u64,
    /// The address it came from, as far as it is known.
    pub client: String,
    pub user_agent: String,
    /// What the client calls the request, where it says: the trace's id, or `X-Request-Id`.
    pub request_id: String,
}
