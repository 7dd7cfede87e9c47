use block::meta::Thanos;
use object_store::ObjectStoreExt;

use super::*;
use crate::{Faults, Operation, Recorder};

const NOW: i64 = 1_700_000_000_000;

fn id(n: u128) -> Ulid {
    Ulid::from_parts(NOW as u64 - 86_400_000, n)
}

fn meta(n: u128, labels: &[(&str, &str)], sources: &[u128]) -> BlockMeta {
    let mut meta = BlockMeta::new(id(n), 1000, 2000);
    meta.compaction.sources = sources.iter().map(|s| id(*s)).collect();
    let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    meta.thanos = Some(Thanos { version: 1, labels, source: "sidecar".to_owned(), ..Thanos::default() });
    meta
}

async fn put(bucket: &Bucket, block: Ulid, file: BlockFile, bytes: impl Into<Vec<u8>>) {
    bucket.store().put(&file.path(block), bytes.into().into()).await.expect("put");
}

async fn put_meta(bucket: &Bucket, meta: &BlockMeta) {
    put(bucket, meta.ulid, BlockFile::Meta, meta.to_json()).await;
    put(bucket, meta.ulid, BlockFile::Index, "x").await;
}

async fn sync(bucket: &Bucket, options: SyncOptions) -> Snapshot {
    MetaSync::new(bucket.clone(), options).sync(NOW, TimeRange::ALL).await.expect("sync")
}

fn ids(snapshot: &Snapshot) -> Vec<Ulid> {
    snapshot.blocks.keys().copied().collect()
}

#[tokio::test]
async fn one_bad_block_never_stops_others() {
    let bucket = Bucket::memory();
    put_meta(&bucket, &meta(1, &[("a", "1")], &[1])).await;
    put(&bucket, id(2), BlockFile::Meta, "{").await;
    put(&bucket, id(3), BlockFile::Index, "x").await;
    put(&bucket, id(4), BlockFile::Meta, meta(1, &[], &[1]).to_json()).await;
    let snapshot = sync(&bucket, SyncOptions::default()).await;
    assert_eq!(ids(&snapshot), [id(1)]);
    assert_eq!(snapshot.blocks[&id(1)].size(BlockFile::Index), Some(1));
    assert_eq!(snapshot.partial.keys().copied().collect::<Vec<_>>(), [id(3)]);
    let corrupt: Vec<_> = snapshot.corrupt.iter().map(|b| (b.block, b.error.to_string())).collect();
    assert_eq!(corrupt.len(), 2);
    assert!(corrupt[0].1.contains(&format!("{}/meta.json", id(2))), "{corrupt:?}");
    assert!(corrupt[1].1.contains("says it is block"), "{corrupt:?}");
    assert!(snapshot.failed.is_empty());
}

#[tokio::test]
async fn unchanged_blocks_are_not_read_again() {
    let faults = Faults::default();
    let bucket = Bucket::memory().decorated(|s| Recorder::new(s, faults.clone()));
    for n in 1..=5 {
        put_meta(&bucket, &meta(n, &[("a", "1")], &[n])).await;
    }
    let syncer = MetaSync::new(bucket.clone(), SyncOptions::default());
    let counts = || {
        let asked = faults.take();
        let count = |op| asked.iter().filter(|(o, _)| *o == op).count();
        (count(Operation::List), count(Operation::Get))
    };
    let _setup = counts();
    syncer.sync(NOW, TimeRange::ALL).await.expect("sync");
    assert_eq!(counts(), (1, 5));
    syncer.sync(NOW, TimeRange::ALL).await.expect("sync");
    assert_eq!(counts(), (1, 0));
    put_meta(&bucket, &meta(6, &[("a", "1")], &[6])).await;
    bucket.mark_for_deletion(&DeletionMark::new(id(2), NOW / 1000, "")).await.expect("mark");
    bucket.delete_block(id(1)).await.expect("delete");
    let _setup = counts();
    let snapshot = syncer.sync(NOW, TimeRange::ALL).await.expect("sync");
    assert_eq!(counts(), (1, 2));
    assert_eq!(ids(&snapshot), [id(2), id(3), id(4), id(5), id(6)]);
    assert!(snapshot.deletion_marks.contains_key(&id(2)));
}

