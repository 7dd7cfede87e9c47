//! S1: how long a store takes until it is ready on 3 024 blocks, and what it takes for that.
//!
//! ```text
//! cargo build --release && cargo run --release -p benches --bin start -- --peer thanos=PATH
//! ```
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use benches::s3::{Counts, Link, serve};
use benches::server::version;
use benches::workload::median;
use block::BlockMeta;
use block::meta::ulid_at;
use bucket::{MetaSync, ObjstoreConfig, SyncOptions};
use clap::Parser;
use model::TimeRange;
use reqwest::Client;
use tokio::net::TcpListener;

/// Starts a store on many blocks, from a folder and from S3, with and without a bucket index.
#[derive(Debug, Parser)]
struct Args {
    /// Blocks: copies of the fleet's under new ids, one an hour
    #[arg(long, default_value_t = 3024)]
    blocks: usize,
    /// The folder with the fleet's blocks; else unpacked from the golden data
    #[arg(long)]
    fleet: Option<PathBuf>,
    #[arg(long, default_value = "target/bench/start")]
    data: PathBuf,
    #[arg(long, default_value = "target/release/esker")]
    esker: PathBuf,
    /// A peer as thanos=PATH
    #[arg(long)]
    peer: Option<String>,
    /// Before each answer of S3
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// One start.
struct Start {
    seconds: f64,
    cpu_seconds: f64,
    /// The highest resident size until ready, mapped files included.
    peak_mib: f64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    rustls::crypto::ring::default_provider().install_default().ok();
    std::fs::create_dir_all(&args.data)?;
    let data = args.data.canonicalize()?;
    let folder = data.join(format!("bucket-{}", args.blocks));
    generate(&args, &folder)?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let counts = Arc::new(Counts::default());
    let link = Link { delay: Duration::from_millis(args.delay_ms), bytes_per_second: 0 };
    let index = folder.join("esker/bucket-index");
    let _gone = std::fs::remove_file(&index);
    let s3 = format!(
        "type: S3\nconfig: {{bucket: b, endpoint: '127.0.0.1:{port}', region: r, access_key: a, secret_key: s, insecure: true}}\n"
    );
    let files = format!("type: FILESYSTEM\nconfig: {{directory: {}}}\n", folder.display());
    let thanos =
        args.peer.as_deref().map(|peer| peer.strip_prefix("thanos=").context("--peer is thanos=PATH")).transpose()?;
    println!("esker: {}", version(&args.esker));
    if let Some(thanos) = thanos {
        println!("thanos: {}", version(thanos.as_ref()));
    }
    println!(
        "{} blocks, {} ms before each answer of S3, median of {} starts\n",
        args.blocks, args.delay_ms, args.rounds
    );
    println!("| start | ready after | cpu | peak memory | listings | reads | bytes |\n|---|---|---|---|---|---|---|");

