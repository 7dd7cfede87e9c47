//! How many requests may be in flight: additive increase, multiplicative decrease.

use std::time::Instant;

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;

#[derive(Debug)]
pub(super) struct Limit {
    state: Mutex<State>,
    freed: Notify,
    max: f64,
    gauge: Gauge,
}

#[derive(Debug)]
struct State {
    /// Whole requests count; the fraction is progress towards one more.
    limit: f64,
    in_flight: usize,
    /// Answers to requests from before say nothing of the limit since.
    shrunk: Option<Instant>,
}

/// A request's place; given back when dropped.
pub(super) struct Turn<'a>(&'a Limit);

impl Limit {
    pub(super) fn new(max: usize) -> Self {
        let max = max.max(1) as f64;
        let gauge = Gauge::default();
        gauge.set(max as i64);
        let state = Mutex::new(State { limit: max, in_flight: 0, shrunk: None });
        Self { state, freed: Notify::new(), max, gauge }
    }

    /// Waits for a place.
    pub(super) async fn enter(&self) -> Turn<'_> {
        loop {
            let freed = self.freed.notified();
            if let Some(turn) = self.try_enter() {
                return turn;
            }
            freed.await;
        }
    }

    fn try_enter(&self) -> Option<Turn<'_>> {
        let mut state = self.state.lock();
        (state.in_flight < state.limit as usize).then(|| {
            state.in_flight += 1;
            Turn(self)
        })
    }

    /// Whether a request could go now.
    pub(super) fn has_room(&self) -> bool {
        let state = self.state.lock();
        state.in_flight < state.limit as usize
    }

    /// A request begun at `start` was answered that it is too much.
    pub(super) fn shrink(&self, start: Instant) {
        let mut state = self.state.lock();
        // One storm is one decrease: others that were in flight with the first do not count again.
        if state.shrunk.is_none_or(|at| start > at) {
            state.limit = (state.limit / 2.0).floor().max(1.0);
            state.shrunk = Some(Instant::now());
            self.gauge.set(state.limit as i64);
        }
    }

    /// A request was answered.
    pub(super) fn grow(&self) {
        let mut state = self.state.lock();
        if state.limit < self.max {
            state.limit = (state.limit + 1.0 / state.limit).min(self.max);
            self.gauge.set(state.limit as i64);
            drop(state);
            self.freed.notify_one();
        }
    }

    pub(super) fn gauge(&self) -> Gauge {
        self.gauge.clone()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state.lock().in_flight -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn halves_once_a_storm_and_grows_by_one_a_round() {
        let limit = Limit::new(16);
        let start = Instant::now();
        limit.shrink(start);
        limit.shrink(start);
        assert_eq!(limit.gauge.get(), 8, "both were in flight together");
        limit.shrink(Instant::now());
        assert_eq!(limit.gauge.get(), 4);
        for _ in 0..5 {
            limit.grow();
        }
        assert_eq!(limit.gauge.get(), 5);
        for _ in 0..1000 {
            limit.grow();
        }
        assert_eq!(limit.gauge.get(), 16);
        for _ in 0..10 {
            limit.shrink(Instant::now());
        }
        assert_eq!(limit.gauge.get(), 1, "never none");
    }

    #[test]
    fn others_wait_for_their_turn() {
        let limit = Limit::new(2);
        let first = limit.enter().now_or_never().expect("room");
        let _second = limit.enter().now_or_never().expect("room");
        assert!(!limit.has_room());
        let mut third = Box::pin(limit.enter());
        assert!((&mut third).now_or_never().is_none());
        // One that gives up does not take the place with it.
        let mut fourth = Box::pin(limit.enter());
        assert!((&mut fourth).now_or_never().is_none());
        drop(first);
        drop(third);
        assert!(fourth.now_or_never().is_some());
    }
}
