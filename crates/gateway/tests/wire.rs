//! The recorded answers once more, over gRPC and as `esker tools store query` shows them.

use std::sync::Arc;
use std::time::Duration;

use bucket::Bucket;
use gateway::{Gateway, Settings};
use request::Context;
use rpc::{Contexts, Inspector, ServerSettings};
use serde_json::{Value, json};

const NOW_MS: i64 = 1_800_000_000_000;

/// Answers in one order, without chunks that hold none of the aggregates asked for: those are not sent here.
fn normal(mut answer: Value) -> Value {
    for series in answer["series"].as_array_mut().into_iter().flatten() {
        if let Some(chunks) = series["chunks"].as_array_mut() {
            chunks.retain(|c| c["aggregates"].as_object().is_some_and(|a| !a.is_empty()));
            if chunks.is_empty() {
                series["chunks"] = Value::Null;
            }
        }
    }
    for list in ["/info/label_sets", "/info/store/tsdb_infos"] {
        if let Some(all) = answer.pointer_mut(list).and_then(Value::as_array_mut) {
            all.sort_by_key(ToString::to_string);
        }
    }
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("hints");
        fields.retain(|_, value| !value.is_null());
    }
    answer
}

/// Asks a gateway over `bucket` through its gRPC server; gives its state after that.
async fn over_the_wire(bucket: Bucket, settings: Settings, asked: impl AsyncFnOnce(&Inspector)) -> Value {
    let gateway = Arc::new(Gateway::new(bucket, settings));
    gateway.sync(NOW_MS).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let inspector = Inspector::new(&listener.local_addr().unwrap().to_string(), None, Duration::from_secs(60)).unwrap();
    let contexts: Contexts = Arc::new(|_| Context::inline(NOW_MS));
    let (store, settings) = (Arc::clone(&gateway), ServerSettings::default());
    let server = rpc::serve(store, contexts, listener, settings, std::future::pending::<()>());
    tokio::select! {
        served = server => panic!("the server ended: {served:?}"),
        () = asked(&inspector) => gateway.debug(),
    }
}

async fn replay(archive: &str, record: &str) {
    let (Some(dir), Some(rows)) = (golden::bucket(archive), golden::lines(record)) else { return };
    let local = Bucket::filesystem(&dir).unwrap();
    // As `--index-cache.whole-max-share=0` has it of a remote bucket: every index is large.
    let by_ranges = Settings { whole_index_share: 0.0, ..Settings::default() };
    for (bucket, settings, ranged) in
        [(local.clone(), Settings::default(), false), (local.without_shortcuts(), by_ranges, true)]
    {
        let state = over_the_wire(bucket, settings, async |inspector: &Inspector| {
            for row in &rows {
                check(inspector, row).await;
            }
        });
        let state = state.await;
        assert_eq!(state["index_parts_cache"]["items"].as_u64().unwrap() > 0, ranged, "{state}");
    }
}

async fn check(inspector: &Inspector, row: &Value) {
    let name = row["request"]["name"].as_str().unwrap();
    let found = normal(inspector.ask(&row["request"]).await.unwrap());
    if row["request"]["rpc"] == "Series" && row["request"]["matchers"].as_array().unwrap().is_empty() {
        assert!(found["series"].as_array().unwrap().len() > 100, "{name}: everything is selected");
    } else if let Some(refused) = row["grpc_error"].as_str() {
        // Native histograms have no MIN and MAX: what exists is served.
        let served = refused.contains("aggregate") && !found["series"].as_array().unwrap().is_empty();
        let code = |text: &str| text.split(" desc").next().unwrap().to_owned();
        let same = || code(found["grpc_error"].as_str().unwrap()) == code(refused);
        assert!(served || same(), "{name}: {found}");
    } else {
        assert_eq!(found, normal(row.clone()), "{name}");
    }
}

#[tokio::test]
async fn the_fleet_answers_as_recorded_over_the_wire() {
    replay("fleet/bucket", "fleet/store.jsonl.zst").await;
}

#[tokio::test]
async fn downsampled_blocks_answer_as_recorded_over_the_wire() {
    replay("long/bucket_downsampled", "long/store.jsonl.zst").await;
}

/// All numbers of a field, in all chunks of all series of an answer, together; and how many chunks there are.
fn sum_of_chunks(answer: &Value) -> (i64, i64) {
    let series = answer["series"].as_array().unwrap().iter();
    let chunks: Vec<_> = series.flat_map(|s| s["chunks"].as_array().unwrap()).collect();
    (chunks.iter().map(|c| c["aggregates"]["RAW"]["len"].as_i64().unwrap()).sum(), chunks.len() as i64)
}

