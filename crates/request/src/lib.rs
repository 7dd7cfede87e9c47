//! What travels with a request through every layer: deadline and cancellation, the memory account,
//! `now` and a timer, the CPU pool, and the sinks for warnings, missing data and statistics.
//!
//! Place: L0, pure. It owns no runtime: the process that serves the request supplies the pool and
//! the timer; tests use [`InlinePool`] and run single-threaded. It is a crate of its own because
//! `store` and `engine` both take a [`Context`] and must not know each other.
//!
//! Invariants: a context is cheap to clone and all clones are the same request; work checks
//! [`Context::check`] at least once a series; bytes kept for a request are covered by a
//! [`MemoryLease`].

mod cancel;
mod coverage;
mod memory;
mod pool;
mod tally;
mod task;

pub use cancel::{Cancel, Interrupted};
pub use coverage::{Coverage, Missing};
pub use memory::{MemoryAccount, MemoryBudget, MemoryExceeded, MemoryLease, Reclaim};
pub use pool::{CpuPool, InlinePool, Timer};
pub use tally::{Tally, Took};

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use task::Task;

/// One request's surroundings. Clones share everything.
#[derive(Clone, Debug)]
pub struct Context {
    inner: Arc<Inner>,
    /// The part of the request that this clone works for, where it is looked at part by part.
    tally: Option<Arc<Tally>>,
}

#[derive(Debug)]
struct Inner {
    now_ms: i64,
    deadline: Option<Instant>,
    cancel: Cancel,
    memory: MemoryAccount,
    pool: Arc<dyn CpuPool>,
    timer: Arc<dyn Timer>,
    coverage: Coverage,
    stats: Stats,
    at_once_ns: AtomicU64,
}

/// So long may a request work at once, all in all, where others could help it.
const AT_ONCE_MAX: Duration = Duration::from_micros(200);

/// Work that is done at once: see [`Context::at_once`]. The time counts until this is dropped.
#[derive(Debug)]
pub struct AtOnce<'a> {
    cx: &'a Context,
    begun: Duration,
}

impl Drop for AtOnce<'_> {
    fn drop(&mut self) {
        let took = self.cx.timer().elapsed().saturating_sub(self.begun);
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.cx.inner.at_once_ns.fetch_add(took, Ordering::Relaxed);
    }
}

/// Counters of one request's work, added to by every layer.
#[derive(Debug, Default)]
pub struct Stats {
    pub series: AtomicU64,
    pub chunks: AtomicU64,
    pub samples: AtomicU64,
    /// Of chunks, still encoded.
    pub bytes: AtomicU64,
    /// Read from object storage.
    pub bytes_fetched: AtomicU64,
}

impl Stats {
    pub fn add_series(&self, n: u64) {
        self.series.fetch_add(n, Ordering::Relaxed);
    }
    pub fn add_chunks(&self, n: u64) {
        self.chunks.fetch_add(n, Ordering::Relaxed);
    }
    pub fn add_samples(&self, n: u64) {
        self.samples.fetch_add(n, Ordering::Relaxed);
    }
    pub fn add_bytes(&self, n: u64) {
        self.bytes.fetch_add(n, Ordering::Relaxed);
    }
    pub fn add_bytes_fetched(&self, n: u64) {
        self.bytes_fetched.fetch_add(n, Ordering::Relaxed);
    }
}

impl Context {
    #[must_use]
    pub fn new(now_ms: i64, memory: MemoryAccount, pool: Arc<dyn CpuPool>, timer: Arc<dyn Timer>) -> Self {
        Self::until(None, now_ms, memory, pool, timer)
    }

