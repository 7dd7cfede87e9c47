//! The recorded answers of a store gateway, over the same buckets.

use std::collections::BTreeMap;
use std::sync::Arc;

use block::chunk::decode;
use block::spread::SpreadUse;
use block::{Aggregate, Columns, Encoding, Spread};
use bucket::Bucket;
use futures::StreamExt;
use gateway::{Gateway, Settings};
use model::{MatchOp, Matcher, TimeRange};
use request::Context;
use serde_json::{Value, json};
use store::{Frame, LabelsRequest, PartialResponse, SeriesRequest, Shard, Store};

const NOW_MS: i64 = 1_800_000_000_000;

fn matchers(request: &Value) -> Result<Vec<Matcher>, String> {
    let all = request["matchers"].as_array().cloned().unwrap_or_default();
    let each = all.iter().map(|m| {
        let op = match m["Type"].as_str().expect("a type") {
            "EQ" => MatchOp::Equal,
            "NEQ" => MatchOp::NotEqual,
            "RE" => MatchOp::Regex,
            _ => MatchOp::NotRegex,
        };
        Matcher::new(op, m["Name"].as_str().unwrap(), m["Value"].as_str().unwrap()).map_err(|e| e.to_string())
    });
    each.collect()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|v| v.as_str().expect("text").to_owned()).collect()
}

fn series_request(request: &Value, matchers: Vec<Matcher>) -> SeriesRequest {
    let number = |v: &Value| v.as_i64().unwrap_or(0);
    let aggregates = texts(&request["aggregates"]);
    let aggregate = |name: &String| match name.as_str() {
        "COUNT" => Aggregate::Count,
        "SUM" => Aggregate::Sum,
        "MIN" => Aggregate::Min,
        "MAX" => Aggregate::Max,
        "COUNTER" => Aggregate::Counter,
        _ => Aggregate::Raw,
    };
    let shard = request.get("shard_info").map(|s| Shard {
        index: number(&s["shard_index"]) as u64,
        total: number(&s["total_shards"]) as u64,
        by: s["by"].as_bool().unwrap_or(false),
        labels: texts(&s["labels"]),
    });
    SeriesRequest {
        max_resolution_ms: number(&request["max_resolution_window"]),
        aggregates: aggregates.iter().map(aggregate).collect(),
        skip_chunks: request["skip_chunks"].as_bool().unwrap_or(false),
        without_replica_labels: texts(&request["without_replica_labels"]),
        shard,
        limit: number(&request["limit"]) as u64,
        batch_size: number(&request["response_batch_size"]) as usize,
        partial_response: PartialResponse::Abort,
        ..SeriesRequest::new(TimeRange::new(number(&request["min_time"]), number(&request["max_time"])), matchers)
    }
}

fn name_of(aggregate: Aggregate) -> &'static str {
    match aggregate {
        Aggregate::Raw => "RAW",
        Aggregate::Count => "COUNT",
        Aggregate::Sum => "SUM",
        Aggregate::Min => "MIN",
        Aggregate::Max => "MAX",
        Aggregate::Counter => "COUNTER",
    }
}

