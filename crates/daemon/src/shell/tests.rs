use super::*;

fn shell() -> Shell {
    Shell::new("test", Settings { memory_limit: 1000, cpu_threads: 2 }).unwrap()
}

#[tokio::test]
async fn a_request_times_out_by_itself() {
    let shell = shell();
    let (long, short) = (shell.request(Duration::from_secs(60)), shell.request(Duration::from_millis(5)));
    let waited = shell.attend(&short, std::future::pending::<()>()).await;
    assert_eq!(waited, Err(Interrupted::TimedOut));
    assert_eq!(short.check(), Err(Interrupted::TimedOut));
    assert_eq!(long.check(), Ok(()));
    // Without anybody attending, too.
    let alone = shell.request(Duration::from_millis(5));
    while alone.check().is_ok() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(alone.check(), Err(Interrupted::TimedOut));
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_request() {
    let shell = shell();
    let cx = shell.request(Duration::from_secs(60));
    drop(Box::pin(shell.attend(&cx, std::future::pending::<()>())));
    assert_eq!(cx.check(), Ok(()), "not begun, not cancelled");
    let mut begun = Box::pin(shell.attend(&cx, std::future::pending::<()>()));
    assert!(futures::poll!(&mut begun).is_pending());
    drop(begun);
    assert_eq!(cx.check(), Err(Interrupted::Canceled));
}

#[tokio::test]
async fn a_panic_in_a_job_fails_only_its_request() {
    let shell = shell();
    let cx = shell.request(Duration::from_secs(60));
    for _ in 0..4 {
        assert_eq!(cx.run(|| -> i32 { panic!("bug") }).await, Err(Interrupted::Panicked));
    }
    assert_eq!(cx.run(|| 7).await, Ok(7));
}

#[tokio::test]
async fn requests_share_the_memory_budget() {
    let shell = shell();
    let (a, b) = (shell.request(Duration::from_secs(1)), shell.request_within(Duration::from_secs(1), 100));
    let _held = a.memory().lease(950).unwrap();
    assert_eq!(b.memory().lease(60).unwrap_err().what, "the process's memory limit");
    assert_eq!(b.memory().lease(101).unwrap_err().what, "the query's memory limit");
}

#[tokio::test]
async fn components_share_an_exposition_but_not_names() {
    let shell = shell();
    for name in ["a", "b"] {
        let counter = prometheus_client::metrics::counter::Counter::<u64>::default();
        shell.component(name).metrics().register(|r| r.register("thanos_things", "Things", counter.clone()));
        counter.inc();
    }
    let text = shell.metrics().text();
    assert!(text.contains("thanos_things_total{component=\"a\"} 1\n"), "{text}");
    assert!(text.contains("thanos_things_total{component=\"b\"} 1\n"), "{text}");
    assert!(text.ends_with("# EOF\n"));
}
