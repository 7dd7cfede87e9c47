//! The recorded answers of a querier, asked over HTTP from one within this process.

use std::path::Path;
use std::sync::Arc;

use block::{BlockReader, EncodedChunk, SeriesEntry};
use daemon::Shell;
use e2e::http;
use golden::compare;
use model::{LabelsBuilder, TimeRange};
use query::{Querier, Settings};
use store::testing::MemoryStore;
use tokio::net::TcpListener;

/// All blocks of a bucket as one store, external labels added.
fn load(bucket: &Path) -> MemoryStore {
    let mut store = MemoryStore::new("memory");
    let mut folders: Vec<_> =
        std::fs::read_dir(bucket).expect("the bucket").map(|e| e.expect("an entry").path()).collect();
    folders.retain(|f| f.join("meta.json").is_file());
    folders.sort();
    for folder in folders {
        let block = BlockReader::open(&folder).expect("a good block");
        let external = block.meta.labels();
        let range = block.meta.time_range();
        store = store.extent(external.clone(), TimeRange::new(range.min, range.max - 1));
        let mut entry = SeriesEntry::default();
        for reference in block.index.all_postings().expect("postings").iter() {
            block.index.series(reference, &mut entry).expect("a series");
            let text = |symbol| block.index.symbol(symbol).expect("a symbol");
            let mut labels = LabelsBuilder::from_iter(entry.labels.iter().map(|&(n, v)| (text(n), text(v))));
            for (name, value) in &external {
                labels.set(name, value);
            }
            let chunks = entry.chunks.iter().map(|meta| {
                let (encoding, payload) = block.chunks.payload(meta.chunk_ref).expect("a chunk");
                EncodedChunk { min_time: meta.min_time, max_time: meta.max_time, encoding, bytes: payload.to_vec() }
            });
            store.add(labels.build(), chunks);
        }
    }
    store
}

/// A querier over the golden bucket, served until the sender is dropped; its address.
fn serve(bucket: &Path) -> (String, tokio::sync::oneshot::Sender<()>) {
    let store = Arc::new(load(bucket));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async move {
            let shell = Shell::new("query", daemon::Settings::default()).expect("a shell");
            let settings = Settings { replica_labels: vec!["replica".to_owned()], ..Settings::default() };
            let querier = Querier::new(&shell, store, settings);
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
            send.send(listener.local_addr().expect("bound").to_string()).expect("somebody waits");
            tokio::select! {
                served = daemon::http::serve(shell.clone(), listener, querier.router(), std::time::Duration::ZERO) => {
                    served.expect("serve");
                }
                _ = stopped => {}
            }
        });
        runtime.shutdown_background();
    });
    (receive.recv().expect("the server starts"), stop)
}

#[test]
fn every_recorded_answer_is_given_again() {
    let (Some(bucket), Some(rows)) = (golden::bucket("fleet/bucket"), golden::lines("fleet/query.jsonl.zst")) else {
        return;
    };
    let (address, _running) = serve(&bucket);
    let (mut passed, mut wrong) = (0, Vec::new());
    for row in &rows {
        let path = row["path"].as_str().expect("a path");
        let mut params: Vec<(String, String)> = vec![("dedup_func".to_owned(), "penalty".to_owned())];
        for (name, value) in row["params"].as_object().expect("parameters") {
            let all = match value {
                serde_json::Value::Array(all) => all.iter().filter_map(|v| v.as_str()).collect(),
                one => vec![one.as_str().expect("a text")],
            };
            params.extend(all.into_iter().map(|v| (name.clone(), v.to_owned())));
        }
        let answer = http::get(&address, path, &params).expect("an answer");
        let query = row["params"]["query"].as_str().unwrap_or("");
        let limited = row["params"].get("limit").is_some();
        let differs = if u64::from(answer.status) == row["status"].as_u64().unwrap_or(0) {
            let got = answer.json().expect("JSON");
            if limited && got["data"].is_array() {
                // Which ones are left out is not said.
                (got["data"].as_array().map(Vec::len) != row["body"]["data"].as_array().map(Vec::len))
                    .then(|| "another number of results".to_owned())
            } else {
                compare::answers(query, path.ends_with("/query"), &row["body"], &got)
            }
        } else {
            Some(format!("status {}: {}", answer.status, String::from_utf8_lossy(&answer.body)))
        };
        match differs {
            None => passed += 1,
            Some(why) => wrong.push(format!("{}: {}", row["name"], why.chars().take(400).collect::<String>())),
        }
    }
    assert!(wrong.is_empty(), "{passed} of {} passed; wrong:\n{}", rows.len(), wrong.join("\n"));
}
