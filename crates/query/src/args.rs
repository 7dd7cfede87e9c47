use std::collections::BTreeMap;

use anyhow::bail;
use clap::{ArgMatches, Command};
use daemon::flags::{GoDuration, GrpcArgs, HttpArgs, Inert, LabelFlag, ModelDuration};
use rpc::Compression;
use store::dedup;

mod limits;

use crate::{FeatureArgs, Settings};

pub use limits::LimitArgs;

/// Flags of `esker query`, as typed.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(flatten)]
    pub http: HttpArgs,
    #[command(flatten)]
    pub grpc: GrpcArgs,

    /// A StoreAPI to ask: host:port, dns+host:port, dnssrv+name, dnssrvnoa+name. Repeatable.
    #[arg(long = "endpoint", alias = "store", value_name = "ADDRESS", help_heading = "Stores")]
    pub endpoint: Vec<String>,
    /// As --endpoint; the store is asked whether it is healthy or not.
    #[arg(long = "endpoint-strict", alias = "store-strict", value_name = "ADDRESS", help_heading = "Stores")]
    pub endpoint_strict: Vec<String>,
    /// How often names are looked up again.
    #[arg(long = "store.sd-dns-interval", default_value = "30s", value_name = "DURATION", help_heading = "Stores")]
    pub dns_interval: ModelDuration,
    /// A store that fails for so long is no longer shown.
    #[arg(long = "store.unhealthy-timeout", default_value = "5m", value_name = "DURATION", help_heading = "Stores")]
    pub unhealthy_timeout: ModelDuration,
    /// A store that sends nothing for so long counts as failed; 0 waits as long as the query may take.
    #[arg(long = "store.response-timeout", default_value = "0ms", value_name = "DURATION", help_heading = "Stores")]
    pub response_timeout: ModelDuration,
    /// How long a store may take to say what it has.
    #[arg(long = "endpoint.info-timeout", default_value = "5s", value_name = "DURATION", hide = true)]
    pub info_timeout: GoDuration,

    /// Label that tells replicas apart; repeatable, or a list with commas. Merged away unless dedup=false.
    #[arg(long = "query.replica-label", value_name = "LABEL", value_delimiter = ',', help_heading = "Query")]
    pub replica_label: Vec<String>,
    /// How replicas become one series: stable, penalty (as Thanos) or chain (one to one).
    #[arg(long = "deduplication.func", default_value = "stable", value_name = "FUNC", help_heading = "Query")]
    pub dedup_func: dedup::Func,
    /// Answer with what there is when a store fails, and say what is missing.
    #[arg(
        long = "query.partial-response",
        default_value_t = true,
        action = clap::ArgAction::Set,
        help_heading = "Query"
    )]
    pub partial_response: bool,
    #[command(flatten)]
    pub limits: LimitArgs,
    /// The least step of range queries that name none.
    #[arg(long = "query.default-step", default_value = "1s", value_name = "DURATION", help_heading = "Query")]
    pub default_step: ModelDuration,
    /// The step of subqueries that name none.
    #[arg(
        long = "query.default-evaluation-interval",
        default_value = "1m",
        value_name = "DURATION",
        help_heading = "Query"
    )]
    pub default_evaluation_interval: ModelDuration,
    /// How far back labels and series are looked for where no start is given; 0s is all of time.
    #[arg(
        long = "query.metadata.default-time-range",
        default_value = "0s",
        value_name = "DURATION",
        help_heading = "Query"
    )]
    pub metadata_default_time_range: GoDuration,
    /// Range queries that do not say may read downsampled data of up to a fifth of their step.
    #[arg(long = "query.auto-downsampling", action = clap::ArgAction::SetTrue, help_heading = "Query")]
    pub auto_downsampling: bool,
    /// The coarsest resolution of instant queries that do not say.
    #[arg(
        long = "query.instant.default.max_source_resolution",
        default_value = "0s",
        value_name = "DURATION",
        hide = true
    )]
    pub instant_resolution: ModelDuration,

    #[command(flatten)]
    pub features: FeatureArgs,

    /// Labels added to what the querier says of itself to other queriers, name="value". Repeatable.
    #[arg(long = "selector-label", value_name = "LABEL", help_heading = "Query")]
    pub selector_label: Vec<LabelFlag>,

    /// Tenants would have to be kept apart; that is not supported.
    #[arg(long = "query.enforce-tenancy", action = clap::ArgAction::SetTrue, hide = true)]
    pub enforce_tenancy: bool,
    /// Speak TLS to the stores.
    #[arg(long = "grpc-client-tls-secure", action = clap::ArgAction::SetTrue, help_heading = "Stores")]
    pub tls_secure: bool,
    /// The certificate shown to the stores, a PEM file.
    #[arg(long = "grpc-client-tls-cert", default_value = "", value_name = "FILE", help_heading = "Stores")]
    pub tls_cert: String,
    /// The key of that certificate, a PEM file.
    #[arg(long = "grpc-client-tls-key", default_value = "", value_name = "FILE", help_heading = "Stores")]
    pub tls_key: String,
    /// Whom to trust to sign the stores' certificates, a PEM file.
    #[arg(long = "grpc-client-tls-ca", default_value = "", value_name = "FILE", help_heading = "Stores")]
    pub tls_ca: String,
    /// The name that the stores' certificates must bear [default: that of the address].
    #[arg(long = "grpc-client-server-name", default_value = "", value_name = "NAME", help_heading = "Stores")]
    pub tls_server_name: String,
    /// How messages to and from the stores are compressed: none, snappy (as Thanos), zstd (answers of Esker's stores).
    #[arg(long = "grpc-compression", default_value = "none", value_name = "METHOD", help_heading = "Stores")]
    pub grpc_compression: Compression,

    /// Leading path of all HTTP routes [default: that of --web.external-prefix].
    #[arg(long = "web.route-prefix", default_value = "", value_name = "PATH", help_heading = "Web")]
    pub route_prefix: String,
    /// Leading path under which a proxy serves this querier.
    #[arg(long = "web.external-prefix", default_value = "", value_name = "PATH", help_heading = "Web")]
    pub external_prefix: String,
    /// Do not let pages of other origins read answers.
    #[arg(long = "web.disable-cors", action = clap::ArgAction::SetTrue, help_heading = "Web")]
    pub disable_cors: bool,

    /// What `status/flags` shows; see [`shown_flags`].
    #[arg(skip)]
    pub flags: BTreeMap<String, String>,
}

