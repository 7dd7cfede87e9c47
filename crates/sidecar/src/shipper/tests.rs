use std::collections::BTreeMap;
use std::path::Path;

use block::chunk::encode_floats;
use block::meta::ulid_at;
use block::{BlockWriter, NewChunk};
use bucket::{BlockFile, Fault, Faults, Recorder};
use tempfile::TempDir;

use super::*;

const TWO_HOURS_MS: i64 = 7_200_000;

fn labels() -> Labels {
    Labels::from_pairs([("cluster", "eu"), ("replica", "a")])
}

fn shipper(dir: &Path, bucket: &Bucket) -> Shipper {
    let settings = ShipperSettings {
        tsdb_path: dir.to_owned(),
        progress_file: "thanos.shipper.json".to_owned(),
        upload_compacted: false,
        allow_out_of_order_uploads: false,
        skip_corrupted_blocks: false,
    };
    Shipper::new(settings, bucket.clone(), ShipperMetrics::default())
}

/// Writes block `n` as Prometheus would cut it.
fn cut(dir: &Path, n: i64, level: u32) -> Ulid {
    let (min, max) = (n * TWO_HOURS_MS, (n + 1) * TWO_HOURS_MS);
    let id = ulid_at(max, u128::from(level) + 7);
    let block = dir.join(id.to_string());
    let mut writer = BlockWriter::create(&block, ["__name__", "up"]).unwrap();
    let chunks = encode_floats(&[min, min + 15_000], &[1.0, n as f64], 120);
    let chunks: Vec<_> = chunks
        .iter()
        .map(|c| NewChunk { min_time: c.min_time, max_time: c.max_time, encoding: c.encoding, payload: &c.bytes })
        .collect();
    writer.add_series([("__name__", "up")], &chunks).unwrap();
    let mut meta = BlockMeta::new(id, min, max);
    meta.compaction.level = level;
    writer.finish(meta).unwrap();
    id
}

async fn visible(bucket: &Bucket) -> Vec<Ulid> {
    let mut ids = Vec::new();
    for (id, objects) in bucket.list_all().await.unwrap() {
        if objects.contains_key("meta.json") {
            ids.push(id);
        }
    }
    ids
}

#[tokio::test]
async fn each_block_is_shipped_once_with_its_labels() {
    let dir = TempDir::new().unwrap();
    let bucket = Bucket::memory();
    let ids = [cut(dir.path(), 1, 1), cut(dir.path(), 2, 1)];
    let compacted = cut(dir.path(), 0, 2);
    let shipper = shipper(dir.path(), &bucket);
    assert_eq!(shipper.ship(&labels()).await.unwrap(), Shipped { uploaded: 2, already_there: 0 });
    assert_eq!(visible(&bucket).await, ids);
    let meta = bucket.read_meta(ids[0]).await.unwrap();
    let thanos = meta.thanos.clone().unwrap();
    assert_eq!(thanos.source, "sidecar");
    assert_eq!(meta.labels(), labels());
    let files: Vec<_> = thanos.files.iter().map(|f| (f.rel_path.as_str(), f.size_bytes > 0)).collect();
    assert_eq!(files, [("chunks/000001", true), ("index", true), ("meta.json", false)]);
    // Nothing new, nothing done; the local block is untouched.
    assert_eq!(shipper.ship(&labels()).await.unwrap(), Shipped::default());
    assert!(!dir.path().join("thanos/upload").join(ids[0].to_string()).exists());
    assert!(read_meta(&dir.path().join(ids[0].to_string())).unwrap().unwrap().thanos.is_none());
    assert!(!visible(&bucket).await.contains(&compacted));
}

#[tokio::test]
async fn the_bucket_has_the_last_word_when_the_progress_file_is_lost() {
    let dir = TempDir::new().unwrap();
    let bucket = Bucket::memory();
    cut(dir.path(), 1, 1);
    let shipper = shipper(dir.path(), &bucket);
    shipper.ship(&labels()).await.unwrap();
    std::fs::write(dir.path().join("thanos.shipper.json"), "{ not json").unwrap();
    assert_eq!(shipper.ship(&labels()).await.unwrap(), Shipped { uploaded: 0, already_there: 1 });
}

#[tokio::test]
async fn blocks_that_are_gone_locally_leave_the_progress_file() {
    let dir = TempDir::new().unwrap();
    let bucket = Bucket::memory();
    let (old, new) = (cut(dir.path(), 1, 1), cut(dir.path(), 2, 1));
    let shipper = shipper(dir.path(), &bucket);
    shipper.ship(&labels()).await.unwrap();
    std::fs::remove_dir_all(dir.path().join(old.to_string())).unwrap();
    shipper.ship(&labels()).await.unwrap();
    let text = std::fs::read_to_string(dir.path().join("thanos.shipper.json")).unwrap();
    assert_eq!(text, format!("{{\n\t\"version\": 1,\n\t\"uploaded\": [\n\t\t\"{new}\"\n\t]\n}}"));
}

#[tokio::test]
async fn a_corrupt_block_is_named_and_can_be_gone_past() {
    let dir = TempDir::new().unwrap();
    let bucket = Bucket::memory();
    let id = cut(dir.path(), 1, 1);
    std::fs::write(dir.path().join(id.to_string()).join("meta.json"), "{").unwrap();
    cut(dir.path(), 2, 1);
    let mut shipper = shipper(dir.path(), &bucket);
    let error = format!("{:#}", shipper.ship(&labels()).await.unwrap_err());
    assert!(error.contains(&format!("{id}/meta.json")), "{error}");
    shipper.settings.skip_corrupted_blocks = true;
    assert_eq!(shipper.ship(&labels()).await.unwrap().uploaded, 1);
}

/// Every object of the bucket.
async fn content(bucket: &Bucket) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for (id, objects) in bucket.list_all().await.unwrap() {
        all.extend(objects.into_iter().map(|(name, object)| (format!("{id}/{name}"), object.size)));
    }
    all
}

#[tokio::test]
async fn killed_at_any_operation_the_next_start_goes_on_and_no_partial_block_shows() {
    let dir = TempDir::new().unwrap();
    let ids = [cut(dir.path(), 1, 1), cut(dir.path(), 2, 1)];
    let whole = Bucket::memory();
    shipper(dir.path(), &whole).ship(&labels()).await.unwrap();
    let whole = content(&whole).await;
    for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::AnswerLost, Fault::Refused] {
        for k in 0.. {
            let _absent = std::fs::remove_file(dir.path().join("thanos.shipper.json"));
            let faults = Faults::default();
            let bucket = Bucket::memory().decorated(|inner| Recorder::new(inner, faults.clone()));
            faults.fail_at(k, fault);
            let first = shipper(dir.path(), &bucket).ship(&labels()).await;
            let struck = faults.struck();
            assert!(struck || first.is_ok(), "{fault:?} at {k}: {first:?}");
            faults.heal();
            // What shows is whole.
            for id in visible(&bucket).await {
                let meta = bucket.read_meta(id).await.unwrap();
                for file in meta.thanos.unwrap().files.iter().filter(|f| f.rel_path != "meta.json") {
                    let file_name = BlockFile::parse(&file.rel_path).unwrap();
                    assert_eq!(bucket.size(id, file_name).await.unwrap(), file.size_bytes, "{fault:?} at {k}");
                }
            }
            shipper(dir.path(), &bucket).ship(&labels()).await.unwrap();
            assert_eq!(visible(&bucket).await, ids, "{fault:?} at {k}");
            assert_eq!(content(&bucket).await, whole, "{fault:?} at {k}");
            if !struck {
                break;
            }
        }
    }
}
