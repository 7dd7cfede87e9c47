//! The compactor killed at every operation on the store.

use std::time::Duration;

use bucket::{Bucket, Fault, Faults, Recorder};
use compact::Compactor;

use crate::bed::{contents, look, run, settings, two_groups};

fn three_days_later() -> i64 {
    daemon::now_ms() + 3 * 86_400_000
}

/// Whatever goes wrong at operation `k`: readers lose nothing at any moment, and the next cycle ends
/// where an undisturbed one does.
async fn survives(fault: Fault, delete_delay: Duration) {
    let mut k = 0;
    loop {
        let healthy = Bucket::memory();
        two_groups(&healthy).await;
        let before = contents(&healthy).await;
        assert!(before.values().all(|(_, blocks)| *blocks == 1));

        let faults = Faults::default();
        let faulty = healthy.clone().decorated(|s| Recorder::new(s, faults.clone()));
        faults.fail_at(k, fault);
        let disturbed = run(&faulty, |s| s.delete_delay = delete_delay).await;
        let struck = faults.struck();
        let at = format!("{fault:?} at {k}, delay {delete_delay:?}");
        // Readers see all of it, perhaps twice while a merge is half done: its inputs and the result are
        // told apart by their sources.
        assert_eq!(contents(&healthy).await, before, "{at}: right after");

        let next = run(&healthy, |s| s.delete_delay = delete_delay).await.unwrap_or_else(|e| panic!("{at}: {e}"));
        assert!(next.failures.is_empty(), "{at}: {:?}", next.failures);
        assert_eq!(contents(&healthy).await, before, "{at}: after the next cycle");
        let snapshot = look(&healthy).await;
        assert_eq!(snapshot.blocks.len(), 3 + 2, "{at}: {:?}", snapshot.blocks.keys());
        let unmarked = snapshot.duplicates.iter().filter(|d| !snapshot.deletion_marks.contains_key(d));
        assert_eq!(unmarked.count(), 0, "{at}: what is covered is marked");

        // What the killed process left half uploaded, or half deleted, goes in time.
        let dir = tempfile::tempdir().expect("temp dir");
        let mut late = settings(dir.path());
        late.delete_delay = delete_delay;
        let report = Compactor::new(late, healthy.clone()).with_clock(three_days_later).run_once().await;
        report.unwrap_or_else(|e| panic!("{at}: {e}"));
        let snapshot = look(&healthy).await;
        assert!(snapshot.partial.is_empty(), "{at}: {:?}", snapshot.partial);
        assert!(snapshot.deletion_marks.is_empty() && snapshot.duplicates.is_empty(), "{at}");
        assert_eq!(snapshot.blocks.len(), 5, "{at}");
        assert_eq!(contents(&healthy).await, before, "{at}: in the end");
        if !struck {
            assert!(disturbed.is_ok_and(|r| r.failures.is_empty()), "{at}");
            break;
        }
        k += 1;
    }
    assert!(k > 40, "only {k} operations were tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_an_operation() {
    survives(Fault::CrashBefore, Duration::ZERO).await;
    survives(Fault::CrashBefore, Duration::from_secs(3600)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_an_operation() {
    survives(Fault::CrashAfter, Duration::ZERO).await;
    survives(Fault::CrashAfter, Duration::from_secs(3600)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_fails() {
    survives(Fault::Refused, Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_lost() {
    survives(Fault::AnswerLost, Duration::ZERO).await;
}