#[tokio::test]
async fn filters() {
    let bucket = Bucket::memory();
    let day = Duration::from_secs(86_400);
    // 4 covers 1 and 2; 3 has other labels; 5 has the sources of 4.
    put_meta(&bucket, &meta(1, &[("a", "1")], &[1])).await;
    put_meta(&bucket, &meta(2, &[("a", "1")], &[2])).await;
    put_meta(&bucket, &meta(3, &[("a", "2")], &[1])).await;
    put_meta(&bucket, &meta(4, &[("a", "1")], &[1, 2])).await;
    put_meta(&bucket, &meta(5, &[("a", "1")], &[1, 2])).await;
    let snapshot = sync(&bucket, SyncOptions::default()).await;
    assert_eq!(ids(&snapshot), [id(3), id(4)]);
    assert_eq!(snapshot.duplicates, [id(1), id(2), id(5)].into());
    let all = SyncOptions { deduplicate: false, ..SyncOptions::default() };
    assert_eq!(sync(&bucket, all.clone()).await.blocks.len(), 5);

    // The covering block is marked for deletion: once it is left out, the others come back.
    for block in [4, 5] {
        let mark = DeletionMark::new(id(block), NOW / 1000 - 3600, "");
        bucket.mark_for_deletion(&mark).await.expect("mark");
    }
    let delayed =
        |secs| SyncOptions { ignore_deletion_marks_after: Some(Duration::from_secs(secs)), ..Default::default() };
    assert_eq!(ids(&sync(&bucket, delayed(3600)).await), [id(3), id(4)]);
    assert_eq!(ids(&sync(&bucket, delayed(3599)).await), [id(1), id(2), id(3)]);

    // Too fresh, but for what the compactor wrote.
    let mut compacted = meta(6, &[("b", "1")], &[6]);
    compacted.thanos.as_mut().expect("section").source = "compactor".to_owned();
    put_meta(&bucket, &compacted).await;
    let fresh = |consistency_delay| SyncOptions { consistency_delay, ..all.clone() };
    assert_eq!(ids(&sync(&bucket, fresh(day * 2)).await), [id(6)]);
    assert_eq!(sync(&bucket, fresh(day)).await.blocks.len(), 6);
    let mut uploaded = meta(7, &[("b", "2")], &[7]);
    uploaded.thanos.as_mut().expect("section").upload_time = Some("2023-11-14T22:13:10Z".to_owned());
    put_meta(&bucket, &uploaded).await;
    assert_eq!(sync(&bucket, fresh(Duration::from_secs(11))).await.blocks.len(), 6);
    assert_eq!(sync(&bucket, fresh(Duration::from_secs(10))).await.blocks.len(), 7);

    // The time partition.
    let syncer = MetaSync::new(bucket.clone(), all);
    let count = async |min, max| syncer.sync(NOW, TimeRange::new(min, max)).await.expect("sync").blocks.len();
    assert_eq!(count(0, 999).await, 0);
    assert_eq!(count(0, 1000).await, 7);
    assert_eq!(count(2000, 3000).await, 7);
    assert_eq!(count(2001, 3000).await, 0);
}

#[tokio::test]
async fn replica_labels_are_taken_off() {
    let bucket = Bucket::memory();
    put_meta(&bucket, &meta(1, &[("a", "1"), ("replica", "x")], &[1])).await;
    put_meta(&bucket, &meta(2, &[("replica", "y")], &[2])).await;
    let options = SyncOptions { replica_labels: vec!["replica".to_owned()], ..SyncOptions::default() };
    let snapshot = sync(&bucket, options).await;
    let labels: Vec<_> = snapshot.blocks.values().map(|b| b.meta.labels().to_string()).collect();
    assert_eq!(labels, [r#"{a="1"}"#, r#"{replica="deduped"}"#]);
}

#[tokio::test]
async fn golden_fleet() {
    let Some(dir) = golden::bucket("fleet/bucket") else { return };
    let bucket = Bucket::filesystem(dir).expect("open");
    let snapshot = sync(&bucket, SyncOptions::default()).await;
    assert_eq!(snapshot.blocks.len(), 72);
    assert!(snapshot.partial.is_empty() && snapshot.corrupt.is_empty() && snapshot.failed.is_empty());
    for block in snapshot.blocks.values() {
        let thanos = block.meta.thanos.as_ref().expect("section");
        for file in &thanos.files {
            let size = BlockFile::parse(&file.rel_path).and_then(|f| block.size(f));
            assert!(file.rel_path == "meta.json" || size == Some(file.size_bytes), "{}", file.rel_path);
        }
    }
}
