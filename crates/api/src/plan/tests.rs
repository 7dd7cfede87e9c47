use std::sync::Arc;
use std::time::Duration;

use request::{Tally, Took};
use serde_json::{Value, json};

use super::{NodeTook, PlanNode, PlanTree, go_duration};

fn node(name: &str, inputs: &[usize]) -> PlanNode {
    PlanNode { kind: "k", name: name.to_owned(), steps: 3, inputs: inputs.to_vec(), ..PlanNode::default() }
}

fn parsed(write: impl FnOnce(&mut Vec<u8>)) -> Value {
    let mut out = Vec::new();
    write(&mut out);
    serde_json::from_slice(&out).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out)))
}

const BLOCK: &str = "01ABCDEFGHJKMNPQRSTVWXYZ01";

/// Names and children only.
fn shape(value: &Value) -> Value {
    let children: Vec<Value> = value["children"].as_array().into_iter().flatten().map(shape).collect();
    json!([value["name"], children])
}

#[test]
fn a_plan_is_a_tree_of_names() {
    assert_eq!(parsed(|out| PlanTree::default().write_plan(out)), json!({}));
    let one = PlanTree { nodes: vec![node("a", &[])], root: Some(0), rewrites: vec!["fold", "share"] };
    let expected = json!({"name": "a", "kind": "k", "id": 0, "rewrites": ["fold", "share"], "expr": "", "steps": 3});
    assert_eq!(parsed(|out| one.write_plan(out)), expected);
    assert_eq!(one.text(), "k: a  [3 steps]\nrewrites: fold, share\n");

    // e(d(a, b), c(b)): one is read twice.
    let nodes = vec![node("a", &[]), node("b", &[]), node("d", &[0, 1]), node("c", &[1]), node("e", &[2, 3])];
    let tree = PlanTree { nodes, root: Some(4), ..PlanTree::default() };
    let json = parsed(|out| tree.write_plan(out));
    assert_eq!(shape(&json), json!(["e", [["d", [["a", []], ["b", []]]], ["c", [["b", []]]]]]));
    assert_eq!(json["children"][1]["children"][0]["seeAbove"], true);
    assert_eq!(
        tree.text(),
        "k: e  [3 steps]\n  k: d  [3 steps]\n    k: a  [3 steps]\n    k: b  [3 steps]\n  k: c  [3 steps]\n    k: b (as above)\n"
    );
}

#[test]
fn a_very_deep_plan_is_written_without_recursion() {
    let nodes = (0..100_000_usize).map(|i| node("n", if i == 0 { vec![] } else { vec![i - 1] }.as_slice())).collect();
    let tree = PlanTree { nodes, root: Some(99_999), ..PlanTree::default() };
    let mut out = Vec::new();
    tree.write_plan(&mut out);
    tree.write_analysis(&mut out);
    assert!(out.ends_with(b"]}]}") && !tree.text().is_empty());
}

#[test]
fn what_was_taken_stands_at_nodes_stores_and_blocks() {
    let took = |ms: u64, samples| {
        let tally = Tally::new("");
        tally.add(Took { time: Duration::from_millis(ms), samples, memory_peak: 77, ..Took::default() });
        NodeTook { tally: Arc::new(tally), series_given: 2, values_held: 9 }
    };
    let (select, sum) = (took(20, 500), took(5, 0));
    let store = select.tally.part("a:10901");
    store.add(Took { time: Duration::from_micros(1_500), bytes: 100, responses: 1, ..Took::default() });
    store.part(BLOCK).add(Took { chunks: 4, ..Took::default() });
    let behind = select.tally.part("querier:10901").part("b:10901");
    behind.part(BLOCK).add(Took { fetched_bytes: 9, requests: 2, ..Took::default() });
    let nodes =
        vec![PlanNode { took: Some(select), ..node("x", &[]) }, PlanNode { took: Some(sum), ..node("sum", &[0]) }];
    let tree = PlanTree { nodes, root: Some(1), ..PlanTree::default() };
    let json = parsed(|out| tree.write_analysis(out));
    assert_eq!((&json["executionTime"], &json["ownTime"]), (&json!("25ms"), &json!("5ms")));
    assert_eq!(
        (&json["totalSamples"], &json["peakSamples"], &json["memoryPeakBytes"]),
        (&json!(500), &json!(9), &json!(77))
    );
    let fanout = &json["children"][0]["fanout"][0];
    assert_eq!((&fanout["endpointAddr"], &fanout["duration"]), (&json!("a:10901"), &json!("1.5ms")));
    assert_eq!((&fanout["bytesProcessed"], &fanout["blocks"][0]["id"]), (&json!(100), &json!(BLOCK)));
    assert_eq!((&fanout["blocks"][0]["chunks"], &fanout["blocks"][0]["requests"]), (&json!(4), &Value::Null));
    let behind = &json["children"][0]["fanout"][1]["fanout"][0];
    assert_eq!((&behind["endpointAddr"], &behind["blocks"][0]["requests"]), (&json!("b:10901"), &json!(2)));
    let text = tree.text();
    assert!(text.contains("\n  k: x  [20ms, 500 samples, 77 bytes of memory at most; gives 2 series]\n"), "{text}");
    let stores = format!(
        "\n      from a:10901  [1.5ms, 100 bytes]\n        block {BLOCK}  [0s, 4 chunks]\n      from querier:10901  [0s]\n        \
         from b:10901  [0s]\n          block {BLOCK}  [0s, 9 bytes fetched, 2 reads]\n"
    );
    assert!(text.contains(&stores), "{text}");
}

#[test]
fn durations_are_printed_as_go_prints_them() {
    let cases = [(0, "0s"), (999, "999ns"), (1_500, "1.5µs"), (2_000_000, "2ms"), (1_000_000_001, "1.000000001s")];
    for (ns, text) in cases {
        assert_eq!(go_duration(Duration::from_nanos(ns)), text);
    }
}
