//! Times Q1–Q7 in process, over the blocks of a folder: engine and decoding, no network.
//!
//! ```text
//! cargo run --release -p engine --example queries -- BUCKET END_SECONDS [THREADS [ROUNDS [QUERY…]]]
//! ```
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/golden/blocks.rs"]
mod blocks;

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

use blocks::Blocks;
use engine::{Engine, Grid, Query};
use model::Value;
use request::{Context, CpuPool, InlinePool, MemoryBudget};

const QUERIES: [(&str, &str, i64, i64); 7] = [
    ("Q1", r#"process_resident_memory_bytes{instance="10.0.0.7:8080"}"#, 24, 60),
    ("Q2", "sum(rate(http_requests_total[5m]))", 1, 15),
    ("Q3", "sum by (code) (rate(http_requests_total[5m]))", 24, 60),
    ("Q4", "histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))", 24, 120),
    ("Q5", "topk(10, container_memory_working_set_bytes)", 6, 60),
    ("Q6", "max(max_over_time(container_memory_working_set_bytes[1h]))", 24, 300),
    ("Q7", r#"count({__name__=~"http.*"})"#, 0, 1),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: i64| args.get(i).map_or(default, |text| text.parse().expect("a number"));
    let end = number(1, 0) * 1000;
    let (threads, rounds) = (number(2, 2), number(3, 9));
    let only = args.get(4..).unwrap_or_default();
    let source = Blocks::open(Path::new(args.first().expect("a bucket")));
    let pool: Arc<dyn CpuPool> = Arc::new(Threads::new(threads as usize));
    for (name, text, hours, step) in QUERIES {
        if !only.is_empty() && !only.iter().any(|o| o == name) {
            continue;
        }
        let ast = promql::parse(text, &promql::Options::default()).expect("a query");
        let grid = Grid { start_ms: end - hours * 3_600_000, end_ms: end, step_ms: step * 1000 };
        let mut times = Vec::new();
        let mut points = 0;
        let mut samples = 0;
        for _ in 0..rounds {
            let memory = MemoryBudget::new(u64::MAX).account(u64::MAX);
            let cx = Context::new(0, memory, Arc::clone(&pool), Arc::new(InlinePool));
            let begin = Instant::now();
            let query = Query { text, ast: &ast };
            let engine = Engine::default();
            let value = futures::executor::block_on(async {
                if hours == 0 {
                    engine.instant(&cx, query, end, &source).await
                } else {
                    engine.range(&cx, query, grid, &source).await
                }
            });
            times.push(begin.elapsed().as_secs_f64() * 1e3);
            points = match value.expect("the query is evaluated") {
                Value::Vector(samples) => samples.len(),
                Value::Matrix(series) => series.iter().map(|s| s.v.len()).sum(),
                _ => 1,
            };
            samples = cx.stats().samples.load(std::sync::atomic::Ordering::Relaxed);
        }
        times.sort_by(f64::total_cmp);
        let (median, least) = (times[times.len() / 2], times[0]);
        let select = source.last_select_ms();
        println!(
            "{name}: median {median:.1} ms, least {least:.1} ms, of it select {select:.1} ms; {points} points, {samples} samples"
        );
    }
}

#[derive(Debug)]
struct Threads {
    sender: mpsc::Sender<Box<dyn FnOnce() + Send>>,
    threads: usize,
}

impl Threads {
    fn new(threads: usize) -> Self {
        let (sender, receiver) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..threads {
            let receiver = Arc::clone(&receiver);
            std::thread::spawn(move || {
                loop {
                    let job = receiver.lock().expect("no panic while locked").recv();
                    let Ok(job) = job else { return };
                    job();
                }
            });
        }
        Self { sender, threads }
    }
}

impl CpuPool for Threads {
    fn execute(&self, job: Box<dyn FnOnce() + Send>) {
        self.sender.send(job).expect("threads outlive the pool");
    }

    fn threads(&self) -> usize {
        self.threads
    }
}
