use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Instant;

use futures::channel::oneshot;
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// How many queries may wait for each that runs.
const WAITING_PER_RUNNING: usize = 50;

/// Lets so many queries run at a time. The others wait: the clients that wait take turns, and each client's
/// queries are first come, first served, so one client's hundred do not keep another's one waiting. So many
/// wait that more would only time out: those are refused at once.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    running_max: usize,
    waiting_max: usize,
    metrics: GateMetrics,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    waiting: usize,
    last_place: u64,
    /// Clients with queries that wait; the first one is next, and goes to the end then.
    clients: VecDeque<(String, VecDeque<Place>)>,
}

/// A query that waits.
#[derive(Debug)]
struct Place {
    id: u64,
    turn: oneshot::Sender<Turn>,
}

#[derive(Debug)]
struct GateMetrics {
    in_flight: Gauge<i64, AtomicI64>,
    total: Counter,
    duration: Histogram,
}

/// A query's turn; given on to the next when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    /// `None` where the turn was never taken.
    inner: Option<Arc<Inner>>,
}

/// Too many queries wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many queries: {running} run (--query.max-concurrent) and {waiting} wait")]
pub(crate) struct Full {
    running: usize,
    waiting: usize,
}

impl Gate {
    /// `concurrent` queries at a time; 0 counts as 1. The metrics have Thanos' names.
    pub(crate) fn new(concurrent: usize, registry: &mut Registry) -> Self {
        let concurrent = concurrent.max(1);
        let max: Gauge = Gauge::default();
        max.set(i64::try_from(concurrent).unwrap_or(i64::MAX));
        let metrics = GateMetrics {
            in_flight: Gauge::default(),
            total: Counter::default(),
            duration: Histogram::new([0.01, 0.1, 0.3, 0.6, 1.0, 3.0, 6.0, 9.0, 20.0, 30.0, 60.0, 90.0, 120.0]),
        };
        let name = |what: &str| format!("thanos_query_concurrent_gate_queries_{what}");
        registry.register(name("max"), "How many queries may run at the same time", max);
        registry.register(name("in_flight"), "Queries that wait or run", metrics.in_flight.clone());
        registry.register(
            "thanos_query_concurrent_gate_queries",
            "Queries that came to the gate",
            metrics.total.clone(),
        );
        registry.register(name("duration_seconds"), "How long queries waited at the gate", metrics.duration.clone());
        Self(Arc::new(Inner {
            state: Mutex::default(),
            running_max: concurrent,
            waiting_max: concurrent.saturating_mul(WAITING_PER_RUNNING),
            metrics,
        }))
    }

    /// Waits for a turn for one of `client`'s queries. Dropping the future leaves the queue.
    pub(crate) async fn enter(&self, client: &str) -> Result<Turn, Full> {
        let inner = &self.0;
        inner.metrics.total.inc();
        let start = Instant::now();
        let (place, turn) = {
            let mut state = inner.state.lock();
            if state.running < inner.running_max {
                state.running += 1;
                inner.metrics.in_flight.inc();
                inner.metrics.duration.observe(0.0);
                return Ok(Turn { inner: Some(Arc::clone(inner)) });
            }
            if state.waiting >= inner.waiting_max {
                return Err(Full { running: state.running, waiting: state.waiting });
            }
            state.push(client)
        };
        inner.metrics.in_flight.inc();
        let _place = Waiting { inner, client, place };
        // The sender lies in the queue until it is used.
        let turn = turn.await.map_err(|_| Full { running: inner.running_max, waiting: 0 })?;
        inner.metrics.duration.observe(start.elapsed().as_secs_f64());
        Ok(turn)
    }
}

impl State {
    fn push(&mut self, client: &str) -> (u64, oneshot::Receiver<Turn>) {
        let (sender, receiver) = oneshot::channel();
        self.waiting += 1;
        self.last_place += 1;
        let place = Place { id: self.last_place, turn: sender };
        match self.clients.iter_mut().find(|(name, _)| name == client) {
            Some((_, places)) => places.push_back(place),
            None => self.clients.push_back((client.to_owned(), VecDeque::from([place]))),
        }
        (self.last_place, receiver)
    }

    /// Whose turn it is.
    fn pop(&mut self) -> Option<Place> {
        let (client, mut places) = self.clients.pop_front()?;
        let place = places.pop_front();
        if !places.is_empty() {
            self.clients.push_back((client, places));
        }
        place
    }
}

impl Inner {
    /// Gives a turn that has ended to the next who still wants it.
    fn pass_on(self: Arc<Self>) {
        loop {
            let next = {
                let mut state = self.state.lock();
                let next = state.pop();
                state.running -= usize::from(next.is_none());
                next
            };
            let Some(next) = next else { return };
            self.metrics.in_flight.inc();
            match next.turn.send(Turn { inner: Some(Arc::clone(&self)) }) {
                Ok(()) => return,
                // It has just left.
                Err(mut turn) => {
                    turn.inner = None;
                    self.metrics.in_flight.dec();
                }
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            inner.metrics.in_flight.dec();
            inner.pass_on();
        }
    }
}

/// A place in the queue, given up when the query goes or its turn comes.
struct Waiting<'a> {
    inner: &'a Inner,
    client: &'a str,
    place: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.inner.state.lock();
        state.waiting -= 1;
        if let Some(at) = state.clients.iter().position(|(name, _)| name == self.client) {
            let places = &mut state.clients[at].1;
            places.retain(|place| place.id != self.place);
            if places.is_empty() {
                state.clients.remove(at);
            }
        }
        drop(state);
        self.inner.metrics.in_flight.dec();
    }
}

#[cfg(test)]
mod tests;