#[tokio::test]
async fn what_an_answer_took_is_told() {
    let Some(dir) = golden::bucket("fleet/bucket") else { return };
    let metric = json!([{"Type": "EQ", "Name": "__name__", "Value": "http_requests_total"}]);
    let one = json!({"rpc": "Series", "min_time": 0, "max_time": NOW_MS, "matchers": metric});
    let remote = || Bucket::filesystem(&dir).unwrap().without_shortcuts();
    let by_ranges = Settings { whole_index_share: 0.0, ..Settings::default() };
    for (bucket, settings, chunks_fetched, index_fetched) in [
        (Bucket::filesystem(&dir).unwrap(), Settings::default(), false, false),
        (remote(), Settings::default(), true, false),
        (remote(), by_ranges, true, true),
    ] {
        over_the_wire(bucket, settings, async |inspector: &Inspector| {
            let mut request = one.clone();
            request["hints"] = json!({"enable_query_stats": true});
            let answer = inspector.ask(&request).await.unwrap();
            let blocks = answer["hints"][0]["queried_blocks"].as_array().unwrap().clone();
            let stats = &answer["hints"][0]["query_stats"];
            let number = |name: &str| stats[name].as_i64().unwrap_or(0);
            assert_eq!(number("blocks_queried"), blocks.len() as i64);
            assert!(blocks.len() > 1);
            // Blocks of a source do not overlap, so no two have the same chunk.
            let (bytes, chunks) = sum_of_chunks(&answer);
            let series = answer["series"].as_array().unwrap().len() as i64;
            assert_eq!((number("merged_series_count"), number("merged_chunks_count")), (series, chunks));
            assert_eq!((number("chunks_touched"), number("chunks_touched_size_sum")), (chunks, bytes));
            assert!(number("series_touched") >= series && number("series_touched_size_sum") > 16 * series, "{stats}");
            // One list a block, of four bytes a member.
            assert_eq!(number("postings_touched"), blocks.len() as i64);
            assert_eq!(number("postings_touched_size_sum"), 4 * number("series_touched"));
            let fetched = ["chunks", "series", "postings"].map(|what| {
                let all = ["fetched", "fetched_size_sum", "fetch_count"].map(|n| number(&format!("{what}_{n}")) > 0);
                assert!(all.iter().all(|n| *n == all[0]), "{stats}");
                all[0]
            });
            assert_eq!(fetched[0], chunks_fetched, "{stats}");
            assert_eq!(fetched[1] || fetched[2], index_fetched, "{stats}");
            if chunks_fetched {
                assert_eq!(number("chunks_fetched"), chunks);
                assert!(number("chunks_fetched_size_sum") > bytes, "with lengths and checksums");
            }
            let sizes = ["chunks", "series", "postings"].map(|what| number(&format!("{what}_fetched_size_sum")));
            assert_eq!(number("data_downloaded_size_sum"), sizes.iter().sum::<i64>());
            assert!(number("merge_duration_ns") > 0);

            // Some of the blocks only; and nobody asked what they took.
            let id = &blocks[1];
            request["hints"] = json!({"block_matchers": [{"Type": "EQ", "Name": "__block_id", "Value": id}]});
            let some = inspector.ask(&request).await.unwrap();
            assert_eq!(some["hints"][0]["queried_blocks"], json!([id]));
            assert_eq!(some["hints"][0]["query_stats"], Value::Null);
            assert!(sum_of_chunks(&some).1 < chunks);
            request["hints"]["block_matchers"][0] = json!({"Type": "EQ", "Name": "cluster", "Value": "nowhere"});
            assert_eq!(inspector.ask(&request).await.unwrap()["series"], Value::Null);
            for rpc in ["LabelNames", "LabelValues"] {
                let hints = json!({"block_matchers": [{"Type": "RE", "Name": "__block_id", "Value": id}]});
                let asked = json!({"rpc": rpc, "label": "job", "min_time": 0, "max_time": NOW_MS, "hints": hints});
                let answer = inspector.ask(&asked).await.unwrap();
                assert_eq!(answer["hints"][0]["queried_blocks"], json!([id]), "{rpc}");
                assert!(!answer["values"].as_array().unwrap().is_empty());
            }
        })
        .await;
    }
}