async fn series(gateway: &Gateway, request: SeriesRequest) -> Value {
    let mut stream = gateway.series(&Context::inline(NOW_MS), request.clone());
    let mut series: Vec<Value> = Vec::new();
    while let Some(frame) = stream.next().await {
        let batch = match frame.expect("no error") {
            Frame::Batch(batch) => batch,
            Frame::Missing(missing) => panic!("missing: {missing:?}"),
            Frame::Stats(_) => continue,
        };
        for i in 0..batch.len() {
            let labels: Vec<_> = batch.labels_of(i).iter().map(|(n, v)| json!([n, v])).collect();
            let mut chunks: Vec<Value> = Vec::new();
            for chunk in batch.chunks_of(i) {
                let encoding = match chunk.encoding {
                    Encoding::Xor => "XOR",
                    Encoding::Histogram => "HISTOGRAM",
                    Encoding::FloatHistogram => "FLOAT_HISTOGRAM",
                    other => panic!("unexpected {other:?}"),
                };
                let payload = chunk.payload();
                let held = json!({"encoding": encoding, "len": payload.len(), "crc32c": crc32c::crc32c(payload)});
                let (min, max) = (json!(chunk.min_time), json!(chunk.max_time));
                let name = name_of(chunk.aggregate);
                match chunks.last_mut() {
                    Some(last)
                        if last["min_time"] == min
                            && last["max_time"] == max
                            && last["aggregates"].get(name).is_none() =>
                    {
                        last["aggregates"][name] = held;
                    }
                    _ => chunks.push(json!({"min_time": min, "max_time": max, "aggregates": {name: held}})),
                }
            }
            let chunks = if request.skip_chunks { Value::Null } else { json!(chunks) };
            series.push(json!({"labels": labels, "chunks": chunks}));
        }
    }
    json!(series)
}

/// The recorded series; chunks without any of the aggregates asked for are not sent here.
fn expected_series(row: &Value) -> Value {
    let mut series = row.get("series").cloned().unwrap_or(json!([]));
    for one in series.as_array_mut().unwrap() {
        if let Some(chunks) = one["chunks"].as_array_mut() {
            chunks.retain(|c| !c["aggregates"].as_object().unwrap().is_empty());
        }
    }
    series
}

async fn labels(gateway: &Gateway, request: &Value, matchers: Vec<Matcher>) -> Value {
    let number = |v: &Value| v.as_i64().unwrap_or(0);
    let asked = LabelsRequest {
        label: request["label"].as_str().unwrap_or("").to_owned(),
        range: TimeRange::new(number(&request["min_time"]), number(&request["max_time"])),
        matchers,
        without_replica_labels: texts(&request["without_replica_labels"]),
        limit: number(&request["limit"]) as u64,
        partial_response: PartialResponse::Abort,
        block_matchers: Vec::new(),
    };
    let cx = Context::inline(NOW_MS);
    let names = match request["rpc"].as_str().unwrap() {
        "LabelNames" => gateway.label_names(&cx, asked).await,
        _ => gateway.label_values(&cx, asked).await,
    };
    json!(names.expect("no error").names)
}

fn check_info(gateway: &Gateway, row: &Value) {
    let info = gateway.info();
    let mut extents: BTreeMap<String, ()> = BTreeMap::new();
    for extent in &info.extents {
        let labels: BTreeMap<_, _> = extent.labels.iter().collect();
        let one = json!({"labels": labels, "min_time": extent.range.min, "max_time": extent.range.max});
        extents.insert(one.to_string(), ());
    }
    let wanted = row["info"]["store"]["tsdb_infos"].as_array().unwrap();
    let wanted: BTreeMap<String, ()> = wanted.iter().map(|i| (i.to_string(), ())).collect();
    assert_eq!(extents, wanted);
    let range = info.time_range().unwrap();
    assert_eq!(json!(range.min), row["info"]["store"]["min_time"]);
    assert_eq!(json!(range.max), row["info"]["store"]["max_time"]);
}

async fn check(gateway: &Gateway, row: &Value) {
    let request = &row["request"];
    let name = request["name"].as_str().unwrap();
    let matchers = matchers(request);
    if name == "bad regex" {
        assert!(matchers.unwrap_err().contains("up("));
        return;
    }
    let matchers = matchers.unwrap();
    match request["rpc"].as_str().unwrap() {
        "Info" => check_info(gateway, row),
        "Series" if row.get("grpc_error").is_some() => {
            // Native histograms have no MIN and MAX: what exists is served.
            let found = series(gateway, series_request(request, matchers)).await;
            assert!(!found.as_array().unwrap().is_empty(), "{name}");
        }
        "Series" if matchers.is_empty() => {
            let found = series(gateway, series_request(request, matchers)).await;
            assert!(found.as_array().unwrap().len() > 100, "{name}: everything is selected");
        }
        "Series" => {
            let found = series(gateway, series_request(request, matchers)).await;
            let wanted = expected_series(row);
            let (found, wanted) = (found.as_array().unwrap(), wanted.as_array().unwrap());
            for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
                assert_eq!(found, wanted, "{name}: series {i}");
            }
            assert_eq!(found.len(), wanted.len(), "{name}");
        }
        _ => assert_eq!(labels(gateway, request, matchers).await, row["values"], "{name}"),
    }
}