impl Args {
    /// # Errors
    /// When flags ask for what cannot be done, or do not fit together.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.enforce_tenancy {
            bail!("--query.enforce-tenancy cannot be honoured: tenants are not told apart");
        }
        if self.tls_cert.is_empty() != self.tls_key.is_empty() {
            bail!("--grpc-client-tls-cert and --grpc-client-tls-key go together");
        }
        if self.default_evaluation_interval.ms() <= 0 {
            bail!("--query.default-evaluation-interval must be positive");
        }
        Ok(())
    }

    /// The same as plain settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let prefix = if self.route_prefix.is_empty() { &self.external_prefix } else { &self.route_prefix };
        let names = self.replica_label.iter().map(|l| l.trim()).filter(|l| !l.is_empty());
        Settings {
            replica_labels: names.map(str::to_owned).collect(),
            dedup_func: self.dedup_func,
            partial_response: self.partial_response,
            default_step_ms: self.default_step.ms().max(1),
            subquery_step_ms: self.default_evaluation_interval.ms().max(1),
            metadata_range_ms: self.metadata_default_time_range.ms(),
            instant_resolution_ms: self.instant_resolution.ms(),
            auto_downsampling: self.auto_downsampling,
            features: self.features.features(),
            route_prefix: route_prefix(prefix),
            cors: !self.disable_cors,
            flags: self.flags.clone(),
            ..self.limits.settings()
        }
    }
}

/// `/a/b` for `a/b/`; empty for `/`.
fn route_prefix(text: &str) -> String {
    // An external prefix may be a whole URL; its path counts.
    let path = match text.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => text,
    };
    match path.trim_matches('/') {
        "" => String::new(),
        path => format!("/{path}"),
    }
}

