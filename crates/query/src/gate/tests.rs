use std::pin::pin;
use std::task::Poll;

use futures::{FutureExt, poll};
use prometheus_client::registry::Registry;

use super::Gate;

#[tokio::test]
async fn turns_are_given_in_the_order_of_coming() {
    let gate = Gate::new(1, &mut Registry::default());
    let first = gate.enter("a").await.expect("free");
    let mut second = pin!(gate.enter("a"));
    let mut third = pin!(gate.enter("a"));
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
    let running = gate.enter("a").await.expect("free");
    let mut waiting: Vec<_> = (0..50).map(|_| Box::pin(gate.enter("a"))).collect();
    for w in &mut waiting {
        assert!(poll!(w.as_mut()).is_pending());
    }
    let refused = gate.enter("a").now_or_never().expect("at once").expect_err("full");
    assert_eq!(refused.to_string(), "too many queries: 1 run (--query.max-concurrent) and 50 wait");
    waiting.pop();
    assert!(gate.enter("a").now_or_never().is_none());
    drop((running, waiting));
    gate.enter("a").await.expect("free again");

    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("a string");
    assert!(text.contains("thanos_query_concurrent_gate_queries_max 1\n"), "{text}");
    assert!(text.contains("thanos_query_concurrent_gate_queries_in_flight 0\n"), "{text}");
    assert!(text.contains("thanos_query_concurrent_gate_queries_total 54\n"), "{text}");
}

#[tokio::test]
async fn clients_take_turns_and_turns_of_those_who_left_are_passed_on() {
    let gate = Gate::new(1, &mut Registry::default());
    let running = gate.enter("a").await.expect("free");
    let mut all = Vec::new();
    // Many of a's queries come before b's and c's only ones.
    for client in ["a", "a", "a", "b", "c"] {
        let mut waiting = Box::pin(gate.enter(client));
        assert!(poll!(waiting.as_mut()).is_pending());
        all.push(Some(waiting));
    }
    // The first in the queue has been given its turn, and leaves without having taken it.
    drop(running);
    all[0] = None;
    let mut order = Vec::new();
    while order.len() < 4 {
        for (i, place) in all.iter_mut().enumerate() {
            if let Some(waiting) = place
                && let Poll::Ready(turn) = poll!(waiting.as_mut())
            {
                order.push(i);
                drop(turn);
                *place = None;
            }
        }
    }
    assert_eq!(order, [3, 4, 1, 2], "b, c, then the rest of a");
    gate.enter("a").now_or_never().expect("at once").expect("free again");
}