/// Four ways to the same bytes: mapped in place, indexes copied to disk, everything in memory, and indexes read
/// by ranges with their ends on disk.
async fn replay(archive: &str, record: &str) {
    let (Some(dir), Some(rows)) = (golden::bucket(archive), golden::lines(record)) else { return };
    let copies = tempfile::tempdir().unwrap();
    let remote = || Bucket::filesystem(&dir).unwrap().without_shortcuts();
    let ends = tempfile::tempdir().unwrap();
    let kept = |dir: &tempfile::TempDir, whole_index_share| Settings {
        data_dir: Some(dir.path().to_owned()),
        whole_index_share,
        ..Settings::default()
    };
    for (bucket, settings) in [
        (Bucket::filesystem(&dir).unwrap(), Settings::default()),
        (remote(), kept(&copies, 1.0)),
        (remote(), Settings::default()),
        (remote(), kept(&ends, 0.0)),
    ] {
        let gateway = Gateway::new(bucket, settings);
        gateway.sync(NOW_MS).await.unwrap();
        let gateway = Arc::new(gateway);
        for row in &rows {
            check(&gateway, row).await;
        }
    }
    assert!(rows.len() > 20);
}

#[tokio::test]
async fn the_fleet_answers_as_recorded() {
    replay("fleet/bucket", "fleet/store.jsonl.zst").await;
}

#[tokio::test]
async fn downsampled_blocks_answer_as_recorded() {
    replay("long/bucket_downsampled", "long/store.jsonl.zst").await;
}

/// What is told of mapped chunks, the first time and from then on, is what their samples show; of others, and where it is
/// not asked for, nothing is told.
#[tokio::test]
async fn mapped_chunks_tell_how_their_samples_are_spread() {
    let Some(dir) = golden::bucket("fleet/bucket") else { return };
    for (bucket, mapped) in
        [(Bucket::filesystem(&dir).unwrap(), true), (Bucket::filesystem(&dir).unwrap().without_shortcuts(), false)]
    {
        let gateway = Gateway::new(bucket, Settings::default());
        gateway.sync(NOW_MS).await.unwrap();
        for spread in [SpreadUse::Nothing, SpreadUse::Counts, SpreadUse::All, SpreadUse::All] {
            let name = Matcher::new(MatchOp::Regex, "__name__", "up|go_.*").unwrap();
            let request = SeriesRequest { spread, ..SeriesRequest::new(TimeRange::ALL, vec![name]) };
            let mut stream = gateway.series(&Context::inline(NOW_MS), request);
            let (mut told, mut chunks) = (0, 0);
            while let Some(frame) = stream.next().await {
                let Frame::Batch(batch) = frame.expect("no error") else { continue };
                for chunk in (0..batch.len()).flat_map(|i| batch.chunks_of(i)) {
                    let mut columns = Columns::default();
                    decode(chunk.encoding, chunk.payload(), &mut columns).expect("is sound");
                    chunks += 1;
                    if chunk.spread != Spread::default() {
                        assert_eq!(chunk.spread, Spread::of(&columns.t, &columns.v, chunk.range()));
                        told += 1;
                    }
                }
            }
            assert!(chunks > 100);
            let most = if mapped && spread == SpreadUse::All { chunks } else { 0 };
            let some = mapped && spread == SpreadUse::Counts && (1..chunks).contains(&told);
            assert!(some || (most / 4..=most).contains(&told), "{spread:?}: {told} of {chunks}");
        }
    }
}
