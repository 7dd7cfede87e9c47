mod limits;
mod starts;
mod streaming;

use std::sync::Arc;

use model::{Labels, Matcher, Sample, Series, TimeRange, Value};
use request::{Context, CpuPool, InlinePool, MemoryBudget};

use crate::testing::{Memory, check_queryable};
use crate::{Engine, Error, Grid, Query, Settings};

fn labels(text: &str) -> Labels {
    Labels::from_pairs(text.split(',').filter(|t| !t.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, ""))))
}

/// Two hours, a sample every 15 s: counters of two codes on six instances, resets among them.
fn fleet() -> Memory {
    let mut memory = Memory::new().with_batches_of(5);
    for instance in 0..6_i64 {
        for (code, slope) in [("200", 3), ("500", 1)] {
            let name = labels(&format!("__name__=requests_total,code={code},instance={instance}"));
            let samples = (0..480_i64).map(|i| {
                let since_reset = (i + instance * 37) % 300;
                (i * 15_000 + instance, (since_reset * (slope + instance)) as f64 * 1.1)
            });
            memory.add_floats(name, samples);
        }
        let gauge = labels(&format!("__name__=load,instance={instance}"));
        memory.add_floats(gauge, (0..480_i64).map(|i| (i * 15_000, ((i * 7 + instance * 13) % 101) as f64 / 3.0)));
        let info = labels(&format!("__name__=build_info,instance={instance},version={}", instance % 2));
        memory.add_floats(info, (0..480_i64).map(|i| (i * 15_000, 1.0)));
    }
    memory
}

fn instant_with(cx: &Context, source: &Memory, query: &str, time_ms: i64) -> Result<Value, Error> {
    let ast = promql::parse(query, &promql::Options::default()).unwrap_or_else(|e| panic!("{query}: {e}"));
    let query = Query { text: query, ast: &ast };
    futures::executor::block_on(Engine::default().instant(cx, query, time_ms, source))
}

fn instant(source: &Memory, query: &str, time_ms: i64) -> Value {
    instant_with(&Context::inline(time_ms), source, query, time_ms).unwrap_or_else(|e| panic!("{query}: {e}"))
}

fn range_with(cx: &Context, source: &Memory, query: &str, grid: Grid) -> Result<Value, Error> {
    let ast = promql::parse(query, &promql::Options::default()).unwrap_or_else(|e| panic!("{query}: {e}"));
    let query = Query { text: query, ast: &ast };
    futures::executor::block_on(Engine::default().range(cx, query, grid, source))
}

fn vector(pairs: &[(&str, f64)], t: i64) -> Value {
    Value::Vector(pairs.iter().map(|&(l, v)| Sample { labels: labels(l), t, v, h: None }).collect())
}

