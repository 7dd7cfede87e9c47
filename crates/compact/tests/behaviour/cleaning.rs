//! Delays, retention, uploads cut short.

use std::time::Duration;

use block::DeletionMark;
use bucket::{BlockFile, Bucket};
use object_store::ObjectStoreExt;

use crate::bed::{id, look, ramp, run, two_groups, upload};

#[tokio::test]
async fn marked_blocks_go_after_the_delay() {
    let bucket = Bucket::memory();
    upload(&bucket, id(1), "a", (0, 20), &[("one", ramp(0, 20, 0.0))]).await;
    let now_s = daemon::now_ms() / 1000;
    bucket.mark_for_deletion(&DeletionMark::new(id(1), now_s - 1000, "")).await.expect("mark");
    let hour = run(&bucket, |s| s.delete_delay = Duration::from_secs(3600)).await.expect("a cycle");
    assert_eq!(hour.deleted, 0);
    let less = run(&bucket, |s| s.delete_delay = Duration::from_secs(999)).await.expect("a cycle");
    assert_eq!(less.deleted, 1);
    assert!(bucket.list_all().await.expect("list").is_empty());
}

#[tokio::test]
async fn inputs_stay_for_the_delay() {
    let bucket = Bucket::memory();
    two_groups(&bucket).await;
    let report = run(&bucket, |_| {}).await.expect("a cycle");
    assert_eq!((report.compactions, report.marked, report.deleted), (2, 6, 0));
    let snapshot = look(&bucket).await;
    assert_eq!(snapshot.deletion_marks.len(), 6);
    assert_eq!(snapshot.duplicates.len(), 6);
    assert!(snapshot.deletion_marks.values().all(|m| m.details == "source of compacted block"));
}

#[tokio::test]
async fn retention_marks_what_is_old() {
    let bucket = Bucket::memory();
    let now = daemon::now_ms();
    upload(&bucket, id(1), "a", (now - 50_000, now - 40_000), &[("one", ramp(now - 50_000, now - 49_990, 0.0))]).await;
    upload(&bucket, id(2), "a", (now - 20_000, now), &[("one", ramp(now - 20_000, now - 19_990, 0.0))]).await;
    let kept = run(&bucket, |_| {}).await.expect("a cycle");
    assert_eq!(kept.marked, 0, "0 keeps blocks for ever");
    let report = run(&bucket, |s| s.retention.raw = Duration::from_secs(30)).await.expect("a cycle");
    assert_eq!(report.marked, 1);
    let mark = bucket.deletion_mark(id(1)).await.expect("read").expect("marked");
    assert_eq!(mark.details, "block exceeding retention");
    assert_eq!(bucket.deletion_mark(id(2)).await.expect("read"), None);
    let report = run(&bucket, |s| s.retention.five_minutes = Duration::from_secs(1)).await.expect("a cycle");
    assert_eq!(report.marked, 0, "only blocks of that resolution");
}

#[tokio::test]
async fn fresh_partial_uploads_are_left_alone() {
    let bucket = Bucket::memory();
    bucket.store().put(&BlockFile::Index.path(id(1)), "x".into()).await.expect("put");
    bucket.store().put(&"debug/metas/x".into(), "x".into()).await.expect("put");
    let report = run(&bucket, |s| s.delete_delay = Duration::ZERO).await.expect("a cycle");
    assert_eq!(report.deleted, 0);
    assert_eq!(look(&bucket).await.partial.len(), 1);
    let dir = tempfile::tempdir().expect("temp dir");
    let late = compact::Compactor::new(crate::bed::settings(dir.path()), bucket.clone());
    let late = late.with_clock(|| daemon::now_ms() + 49 * 3_600_000);
    assert_eq!(late.run_once().await.expect("a cycle").deleted, 1);
    assert!(bucket.store().get(&"debug/metas/x".into()).await.is_ok(), "what is not a block's stays");
}
