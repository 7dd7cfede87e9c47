use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Wake, Waker};

use crate::CpuPool;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A future that is polled on a CPU pool, each time that it is woken, by whichever thread is free: what it does
/// between two waits needs no other thread, and what it hands to the pool may be done by the thread that
/// polled it.
pub(crate) struct Task {
    pool: Arc<dyn CpuPool>,
    state: Mutex<State>,
}

enum State {
    /// Waits to be woken.
    Idle(Work),
    /// Is in the pool's queue.
    Queued(Work),
    /// A thread has it.
    Polled { woken: bool },
    /// It is done, has panicked or is not wanted any more.
    Gone,
}

/// The task's owner. Dropping it drops the future: at once, or as soon as the poll under way is over.
pub(crate) struct Owned(Arc<Task>);

impl Task {
    pub(crate) fn start(pool: &Arc<dyn CpuPool>, work: Work) -> Owned {
        let task = Arc::new(Self { pool: Arc::clone(pool), state: Mutex::new(State::Queued(work)) });
        let queued = Arc::clone(&task);
        pool.execute(Box::new(move || queued.poll()));
        Owned(task)
    }

    fn poll(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        let mut cx = TaskContext::from_waker(&waker);
        loop {
            let mut state = self.lock();
            let mut work = match std::mem::replace(&mut *state, State::Polled { woken: false }) {
                State::Queued(work) => work,
                other => {
                    *state = other;
                    return;
                }
            };
            drop(state);
            // A panic drops it here, and with it what its owner waits for.
            let polled = work.as_mut().poll(&mut cx);
            let mut state = self.lock();
            *state = match (polled, &*state) {
                (Poll::Pending, State::Polled { woken: true }) => State::Queued(work),
                (Poll::Pending, State::Polled { woken: false }) => {
                    *state = State::Idle(work);
                    return;
                }
                (Poll::Ready(()), _) | (Poll::Pending, _) => {
                    *state = State::Gone;
                    drop(state);
                    drop(work);
                    return;
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        Self::wake_by_ref(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Gone) {
            State::Idle(work) => {
                *state = State::Queued(work);
                drop(state);
                let task = Arc::clone(self);
                self.pool.resume(Box::new(move || task.poll()));
            }
            State::Polled { .. } => *state = State::Polled { woken: true },
            other => *state = other,
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let before = std::mem::replace(&mut *self.0.lock(), State::Gone);
        drop(before);
    }
}

#[cfg(test)]
mod tests;