#[test]
fn selectors_and_operators() {
    let mut memory = Memory::new();
    memory.add_floats(labels("__name__=a,x=1"), [(0, 1.0), (60_000, 2.0)]);
    memory.add_floats(labels("__name__=a,x=2"), [(0, 3.0)]);
    memory.add_floats(labels("__name__=b,x=1,y=7"), [(60_000, 10.0)]);
    let check = |query: &str, expected: &[(&str, f64)]| {
        assert_eq!(instant(&memory, query, 60_000), vector(expected, 60_000), "{query}");
    };
    check("a", &[("__name__=a,x=1", 2.0), ("__name__=a,x=2", 3.0)]);
    check("a offset 30s", &[("__name__=a,x=1", 1.0), ("__name__=a,x=2", 3.0)]);
    check("a @ 0", &[("__name__=a,x=1", 1.0), ("__name__=a,x=2", 3.0)]);
    check("-a", &[("x=1", -2.0), ("x=2", -3.0)]);
    check("a > 2", &[("__name__=a,x=2", 3.0)]);
    check("2 < bool a", &[("x=1", 0.0), ("x=2", 1.0)]);
    check("sum(a)", &[("", 5.0)]);
    check("sum by (x) (a) * 2", &[("x=1", 4.0), ("x=2", 6.0)]);
    check("topk(1, a)", &[("__name__=a,x=2", 3.0)]);
    check("a * on (x) group_left (y) b", &[("x=1,y=7", 20.0)]);
    check("a and on (x) b", &[("__name__=a,x=1", 2.0)]);
    check("a unless on (x) b", &[("__name__=a,x=2", 3.0)]);
    check("b or on () vector(1)", &[("__name__=b,x=1,y=7", 10.0)]);
    check("absent(nothing{x=\"1\"})", &[("x=1", 1.0)]);
    check("absent(a)", &[]);
    check("absent_over_time(a[5m])", &[]);
    check("count_values(\"v\", a)", &[("v=2", 1.0), ("v=3", 1.0)]);
    check("sum_over_time(a{x=\"1\"}[61s:30s])", &[("x=1", 4.0)]);
    check("timestamp(a{x=\"2\"})", &[("x=2", 0.0)]);
    check("sort_desc(a)", &[("__name__=a,x=2", 3.0), ("__name__=a,x=1", 2.0)]);
    check("label_replace(a{x=\"1\"}, \"z\", \"<$1>\", \"x\", \"(.*)\")", &[("__name__=a,x=1,z=<1>", 2.0)]);
    check("label_join(b, \"z\", \"-\", \"x\", \"y\")", &[("__name__=b,x=1,y=7,z=1-7", 10.0)]);
    check("vector(scalar(a{x=\"1\"}) + time())", &[("", 62.0)]);
    check("clamp(a, 0, 2.5)", &[("x=1", 2.0), ("x=2", 2.5)]);
    assert_eq!(instant(&memory, "1 + 2 * 3", 60_000), Value::Scalar { t: 60_000, v: 7.0 });
    assert_eq!(instant(&memory, "\"text\"", 60_000), Value::String { t: 60_000, v: "text".to_owned() });
    let samples = Series { labels: labels("__name__=a,x=1"), t: [60_000].into(), v: vec![2.0], h: vec![] };
    assert_eq!(instant(&memory, "a[1m]", 60_000), Value::Matrix(vec![samples]));
}

