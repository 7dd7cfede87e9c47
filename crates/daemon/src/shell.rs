use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use request::{Cancel, Context, CpuPool, Interrupted, MemoryBudget, Timer};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::deadline::Deadlines;
use crate::{CpuThreads, Metrics, Probe, TaskGroup, memory, now_ms};

/// What a process's shell is made from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Bytes that all requests may hold together; 0 takes the cgroup's limit or 75 % of the machine's memory.
    pub memory_limit: u64,
    /// Threads of the CPU pool; 0 takes one for each core.
    pub cpu_threads: usize,
}

/// What surrounds a component. Clones are the same shell.
#[derive(Clone, Debug)]
pub struct Shell {
    shared: Arc<Shared>,
    name: Arc<str>,
    metrics: Metrics,
    probe: Probe,
}

#[derive(Debug)]
struct Shared {
    tasks: TaskGroup,
    shutdown: CancellationToken,
    pool: Arc<dyn CpuPool>,
    memory: MemoryBudget,
    _watch: memory::Watch,
    deadlines: Deadlines,
    clock: JoinHandle<()>,
    grace_ms: AtomicU64,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.clock.abort();
    }
}

impl Shell {
    /// A shell for the component `name`. Needs the runtime's context.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(name: &str, settings: Settings) -> std::io::Result<Self> {
        let shutdown = CancellationToken::new();
        let deadlines = Deadlines::default();
        #[expect(clippy::disallowed_methods, reason = "the shell owns it and ends it on drop")]
        let clock = tokio::spawn(deadlines.clone().run());
        let limit = if settings.memory_limit == 0 { memory::default_limit() } else { settings.memory_limit };
        let budget = MemoryBudget::new(limit);
        let shell = Self {
            shared: Arc::new(Shared {
                tasks: TaskGroup::new(shutdown.clone()),
                shutdown,
                pool: Arc::new(CpuThreads::start(settings.cpu_threads)?),
                _watch: memory::Watch::start(budget.clone())?,
                memory: budget,
                deadlines,
                clock,
                grace_ms: AtomicU64::new(10_000),
            }),
            name: name.into(),
            metrics: Metrics::default(),
            probe: Probe::default(),
        };
        crate::http::register_process(&shell);
        Ok(shell)
    }

    /// A shell for one component of several in this process: its own readiness, the label `component` on its
    /// metrics, everything else shared.
    #[must_use]
    pub fn component(&self, name: &str) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            name: name.into(),
            metrics: self.metrics.component(name),
            probe: Probe::default(),
        }
    }

    /// The component's name, e.g. `sidecar`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    #[must_use]
    pub fn probe(&self) -> &Probe {
        &self.probe
    }

    #[must_use]
    pub fn tasks(&self) -> &TaskGroup {
        &self.shared.tasks
    }

    /// Cancelled when the process is to end: finish what is under way and return.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shared.shutdown
    }

    #[must_use]
    pub fn pool(&self) -> &Arc<dyn CpuPool> {
        &self.shared.pool
    }

    /// The bytes that all requests of the process may hold together.
    #[must_use]
    pub fn memory(&self) -> &MemoryBudget {
        &self.shared.memory
    }

    #[must_use]
    pub fn timer(&self) -> Arc<dyn Timer> {
        Arc::new(TokioTimer { origin: Instant::now() })
    }

    /// Allows a shutdown to take at least this long.
    pub fn extend_grace(&self, grace: Duration) {
        let ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.shared.grace_ms.fetch_max(ms, Ordering::Relaxed);
    }

    #[must_use]
    pub(crate) fn grace(&self) -> Duration {
        Duration::from_millis(self.shared.grace_ms.load(Ordering::Relaxed))
    }

    /// A context for a request that times out after `timeout` and may use the whole memory budget.
    #[must_use]
    pub fn request(&self, timeout: Duration) -> Context {
        self.request_within(timeout, u64::MAX)
    }

    /// As [`Shell::request`], limited to `memory_limit` bytes of the budget.
    #[must_use]
    pub fn request_within(&self, timeout: Duration, memory_limit: u64) -> Context {
        let memory = self.memory().account(memory_limit);
        let deadline = Instant::now().checked_add(timeout);
        let pool = Arc::clone(&self.shared.pool);
        let cx = Context::until(deadline, now_ms(), memory, pool, self.timer());
        if let Some(at) = deadline {
            self.shared.deadlines.arm(at, cx.cancel().clone());
        }
        cx
    }

    /// Runs `work` until its context's deadline. Dropping the returned future cancels the context, so that
    /// jobs on the CPU pool stop as well.
    ///
    /// # Errors
    /// When the deadline passed first.
    pub async fn attend<T>(&self, cx: &Context, work: impl Future<Output = T>) -> Result<T, Interrupted> {
        let _gone = CancelOnDrop(cx.cancel().clone());
        let Some(deadline) = cx.deadline() else { return Ok(work.await) };
        tokio::time::timeout_at(deadline.into(), work).await.map_err(|_| {
            cx.cancel().time_out();
            Interrupted::TimedOut
        })
    }
}

struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[derive(Debug)]
struct TokioTimer {
    origin: Instant,
}

impl Timer for TokioTimer {
    fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}

#[cfg(test)]
mod tests;
