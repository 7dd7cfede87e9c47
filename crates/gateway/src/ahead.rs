//! Work that goes on while the one who waits for its results is busy with something else.

use std::collections::BTreeMap;
use std::future::Future;

use tokio::task::JoinSet;

/// Tasks whose results come in the order in which they were started. They end when this is dropped.
pub(crate) struct Ahead<T> {
    tasks: JoinSet<(u64, T)>,
    /// Results that came before their turn.
    early: BTreeMap<u64, T>,
    started: u64,
    given: u64,
}

impl<T> Default for Ahead<T> {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), early: BTreeMap::new(), started: 0, given: 0 }
    }
}

impl<T: Send + 'static> Ahead<T> {
    /// How many were started whose result was not given out.
    pub(crate) fn len(&self) -> usize {
        (self.started - self.given) as usize
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn start(&mut self, work: impl Future<Output = T> + Send + 'static) {
        let number = self.started;
        self.started += 1;
        self.tasks.spawn(async move { (number, work.await) });
    }

    /// The result of the oldest; `None` when there is none.
    ///
    /// # Panics
    /// When the task panicked.
    pub(crate) async fn next(&mut self) -> Option<T> {
        while !self.is_empty() {
            if let Some(result) = self.early.remove(&self.given) {
                self.given += 1;
                return Some(result);
            }
            match self.tasks.join_next().await? {
                Ok((number, result)) => _ = self.early.insert(number, result),
                Err(e) => match e.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // Nobody ends the tasks before this is dropped.
                    Err(_) => return None,
                },
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn results_come_in_the_order_of_the_start_and_work_begins_at_once() {
        let mut ahead = Ahead::default();
        let (tell, mut told) = tokio::sync::mpsc::channel(8);
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let first = tell.clone();
        ahead.start(async move {
            wait.await.expect("the sender lives");
            first.send(0).await.expect("room");
            0
        });
        for i in 1..4 {
            let tell = tell.clone();
            ahead.start(async move {
                tell.send(i).await.expect("room");
                i
            });
        }
        // The later ones are done without anybody waiting for them.
        for _ in 1..4 {
            assert_ne!(told.recv().await, Some(0));
        }
        assert_eq!(ahead.len(), 4);
        go.send(()).expect("the receiver lives");
        for i in 0..4 {
            assert_eq!(ahead.next().await, Some(i));
        }
        assert_eq!(ahead.next().await, None);
        assert!(ahead.is_empty());
    }

    #[tokio::test]
    async fn what_is_dropped_ends() {
        let mut ahead = Ahead::<()>::default();
        let (kept, ended) = tokio::sync::oneshot::channel::<()>();
        ahead.start(async move {
            std::future::pending::<()>().await;
            drop(kept);
        });
        drop(ahead);
        ended.await.expect_err("the task's end drops the sender");
    }
}
