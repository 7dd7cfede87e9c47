//! What Thanos' querier answers over the golden fleet with deduplication, against the engine over the
//! same chunks in memory, deduplicated by `penalty`. Values only.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use block::index::SeriesEntry;
use block::{BlockReader, EncodedChunk};
use engine::{Engine, Error, Grid, Query};
use futures::executor::block_on;
use model::{FloatHistogram, Labels, LabelsBuilder, MatchOp, Matcher, TimeRange, Value};
use request::Context;
use select::{Options, Selector};
use serde_json::Value as Json;
use store::dedup::Func;
use store::testing::MemoryStore;
use store::{Endpoints, Proxy, ProxyOptions, Store};

/// Labels, then time and value of each point.
type Series = (Labels, Vec<(i64, f64)>);

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
    let got = evaluate(source, &cx, params).map_err(|e| e.to_string())?;
    let data = &body["data"];
    if got.kind() != data["resultType"] {
        return Err(format!("a {}, not a {}", got.kind(), data["resultType"]));
    }
    let ordered = params["query"].as_str().is_some_and(|query| query.starts_with("sort"));
    let (mut got, mut expected) = (points(got), recorded(data));
    if !ordered {
        got.sort_by(|a, b| a.0.cmp(&b.0));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
    }
    compare(&got, &expected)
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

fn points(value: Value) -> Vec<Series> {
    match value {
        Value::Scalar { t, v } => vec![(Labels::empty(), vec![(t, v)])],
        Value::String { .. } => Vec::new(),
        Value::Vector(samples) => samples
            .into_iter()
            .map(|s| (s.labels, s.h.map_or_else(|| vec![(s.t, s.v)], |h| numbers(s.t, &h).collect())))
            .collect(),
        Value::Matrix(series) => series
            .into_iter()
            .map(|s| {
                let floats = s.t.iter().copied().zip(s.v);
                (s.labels, floats.chain(s.h.iter().flat_map(|(t, h)| numbers(*t, h))).collect())
            })
            .collect(),
    }
}

/// All that the API tells of a histogram, as points of one time.
fn numbers(t: i64, h: &FloatHistogram) -> impl Iterator<Item = (i64, f64)> {
    let populated = h.buckets().into_iter().filter(|bucket| bucket.count != 0.0);
    let buckets: Vec<f64> = populated.flat_map(|b| [b.lower, b.upper, b.count]).collect();
    [h.count, h.sum].into_iter().chain(buckets).map(move |v| (t, v))
}

fn recorded(data: &Json) -> Vec<Series> {
    let point = |pair: &Json| {
        let time = (pair[0].as_f64().expect("a time") * 1000.0).round() as i64;
        let value = pair[1].as_str().expect("a value");
        (time, value.parse::<f64>().expect("a value is a number"))
    };
    let histogram = |pair: &Json| {
        let time = (pair[0].as_f64().expect("a time") * 1000.0).round() as i64;
        let number = |v: &Json| v.as_str().expect("a number").parse::<f64>().expect("a number");
        let mut points = vec![(time, number(&pair[1]["count"])), (time, number(&pair[1]["sum"]))];
        for bucket in pair[1]["buckets"].as_array().into_iter().flatten() {
            points.extend((1..4).map(|i| (time, number(&bucket[i]))));
        }
        points
    };
    let of_series = |series: &Json| {
        let pairs = series["metric"].as_object().expect("labels");
        let labels = Labels::from_pairs(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str().expect("a label"))));
        let list = |name: &str| series[name].as_array().cloned().unwrap_or_default();
        let mut values: Vec<(i64, f64)> = list("values").iter().map(point).collect();
        values.extend(series.get("value").map(point));
        values.extend(list("histograms").iter().flat_map(histogram));
        values.extend(series.get("histogram").into_iter().flat_map(histogram));
        (labels, values)
    };
    match data["resultType"].as_str() {
        Some("scalar") => vec![(Labels::empty(), vec![point(&data["result"])])],
        Some("string") => Vec::new(),
        _ => data["result"].as_array().expect("series").iter().map(of_series).collect(),
    }
}

fn compare(got: &[Series], expected: &[Series]) -> Result<(), String> {
    let names = |series: &[Series]| series.iter().map(|s| s.0.clone()).collect::<Vec<_>>();
    if names(got) != names(expected) {
        return Err(format!("series {:?}, not {:?}", names(got), names(expected)));
    }
    for ((labels, got), (_, expected)) in got.iter().zip(expected) {
        if got.len() != expected.len() {
            return Err(format!("{labels}: {} points, not {}", got.len(), expected.len()));
        }
        for (&(t, v), &(expected_t, expected_v)) in got.iter().zip(expected) {
            let close = v == expected_v
                || (v.is_nan() && expected_v.is_nan())
                || (v - expected_v).abs() <= 1e-12 * expected_v.abs();
            if t != expected_t || !close {
                return Err(format!("{labels}: {v} at {t}, not {expected_v} at {expected_t}"));
            }
        }
    }
    Ok(())
}
