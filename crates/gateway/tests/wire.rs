//! The recorded answers once more, over gRPC and as `esker tools store query` shows them.

use std::sync::Arc;
use std::time::Duration;

use bucket::Bucket;
use gateway::{Gateway, Settings};
use request::Context;
use rpc::{Contexts, Inspector, ServerSettings};
use serde_json::Value;

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

async fn replay(archive: &str, record: &str) {
    let (Some(dir), Some(rows)) = (golden::bucket(archive), golden::lines(record)) else { return };
    let gateway = Gateway::new(Bucket::filesystem(&dir).unwrap(), Settings::default());
    gateway.sync(NOW_MS).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let contexts: Contexts = Arc::new(|_| Context::inline(NOW_MS));
    let server =
        rpc::serve(Arc::new(gateway), contexts, listener, ServerSettings::default(), std::future::pending::<()>());
    let asked = async {
        let inspector = Inspector::new(&address, None, Duration::from_secs(60)).unwrap();
        for row in &rows {
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
    };
    tokio::select! {
        served = server => panic!("the server ended: {served:?}"),
        () = asked => {}
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
