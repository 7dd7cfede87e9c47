//! How much memory one wide query takes: `sum by (code) (rate(http_requests_total[5m]))` over 500 000 series of
//! 24 h, scraped once a minute.
//!
//! ```text
//! cargo build --release && cargo run --release -p benches --bin wide
//! ```
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, ensure};
use benches::server::{Server, version};
use block::chunk::{SAMPLES_PER_CHUNK, encode_floats};
use block::{BlockMeta, BlockWriter, NewChunk};
use clap::Parser;
use model::Labels;
use reqwest::Client;
use serde_json::Value;

const CODES: [&str; 3] = ["200", "404", "500"];
const PATHS: [&str; 4] = ["/", "/api/items", "/api/users", "/login"];
const START_MS: i64 = 1_768_435_200_000;
const BLOCK_MS: i64 = 2 * 3_600_000;
const BLOCKS: i64 = 12;
const SCRAPE_MS: i64 = 60_000;

/// Generates the series, asks Esker once, and prints the peak of its memory.
#[derive(Debug, Parser)]
struct Args {
    /// Where the generated blocks are kept between runs
    #[arg(long, default_value = "target/bench/wide")]
    data: PathBuf,
    /// The binary under test
    #[arg(long, default_value = "target/release/esker")]
    esker: PathBuf,
    #[arg(long, default_value_t = 500_000)]
    series: u32,
    /// Given to Esker as --memory.limit
    #[arg(long, default_value = "1GiB")]
    memory_limit: String,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let bucket = args.data.join(format!("bucket-{}", args.series));
    if !bucket.join("complete").exists() {
        generate(&bucket, args.series)?;
        std::fs::write(bucket.join("complete"), "")?;
    }
    let config = args.data.join("bucket.yml");
    std::fs::write(&config, format!("type: FILESYSTEM\nconfig:\n  directory: {}\n", bucket.canonicalize()?.display()))?;
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = Client::builder().no_proxy().build()?;
    let scratch = args.data.join("scratch");
    let flags = [
        "up".to_owned(),
        format!("--objstore.config-file={}", config.display()),
        format!("--data-dir={}", scratch.display()),
        "--http-address=127.0.0.1:19105".to_owned(),
        format!("--memory.limit={}", args.memory_limit),
        "--compact.disable".to_owned(),
    ];
    let log = args.data.join("esker.log");
    let server = Server::start(&client, "esker", &args.esker, &flags, 19_105, "/-/ready", log).await?;
    println!("esker: {}, --memory.limit={}, {} series", version(&args.esker), args.memory_limit, args.series);
    let idle = server.high_water_mib();
    let (start, end) = (START_MS / 1000 + 600, (START_MS + BLOCKS * BLOCK_MS) / 1000);
    let url = format!(
        "{}/api/v1/query_range?query=sum%20by%20%28code%29%20%28rate%28http_requests_total%5B5m%5D%29%29&start={start}&end={end}&step=60",
        server.base
    );
    for _ in 0..args.rounds {
        let begin = Instant::now();
        let answer = client.get(&url).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        let answer: Value = serde_json::from_slice(&body)?;
        let rows = answer["data"]["result"].as_array().map_or(0, Vec::len);
        println!(
            "{rows} rows in {:.2} s; peak RSS {:.0} MiB (idle {idle:.0}), without clean file pages {:.0} MiB",
            begin.elapsed().as_secs_f64(),
            server.high_water_mib(),
            server.peak_mib()
        );
    }
    Ok(())
}

/// Writes block after block, series after series: nothing but where each counter stands is kept.
fn generate(bucket: &Path, series: u32) -> Result<()> {
    let instances = series.div_ceil((CODES.len() * PATHS.len()) as u32);
    let instance = |i: u32| format!("host-{i:06}:8080");
    let mut symbols: BTreeSet<String> = (0..instances).map(instance).collect();
    let fixed = ["__name__", "http_requests_total", "code", "instance", "job", "api", "path"];
    symbols.extend(fixed.iter().chain(&CODES).chain(&PATHS).map(|s| (*s).to_owned()));
    let mut counters = vec![0_u64; instances as usize * CODES.len() * PATHS.len()];
    let (mut t, mut v) = (Vec::new(), Vec::new());
    for number in 0..BLOCKS {
        let min_time = START_MS + number * BLOCK_MS;
        let id = block::meta::ulid_at(min_time + BLOCK_MS, (number as u128) << 8);
        let mut meta = BlockMeta::new(id, min_time, min_time + BLOCK_MS);
        let mut thanos = block::meta::Thanos { version: 1, source: "sidecar".into(), ..Default::default() };
        thanos.labels = [("cluster", "bench"), ("replica", "a")].map(|(n, v)| (n.into(), v.into())).into();
        meta.thanos = Some(thanos);
        let mut writer = BlockWriter::create(&bucket.join(id.to_string()), &symbols)?;
        let mut counter = counters.iter_mut().enumerate();
        for code in CODES {
            for i in 0..instances {
                let instance = instance(i);
                for path in PATHS {
                    let Some((n, level)) = counter.next() else { continue };
                    fill(n as u64, min_time, level, &mut t, &mut v);
                    let labels = [
                        ("__name__", "http_requests_total"),
                        ("code", code),
                        ("instance", &instance),
                        ("job", "api"),
                        ("path", path),
                    ];
                    let encoded = encode_floats(&t, &v, SAMPLES_PER_CHUNK);
                    let chunks = encoded.iter().map(|c| NewChunk {
                        min_time: c.min_time,
                        max_time: c.max_time,
                        encoding: c.encoding,
                        payload: &c.bytes,
                    });
                    writer.add_series(&Labels::from_pairs(labels), &chunks.collect::<Vec<_>>())?;
                }
            }
        }
        writer.finish(meta)?;
    }
    Ok(())
}

/// One block's samples of a counter that goes on from `level`.
fn fill(seed: u64, start: i64, level: &mut u64, t: &mut Vec<i64>, v: &mut Vec<f64>) {
    t.clear();
    v.clear();
    let mut random = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ start as u64;
    let offset = (seed / 12 % 58_000) as i64 + 10;
    for i in 0..BLOCK_MS / SCRAPE_MS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        *level = if random >> 33 & 0xfff == 0 { 0 } else { *level + (random >> 40) % 400 };
        t.push(start + offset + i * SCRAPE_MS + (random % 9) as i64 - 4);
        v.push(*level as f64);
    }
}