    let measure = async {
        let esker = args.esker.as_path();
        report("folder, bare", &args, &counts, || start(esker, &files, &data, true)).await?;
        report("S3, bare", &args, &counts, || start(esker, &s3, &data, true)).await?;
        report("S3, bare, started before", &args, &counts, || start(esker, &s3, &data, false)).await?;
        if let Some(thanos) = thanos {
            let starts = || start(thanos.as_ref(), &s3, &data, true);
            report("thanos, S3", &Args { rounds: 1, ..Args::parse() }, &counts, starts).await?;
        }
        write_index(&s3).await?;
        report("S3, bucket index", &args, &counts, || start(esker, &s3, &data, true)).await?;
        report("S3, bucket index, started before", &args, &counts, || start(esker, &s3, &data, false)).await
    };
    tokio::select! {
        served = serve(listener, &folder, link, Arc::clone(&counts)) => served,
        measured = measure => measured,
    }
}

async fn report<F: Future<Output = Result<Start>>>(
    name: &str,
    args: &Args,
    counts: &Counts,
    start: impl Fn() -> F,
) -> Result<()> {
    let mut starts = Vec::new();
    let mut asked = [0; 4];
    for _ in 0..args.rounds {
        counts.take();
        starts.push(start().await.with_context(|| name.to_owned())?);
        asked = counts.take();
    }
    let of = |what: fn(&Start) -> f64| median(starts.iter().map(what).collect());
    let [lists, gets, _, bytes] = asked;
    println!(
        "| {name} | {:.3} s | {:.2} s | {:.0} MiB | {lists} | {gets} | {bytes} |",
        of(|s| s.seconds),
        of(|s| s.cpu_seconds),
        of(|s| s.peak_mib),
    );
    Ok(())
}

/// Starts a store and waits until it is ready.
async fn start(program: &Path, objstore: &str, data: &Path, fresh: bool) -> Result<Start> {
    let scratch = data.join("scratch");
    if fresh && scratch.exists() {
        std::fs::remove_dir_all(&scratch)?;
    }
    let http = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let log = std::fs::File::create(data.join("store.log"))?;
    let begin = Instant::now();
    let mut store = Ended(
        Command::new(program)
            .args(["store", "--grpc-address=127.0.0.1:0"])
            .arg(format!("--objstore.config={objstore}"))
            .arg(format!("--data-dir={}", scratch.display()))
            .arg(format!("--http-address={http}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?,
    );
    let client = Client::builder().no_proxy().build()?;
    let ready = format!("http://{http}/-/ready");
    while !client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
        if let Some(status) = store.0.try_wait()? {
            bail!("ended with {status} before it was ready; see {}", data.join("store.log").display());
        }
        ensure!(begin.elapsed() < Duration::from_secs(120), "not ready within two minutes");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let seconds = begin.elapsed().as_secs_f64();
    let (cpu_seconds, peak_mib) = used(store.0.id()).context("read /proc")?;
    Ok(Start { seconds, cpu_seconds, peak_mib })
}

/// Ends the process when it goes out of sight.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _dead = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn used(pid: u32) -> Option<(f64, f64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = peak.split_whitespace().next()?.parse().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some((ticks / 100.0, kib / 1024.0))
}

/// What the compactor leaves in the bucket.
async fn write_index(objstore: &str) -> Result<()> {
    let bucket = ObjstoreConfig::parse(objstore)?.open()?;
    let sync = MetaSync::new(bucket, SyncOptions::default());
    let now_ms = daemon::now_ms();
    sync.sync(now_ms, TimeRange::ALL).await?;
    ensure!(sync.write_index(now_ms).await?, "the index was not written");
    Ok(())
}

/// Copies the fleet's blocks under new ids, files linked.
fn generate(args: &Args, folder: &Path) -> Result<()> {
    let complete = folder.with_extension("complete");
    if complete.exists() {
        return Ok(());
    }
    let fleet = match &args.fleet {
        Some(fleet) => fleet.clone(),
        None => golden::bucket("fleet/bucket").context("no golden data: give --fleet=DIR")?,
    };
    let mut blocks: Vec<PathBuf> = std::fs::read_dir(&fleet)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    blocks.retain(|block| block.join("meta.json").exists());
    blocks.sort();
    ensure!(!blocks.is_empty(), "no blocks in {}", fleet.display());
    let now_ms = daemon::now_ms();
    for (n, from) in blocks.iter().cycle().take(args.blocks).enumerate() {
        let mut meta = BlockMeta::parse(&std::fs::read(from.join("meta.json"))?)?;
        meta.ulid = ulid_at(now_ms - n as i64 * 3_600_000, n as u128);
        meta.compaction.sources = vec![meta.ulid];
        let to = folder.join(meta.ulid.to_string());
        std::fs::create_dir_all(to.join("chunks"))?;
        for file in ["index", "chunks/000001"] {
            // Another file system: then a copy.
            if std::fs::hard_link(from.join(file), to.join(file)).is_err() {
                std::fs::copy(from.join(file), to.join(file))?;
            }
        }
        std::fs::write(to.join("meta.json"), meta.to_json())?;
    }
    std::fs::write(complete, "")?;
    Ok(())
}
