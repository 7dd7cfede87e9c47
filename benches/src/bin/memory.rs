//! Contract C3: everything selected at once by many, and the store stays within `--memory.limit`.
//!
//! ```text
//! cargo build --release -p esker -p benches && target/release/memory --minutes 10
//! ```
//! Streams ask for `{__name__=~".+"}` and for a regular expression of 50 000 values, over and over, beside small
//! queries. Fails where RSS (the kernel's high-water mark, mapped files included) passes the limit by more than
//! a tenth, a refusal names no limit, or a small query is not answered.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its table and its progress")]

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use benches::wide;
use clap::Parser;
use futures::StreamExt;
use futures::future::join_all;
use model::{MatchOp, Matcher, TimeRange};
use request::Context;
use rpc::{Compression, RemoteSettings, RemoteStore};
use store::{Error, Frame, PartialResponse, SeriesRequest, Store};

/// Drives a store gateway with selections that are far too wide, within a memory limit.
#[derive(Debug, Parser)]
struct Args {
    #[arg(long, default_value_t = 10_000_000)]
    series: u64,
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    #[arg(long, default_value_t = 16)]
    streams: usize,
    /// Values of the regular expression
    #[arg(long, default_value_t = 50_000)]
    values: u64,
    #[arg(long, default_value_t = 1 << 30)]
    memory_limit: u64,
    /// Where the generated bucket is kept between runs
    #[arg(long, default_value = "target/bench")]
    data: PathBuf,
    /// The binary under test
    #[arg(long, default_value = "target/release/esker")]
    esker: PathBuf,
    /// Two ports from here on are used
    #[arg(long, default_value_t = 47_401)]
    port: u16,
    /// More flags for the store
    #[arg(last = true)]
    flags: Vec<String>,
}

#[derive(Debug, Default)]
struct Count {
    answered: u64,
    refused: u64,
    series: u64,
    last_refusal: String,
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _dead = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Server {
    /// A field of the process's status, bytes.
    fn memory(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix(field)).unwrap_or("0 kB");
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) * 1024
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    rustls::crypto::ring::default_provider().install_default().ok();
    eprintln!("preparing a bucket of {} series", args.series);
    let bucket = wide::prepare(&args.data, args.series)?;
    let server = start(&args, &bucket)?;
    let store = connect(&args).await?;
    let until = Instant::now() + Duration::from_secs_f64(args.minutes * 60.0);

