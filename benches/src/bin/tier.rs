//! Q1–Q7 and peak memory, Esker beside its peers, on the same samples in one run.
//!
//! ```text
//! cargo build --release && cargo run --release -p benches --bin tier -- --profile small \
//!     --peer prometheus=PATH --peer victoriametrics=PATH --peer thanos=PATH
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its table and its progress")]

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use benches::data::{Data, DataArgs};
use benches::fleet::Profile;
use benches::server::{Server, version};
use benches::workload::{QUERIES, difference, median};
use clap::Parser;
use reqwest::Client;

/// Measures Q1–Q7 on a generated fleet, interleaved over all servers.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    data: DataArgs,
    /// The binary under test
    #[arg(long, default_value = "target/release/esker")]
    esker: PathBuf,
    /// A peer as NAME=PATH; NAME is prometheus, victoriametrics or thanos. Repeatable
    #[arg(long)]
    peer: Vec<String>,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only these queries, e.g. Q3,Q4
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let (profile, data) = args.data.prepare()?;
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = Client::builder().no_proxy().build()?;
    let servers = start_all(&args, &client, &data, &profile).await?;
    print_versions(&args)?;

    let queries = QUERIES.iter().filter(|q| args.only.is_empty() || args.only.iter().any(|o| o == q.name));
    println!("\n| query | {} |", servers.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(" | "));
    println!("|---|{}", "---|".repeat(servers.len()));
    for server in &servers {
        server.reset_peak();
    }
    for query in queries {
        let mut times = vec![Vec::new(); servers.len()];
        let mut cpu = vec![0.0; servers.len()];
        let mut answers = vec![Vec::new(); servers.len()];
        // One round to warm up, then interleaved.
        for round in 0..=args.rounds {
            for (i, server) in servers.iter().enumerate() {
                let before = server.cpu_seconds();
                let (ms, answer) = query.run(&client, server, &profile).await?;
                if round > 0 {
                    times[i].push(ms);
                    cpu[i] += server.cpu_seconds() - before;
                }
                answers[i] = answer;
            }
        }
        let cells = times
            .into_iter()
            .zip(&cpu)
            .map(|(t, c)| format!("{:.1} ms ({:.2} cpu s)", median(t), c / args.rounds as f64));
        println!("| {} | {} |", query.name, cells.collect::<Vec<_>>().join(" | "));
        for (server, answer) in servers.iter().zip(&answers).skip(1) {
            eprintln!(
                "  {} {} against {}: {}",
                query.name,
                servers[0].name,
                server.name,
                difference(&answers[0], answer)?
            );
        }
    }
    let peaks = servers.iter().map(|s| format!("{:.0} MiB", s.peak_mib()));
    println!("| peak memory | {} |", peaks.collect::<Vec<_>>().join(" | "));
    Ok(())
}

/// Starts Esker on one and on two replicas, and each peer that was named.
async fn start_all(args: &Args, client: &Client, data: &Data, profile: &Profile) -> Result<Vec<Server>> {
    let mut servers = Vec::new();
    for (replicas, port) in [(1, 19_101_u16), (2, 19_102)] {
        let flags = vec![
            "up".to_owned(),
            format!("--objstore.config-file={}", data.objstore_config(replicas).display()),
            format!("--data-dir={}", data.scratch(&format!("esker-{replicas}"))?.display()),
            format!("--http-address=127.0.0.1:{port}"),
            "--compact.disable".to_owned(),
        ];
        let log = data.log(&format!("esker-{replicas}"));
        let name = if replicas == 1 { "esker" } else { "esker, 2 replicas" };
        let mut server = Server::start(client, name, &args.esker, &flags, port, "/-/ready", log).await?;
        server.params.push(("dedup".into(), (replicas > 1).to_string()));
        servers.push(server);
    }
    for peer in &args.peer {
        let (name, path) = peer.split_once('=').context("--peer is NAME=PATH")?;
        let path = PathBuf::from(path);
        servers.push(match name {
            "prometheus" => start_prometheus(client, data, &path).await?,
            "victoriametrics" => start_victoriametrics(client, data, profile, &path).await?,
            other => bail!("unknown peer {other:?}: use prometheus or victoriametrics"),
        });
    }
    Ok(servers)
}

async fn start_prometheus(client: &Client, data: &Data, path: &std::path::Path) -> Result<Server> {
    let config = data.dir.join("prometheus.yml");
    std::fs::write(&config, "global: {scrape_interval: 15s}\n")?;
    let flags = [
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", data.prometheus_dir()?.display()),
        "--storage.tsdb.retention.time=100y".into(),
        "--storage.tsdb.min-block-duration=2h".into(),
        "--storage.tsdb.max-block-duration=2h".into(),
        "--web.listen-address=127.0.0.1:19103".into(),
    ];
    Server::start(client, "prometheus", path, &flags, 19_103, "/-/ready", data.log("prometheus")).await
}

async fn start_victoriametrics(
    client: &Client,
    data: &Data,
    profile: &Profile,
    path: &std::path::Path,
) -> Result<Server> {
    let (dir, fresh) = data.victoriametrics_dir()?;
    let flags = [
        format!("-storageDataPath={}", dir.display()),
        "-retentionPeriod=100y".into(),
        "-httpListenAddr=127.0.0.1:19104".into(),
        "-search.disableCache".into(),
    ];
    let start =
        || Server::start(client, "victoriametrics", path, &flags, 19_104, "/health", data.log("victoriametrics"));
    if fresh {
        let server = start().await?;
        data.import(client, &server.base, profile).await?;
        client.get(format!("{}/internal/force_flush", server.base)).send().await?;
        client.get(format!("{}/internal/force_merge", server.base)).send().await?;
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        data.mark_imported()?;
    }
    // A fresh process, so that the import does not stand in its peak memory.
    start().await
}

fn print_versions(args: &Args) -> Result<()> {
    println!("esker: {}", version(&args.esker));
    for peer in &args.peer {
        let (name, path) = peer.split_once('=').context("--peer is NAME=PATH")?;
        println!("{name}: {}", version(path.as_ref()));
    }
    Ok(())
}
