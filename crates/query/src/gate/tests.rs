use std::pin::pin;
use std::task::Poll;

use futures::{FutureExt, poll};
use prometheus_client::registry::Registry;

use super::Gate;

#[tokio::test]
async fn turns_are_given_in_the_order_of_coming() {
    let gate = Gate::new(1, &mut Registry::default());
    let first = gate.enter().await.expect("free");
    let mut second = pin!(gate.enter());
    let mut third = pin!(gate.enter());
    assert!(matches!(poll!(second.as_mut()), Poll::Pending));
    assert!(matches!(poll!(third.as_mut()), Poll::Pending));
    drop(first);
    assert!(matches!(poll!(third.as_mut()), Poll::Pending));
    let turn = second.await.expect("its turn");
    drop(turn);
    third.await.expect("its turn");
}

#[tokio::test]
async fn a_full_queue_refuses_and_those_who_leave_make_room() {
    let mut registry = Registry::default();
    let gate = Gate::new(1, &mut registry);
    let running = gate.enter().await.expect("free");
    let mut waiting: Vec<_> = (0..50).map(|_| Box::pin(gate.enter())).collect();
    for w in &mut waiting {
        assert!(poll!(w.as_mut()).is_pending());
    }
    let refused = gate.enter().now_or_never().expect("at once").expect_err("full");
    assert_eq!(refused.to_string(), "too many queries: 1 run (--query.max-concurrent) and 50 wait");
    waiting.pop();
    assert!(gate.enter().now_or_never().is_none());
    drop((running, waiting));
    gate.enter().await.expect("free again");

    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("a string");
    assert!(text.contains("thanos_query_concurrent_gate_queries_max 1\n"), "{text}");
    assert!(text.contains("thanos_query_concurrent_gate_queries_in_flight 0\n"), "{text}");
    assert!(text.contains("thanos_query_concurrent_gate_queries_total 54\n"), "{text}");
}
