use futures::executor::block_on;
use model::Labels;
use request::Context;

use crate::testing::Memory;
use crate::{Engine, Explanation, Grid, Query};

const GRID: Grid = Grid { start_ms: 600_000, end_ms: 1_200_000, step_ms: 60_000 };

fn explained(text: &str) -> Explanation {
    let ast = promql::parse(text, &promql::Options::default()).expect(text);
    Engine::default().explain(Query { text, ast: &ast }, GRID, true).expect(text)
}

/// The parts from the answer down, each indented below what reads it.
fn tree(explanation: &Explanation) -> String {
    let mut lines = String::new();
    let mut open: Vec<(usize, usize)> = explanation.root.into_iter().map(|root| (root, 0)).collect();
    while let Some((i, depth)) = open.pop() {
        let node = &explanation.nodes[i];
        lines += &format!("{}{}: {}\n", "  ".repeat(depth), node.kind, node.name);
        open.extend(node.inputs.iter().rev().map(|&input| (input, depth + 1)));
    }
    lines
}

#[test]
fn a_plan_is_told_in_words_close_to_promql() {
    let cases = [
        ("up", "select: up\n"),
        (
            r#"sum by (b, a) (rate(x_total{code=~"5.."}[5m] offset 1h) * 100) > bool 2"#,
            "map: > bool scalar\n  aggregate: sum by (a, b), as series come\n    \
             select: rate(x_total{code=~\"5..\"}[5m] offset 1h), then * scalar\n      number: 100\n  number: 2\n",
        ),
        (
            "topk(3, a / on (x) group_left (y) b)",
            "aggregate: topk\n  number: 3\n  join: / on (x), many-to-one with (y)\n    select: a\n    select: b\n",
        ),
        (
            "max_over_time(histogram_quantile(0.9, sum without (i) (b_bucket @ 60))[1h:5m])",
            "subquery: max over [1h:5m]\n  repeat: the same at every step\n    buckets: histogram_quantile\n      \
             number: 0.9\n      aggregate: sum without (i), as series come\n        select: b_bucket @ 60\n",
        ),
        (r#"{__name__="a b",x!="y"}[5m]"#, "select: samples of {__name__=\"a b\",x!=\"y\"}[5m]\n"),
        (
            r#"sort_desc(label_replace(predict_linear(a[1m], 60), "t", "$1", "s", "(.*)"))"#,
            "sort: sort, descending\n  labels: label_replace to t\n    select: predict_linear(a[1m])\n      number: 60\n",
        ),
        (
            "absent(clamp_min(a, 1)) or vector(time() - 1)",
            "join: or, many-to-many\n  absent: absent\n    aggregate: group, as series come\n      \
             select: a, then clamp_min\n        number: 1\n  vector: vector()\n    scalar: -\n      time: time()\n      \
             number: 1\n",
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(tree(&explained(query)), expected, "{query}");
    }
}

#[test]
fn a_selector_says_where_it_comes_from_and_for_how_many_steps() {
    let text = "sum(a) + max_over_time(b[5m:1m])";
    let explanation = explained(text);
    let root = &explanation.nodes[explanation.root.expect("a root")];
    assert_eq!((root.steps, &text[root.span.start as usize..root.span.end as usize]), (GRID.len(), text));
    let b = explanation.nodes.iter().find(|n| n.name == "b").expect("the selector b");
    assert_eq!((b.steps, &text[b.span.start as usize..b.span.end as usize]), (15, "b"));
}

#[test]
fn a_very_wide_query_is_explained_without_recursion() {
    let text = vec!["a"; 20_000].join("+");
    assert!(explained(&text).nodes.len() >= 20_000);
}

#[test]
fn what_each_part_read_and_gave_is_counted() {
    let mut memory = Memory::new();
    for i in 0..10_i64 {
        let labels = Labels::from_pairs([("__name__", "x_total"), ("i", &i.to_string()), ("g", &(i % 2).to_string())]);
        memory.add_floats(labels, (0..200).map(|n| (n * 15_000, (n * i) as f64)));
    }
    let text = "sum by (g) (rate(x_total[5m])) / scalar(count(x_total))";
    let ast = promql::parse(text, &promql::Options::default()).expect(text);
    let query = Query { text, ast: &ast };
    let (cx, engine) = (Context::inline(0), Engine::default());
    let (value, explanation) = block_on(engine.analyze(&cx, query, GRID, false, &memory)).expect("an answer");
    assert_eq!(value, block_on(engine.range(&Context::inline(0), query, GRID, &memory)).expect("an answer"));

    let node = |name: &str| explanation.nodes.iter().find(|n| n.name.starts_with(name)).expect(name);
    let rate = node("rate(x_total[5m])").tally.took();
    assert_eq!((rate.series, rate.samples), (10, 2_000));
    assert_eq!(node("x_total").tally.took().series, 10);
    let sum = node("sum by (g)");
    assert_eq!((sum.series_given(), sum.tally.took().samples), (2, 0));
    assert!(sum.values_held() >= 2 * GRID.len() as u64 && sum.tally.took().memory_peak > 0);
    assert_eq!(node("scalar()").series_given(), 1);
    let all = cx.stats().samples.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(all, explanation.nodes.iter().map(|n| n.tally.took().samples).sum::<u64>());
}

#[test]
fn the_rewrites_that_changed_the_plan_are_named() {
    use crate::Rewrite::{Ahead, Fold, Fuse, Hint, Once, Propagate, Share};
    let cases = [
        ("up", vec![]),
        ("-up", vec![Fuse]),
        ("vector(1 + 1)", vec![Once, Fold]),
        ("sum(up)", vec![Fuse, Hint]),
        ("sum(up @ 60)", vec![Once, Fuse, Hint]),
        ("up + up", vec![Share]),
        ("a + b", vec![Ahead]),
        ("sum(up) / count(up)", vec![Fuse, Hint, Share]),
        (r#"a{job="x"} * on (job) group_left () max by (job) (b_total)"#, vec![Fuse, Hint, Propagate, Ahead]),
    ];
    for (query, expected) in cases {
        assert_eq!(explained(query).rewrites, expected, "{query}");
        let engine = Engine::new(crate::Settings { rewrites: crate::Rewrites::none(), ..crate::Settings::default() });
        let ast = promql::parse(query, &promql::Options::default()).expect(query);
        let plain = engine.explain(Query { text: query, ast: &ast }, GRID, false).expect(query);
        assert!(plain.rewrites.is_empty(), "{query}: {:?}", plain.rewrites);
    }
}
