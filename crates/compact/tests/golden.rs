//! What Thanos' compactor made of the fleet's bucket, made again.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use block::{BlockReader, SeriesEntry, Ulid};
use bucket::{Bucket, MetaSync, SyncOptions};
use compact::{Compactor, Settings};
use model::TimeRange;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("mkdir");
    for entry in std::fs::read_dir(from).expect("read dir") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copy");
        }
    }
}

fn settings(dir: &Path) -> Settings {
    let mut settings = Settings::new(dir.join("scratch"));
    settings.consistency_delay = Duration::ZERO;
    settings.delete_delay = Duration::ZERO;
    settings
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What identifies a block whatever its id: labels and time range.
fn place(labels: &Value, min_time: &Value, max_time: &Value) -> String {
    format!("{labels} {min_time} {max_time}")
}

/// A block as the recorded file describes it.
fn describe(dir: &Path, reader: &BlockReader) -> Value {
    let meta: Value = serde_json::from_slice(&reader.meta.to_json()).expect("JSON");
    let mut stats = meta["stats"].clone();
    stats.as_object_mut().expect("object").sort_keys();
    let index = Sha256::digest(std::fs::read(dir.join("index")).expect("index"));
    let mut chunks = Sha256::new();
    for segment in reader.chunks.segments() {
        chunks.update(segment);
    }
    json!({
        "level": meta["compaction"]["level"],
        "sources": meta["compaction"]["sources"],
        "labels": meta["thanos"]["labels"],
        "stats": stats,
        "index_sha256": hex(&index),
        "chunks_sha256": hex(&chunks.finalize()),
    })
}

/// Every series with its chunks, as the recorded lines have them.
fn series(reader: &BlockReader) -> Vec<Value> {
    let mut entry = SeriesEntry::default();
    let postings = reader.index.all_postings().expect("postings").to_vec();
    let series = postings.into_iter().map(|reference| {
        reader.index.series(reference, &mut entry).expect("series");
        let text = |symbol: &u32| reader.index.symbol(*symbol).expect("symbol").to_owned();
        let labels: BTreeMap<String, String> = entry.labels.iter().map(|(n, v)| (text(n), text(v))).collect();
        let chunks = entry.chunks.iter().map(|chunk| {
            let raw = reader.chunks.chunk(chunk.chunk_ref).expect("chunk");
            json!([chunk.min_time, chunk.max_time, raw.payload.len(), crc32c::crc32c(raw.payload)])
        });
        json!({ "labels": labels, "chunks": chunks.collect::<Vec<_>>() })
    });
    series.collect()
}

fn recorded_series(line: &Value) -> Value {
    let chunks = line["chunks"].as_array().expect("array").iter();
    let chunks: Vec<Value> =
        chunks.map(|c| json!([c["min_time"], c["max_time"], c["payload_len"], c["payload_crc32c"]])).collect();
    json!({ "labels": line["labels"], "chunks": chunks })
}

#[tokio::test(flavor = "multi_thread")]
async fn fleet_plain() {
    let same = ["level", "sources", "labels", "stats", "index_sha256", "chunks_sha256"];
    check("plain", &[], &same).await;
}

/// Replicas merged, all their samples kept: chunks overlap, are decoded and encoded anew.
#[tokio::test(flavor = "multi_thread")]
async fn fleet_one_to_one() {
    check("onetoone", &["replica"], &["level", "sources", "labels", "stats"]).await;
}

/// Sixteen days through all levels: blocks of 8 h, and one of 14 d.
#[tokio::test(flavor = "multi_thread")]
async fn long_plain() {
    let (Some(source), Some(blocks)) =
        (golden::bucket("long/bucket_raw"), golden::lines("long/compacted_blocks.jsonl"))
    else {
        return;
    };
    let dir = tempfile::tempdir().expect("temp dir");
    let (compactor, ours) = compacted(&source, dir.path(), &[]).await;
    let raw: Vec<&Value> = blocks.iter().filter(|b| b["resolution"] == 0).collect();
    assert_eq!(ours.len(), raw.len());
    for block in raw {
        let at = place(&block["labels"], &block["minTime"], &block["maxTime"]);
        let (id, reader) = ours.get(&at).unwrap_or_else(|| panic!("no block {at}"));
        let described = describe(&compactor.bucket().local_block(*id).expect("local"), reader);
        for key in ["level", "labels", "stats", "index_sha256", "chunks_sha256"] {
            assert_eq!(described[key], block[key], "{key} of {at}");
        }
        assert_eq!(json!(reader.meta.compaction.sources.len()), block["sources"], "{at}");
    }
}

type Blocks = BTreeMap<String, (Ulid, BlockReader)>;

/// Compacts a copy of a bucket and opens what is in it then, by place.
async fn compacted(source: &Path, dir: &Path, replica_labels: &[&str]) -> (Compactor, Blocks) {
    let root = dir.join("bucket");
    copy_dir(source, &root);
    let mut settings = settings(dir);
    settings.replica_labels = replica_labels.iter().map(|l| (*l).to_owned()).collect();
    let compactor = Compactor::new(settings, Bucket::filesystem(&root).expect("open"));
    let report = compactor.run_once().await.expect("a cycle");
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    assert_eq!((report.marked, report.deleted), (report.deleted, report.marked), "all inputs are gone");

    let sync = MetaSync::new(compactor.bucket().clone(), SyncOptions::default());
    let snapshot = sync.sync(daemon::now_ms(), TimeRange::ALL).await.expect("sync");
    assert!(snapshot.deletion_marks.is_empty() && snapshot.partial.is_empty() && snapshot.duplicates.is_empty());
    let mut ours = Blocks::new();
    for (id, block) in &snapshot.blocks {
        let reader = BlockReader::open(&compactor.bucket().local_block(*id).expect("local")).expect("open");
        let labels = json!(block.meta.thanos.as_ref().expect("section").labels);
        ours.insert(place(&labels, &json!(block.meta.min_time), &json!(block.meta.max_time)), (*id, reader));
    }
    (compactor, ours)
}

async fn check(name: &str, replica_labels: &[&str], same: &[&str]) {
    let (Some(source), Some(blocks), Some(lines)) = (
        golden::bucket("fleet/bucket"),
        golden::lines(&format!("fleet/compacted_{name}_blocks.jsonl")),
        golden::lines(&format!("fleet/compacted_{name}.jsonl.zst")),
    ) else {
        return;
    };
    let dir = tempfile::tempdir().expect("temp dir");
    let (compactor, ours) = compacted(&source, dir.path(), replica_labels).await;
    assert_eq!(ours.len(), blocks.len());

    let mut recorded: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for line in &lines {
        recorded.entry(line["block"].as_str().expect("id").to_owned()).or_default().push(line);
    }
    for block in &blocks {
        let at = place(&block["labels"], &block["minTime"], &block["maxTime"]);
        let (id, reader) = ours.get(&at).unwrap_or_else(|| panic!("no block {at}"));
        let described = describe(&compactor.bucket().local_block(*id).expect("local"), reader);
        for key in same {
            assert_eq!(described[key], block[*key], "{key} of {at}");
        }
        let expected = &recorded[block["block"].as_str().expect("id")];
        let series = series(reader);
        assert_eq!(series.len(), expected.len(), "series of {at}");
        for (ours, line) in series.iter().zip(expected) {
            assert_eq!(*ours, recorded_series(line), "{at}");
        }
        if block["level"] != 1 {
            let thanos = reader.meta.thanos.as_ref().expect("section");
            assert_eq!(thanos.source, "compactor");
            assert!(!reader.meta.compaction.parents.is_empty());
            let sizes: u64 = thanos.files.iter().map(|f| f.size_bytes).sum();
            assert!(thanos.files.len() >= 3 && sizes > 0);
        }
    }

    // Once more: nothing is due, nothing changes.
    let again = compactor.run_once().await.expect("a cycle");
    assert_eq!((again.compactions, again.marked, again.deleted), (0, 0, 0));
}
