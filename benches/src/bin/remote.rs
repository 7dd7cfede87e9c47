//! Q1–Q5 over a bucket at the end of a slow link: time, requests, bytes and how many rounds depend on each other.
//!
//! ```text
//! cargo build --release -p esker -p benches && target/release/remote --profile small
//! ```
//! Each query first meets a process that knows the blocks and nothing of their indexes (cold), then one that has
//! the indexes (warm, the median of some rounds).
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use benches::data::{Data, DataArgs};
use benches::fleet::Profile;
use benches::s3::{Counts, Link, serve};
use benches::server::Server;
use benches::workload::{QUERIES, median};
use clap::Parser;
use reqwest::Client;
use tokio::net::TcpListener;

/// Measures Q1–Q5 over S3 behind a link of chosen delay and rate.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    data: DataArgs,
    /// The binary under test
    #[arg(long, default_value = "target/release/esker")]
    esker: PathBuf,
    /// Before each answer
    #[arg(long, default_value_t = 30)]
    delay_ms: u64,
    /// Of each answer
    #[arg(long, default_value_t = 80)]
    mb_per_second: u64,
    /// 1, or 2 with deduplication
    #[arg(long, default_value_t = 1)]
    replicas: usize,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// What a query asked of the bucket.
struct Asked {
    ms: f64,
    requests: u64,
    bytes: u64,
    depth: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let (profile, data) = args.data.prepare()?;
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = Client::builder().no_proxy().build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let link = Link { delay: Duration::from_millis(args.delay_ms), bytes_per_second: args.mb_per_second * 1_000_000 };
    let counts = Arc::new(Counts::default());
    let folder = data.bucket_dir(args.replicas);
    let config = data.dir.join("remote.yml");
    let yaml = format!(
        "type: S3\nconfig:\n  bucket: bench\n  endpoint: {address}\n  insecure: true\n  region: local\n  access_key: a\n  secret_key: b\n"
    );
    std::fs::write(&config, yaml)?;
    let measured = measure(&args, &client, &data, &profile, &config, &counts);
    tokio::select! {
        served = serve(listener, &folder, link, Arc::clone(&counts)) => served,
        measured = measured => measured,
    }
}

async fn measure(
    args: &Args,
    client: &Client,
    data: &Data,
    profile: &Profile,
    config: &std::path::Path,
    counts: &Counts,
) -> Result<()> {
    println!("{} ms a request, {} MB/s a stream, {} replica(s)\n", args.delay_ms, args.mb_per_second, args.replicas);
    println!(
        "| query | cold | requests | MB | depth | warm | requests | MB | depth |\n|---|---|---|---|---|---|---|---|---|"
    );
    for query in QUERIES.iter().take(5) {
        let port = 19_131;
        let flags = vec![
            "up".to_owned(),
            format!("--objstore.config-file={}", config.display()),
            format!("--data-dir={}", data.scratch("remote")?.display()),
            format!("--http-address=127.0.0.1:{port}"),
            "--compact.disable".to_owned(),
        ];
        let log = data.log("remote");
        let mut server = Server::start(client, "esker", &args.esker, &flags, port, "/-/ready", log).await?;
        server.params.push(("dedup".into(), (args.replicas > 1).to_string()));
        let mut asked = Vec::new();
        for _ in 0..=args.rounds {
            // What the start has left under way.
            tokio::time::sleep(Duration::from_millis(300)).await;
            counts.take();
            counts.take_depth();
            let (ms, _) = query.run(client, &server, profile).await?;
            let [lists, gets, others, bytes] = counts.take();
            asked.push(Asked { ms, requests: lists + gets + others, bytes, depth: counts.take_depth() });
        }
        let row = |asked: &Asked, ms: f64| {
            format!("{ms:.0} ms | {} | {:.2} | {}", asked.requests, asked.bytes as f64 / 1e6, asked.depth)
        };
        let warm_ms = median(asked[1..].iter().map(|a| a.ms).collect());
        let last = asked.last().unwrap_or(&asked[0]);
        println!("| {} | {} | {} |", query.name, row(&asked[0], asked[0].ms), row(last, warm_ms));
    }
    Ok(())
}
