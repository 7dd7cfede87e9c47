//! What a query holds, by its own account: inputs are given by the series, results by groups and steps.

use super::*;

const STEPS: u64 = 400;

fn wide(series: i64) -> Memory {
    let mut memory = Memory::new().with_batches_of(64);
    for n in 0..series {
        let name = labels(&format!("__name__=wide,group={},n={n:05}", n % 4));
        memory.add_floats(name, (0..100_i64).map(|i| (i * 60_000 + n % 7, ((i * 7 + n * 13) % 101) as f64)));
    }
    memory
}

/// The most that was held at once.
fn peak(source: &Memory, query: &str) -> u64 {
    let budget = MemoryBudget::new(u64::MAX);
    let cx = Context::new(0, budget.account(u64::MAX), Arc::new(InlinePool), Arc::new(InlinePool));
    let grid = Grid { start_ms: 0, end_ms: (STEPS as i64 - 1) * 15_000, step_ms: 15_000 };
    let value = range_with(&cx, source, query, grid).unwrap_or_else(|e| panic!("{query}: {e}"));
    assert!(matches!(&value, Value::Matrix(series) if !series.is_empty()), "{query}: {value:?}");
    drop(value);
    assert_eq!(budget.used(), 0, "{query}: leases come back");
    cx.memory().peak()
}

#[test]
fn aggregations_hold_groups_and_steps_not_series() {
    let (few, many) = (wide(1_000), wide(4_000));
    for query in [
        "sum by (group) (rate(wide[5m]))",
        "avg by (group) (wide)",
        "min(wide)",
        "max(max_over_time(wide[10m]))",
        "count by (group) (wide)",
        "group(wide)",
        "stddev(wide)",
        "stdvar by (group) (wide)",
    ] {
        let (few, many) = (peak(&few, query), peak(&many, query));
        assert_eq!(few, many, "{query}");
        // Rows of a few jobs that wait for their turn beside it.
        assert!((STEPS * 8..3_000_000).contains(&many), "{query}: {many} bytes");
    }
}

#[test]
fn topk_holds_k_times_that() {
    let (few, many) = (wide(1_000), wide(4_000));
    for query in ["topk(3, wide)", "bottomk by (group) (2, wide)", "limitk(5, wide)"] {
        let (few, many) = (peak(&few, query), peak(&many, query));
        // Labels of losers wait to be dropped, a thousand at most.
        assert!(many < few + 300_000, "{query}: {few} and {many} bytes");
    }
    let (one, ten) = (peak(&many, "topk(1, wide)"), peak(&many, "topk(10, wide)"));
    assert!(ten >= one + 9 * STEPS * 16, "{one} and {ten} bytes");
}

#[test]
fn what_needs_every_value_pays_for_every_value() {
    let many = wide(4_000);
    for query in ["quantile(0.9, wide)", "count_values(\"v\", wide)"] {
        let held = peak(&many, query);
        let values = 4_000 * STEPS * 8;
        assert!((values..values * 2 + 4_000 * 256).contains(&held), "{query}: {held} bytes for {values} of values");
    }
}