    let everything = Matcher::new(MatchOp::Regex, "__name__", ".+")?;
    let instances = args.series.div_ceil(wide::METRICS);
    let values: Vec<String> = (0..args.values.min(instances)).map(wide::instance).collect();
    let many = Matcher::new(MatchOp::Regex, "instance", values.join("|"))?;
    let counts = [RefCell::new(Count::default()), RefCell::new(Count::default())];
    let wide_streams = (0..args.streams).map(|i| {
        let (matcher, count) = if i % 2 == 0 { (&everything, &counts[0]) } else { (&many, &counts[1]) };
        let store = &store;
        async move {
            while Instant::now() < until {
                let before = Instant::now();
                ask(store, vec![matcher.clone()], until, count).await?;
                if before.elapsed() < Duration::from_millis(100) {
                    // Refused at once: what a client does that tries again.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            Ok::<(), anyhow::Error>(())
        }
    });
    let small = small_queries(&store, instances, until);
    let watch = watch(&server, &counts, until);
    let (wide_ended, small, ()) = futures::join!(join_all(wide_streams), small, watch);
    wide_ended.into_iter().collect::<Result<Vec<()>>>()?;
    let mut latencies = small?;
    latencies.sort_unstable();

    let peak = server.memory("VmHWM:");
    println!("\n| selection | answered | refused | series |\n|---|---|---|---|");
    for (name, count) in ["{__name__=~\".+\"}", "{instance=~\"50 000 values\"}"].iter().zip(&counts) {
        let count = count.borrow();
        println!("| `{name}` | {} | {} | {} |", count.answered, count.refused, count.series);
        if count.refused > 0 {
            println!("last refusal: {}", count.last_refusal);
        }
    }
    let at = |part: f64| latencies.get((latencies.len() as f64 * part) as usize).copied().unwrap_or_default();
    println!("small queries: {} answered, median {:?}, 99 % {:?}", latencies.len(), at(0.5), at(0.99));
    println!("peak RSS {} MiB of {} MiB", peak >> 20, args.memory_limit >> 20);
    ensure!(peak <= args.memory_limit / 10 * 11, "RSS passed the limit by more than a tenth");
    ensure!(!latencies.is_empty(), "no small query was answered");
    Ok(())
}

fn start(args: &Args, bucket: &std::path::Path) -> Result<Server> {
    let dir = bucket.parent().context("a folder")?;
    let config = dir.join("bucket.yaml");
    std::fs::write(&config, format!("type: FILESYSTEM\nconfig:\n  directory: {}\n", bucket.canonicalize()?.display()))?;
    let log = std::fs::File::create(dir.join("store.log"))?;
    let child = Command::new(&args.esker)
        .arg("store")
        .arg(format!("--objstore.config-file={}", config.display()))
        .arg(format!("--data-dir={}", dir.join("data").display()))
        .arg(format!("--memory.limit={}", args.memory_limit))
        .arg(format!("--grpc-address=127.0.0.1:{}", args.port))
        .arg(format!("--http-address=127.0.0.1:{}", args.port + 1))
        .args(&args.flags)
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("start {}", args.esker.display()))?;
    Ok(Server(child))
}

async fn connect(args: &Args) -> Result<Arc<RemoteStore>> {
    let settings = RemoteSettings {
        address: format!("127.0.0.1:{}", args.port),
        tls: None,
        compression: Compression::None,
        clock: || 0,
    };
    let store = Arc::new(RemoteStore::new(settings)?);
    for _ in 0..600 {
        if store.refresh().await && !store.info().extents.is_empty() {
            return Ok(store);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("the store was not ready within a minute; see its log")
}

/// One request, read until `until` at the latest.
async fn ask(store: &RemoteStore, matchers: Vec<Matcher>, until: Instant, count: &RefCell<Count>) -> Result<()> {
    let request = SeriesRequest {
        partial_response: PartialResponse::Abort,
        batch_size: 256,
        ..SeriesRequest::new(TimeRange::new(wide::START_MS, wide::START_MS + 3_600_000), matchers)
    };
    let mut stream = store.series(&Context::inline(0), request);
    while Instant::now() < until {
        match stream.next().await {
            Some(Ok(Frame::Batch(batch))) => count.borrow_mut().series += batch.len() as u64,
            Some(Ok(Frame::Missing(missing))) => bail!("missing: {missing:?}"),
            Some(Ok(_)) => {}
            Some(Err(Error::Exhausted(text))) => {
                let mut count = count.borrow_mut();
                ensure!(text.contains("--"), "a refusal names no flag: {text}");
                count.refused += 1;
                count.last_refusal = text;
                return Ok(());
            }
            Some(Err(e)) => bail!("failed with another error than a refusal: {e}"),
            None => {
                count.borrow_mut().answered += 1;
                return Ok(());
            }
        }
    }
    Ok(())
}

/// One series twice a second; all must be answered. Gives how long each took.
async fn small_queries(store: &RemoteStore, instances: u64, until: Instant) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    let mut i = 0_u64;
    while Instant::now() < until {
        i += 7919;
        let matchers = vec![
            Matcher::equal("__name__", wide::metric(i % wide::METRICS)),
            Matcher::equal("instance", wide::instance(i % instances)),
        ];
        let count = RefCell::new(Count::default());
        let began = Instant::now();
        // Its own end is later, so that none is cut short.
        ask(store, matchers, until + Duration::from_secs(60), &count).await?;
        let count = count.into_inner();
        ensure!(count.answered == 1 && count.series == 1, "a small query was not answered: {count:?}");
        took.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(took)
}

async fn watch(server: &Server, counts: &[RefCell<Count>; 2], until: Instant) {
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_secs(10).min(until.saturating_duration_since(Instant::now()))).await;
        let [rss, file, peak] = ["VmRSS:", "RssFile:", "VmHWM:"].map(|field| server.memory(field) >> 20);
        let [a, b] = counts.each_ref().map(|c| {
            let c = c.borrow();
            format!("{}+{} ({} M series)", c.answered, c.refused, c.series / 1_000_000)
        });
        eprintln!("RSS {rss} MiB (files {file}), peak {peak}; answered+refused: {a}, {b}");
    }
}
