use std::fmt::Debug;
use std::time::Duration;

use futures::future::BoxFuture;

/// Runs CPU-bound closures off the async workers. The order of completion is free.
pub trait CpuPool: Debug + Send + Sync {
    fn execute(&self, job: Box<dyn FnOnce() + Send>);

    /// As [`CpuPool::execute`], before all that waits: for a short job that others wait for, as one that takes in
    /// what jobs gave and hands out the next.
    fn resume(&self, job: Box<dyn FnOnce() + Send>) {
        self.execute(job);
    }

    /// Whether the caller is on one of the pool's threads already.
    fn is_here(&self) -> bool {
        false
    }

    /// How many jobs run at the same time; callers keep a small multiple of it in flight.
    fn threads(&self) -> usize;
}

/// Waits and measures. The process supplies the real one; tests a simulated one.
pub trait Timer: Debug + Send + Sync {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Time since some fixed moment, to measure how long something takes; it never runs backwards. Stands
    /// still where nobody measures.
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

/// Runs each job at once on the caller's thread; as a timer it never fires. For tests and tools.
#[derive(Clone, Copy, Debug, Default)]
pub struct InlinePool;

impl CpuPool for InlinePool {
    fn execute(&self, job: Box<dyn FnOnce() + Send>) {
        job();
    }

    fn is_here(&self) -> bool {
        true
    }

    fn threads(&self) -> usize {
        1
    }
}

impl Timer for InlinePool {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(futures::future::pending())
    }
}