#[test]
fn errors_are_typed_and_worded_as_in_prometheus() {
    let mut memory = Memory::new();
    for series in ["__name__=a,x=1", "__name__=b,x=1", "__name__=a,x=2"] {
        memory.add_floats(labels(series), [(0, 1.0), (60_000, 2.0)]);
    }
    let check = |query: &str, expected: &str| {
        let error = instant_with(&Context::inline(0), &memory, query, 60_000).expect_err(query);
        assert_eq!(error.to_string(), expected, "{query}");
    };
    check("rate({x=\"1\"}[5m])", "vector cannot contain metrics with the same labelset");
    check("sum(rate({x=\"1\"}[5m]))", "vector cannot contain metrics with the same labelset");
    check("-{x=\"1\"}", "vector cannot contain metrics with the same labelset");
    check(
        "a + on () a",
        "found duplicate series for the match group {} on the right hand-side of the operation: \
         [{__name__=\"a\", x=\"1\"}, {__name__=\"a\", x=\"2\"}];many-to-many matching not allowed: matching labels must \
         be unique on one side",
    );
    check("a + on () b", "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
    check("topk(scalar(nothing), a)", "Parameter value is NaN");
    check("topk(scalar(nothing), rate({x=\"1\"}[5m]))", "vector cannot contain metrics with the same labelset");
    let grid = Grid { start_ms: 0, end_ms: 60_000, step_ms: 60_000 };
    let error = range_with(&Context::inline(0), &memory, "a[1m]", grid).expect_err("a range of ranges");
    assert!(matches!(error, Error::BadQuery(_)), "{error}");
}

#[test]
fn limits_on_samples_and_memory_are_typed() {
    let memory = fleet();
    let ast = promql::parse("load", &promql::Options::default()).expect("a selector");
    let query = Query { text: "load", ast: &ast };
    let grid = Grid { start_ms: 0, end_ms: 7_200_000, step_ms: 15_000 };
    let engine = Engine::new(Settings { max_samples: 1_000, ..Settings::default() });
    let refused = futures::executor::block_on(engine.range(&Context::inline(0), query, grid, &memory));
    assert!(matches!(refused, Err(Error::Samples(_))), "{refused:?}");
    let budget = MemoryBudget::new(10_000);
    let cx = Context::new(0, budget.account(10_000), Arc::new(InlinePool), Arc::new(InlinePool));
    let refused = futures::executor::block_on(Engine::default().range(&cx, query, grid, &memory));
    assert!(matches!(refused, Err(Error::Memory(_))), "{refused:?}");
    assert_eq!(budget.used(), 0, "leases come back");
}

/// Real threads, for the one test that needs them.
#[derive(Debug)]
struct Threads {
    sender: std::sync::mpsc::Sender<Box<dyn FnOnce() + Send>>,
    threads: usize,
}

impl Threads {
    fn new(threads: usize) -> Self {
        let (sender, receiver) = std::sync::mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let receiver = Arc::new(std::sync::Mutex::new(receiver));
        for _ in 0..threads {
            let receiver = Arc::clone(&receiver);
            std::thread::spawn(move || {
                loop {
                    let Ok(job) = receiver.lock().expect("no panic while locked").recv() else { return };
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

#[test]
fn answers_do_not_depend_on_the_number_of_threads() {
    let memory = fleet();
    let grid = Grid { start_ms: 600_000, end_ms: 7_000_000, step_ms: 30_000 };
    for query in [
        "sum by (code) (rate(requests_total[5m]))",
        "avg(load)",
        "stddev by (instance) (load)",
        "topk(2, load)",
        "quantile(0.7, load)",
        "max(max_over_time(load[10m]))",
        "load * on (instance) group_left (version) build_info",
    ] {
        let answer = |threads| {
            let unlimited = MemoryBudget::new(u64::MAX).account(u64::MAX);
            let cx = Context::new(0, unlimited, Arc::new(Threads::new(threads)), Arc::new(InlinePool));
            range_with(&cx, &memory, query, grid).unwrap_or_else(|e| panic!("{query}: {e}"))
        };
        let inline = range_with(&Context::inline(0), &memory, query, grid);
        let inline = inline.unwrap_or_else(|e| panic!("{query}: {e}"));
        assert!(matches!(&inline, Value::Matrix(series) if !series.is_empty()), "{query}: {inline:?}");
        for threads in [1, 2, 7] {
            assert_eq!(answer(threads), inline, "{query} with {threads} threads");
        }
    }
}

/// Every query gives over a range what it gives instant by instant.
#[test]
fn a_range_is_its_instants() {
    let memory = fleet();
    let grid = Grid { start_ms: 300_000, end_ms: 3_000_000, step_ms: 90_000 };
    for query in [
        "load",
        "rate(requests_total[4m])",
        "sum by (code) (increase(requests_total[3m] offset 1m))",
        "max_over_time(load[9m])",
        "min_over_time(load[7m])",
        "quantile_over_time(0.3, load[5m])",
        "predict_linear(load[5m], 60)",
        "load > 10",
        "sum(load @ 1000)",
        "rate(requests_total[5m] @ end())",
        "max_over_time(rate(requests_total[2m])[10m:1m])",
        "avg_over_time(load[10m:] @ 2000)",
        "histogram_quantile(0.5, label_replace(load, \"le\", \"+Inf\", \"\", \"\"))",
        "load and on (instance) build_info{version=\"1\"}",
        "hour() + day_of_week(load * 100000)",
        "count_values(\"v\", build_info)",
        "scalar(load{instance=\"3\"}) * time()",
    ] {
        let Ok(Value::Matrix(series)) = range_with(&Context::inline(0), &memory, query, grid) else {
            panic!("{query} gives no matrix");
        };
        let mut points = 0;
        for step in 0..grid.len() {
            let time = grid.at(step);
            // `end()` is the end of the range.
            let pinned = query.replace("end()", "3000");
            let expected = match instant(&memory, &pinned, time) {
                Value::Vector(samples) => samples,
                Value::Scalar { t, v } => vec![Sample { labels: Labels::empty(), t, v, h: None }],
                other => panic!("{query} gives {other:?}"),
            };
            points += expected.len();
            for sample in expected {
                let found = series.iter().find(|s| s.labels == sample.labels);
                let found = found.and_then(|s| Some(s.v[s.t.binary_search(&time).ok()?]));
                let same = found.is_some_and(|v| v.to_bits() == sample.v.to_bits() || v.is_nan() && sample.v.is_nan());
                assert!(same, "{query} at {time}: {found:?}, not {sample:?}");
            }
        }
        assert_eq!(series.iter().map(|s| s.v.len()).sum::<usize>(), points, "{query} has other points");
    }
}

#[test]
fn memory_holds_what_a_source_must() {
    let any = vec![Matcher::equal("__name__", "load")];
    let checked =
        futures::executor::block_on(check_queryable(&fleet(), &Context::inline(0), any, TimeRange::new(0, 7_200_000)));
    checked.expect("memory does not fail");
}
