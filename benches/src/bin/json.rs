//! Writing large answers: nanoseconds a float and bytes a second, alone and on the pool; with `--esker`, a range
//! query of 4 800 series × 1 441 steps over HTTP, plain, as gzip and as zstd.
//!
//! ```text
//! cargo run --release -p benches --bin json
//! cargo run --release -p benches --bin json -- --esker target/release/esker --data target/bench --profile full
//! ```
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use anyhow::{Result, ensure};
use benches::data::DataArgs;
use benches::server::Server;
use benches::workload::median;
use clap::Parser;
use daemon::CpuThreads;
use model::{Labels, Series, Value};
use request::CpuPool;
use reqwest::Client;

/// Measures how fast answers are written.
#[derive(Debug, Parser)]
struct Args {
    #[arg(long, default_value_t = 4800)]
    series: usize,
    #[arg(long, default_value_t = 1441)]
    steps: usize,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Also ask this binary over HTTP
    #[arg(long)]
    esker: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let floats = args.series * args.steps;
    let pool = CpuThreads::start(args.threads)?;
    let (mut alone, mut together, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..args.rounds {
        let (one, two) = (pieces(&args), pieces(&args));
        let begin = Instant::now();
        bytes = one.map(|write| write().len()).sum();
        alone.push(begin.elapsed().as_secs_f64());
        let begin = Instant::now();
        let (sender, receiver) = mpsc::channel();
        for write in two {
            let sender = sender.clone();
            pool.execute(Box::new(move || {
                let _sum_of_all = sender.send(write().len());
            }));
        }
        drop(sender);
        ensure!(receiver.iter().sum::<usize>() == bytes, "the pool writes the same bytes");
        together.push(begin.elapsed().as_secs_f64());
    }
    for (how, seconds) in [("one thread", alone), ("the pool", together)] {
        let least = seconds.iter().copied().fold(f64::INFINITY, f64::min);
        let middle = median(seconds);
        println!(
            "{how}: {:.0} ns a float, {:.0} MB/s (least {:.0} ns), {floats} floats, {bytes} bytes",
            middle * 1e9 / floats as f64,
            bytes as f64 / middle / 1e6,
            least * 1e9 / floats as f64
        );
    }
    match &args.esker {
        Some(esker) => tokio::runtime::Runtime::new()?.block_on(over_http(&args, esker.clone())),
        None => Ok(()),
    }
}

/// Rates: most have all their digits.
fn pieces(args: &Args) -> api::Pieces {
    let times: Arc<[i64]> = (0..args.steps).map(|i| 1_768_435_200_000 + i as i64 * 60_000).collect();
    let series = (0..args.series).map(|i| {
        let labels = Labels::from_pairs([("code", "200"), ("instance", &format!("10.0.0.{i}:8080")), ("path", "/api")]);
        let v = (0..args.steps).map(|step| ((i * 31 + step * 7) % 9973) as f64 / 300.7).collect();
        Series { labels, t: Arc::clone(&times), v, h: Vec::new() }
    });
    api::query_result(Value::Matrix(series.collect()), &api::Notes::default(), &api::Extras::default())
}

async fn over_http(args: &Args, esker: PathBuf) -> Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = Client::builder().no_proxy().build()?;
    let (profile, data) = args.data.prepare()?;
    let flags = [
        "up".to_owned(),
        format!("--objstore.config-file={}", data.objstore_config(1).display()),
        format!("--data-dir={}", data.scratch("json")?.display()),
        "--http-address=127.0.0.1:19106".to_owned(),
        "--compact.disable".to_owned(),
    ];
    let server = Server::start(&client, "esker", &esker, &flags, 19_106, "/-/ready", data.log("json")).await?;
    let end = profile.end_ms() / 1000 - 1800;
    let start = end - (args.steps as i64 - 1) * 60;
    let url = format!(
        "{}/api/v1/query_range?query=rate(http_requests_total%5B5m%5D)&start={start}&end={end}&step=60",
        server.base
    );
    for coding in ["identity", "gzip", "zstd"] {
        let (mut wall, mut bytes, mut first) = (Vec::new(), 0, Vec::new());
        let before = server.cpu_seconds();
        server.reset_peak();
        for _ in 0..args.rounds {
            let begin = Instant::now();
            let mut answer = client.get(&url).header("accept-encoding", coding).send().await?.error_for_status()?;
            first.push(begin.elapsed().as_secs_f64() * 1e3);
            bytes = 0;
            while let Some(part) = answer.chunk().await? {
                bytes += part.len();
            }
            wall.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        let cpu = (server.cpu_seconds() - before) * 1e3 / args.rounds as f64;
        println!(
            "{coding}: {:.0} ms (first byte after {:.0}), cpu {cpu:.0} ms, {bytes} bytes, peak {:.0} MiB",
            median(wall),
            median(first),
            server.peak_mib()
        );
    }
    Ok(())
}
