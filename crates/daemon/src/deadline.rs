use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use request::Cancel;
use tokio::sync::Notify;

/// Times requests out: one task for all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deadlines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    sooner: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    heap: BinaryHeap<Reverse<Entry>>,
    /// At this length entries of requests that are gone are thrown out.
    sweep_at: usize,
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    cancel: Cancel,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl Deadlines {
    /// Times `cancel` out at `at` unless its request is gone by then.
    pub(crate) fn arm(&self, at: Instant, cancel: Cancel) {
        let mut waiting = self.0.waiting.lock();
        if waiting.heap.len() >= waiting.sweep_at {
            waiting.heap.retain(|Reverse(e)| !e.cancel.is_last());
            waiting.sweep_at = (waiting.heap.len() * 2).max(1024);
        }
        let first = waiting.heap.peek().is_none_or(|Reverse(e)| at < e.at);
        waiting.heap.push(Reverse(Entry { at, cancel }));
        drop(waiting);
        if first {
            self.0.sooner.notify_one();
        }
    }

    /// Runs until it is dropped.
    pub(crate) async fn run(self) {
        loop {
            match self.fire(Instant::now()) {
                None => self.0.sooner.notified().await,
                Some(next) => {
                    let sooner = self.0.sooner.notified();
                    let _either = tokio::time::timeout_at(next.into(), sooner).await;
                }
            }
        }
    }

    /// Times out what is due and gives the next instant to wake up at.
    fn fire(&self, now: Instant) -> Option<Instant> {
        let mut waiting = self.0.waiting.lock();
        while let Some(Reverse(entry)) = waiting.heap.peek() {
            if entry.at > now {
                return Some(entry.at);
            }
            if let Some(Reverse(entry)) = waiting.heap.pop() {
                entry.cancel.time_out();
            }
        }
        None
    }
}
