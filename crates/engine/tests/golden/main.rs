//! Prometheus' own answers over the golden fleet, without deduplication, against the engine over the
//! same blocks. Values only: the notes beside them are worded by the querier that recorded them.

mod blocks;

use blocks::Blocks;
use engine::{Engine, Error, Grid, Query};
use futures::executor::block_on;
use model::Value;
use request::Context;
use serde_json::Value as Json;

#[test]
fn rows_of_the_fleet() {
    let (Some(bucket), Some(rows)) = (golden::bucket("fleet/bucket"), golden::lines("fleet/query.jsonl.zst")) else {
        return;
    };
    let source = Blocks::open(&bucket);
    let (mut passed, mut failed) = (0, Vec::new());
    for row in &rows {
        let params = &row["params"];
        let is_query = matches!(row["path"].as_str(), Some("/api/v1/query" | "/api/v1/query_range"));
        if !is_query || params["dedup"] != "false" || row["status"] != 200 {
            continue;
        }
        match check(&source, params, &row["body"]) {
            Ok(()) => passed += 1,
            Err(why) => failed.push(format!("{}: {why}", row["name"])),
        }
    }
    assert!(failed.is_empty(), "{passed} passed, failed:\n{}", failed.join("\n"));
    assert!(passed > 100, "only {passed} passed");
}

fn check(source: &Blocks, params: &Json, body: &Json) -> Result<(), String> {
    let cx = Context::inline(0);
    let value = evaluate(source, &cx, params).map_err(|e| e.to_string())?;
    let got = api::query_result(value, &api::Notes::default(), &api::Extras::default()).concat();
    let got: Json = serde_json::from_slice(&got).map_err(|e| e.to_string())?;
    let query = params["query"].as_str().unwrap_or_default();
    let instant = params.get("time").is_some();
    golden::compare::answers_within(1e-12, query, instant, body, &got).map_or(Ok(()), Err)
}

fn evaluate(source: &Blocks, cx: &Context, params: &Json) -> Result<Value, Error> {
    let text = params["query"].as_str().expect("a query");
    let ms = |name: &str| {
        let seconds: f64 = params[name].as_str().expect(name).parse().expect(name);
        (seconds * 1000.0).round() as i64
    };
    let ast = promql::parse(text, &promql::Options::default()).map_err(|e| Error::BadQuery(e.to_string()))?;
    let query = Query { text, ast: &ast };
    let engine = Engine::default();
    if params.get("time").is_some() {
        return block_on(engine.instant(cx, query, ms("time"), source));
    }
    let grid = Grid { start_ms: ms("start"), end_ms: ms("end"), step_ms: ms("step") };
    block_on(engine.range(cx, query, grid, source))
}