    /// As [`Context::new`], with the instant at which the request is over. The context only carries it (to
    /// pass it on to peers); whoever owns the clock calls [`Cancel::time_out`] then.
    #[must_use]
    pub fn until(
        deadline: Option<Instant>,
        now_ms: i64,
        memory: MemoryAccount,
        pool: Arc<dyn CpuPool>,
        timer: Arc<dyn Timer>,
    ) -> Self {
        let inner = Inner {
            now_ms,
            deadline,
            cancel: Cancel::new(),
            memory,
            pool,
            timer,
            coverage: Coverage::default(),
            stats: Stats::default(),
            at_once_ns: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner), tally: None }
    }

    /// The same request, what is done through it counted in `tally`.
    #[must_use]
    pub fn counted_in(&self, tally: Arc<Tally>) -> Self {
        Self { inner: Arc::clone(&self.inner), tally: Some(tally) }
    }

    /// The same request, what is done through it counted in the part `name` of what it is counted in now,
    /// if it is counted at all.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        Self { inner: Arc::clone(&self.inner), tally: self.tally.as_ref().map(|tally| tally.part(name)) }
    }

    /// Where to count what this part of the request takes; `None` where nobody asked.
    #[must_use]
    pub fn tally(&self) -> Option<&Arc<Tally>> {
        self.tally.as_ref()
    }

    /// A context for tests: unlimited memory, everything on the caller's thread, time stands still.
    #[must_use]
    pub fn inline(now_ms: i64) -> Self {
        let budget = MemoryBudget::new(u64::MAX);
        Self::new(now_ms, budget.account(u64::MAX), Arc::new(InlinePool), Arc::new(InlinePool))
    }

    /// Unix milliseconds at which the request began; the only clock there is below a service.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.inner.now_ms
    }

    /// When the request is over, where it has a deadline.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.inner.deadline
    }

    #[must_use]
    pub fn cancel(&self) -> &Cancel {
        &self.inner.cancel
    }

    /// # Errors
    /// When the request was cancelled or its deadline has passed: stop at once, keep nothing.
    pub fn check(&self) -> Result<(), Interrupted> {
        self.inner.cancel.check()
    }

    #[must_use]
    pub fn memory(&self) -> &MemoryAccount {
        &self.inner.memory
    }

    #[must_use]
    pub fn pool(&self) -> &Arc<dyn CpuPool> {
        &self.inner.pool
    }

    #[must_use]
    pub fn timer(&self) -> &Arc<dyn Timer> {
        &self.inner.timer
    }

    /// What the answer lacks (contract C5) and the warnings that go with it.
    #[must_use]
    pub fn coverage(&self) -> &Coverage {
        &self.inner.coverage
    }

    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.inner.stats
    }

    /// Runs `job` on the CPU pool and hands back its result. A job whose caller is gone still runs to
    /// its end; long ones check the context. A panic in the job is an [`Interrupted::Panicked`].
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Interrupted> {
        self.check()?;
        let (sender, receiver) = oneshot::channel();
        self.inner.pool.execute(Box::new(move || {
            // The receiver is gone when the request was dropped; then nobody wants the result.
            let _unwanted = sender.send(job());
        }));
        receiver.await.map_err(|_| Interrupted::Panicked)
    }

    /// Leave to do something short now instead of in a job of its own: where the caller is on the pool's threads
    /// already, and the request has not worked so for long. Many short jobs cost more to hand over than to do.
    #[must_use]
    pub fn at_once(&self) -> Option<AtOnce<'_>> {
        let spent = self.inner.at_once_ns.load(Ordering::Relaxed);
        let may = u128::from(spent) < AT_ONCE_MAX.as_nanos() && self.inner.pool.is_here();
        may.then(|| AtOnce { cx: self, begun: self.timer().elapsed() })
    }

    /// Polls `work` on the CPU pool's threads until it is done, so that what it waits for from the pool comes back
    /// to it without a change of threads, and what it computes itself holds up no async worker. Dropping the
    /// returned future drops `work`. A panic in it is an [`Interrupted::Panicked`].
    pub async fn drive<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Interrupted> {
        self.check()?;
        if self.inner.pool.is_here() {
            return Ok(work.await);
        }
        let (sender, receiver) = oneshot::channel();
        let _owned = Task::start(
            &self.inner.pool,
            Box::pin(async move {
                // The receiver is gone when the request was dropped; then nobody wants the result.
                let _unwanted = sender.send(work.await);
            }),
        );
        receiver.await.map_err(|_| Interrupted::Panicked)
    }
}

#[cfg(test)]
mod tests;
