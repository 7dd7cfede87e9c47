use super::*;

fn group() -> (TaskGroup, CancellationToken) {
    let token = CancellationToken::new();
    (TaskGroup::new(token.clone()), token)
}

#[tokio::test]
async fn a_shutdown_names_what_is_still_pending() {
    let (group, token) = group();
    group.spawn("stuck", std::future::pending());
    group.spawn("obedient", async move { token.cancelled().await });
    group.0.shutdown.cancel();
    let pending = group.wait(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(pending, Pending(vec!["stuck".into()]));
    assert_eq!(pending.to_string(), "still pending after the grace period: stuck");
}

#[tokio::test]
async fn a_task_that_panics_shuts_the_process_down() {
    let (group, token) = group();
    group.spawn("worker", async { panic!("bug") });
    token.cancelled().await;
    group.wait(Duration::from_secs(5)).await.unwrap();
    assert_eq!(group.fatal().as_deref(), Some("worker panicked"));
}

#[tokio::test]
async fn an_error_is_fatal_too() {
    let (group, token) = group();
    group.spawn_fallible("server", async { anyhow::bail!("no socket") });
    token.cancelled().await;
    assert_eq!(group.fatal().as_deref(), Some("server failed: no socket"));
}

#[tokio::test]
async fn a_handle_gives_the_result_and_ends_the_task_when_dropped() {
    let (group, _token) = group();
    assert_eq!(group.run("sum", async { 1 + 1 }).join().await, Some(2));
    assert_eq!(group.run("bug", async { panic!("bug") }).join().await, None::<()>);
    drop(group.run("endless", std::future::pending::<()>()));
    group.wait(Duration::from_secs(5)).await.unwrap();
    assert_eq!(group.fatal(), None);
}
