use clap::Args;

use super::{Bytes, GoDuration, ModelDuration};
use crate::log::{LogFormat, LogLevel};

/// Flags of the process, the same for all subcommands.
#[derive(Args, Clone, Debug, Default)]
pub struct ProcessArgs {
    /// Log messages of at least this severity.
    #[arg(
        long = "log.level",
        value_enum,
        default_value_t,
        global = true,
        value_name = "LEVEL",
        help_heading = "Process"
    )]
    pub log_level: LogLevel,
    /// Form of log lines.
    #[arg(
        long = "log.format",
        value_enum,
        default_value_t,
        global = true,
        value_name = "FORMAT",
        help_heading = "Process"
    )]
    pub log_format: LogFormat,
    /// Added to log lines as `name`.
    #[arg(long = "debug.name", default_value = "", global = true, hide = true)]
    pub debug_name: String,
    /// Bytes that all requests may hold together [default: the cgroup's limit, else 75 % of the machine's memory].
    #[arg(long = "memory.limit", global = true, value_name = "BYTES", help_heading = "Process")]
    pub memory_limit: Option<Bytes>,
    /// Threads for CPU-bound work; 0 takes one for each core.
    #[arg(long = "cpu.threads", default_value_t = 0, global = true, value_name = "N", help_heading = "Process")]
    pub cpu_threads: usize,
}

/// Where HTTP is served.
#[derive(Args, Clone, Debug)]
pub struct HttpArgs {
    /// Listen address for HTTP.
    #[arg(long = "http-address", default_value = "0.0.0.0:10902", value_name = "ADDRESS")]
    pub http_address: String,
    /// How long requests under way may take after a signal.
    #[arg(long = "http-grace-period", default_value = "2m", value_name = "DURATION")]
    pub http_grace_period: ModelDuration,
}

impl Default for HttpArgs {
    fn default() -> Self {
        Self { http_address: "0.0.0.0:10902".into(), http_grace_period: ModelDuration::from_ms(120_000) }
    }
}

/// Where gRPC is served.
#[derive(Args, Clone, Debug)]
pub struct GrpcArgs {
    /// Listen address for gRPC.
    #[arg(long = "grpc-address", default_value = "0.0.0.0:10901", value_name = "ADDRESS")]
    pub grpc_address: String,
    /// How long calls under way may take after a signal.
    #[arg(long = "grpc-grace-period", default_value = "2m", value_name = "DURATION")]
    pub grpc_grace_period: GoDuration,
    /// Connections older than this are asked to go, so that clients balance anew.
    #[arg(long = "grpc-server-max-connection-age", default_value = "60m", value_name = "DURATION")]
    pub grpc_server_max_connection_age: GoDuration,
    /// The server's certificate, a PEM file. Empty: no TLS.
    #[arg(long = "grpc-server-tls-cert", default_value = "", value_name = "FILE")]
    pub grpc_server_tls_cert: String,
    /// The key of the server's certificate, a PEM file.
    #[arg(long = "grpc-server-tls-key", default_value = "", value_name = "FILE")]
    pub grpc_server_tls_key: String,
    /// Clients must show a certificate signed by one of these, a PEM file.
    #[arg(long = "grpc-server-tls-client-ca", default_value = "", value_name = "FILE")]
    pub grpc_server_tls_client_ca: String,
}

impl Default for GrpcArgs {
    fn default() -> Self {
        Self {
            grpc_address: "0.0.0.0:10901".into(),
            grpc_grace_period: GoDuration::from_secs(120),
            grpc_server_max_connection_age: GoDuration::from_secs(3600),
            grpc_server_tls_cert: String::new(),
            grpc_server_tls_key: String::new(),
            grpc_server_tls_client_ca: String::new(),
        }
    }
}
