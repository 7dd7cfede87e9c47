use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The tasks of a process. Each has a name and ends within the grace period of a shutdown or is named. A task
/// that panics, or fails where it must not, shuts the process down with a non-zero exit code.
#[derive(Clone)]
pub struct TaskGroup(Arc<Group>);

struct Group {
    shutdown: CancellationToken,
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Default)]
struct State {
    next: u64,
    running: BTreeMap<u64, Arc<str>>,
    fatal: Option<String>,
}

/// What did not end within the grace period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("still pending after the grace period: {}", .0.join(", "))]
pub struct Pending(pub Vec<String>);

/// A task whose owner waits for its result. Dropping the handle ends the task.
#[derive(Debug)]
pub struct TaskHandle<T>(JoinHandle<Option<T>>);

impl<T> TaskHandle<T> {
    /// The task's result; `None` when it panicked or was ended.
    pub async fn join(mut self) -> Option<T> {
        (&mut self.0).await.ok().flatten()
    }
}

impl<T> Drop for TaskHandle<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl TaskGroup {
    /// An empty group; a fatal end of a task cancels `shutdown`.
    #[must_use]
    pub fn new(shutdown: CancellationToken) -> Self {
        Self(Arc::new(Group { shutdown, state: Mutex::default(), ended: Notify::new() }))
    }

    /// Runs `task` in the background until it ends by itself, which it must do soon after the shutdown token
    /// is cancelled. A panic is fatal to the process.
    pub fn spawn(&self, name: &str, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_fallible(name, task.map(Ok));
    }

    /// As [`TaskGroup::spawn`]; an error is fatal to the process as well.
    pub fn spawn_fallible(&self, name: &str, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let entry = self.enter(name);
        let group = self.clone();
        let task = async move {
            let fatal = match AssertUnwindSafe(task).catch_unwind().await {
                Ok(Ok(())) => None,
                Ok(Err(e)) => Some(format!("{} failed: {e:#}", entry.name)),
                Err(_) => Some(format!("{} panicked", entry.name)),
            };
            if let Some(reason) = fatal {
                group.fail(reason);
            }
            drop(entry);
        };
        #[expect(clippy::disallowed_methods, reason = "this is the owner of tasks")]
        let _detached = tokio::spawn(task);
    }

    /// Runs `task` for the caller, who holds the handle. A panic is the caller's to handle.
    pub fn run<T: Send + 'static>(&self, name: &str, task: impl Future<Output = T> + Send + 'static) -> TaskHandle<T> {
        let entry = self.enter(name);
        #[expect(clippy::disallowed_methods, reason = "this is the owner of tasks")]
        let handle = tokio::spawn(async move {
            let result = AssertUnwindSafe(task).catch_unwind().await.ok();
            drop(entry);
            result
        });
        TaskHandle(handle)
    }

    /// Shuts the process down for this reason. The first one wins.
    pub fn fail(&self, reason: String) {
        tracing::error!(reason, "shutting down because of a failure");
        self.0.state.lock().fatal.get_or_insert(reason);
        self.0.shutdown.cancel();
    }

    /// Why the process must end with a non-zero code, if it must.
    #[must_use]
    pub fn fatal(&self) -> Option<String> {
        self.0.state.lock().fatal.clone()
    }

    /// The names of the tasks that run now.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.state.lock().running.values().map(ToString::to_string).collect()
    }

    /// Waits until all tasks have ended, for at most `grace`.
    ///
    /// # Errors
    /// When some have not; they are named.
    pub async fn wait(&self, grace: Duration) -> Result<(), Pending> {
        let all = async {
            loop {
                let ended = self.0.ended.notified();
                if self.0.state.lock().running.is_empty() {
                    return;
                }
                ended.await;
            }
        };
        tokio::time::timeout(grace, all).await.map_err(|_| Pending(self.names()))
    }

    fn enter(&self, name: &str) -> Entry {
        let name: Arc<str> = name.into();
        let mut state = self.0.state.lock();
        let id = state.next;
        state.next += 1;
        state.running.insert(id, Arc::clone(&name));
        Entry { id, name, group: self.clone() }
    }
}

/// A task's line in the group's list; gone when the task is, however it ends.
struct Entry {
    id: u64,
    name: Arc<str>,
    group: TaskGroup,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.group.0.state.lock().running.remove(&self.id);
        self.group.0.ended.notify_waiters();
    }
}

impl fmt::Debug for TaskGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup").field("running", &self.names()).finish()
    }
}

#[cfg(test)]
mod tests;
