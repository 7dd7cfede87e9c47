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
        assert!(matches!(&error, Error::Exhausted(text) if text == TOO_MANY_SAMPLES), "{query}: {error:?}");
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
        assert!(result.is_ok() || matches!(result, Err(Error::Exhausted(_))), "{result:?}");
    });
}
