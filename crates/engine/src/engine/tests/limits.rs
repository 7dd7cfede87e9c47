//! Queries that are too much are refused by name, and long ones take no stack.

use super::*;
use crate::engine::TOO_MANY_SAMPLES;

fn refused(settings: Settings, source: &Memory, query: &str, grid: Grid) -> Error {
    let ast = promql::parse(query, &promql::Options::default()).expect(query);
    let query = Query { text: query, ast: &ast };
    futures::executor::block_on(Engine::new(settings).range(&Context::inline(0), query, grid, source))
        .expect_err("too much")
}

/// Runs `work` on a stack that holds no chain of calls as long as the query.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(256 << 10).spawn(work).expect("a thread").join().expect("it returns");
}

#[test]
fn samples_are_limited_wherever_they_are_held() {
    let memory = fleet();
    let grid = Grid { start_ms: 0, end_ms: 7_200_000, step_ms: 15_000 };
    let few = Settings { max_samples: 1_000, ..Settings::default() };
    for query in ["load", "load + 1", "rate(load[5m:15s])", "quantile(0.5, load)", "topk(10, load)", "sort(load)"] {
        let error = refused(few, &memory, query, grid);
        assert!(matches!(&error, Error::Samples(text) if text == TOO_MANY_SAMPLES), "{query}: {error:?}");
    }
}

#[test]
fn histograms_count_for_what_they_weigh() {
    let h = model::FloatHistogram { positive_buckets: vec![1.0; 100], ..model::FloatHistogram::default() };
    assert_eq!(crate::vector::samples_in(&h), 61);
}

#[test]
fn a_chain_of_100_000_operands_takes_no_stack() {
    on_a_small_stack(|| {
        let mut memory = Memory::new();
        memory.add_floats(labels("__name__=a"), [(0, 1.0)]);
        for (term, terms, sum) in [("a", 100_000_usize, 100_000.0), ("1", 100_000, 100_000.0)] {
            let value = instant(&memory, &vec![term; terms].join("+"), 0);
            match value {
                Value::Vector(samples) => assert_eq!(samples[0].v, sum),
                Value::Scalar { v, .. } => assert_eq!(v, sum),
                other => panic!("{other:?}"),
            }
        }
        // All operands side by side.
        let ast = promql::parse(&vec!["a"; 100_000].join(" or "), &promql::Options::default()).expect("parses");
        let query = Query { text: "", ast: &ast };
        let engine = Engine::new(Settings { max_samples: 10, ..Settings::default() });
        let result = futures::executor::block_on(engine.instant(&Context::inline(0), query, 0, &memory));
        assert!(result.is_ok() || matches!(result, Err(Error::Samples(_))), "{result:?}");
    });
}

/// Native histograms of 160 buckets, one a minute for an hour: 13 MB if all were held at once.
fn natives(series: usize) -> Memory {
    let mut memory = Memory::new().with_batches_of(8);
    for i in 0..series {
        let columns = block::Columns {
            ht: (0..60).map(|t| t * 60_000).collect(),
            h: (0..60)
                .map(|t| model::FloatHistogram {
                    count: f64::from(t) * 160.0,
                    positive_spans: [model::Span { offset: 0, length: 160 }].into(),
                    positive_buckets: vec![f64::from(t); 160],
                    ..model::FloatHistogram::default()
                })
                .collect(),
            ..block::Columns::default()
        };
        memory.add(labels(&format!("__name__=latency,i={i}")), columns);
    }
    memory
}

#[test]
fn native_histograms_are_in_the_memory_account() {
    let source = natives(150);
    let limit = 4 << 20;
    let account = MemoryBudget::new(u64::MAX).account(limit);
    let cx = Context::new(0, account, Arc::new(InlinePool), Arc::new(InlinePool));
    let ask = |text: &str| {
        let ast = promql::parse(text, &promql::Options::default()).expect(text);
        let query = Query { text, ast: &ast };
        let grid = Grid { start_ms: 0, end_ms: 3_600_000, step_ms: 60_000 };
        let engine = Engine::default();
        if text.ends_with(']') {
            futures::executor::block_on(engine.instant(&cx, query, 3_600_000, &source)).map(|_| ())
        } else {
            futures::executor::block_on(engine.range(&cx, query, grid, &source)).map(|_| ())
        }
    };
    for query in ["latency", "latency * 2", "rate(latency[5m])", "latency[1h]", "limitk(150, latency)", "sort(latency)"]
    {
        let error = ask(query).expect_err(query);
        assert!(matches!(&error, Error::Memory(e) if e.limit == limit), "{query}: {error:?}");
        assert_eq!(cx.memory().used(), 0, "{query}: all is given back");
    }
    for query in [
        "sum(latency)",
        "count(latency)",
        "histogram_count(latency)",
        "sum(histogram_quantile(0.9, rate(latency[5m])))",
    ] {
        let asked = ask(query);
        assert!(asked.is_ok() || query.starts_with("sum(histogram"), "{query}: {asked:?}");
        assert_eq!(cx.memory().used(), 0, "{query}: all is given back");
    }
    assert!(cx.memory().peak() <= limit);
}

#[test]
fn start_timestamps_are_in_the_memory_account() {
    let t: Vec<i64> = (0..1000).collect();
    let plain = block::Columns { v: vec![1.0; 1000], t, ..block::Columns::default() };
    let started = block::Columns { st: vec![1; 1000], ..plain.clone() };
    assert!(started.bytes() >= plain.bytes() + 8000);
}
