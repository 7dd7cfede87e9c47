use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};
use request::CpuPool;
use tokio::runtime::Handle;

type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads that run CPU-bound jobs in the order they came. A job that panics fails its own
/// request (the request sees [`request::Interrupted::Panicked`]); the thread goes on. The queue is as long as
/// callers make it: each keeps a small multiple of [`CpuPool::threads`] in flight. Jobs run in the context of the
/// runtime that the pool was started in, if any: futures polled in them may use its timers and sockets.
pub struct CpuThreads {
    queue: Arc<Queue>,
    threads: usize,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl CpuThreads {
    /// Starts `threads` threads; 0 means one for each core the process may use.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let threads = match threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let pool = Self { queue: Arc::default(), threads };
        for i in 0..threads {
            let queue = Arc::clone(&pool.queue);
            let runtime = Handle::try_current().ok();
            let work = move || {
                let _context = runtime.as_ref().map(Handle::enter);
                queue.work();
            };
            thread::Builder::new().name(format!("cpu-{i}")).stack_size(8 << 20).spawn(work)?;
        }
        Ok(pool)
    }
}

thread_local! {
    /// The queue whose jobs this thread runs.
    static OWN: Cell<*const Queue> = const { Cell::new(std::ptr::null()) };
}

impl Queue {
    fn work(&self) {
        OWN.set(self);
        while let Some(job) = self.next() {
            // The panic hook has logged it; dropping the job's sender tells the request.
            let _panicked = catch_unwind(AssertUnwindSafe(job));
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            self.filled.wait(&mut state);
        }
    }

    fn push(&self, push: impl FnOnce(&mut VecDeque<Job>)) {
        let mut state = self.state.lock();
        push(&mut state.jobs);
        // One job of a thread's own is its next one: to wake another for it takes longer than most jobs do.
        let others = state.jobs.len() > 1 || !self.is_here();
        drop(state);
        if others {
            self.filled.notify_one();
        }
    }

    fn is_here(&self) -> bool {
        std::ptr::eq(OWN.get(), self)
    }
}

impl CpuPool for CpuThreads {
    fn execute(&self, job: Job) {
        self.queue.push(|jobs| jobs.push_back(job));
    }

    fn resume(&self, job: Job) {
        self.queue.push(|jobs| jobs.push_front(job));
    }

    fn is_here(&self) -> bool {
        self.queue.is_here()
    }

    fn threads(&self) -> usize {
        self.threads
    }
}

impl Drop for CpuThreads {
    /// What is queued still runs; then the threads end. Nobody waits for them.
    fn drop(&mut self) {
        self.queue.state.lock().closed = true;
        self.queue.filled.notify_all();
    }
}

impl fmt::Debug for CpuThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CpuThreads").field("threads", &self.threads).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
