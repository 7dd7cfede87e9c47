use serde_json::Value;

use super::syntax_tree;

/// What Prometheus (main, 2026-08) answers, one query a line.
const RECORDED: &str = include_str!("recorded.jsonl");

#[test]
fn trees_are_those_of_prometheus() {
    let mut wrong = Vec::new();
    for line in RECORDED.lines() {
        let row: Value = serde_json::from_str(line).expect("a recorded line");
        let query = row["query"].as_str().expect("a query");
        let ast = promql::parse(query, &promql::Options::default()).expect(query);
        let got: Value = serde_json::from_slice(&syntax_tree(&ast)).unwrap_or_else(|e| panic!("{query}: {e}"));
        if got != row["ast"] {
            wrong.push(format!("{query}\n  {got}\n  {}", row["ast"]));
        }
        assert_eq!(ast.pretty(), row["pretty"], "{query}");
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_long_chain_is_written_without_recursion() {
    let query = vec!["a"; 50_000].join("+");
    let ast = promql::parse(&query, &promql::Options::default()).expect("a chain");
    assert!(syntax_tree(&ast).ends_with(br#""type":"binaryExpr"}"#));
}