/// All flags of `command` with their values, given or by default, as `status/flags` shows them.
#[must_use]
pub fn shown_flags(command: &Command, matches: &ArgMatches) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for arg in command.get_arguments() {
        let (Some(name), Ok(Some(values))) = (arg.get_long(), matches.try_get_raw(arg.get_id().as_str())) else {
            continue;
        };
        let values: Vec<_> = values.map(|v| v.to_string_lossy().into_owned()).collect();
        all.insert(name.to_owned(), values.join(","));
    }
    all
}

/// Flags of Thanos' querier that have no effect here.
pub const INERT: &[Inert] = &[
    Inert::value("query.promql-engine", "there is one engine"),
    Inert::switch("query.disable-fallback", "there is one engine"),
    Inert::value("query.mode", "queries are evaluated here; nothing is distributed"),
    Inert::switch("query.enable-x-functions", "the x-functions are not built in"),
    Inert::switch("query.distributed-with-overlapping-interval", "nothing is distributed"),
    Inert::value("query.partition-label", "nothing is distributed"),
    Inert::value("query.max-concurrent-select", "selectors of a query share the CPU pool"),
    Inert::switch("query.dynamic-lookback-delta", "the lookback does not depend on the resolution"),
    Inert::value("query.conn-metric.label", "connections are counted as a whole"),
    Inert::value("query.active-query-path", "active queries are not written to disk"),
    Inert::value("query.telemetry.request-duration-seconds-quantiles", "these histograms are not kept"),
    Inert::value("query.telemetry.request-samples-quantiles", "these histograms are not kept"),
    Inert::value("query.telemetry.request-series-seconds-quantiles", "these histograms are not kept"),
    Inert::value("query.lazy-retrieval-max-buffered-responses", "streams hold back by themselves"),
    Inert::value("grpc.proxy-strategy", "streams are merged as they come"),
    Inert::value("query.tenant-header", "tenants are not told apart"),
    Inert::value("query.default-tenant-id", "tenants are not told apart"),
    Inert::value("query.tenant-certificate-field", "tenants are not told apart"),
    Inert::value("query.tenant-label-name", "tenants are not told apart"),
    Inert::value("alert.query-url", "alerts are not served"),
    Inert::switch("rule.partial-response", "rules are not served"),
    Inert::switch("target.partial-response", "targets are not served"),
    Inert::switch("metric-metadata.partial-response", "metadata is not served"),
    Inert::switch("exemplar.partial-response", "exemplars are not served"),
    Inert::switch("status.partial-response", "the status of TSDBs is not served"),
    Inert::value("rule", "rules are not served"),
    Inert::value("target", "targets are not served"),
    Inert::value("metadata", "metadata is not served"),
    Inert::value("exemplar", "exemplars are not served"),
    Inert::refused("endpoint-group", "groups of endpoints are not supported; use --endpoint=dns+host:port"),
    Inert::refused("endpoint-group-strict", "groups of endpoints are not supported; use --endpoint=dns+host:port"),
    Inert::refused("endpoint.sd-config", "endpoints from a file are not supported; use --endpoint"),
    Inert::refused("endpoint.sd-config-file", "endpoints from a file are not supported; use --endpoint"),
    Inert::value("endpoint.sd-config-reload-interval", "endpoints are not read from a file"),
    Inert::refused("store.sd-files", "endpoints from files are not supported; use --endpoint"),
    Inert::value("store.sd-interval", "endpoints are not read from files"),
    Inert::value("store.sd-dns-resolver", "there is one resolver"),
    Inert::refused("selector.relabel-config", "it is not supported for queriers"),
    Inert::refused("selector.relabel-config-file", "it is not supported for queriers"),
    Inert::value("store.limits.request-series", "queries are limited by memory, see --memory.limit"),
    Inert::value("store.limits.request-samples", "queries are limited by memory, see --memory.limit"),
    Inert::value("web.prefix-header", "the page has no links that need it"),
    Inert::switch("grpc-client-tls-skip-verify", "certificates are always verified"),
    Inert::value("grpc-client-tls-min-version", "TLS 1.2 and 1.3 are spoken, older versions are not"),
];

#[cfg(test)]
mod tests;
