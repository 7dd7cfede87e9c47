//! Bad blocks never stop good ones.

use block::Ulid;
use bucket::{BlockFile, Bucket};
use object_store::ObjectStoreExt;

use crate::bed::{contents, id, look, run, two_groups};

/// Replaces an object's bytes.
async fn damage(bucket: &Bucket, block: Ulid, file: BlockFile, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = bucket.read(block, file).await.expect("read").to_vec();
    change(&mut bytes);
    bucket.store().put(&file.path(block), bytes.into()).await.expect("put");
}

/// Group a has a damaged block: it is marked and named, group b is done in the same cycle, and the next
/// cycle is content.
async fn poisoned(file: BlockFile, change: impl FnOnce(&mut Vec<u8>), says: &str) {
    let bucket = Bucket::memory();
    two_groups(&bucket).await;
    let bad = id(11);
    damage(&bucket, bad, file, change).await;
    let report = run(&bucket, |_| {}).await.expect("a cycle");
    assert_eq!(report.failures.len(), 1, "{report:?}");
    let message = report.failures[0].error.to_string();
    assert!(message.contains(&bad.to_string()) && message.contains(says), "{message}");
    let mark = bucket.no_compact_mark(bad).await.expect("read").expect("marked");
    assert!(mark.reason == "corrupt" && mark.details.contains(says), "{mark:?}");
    assert!(report.compactions >= 1, "group b is done");
    let snapshot = look(&bucket).await;
    assert!(snapshot.blocks.contains_key(&bad), "the damaged block stays");
    assert!(
        snapshot.blocks.values().any(|b| b.meta.labels().get("group") == Some("b") && b.meta.compaction.level == 2)
    );
    let again = run(&bucket, |_| {}).await.expect("a cycle");
    assert!(again.failures.is_empty(), "{again:?}");
}

#[tokio::test]
async fn a_truncated_index() {
    poisoned(BlockFile::Index, |bytes| bytes.truncate(bytes.len() / 2), "index").await;
}

#[tokio::test]
async fn a_flipped_chunk_byte() {
    poisoned(BlockFile::Chunks(1), |bytes| bytes[30] ^= 1, "chunks/000001").await;
}

#[tokio::test]
async fn truncated_chunks() {
    poisoned(BlockFile::Chunks(1), |bytes| bytes.truncate(20), "chunks/000001").await;
}

#[tokio::test]
async fn a_damaged_meta_hides_one_block() {
    let bucket = Bucket::memory();
    two_groups(&bucket).await;
    damage(&bucket, id(13), BlockFile::Meta, |bytes| bytes.truncate(30)).await;
    let report = run(&bucket, |_| {}).await.expect("a cycle");
    assert!(report.failures.is_empty());
    assert_eq!(report.compactions, 2);
    // It stays for somebody to look at.
    assert!(bucket.read(id(13), BlockFile::Meta).await.is_ok());
}

#[tokio::test]
async fn no_compact_marks_are_kept_to() {
    let bucket = Bucket::memory();
    two_groups(&bucket).await;
    let mark = block::NoCompactMark::new(id(11), 0, "manual", "");
    bucket.mark_no_compact(&mark).await.expect("mark");
    let before = contents(&bucket).await;
    let report = run(&bucket, |_| {}).await.expect("a cycle");
    assert_eq!(report.compactions, 1);
    assert_eq!(look(&bucket).await.blocks.len(), 5 + 2);
    assert_eq!(contents(&bucket).await, before);
}
