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

#[test]
fn parts_of_a_request_are_counted_where_somebody_asked() {
    let cx = Context::inline(0);
    assert!(cx.part("a store").tally().is_none());
    let whole = Arc::new(Tally::new("a selector"));
    let counted = cx.counted_in(Arc::clone(&whole));
    for bytes in [10, 20] {
        let part = counted.part("a store");
        part.tally().unwrap().add(Took { bytes, series: 1, memory_peak: 30 - bytes, ..Took::default() });
    }
    let parts = whole.parts();
    assert_eq!(parts.len(), 1, "one name is one part");
    assert_eq!((parts[0].name(), parts[0].took().bytes, parts[0].took().series), ("a store", 30, 2));
    assert_eq!((parts[0].took().memory_peak, whole.took()), (20, Took::default()));
    assert!(cx.tally().is_none(), "the request itself is as it was");
}

#[test]
fn the_high_mark_starts_anew_where_it_was_looked_at() {
    let account = MemoryBudget::new(100).account(100);
    let lease = account.lease(40).unwrap();
    drop(account.lease(30).unwrap());
    assert_eq!((account.take_high(), account.take_high()), (70, 40));
    drop(lease);
    assert_eq!((account.take_high(), account.take_high(), account.peak()), (40, 0, 70));
}

#[test]
fn small_requests_get_the_last_sixteenth_and_what_is_not_leased_counts() {
    const MB: u64 = 1 << 20;
    let budget = MemoryBudget::new(256 * MB);
    let (large, small) = (budget.account(u64::MAX), budget.account(u64::MAX));
    let held = large.lease(240 * MB).unwrap();
    let refused = large.lease(1).unwrap_err();
    assert!(refused.to_string().contains("--memory.limit"), "{refused}");
    let little = small.lease(MB).unwrap();
    assert!(small.lease(1).is_err(), "it is no longer small");
    drop(little);
    drop(held);
    budget.observe(200 * MB);
    assert_eq!(budget.unleased(), 200 * MB);
    assert!(large.lease(41 * MB).is_err());
    let _held = large.lease(40 * MB).unwrap();
    budget.observe(230 * MB);
    assert_eq!((budget.unleased(), budget.refused()), (190 * MB, 3));
}

#[test]
fn holders_are_asked_while_they_live() {
    struct Holder(AtomicU64);
    impl Reclaim for Holder {
        fn reclaim(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let budget = MemoryBudget::new(1);
    let holder = Arc::new(Holder(AtomicU64::new(0)));
    let weak = Arc::downgrade(&holder);
    budget.reclaim_from(weak.clone());
    budget.reclaim();
    assert_eq!(holder.0.load(Ordering::Relaxed), 1);
    drop(holder);
    budget.reclaim();
}
