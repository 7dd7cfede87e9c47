//! Q1–Q7 in one process, over the bucket that `tier` made: gateway, selection, engine and pool without
//! HTTP and JSON, for profiles and for comparing two builds bit by bit.
//!
//! ```text
//! cargo run --release -p benches --bin queries -- --data target/bench --profile full
//! cargo run --release -p benches --bin queries -- --data target/bench --profile full --analysis --rounds 60
//! ```
//! `--analysis` compares each query with and without analysis, by turns.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use benches::data::DataArgs;
use benches::workload::{QUERIES, median};
use bucket::Bucket;
use clap::Parser;
use daemon::CpuThreads;
use engine::{Engine, Grid, Query};
use futures::future::BoxFuture;
use gateway::{Gateway, Settings};
use model::Value;
use request::{Context, CpuPool, MemoryBudget, Timer};
use select::{Options, Selector};
use store::Store;
use store::dedup::Func;

/// Measures Q1–Q7 in process.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    data: DataArgs,
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
    /// What `analyze=true` costs: each query with and without it by turns
    #[arg(long)]
    analysis: bool,
    /// Only these queries, e.g. Q3,Q4
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let (profile, data) = args.data.prepare()?;
    let pool: Arc<dyn CpuPool> = Arc::new(CpuThreads::start(args.threads)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    for &replicas in &args.replicas {
        let bucket = Bucket::filesystem(data.bucket_dir(replicas))?;
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
            let ask = |analyze| {
                let (expr, source, pool) = (query.expr, Arc::clone(&source), Arc::clone(&pool));
                let (start_ms, end_ms, step_ms) = query.grid(&profile);
                let grid = Grid { start_ms, end_ms, step_ms };
                let (cpu, begin) = (cpu_ms(), Instant::now());
                let task = runtime.spawn(async move { evaluate(expr, grid, &source, pool, analyze).await });
                let (value, samples) = runtime.block_on(task)??;
                let (wall, cpu) = (begin.elapsed().as_secs_f64() * 1e3, cpu_ms() - cpu);
                anyhow::Ok((Cost { wall, cpu }, format!("{samples} samples, {}", digest(&value))))
            };
            if args.analysis {
                println!("{}x{replicas}: {}", query.name, analysis(args.rounds, ask)?);
                continue;
            }
            let (mut costs, mut last) = (Vec::new(), String::new());
            for _ in 0..args.rounds {
                let (cost, answer) = ask(false)?;
                costs.push(cost);
                last = answer;
            }
            let wall: Vec<f64> = costs.iter().map(|c| c.wall).collect();
            let cpu = costs.iter().map(|c| c.cpu).sum::<f64>() / args.rounds as f64;
            let least = wall.iter().copied().fold(f64::INFINITY, f64::min);
            let middle = median(wall);
            println!("{}x{replicas}: median {middle:.1} ms, least {least:.1} ms, cpu {cpu:.0} ms; {last}", query.name);
        }
    }
    Ok(())
}

/// What one evaluation took, in milliseconds.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

/// Asks with and without analysis by turns: the median of the ratios of neighbours, and the ratio of the least.
fn analysis(rounds: usize, ask: impl Fn(bool) -> Result<(Cost, String)>) -> Result<String> {
    let (mut plain, mut analyzed) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        // Whichever comes second finds the caches warmer.
        let first = round % 2 == 0;
        let ((one, answer), (two, other)) = (ask(first)?, ask(!first)?);
        anyhow::ensure!(answer == other, "analysis changes the answer: {answer}, {other}");
        if round > 0 {
            let (with, without) = if first { (one, two) } else { (two, one) };
            analyzed.push(with);
            plain.push(without);
        }
    }
    let figures = |of: fn(&Cost) -> f64| {
        let (with, without): (Vec<f64>, Vec<f64>) = (analyzed.iter().map(of).collect(), plain.iter().map(of).collect());
        let pairs = median(with.iter().zip(&without).map(|(a, b)| a / b).collect());
        let least = |all: &[f64]| all.iter().copied().fold(f64::INFINITY, f64::min);
        let (least_with, least_without) = (least(&with), least(&without));
        let medians = median(with) / median(without);
        let ratio = least_with / least_without;
        format!("pairs {pairs:.4}, medians {medians:.4}, least {ratio:.4} ({least_without:.1} ms without)")
    };
    Ok(format!("with analysis ÷ without: cpu {}; wall {}", figures(|c| c.cpu), figures(|c| c.wall)))
}

async fn evaluate(
    expr: &str,
    grid: Grid,
    source: &Selector,
    pool: Arc<dyn CpuPool>,
    analyze: bool,
) -> Result<(Value, u64)> {
    let ast = promql::parse(expr, &promql::Options::default()).map_err(|e| anyhow::anyhow!("{e}"))?;
    let query = Query { text: expr, ast: &ast };
    let memory = MemoryBudget::new(u64::MAX).account(u64::MAX);
    let cx = Context::new(grid.end_ms, memory, pool, Arc::new(Clock(Instant::now())));
    let engine = Engine::default();
    let instant = grid.len() == 1;
    let value = if analyze {
        engine.analyze(&cx, query, grid, instant, source).await.map(|(value, _)| value)
    } else if instant {
        engine.instant(&cx, query, grid.start_ms, source).await
    } else {
        engine.range(&cx, query, grid, source).await
    };
    Ok((value.context("evaluate")?, cx.stats().samples.load(Ordering::Relaxed)))
}

/// Time as analysis measures it.
#[derive(Debug)]
struct Clock(Instant);

impl Timer for Clock {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(futures::future::pending())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
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

/// CPU time of all threads of this process so far, in milliseconds; none of them ends meanwhile.
fn cpu_ms() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    nanos.sum::<u64>() as f64 / 1e6
}
