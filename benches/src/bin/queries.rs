//! Q1–Q7 in one process, over the bucket that `tier` made: gateway, selection, engine and pool without
//! HTTP and JSON, for profiles and for comparing two builds bit by bit.
//!
//! ```text
//! cargo run --release -p benches --bin queries -- --data target/bench --profile full
//! ```
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Context as _, Result};
use benches::fleet::Profile;
use benches::workload::{QUERIES, median};
use bucket::Bucket;
use clap::Parser;
use daemon::CpuThreads;
use engine::{Engine, Grid, Query};
use gateway::{Gateway, Settings};
use model::Value;
use request::{Context, CpuPool, InlinePool, MemoryBudget};
use select::{Options, Selector};
use store::Store;
use store::dedup::Func;

/// Measures Q1–Q7 in process.
#[derive(Debug, Parser)]
struct Args {
    /// full (24 000 series, 24 h), small (a tenth of the instances) or wide
    #[arg(long, default_value = "small")]
    profile: String,
    /// Where `tier` keeps the generated data
    #[arg(long, default_value = "target/bench")]
    data: PathBuf,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// 1, 2 or both
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    replicas: Vec<usize>,
    /// How replicas are deduplicated: stable, penalty or chain
    #[arg(long, default_value_t = Func::Stable)]
    dedup: Func,
    /// Only these queries, e.g. Q3,Q4
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let profile = Profile::named(&args.profile)?;
    let pool: Arc<dyn CpuPool> = Arc::new(CpuThreads::start(args.threads)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    for &replicas in &args.replicas {
        let bucket = Bucket::filesystem(args.data.join(&args.profile).join(format!("bucket-{replicas}")))?;
        let gateway = Arc::new(Gateway::new(bucket, Settings::default()));
        runtime.block_on(gateway.sync(profile.end_ms()))?;
        let options = Options {
            dedup: replicas > 1,
            replica_labels: vec!["replica".into()],
            func: args.dedup,
            ..Options::default()
        };
        let source = Arc::new(Selector::new(gateway as Arc<dyn Store>, options));
        for query in QUERIES.iter().filter(|q| args.only.is_empty() || args.only.iter().any(|o| o == q.name)) {
            let mut wall = Vec::new();
            let (cpu, mut last) = (cpu_ms(), String::new());
            for _ in 0..args.rounds {
                let begin = Instant::now();
                let (expr, source, pool) = (query.expr, Arc::clone(&source), Arc::clone(&pool));
                let (start_ms, end_ms, step_ms) = query.grid(&profile);
                let grid = Grid { start_ms, end_ms, step_ms };
                let task = runtime.spawn(async move { evaluate(expr, grid, &source, pool).await });
                let (value, samples) = runtime.block_on(task)??;
                wall.push(begin.elapsed().as_secs_f64() * 1e3);
                last = format!("{samples} samples, {}", digest(&value));
            }
            let cpu = (cpu_ms() - cpu) / args.rounds as f64;
            let least = wall.iter().copied().fold(f64::INFINITY, f64::min);
            let middle = median(wall);
            println!("{}x{replicas}: median {middle:.1} ms, least {least:.1} ms, cpu {cpu:.0} ms; {last}", query.name);
        }
    }
    Ok(())
}

async fn evaluate(expr: &str, grid: Grid, source: &Selector, pool: Arc<dyn CpuPool>) -> Result<(Value, u64)> {
    let ast = promql::parse(expr, &promql::Options::default()).map_err(|e| anyhow::anyhow!("{e}"))?;
    let query = Query { text: expr, ast: &ast };
    let memory = MemoryBudget::new(u64::MAX).account(u64::MAX);
    let cx = Context::new(grid.end_ms, memory, pool, Arc::new(InlinePool));
    let engine = Engine::default();
    let value = if grid.len() == 1 {
        engine.instant(&cx, query, grid.start_ms, source).await
    } else {
        engine.range(&cx, query, grid, source).await
    };
    Ok((value.context("evaluate")?, cx.stats().samples.load(Ordering::Relaxed)))
}

/// All bits of a value in one number, to tell whether two builds give the same.
fn digest(value: &Value) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bits: u64| hash = (hash ^ bits).wrapping_mul(0x0100_0000_01b3).rotate_left(17);
    let mut points = 0;
    match value {
        Value::Vector(samples) => samples.iter().for_each(|s| {
            add(s.t as u64);
            add(s.v.to_bits());
            points += 1;
        }),
        Value::Matrix(series) => series.iter().for_each(|s| {
            s.t.iter().zip(&s.v).for_each(|(t, v)| {
                add(*t as u64);
                add(v.to_bits());
            });
            points += s.v.len();
        }),
        _ => {}
    }
    format!("{points} points, digest {hash:016x}")
}

/// User and system time of this process so far.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) * 10.0
}
