use super::*;

#[test]
fn leases_count_against_account_and_budget_and_come_back() {
    let budget = MemoryBudget::new(100);
    let (a, b) = (budget.account(80), budget.account(80));
    let mut lease = a.lease(50).unwrap();
    assert_eq!(lease.grow(40).unwrap_err().what, "the query's memory limit");
    assert_eq!(b.lease(60).unwrap_err().what, "the process's memory limit");
    assert_eq!((a.used(), b.used(), budget.used()), (50, 0, 50));
    lease.resize(20).unwrap();
    let other = b.lease(60).unwrap();
    drop(lease);
    assert_eq!((a.used(), a.peak(), budget.used()), (0, 50, 60));
    drop(other);
    assert_eq!(budget.used(), 0);
}

#[test]
fn the_first_reason_to_stop_wins() {
    let cx = Context::inline(0);
    assert_eq!(cx.check(), Ok(()));
    cx.cancel().time_out();
    cx.cancel().cancel();
    assert_eq!(cx.check(), Err(Interrupted::TimedOut));
}

#[test]
fn a_job_runs_on_the_pool_and_gives_its_result() {
    let cx = Context::inline(0);
    assert_eq!(futures::executor::block_on(cx.run(|| 1 + 1)), Ok(2));
}

#[test]
fn coverage_keeps_each_entry_once() {
    let coverage = Coverage::default();
    coverage.warn("w");
    coverage.warn("w");
    coverage.read_resolution(300_000);
    coverage.read_resolution(0);
    assert_eq!(coverage.warnings(), ["w"]);
    assert_eq!(coverage.resolutions_ms(), [0, 300_000]);
}

#[test]
fn a_lease_can_be_split_and_joined() {
    let budget = MemoryBudget::new(100);
    let (a, b) = (budget.account(100), budget.account(100));
    let mut lease = a.lease(50).unwrap();
    let part = lease.split(20);
    assert_eq!((lease.bytes(), part.bytes(), a.used()), (30, 20, 50));
    assert!(lease.join(part).is_none());
    assert_eq!((lease.bytes(), a.used()), (50, 50));
    assert_eq!(lease.join(b.lease(10).unwrap()).map(|l| l.bytes()), Some(10));
    drop(lease);
    assert_eq!(budget.used(), 0);
}
