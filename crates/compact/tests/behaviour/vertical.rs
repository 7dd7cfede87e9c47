//! Overlap is a normal input.

use bucket::Bucket;

use crate::bed::{contents, id, look, ramp, run, upload};

#[tokio::test]
async fn exact_copies_are_dropped() {
    let bucket = Bucket::memory();
    for n in [1, 2] {
        upload(&bucket, id(n), "a", (0, 20), &[("one", ramp(0, 20, 0.0))]).await;
    }
    let before = contents(&bucket).await;
    assert!(before.values().all(|(_, blocks)| *blocks == 2));
    let report = run(&bucket, |_| {}).await.expect("a cycle");
    assert_eq!((report.compactions, report.marked), (1, 2));
    let after = contents(&bucket).await;
    assert!(after.values().all(|(_, blocks)| *blocks == 1) && after.keys().eq(before.keys()));
    let snapshot = look(&bucket).await;
    let merged = &snapshot.blocks.values().next().expect("one").meta;
    // Copied, not encoded anew: still three chunks of at most seven samples.
    assert_eq!((merged.stats.num_chunks, merged.stats.num_samples, merged.compaction.level), (3, 20, 2));
}

#[tokio::test]
async fn overlapping_samples_merge_by_time() {
    let bucket = Bucket::memory();
    // The second begins later and ends later; where both have a sample, the first one's counts.
    let odd: Vec<(i64, f64)> = (5..35).map(|t| (t, -1.0)).collect();
    let even: Vec<(i64, f64)> = (0..30).filter(|t| t % 2 == 0).map(|t| (t, 1.0)).collect();
    upload(&bucket, id(1), "a", (0, 30), &[("both", even.clone()), ("first", ramp(0, 30, 0.0))]).await;
    upload(&bucket, id(2), "a", (5, 35), &[("both", odd), ("second", ramp(5, 35, 0.0))]).await;
    let report = run(&bucket, |_| {}).await.expect("a cycle");
    assert_eq!(report.compactions, 1);
    let after = contents(&bucket).await;
    let both: Vec<(i64, f64)> = after
        .iter()
        .filter(|((_, name, _), _)| name == "both")
        .map(|((.., t), (bits, blocks))| {
            assert_eq!(*blocks, 1);
            (*t, f64::from_bits(*bits))
        })
        .collect();
    let expected: Vec<(i64, f64)> =
        (0..35).filter(|t| t % 2 == 0 || *t >= 5).map(|t| (t, if t < 30 && t % 2 == 0 { 1.0 } else { -1.0 })).collect();
    assert_eq!(both, expected);
    assert_eq!(after.keys().filter(|(_, name, _)| name == "first" || name == "second").count(), 60);
}

#[tokio::test]
async fn a_late_small_block_joins_a_large_one() {
    let bucket = Bucket::memory();
    crate::bed::two_groups(&bucket).await;
    run(&bucket, |_| {}).await.expect("a cycle");
    upload(&bucket, id(99), "a", (20, 40), &[("late", ramp(20, 40, 7.0))]).await;
    let before = contents(&bucket).await;
    let report = run(&bucket, |_| {}).await.expect("a cycle");
    assert!(report.failures.is_empty() && report.compactions >= 1, "{report:?}");
    assert_eq!(contents(&bucket).await, before);
    // 0–60 and the two that are left of group a, 0–60 and one of group b.
    assert_eq!(look(&bucket).await.blocks.len(), 3 + 2);
}
