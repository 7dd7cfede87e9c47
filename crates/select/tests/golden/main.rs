//! What Thanos' querier answers over the golden fleet with deduplication, against the engine over the
//! same chunks in memory, deduplicated by `penalty`. Values only.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use block::index::SeriesEntry;
use block::{BlockReader, EncodedChunk};
use engine::{Engine, Error, Grid, Query};
use futures::executor::block_on;
use model::{Labels, LabelsBuilder, MatchOp, Matcher, TimeRange, Value};
use request::Context;
use select::{Options, Selector};
use serde_json::Value as Json;
use store::dedup::Func;
use store::testing::MemoryStore;
use store::{Endpoints, Proxy, ProxyOptions, Store};

/// One store for each source, with the chunks of all its blocks.
fn stores(bucket: &Path) -> Vec<Arc<dyn Store>> {
    let mut stores = BTreeMap::<Labels, MemoryStore>::new();
    let every = Matcher::new(MatchOp::Regex, "__name__", ".*").expect("a pattern");
    let dirs = std::fs::read_dir(bucket).expect("the bucket can be listed");
    for dir in dirs.filter_map(|d| Some(d.ok()?.path())).filter(|d| d.join("meta.json").exists()) {
        let block = BlockReader::open(&dir).expect("a golden block");
        let external = block.meta.labels();
        let new = || MemoryStore::new(&external.to_string()).extent(external.clone(), TimeRange::ALL);
        let store = stores.entry(external.clone()).or_insert_with(new);
        let mut entry = SeriesEntry::default();
        for series in block::postings::select(&block.index, std::slice::from_ref(&every)).expect("postings") {
            block.index.series(series, &mut entry).expect("a series");
            let mut labels = LabelsBuilder::new();
            for &(name, value) in &entry.labels {
                labels.set(block.index.symbol(name).expect("a symbol"), block.index.symbol(value).expect("a symbol"));
            }
            for (name, value) in &external {
                labels.set(name, value);
            }
            let chunks = entry.chunks.iter().map(|c| {
                let raw = block.chunks.chunk_unchecked(c.chunk_ref).expect("a chunk");
                let TimeRange { min, max } = c.range();
                EncodedChunk { min_time: min, max_time: max, encoding: raw.encoding, bytes: raw.payload.to_vec() }
            });
            store.add(labels.build(), chunks);
        }
    }
    stores.into_values().map(|s| Arc::new(s) as Arc<dyn Store>).collect()
}

#[test]
fn deduplicated_rows_of_the_fleet() {
    let (Some(bucket), Some(rows)) = (golden::bucket("fleet/bucket"), golden::lines("fleet/query.jsonl.zst")) else {
        return;
    };
    let proxy = Arc::new(Proxy::new(Arc::new(Endpoints::new(stores(&bucket))), ProxyOptions::default()));
    let (mut passed, mut failed) = (0, Vec::new());
    for row in &rows {
        let params = &row["params"];
        let is_query = matches!(row["path"].as_str(), Some("/api/v1/query" | "/api/v1/query_range"));
        if !is_query || params["dedup"] == "false" || row["status"] != 200 {
            continue;
        }
        // Times in other forms are the HTTP API's business.
        let number = |name: &str| params.get(name).is_none_or(|v| v.as_str().is_some_and(|v| v.parse::<f64>().is_ok()));
        if !["time", "start", "end", "step"].into_iter().all(number) {
            continue;
        }
        let labels = params.get("replicaLabels[]").and_then(Json::as_array);
        let labels = labels.map_or(vec!["replica"], |l| l.iter().filter_map(Json::as_str).collect());
        let replica_labels = labels.into_iter().map(str::to_owned).collect();
        let options = Options { dedup: true, replica_labels, func: Func::Penalty, ..Options::default() };
        match check(&Selector::new(proxy.clone(), options), params, &row["body"]) {
            Ok(()) => passed += 1,
            Err(why) => failed.push(format!("{} {params}: {why}", row["name"])),
        }
    }
    assert!(failed.is_empty(), "{passed} passed, failed:\n{}", failed.join("\n"));
    assert!(passed > 90, "only {passed} passed");
}

fn check(source: &Selector, params: &Json, body: &Json) -> Result<(), String> {
    let cx = Context::inline(0);
    let value = evaluate(source, &cx, params).map_err(|e| e.to_string())?;
    let got = api::query_result(value, &api::Notes::default(), &api::Extras::default()).concat();
    let got: Json = serde_json::from_slice(&got).map_err(|e| e.to_string())?;
    let query = params["query"].as_str().unwrap_or_default();
    let instant = params.get("time").is_some();
    golden::compare::answers_within(1e-12, query, instant, body, &got).map_or(Ok(()), Err)
}

fn evaluate(source: &Selector, cx: &Context, params: &Json) -> Result<Value, Error> {
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
