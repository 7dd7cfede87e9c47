//! `esker tools store`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Subcommand;
use daemon::flags::GoDuration;
use rpc::{ClientTls, Inspector};
use serde_json::Value;

/// Commands over anything that offers Thanos' `StoreAPI`.
#[derive(Clone, Debug, Subcommand)]
pub enum StoreCommand {
    /// Send requests to a store and print its answers, one JSON object a line
    Query {
        /// A file with one request a line: {"rpc": "Series", "min_time": …, "max_time": …, "matchers": […]}; - reads standard input
        #[arg(value_name = "REQUESTS.jsonl")]
        requests: PathBuf,
        /// The store's gRPC address
        #[arg(long, value_name = "HOST:PORT")]
        endpoint: String,
        /// How long each request may take
        #[arg(long, default_value = "2m", value_name = "DURATION")]
        timeout: GoDuration,
        /// Speak TLS
        #[arg(long = "grpc-client-tls-secure")]
        tls_secure: bool,
        /// Certificates to trust, PEM
        #[arg(long = "grpc-client-tls-ca", default_value = "", value_name = "FILE")]
        tls_ca: String,
        /// The client's certificate, PEM
        #[arg(long = "grpc-client-tls-cert", default_value = "", value_name = "FILE")]
        tls_cert: String,
        /// The client's key, PEM
        #[arg(long = "grpc-client-tls-key", default_value = "", value_name = "FILE")]
        tls_key: String,
        /// The name that the server's certificate must bear
        #[arg(long = "grpc-client-server-name", default_value = "", value_name = "NAME")]
        server_name: String,
    },
}

pub(crate) async fn run(command: StoreCommand) -> Result<()> {
    let StoreCommand::Query { requests, endpoint, timeout, tls_secure, tls_ca, tls_cert, tls_key, server_name } =
        command;
    let read = |path: &str| std::fs::read(path).with_context(|| format!("read {path}"));
    let tls = if tls_secure {
        let ca = if tls_ca.is_empty() { Vec::new() } else { read(&tls_ca)? };
        let identity =
            if tls_cert.is_empty() && tls_key.is_empty() { None } else { Some((read(&tls_cert)?, read(&tls_key)?)) };
        Some(ClientTls { server_name, ca, identity })
    } else {
        None
    };
    let inspector = Inspector::new(&endpoint, tls, timeout.as_duration())?;
    query(&inspector, open(&requests)?, &mut std::io::stdout()).await
}

fn open(path: &Path) -> Result<Box<dyn BufRead + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let file = std::fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

/// Answers each line of `requests` on `out`. A line may also be a recorded answer, whose `request` is asked
/// again.
pub(crate) async fn query(inspector: &Inspector, requests: impl BufRead, out: &mut impl Write) -> Result<()> {
    for (i, line) in requests.lines().enumerate() {
        let line = line.context("read the requests")?;
        if line.trim().is_empty() {
            continue;
        }
        let parsed: Value = serde_json::from_str(&line).with_context(|| format!("line {}: not JSON", i + 1))?;
        let request = if parsed["request"].is_object() { &parsed["request"] } else { &parsed };
        let answer = inspector.ask(request).await;
        let answer = answer.map_err(|e| anyhow::anyhow!("line {}: {e}", i + 1))?;
        match writeln!(out, "{answer}").and_then(|()| out.flush()) {
            // Whoever reads has seen enough.
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.context("write to standard output")?,
        }
    }
    Ok(())
}
