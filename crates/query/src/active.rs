//! The queries that wait or run, and how an operator ends one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use api::ActiveQuery;
use parking_lot::Mutex;
use request::Context;
use tokio_util::sync::CancellationToken;

use crate::asked::Client;

/// The queries of one querier. Clones are the same list.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActiveQueries(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    last_id: AtomicU64,
    running: Mutex<BTreeMap<u64, Arc<Entry>>>,
}

/// One query on the list.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    /// `query`, `query_range`, ….
    pub(crate) endpoint: &'static str,
    pub(crate) query: String,
    pub(crate) client: Client,
    pub(crate) cx: Context,
    /// Waits for its turn.
    waiting: AtomicBool,
    /// Cancelled when an operator ends the query.
    ended: CancellationToken,
}

/// A query's place on the list; gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Listed {
    list: ActiveQueries,
    entry: Arc<Entry>,
}

impl ActiveQueries {
    /// Puts a query on the list.
    pub(crate) fn enter(&self, endpoint: &'static str, query: String, client: Client, cx: &Context) -> Listed {
        let id = self.0.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let (waiting, ended) = (AtomicBool::new(false), CancellationToken::new());
        let entry = Arc::new(Entry { id, endpoint, query, client, cx: cx.clone(), waiting, ended });
        self.0.running.lock().insert(id, Arc::clone(&entry));
        Listed { list: self.clone(), entry }
    }

    /// All, the oldest first.
    pub(crate) fn all(&self) -> Vec<ActiveQuery> {
        let entries: Vec<_> = self.0.running.lock().values().cloned().collect();
        entries.iter().map(|entry| entry.shown()).collect()
    }

    /// Ends one; gives what it was, or `None` where there is none of that id any more.
    pub(crate) fn end(&self, id: u64) -> Option<ActiveQuery> {
        let entry = self.0.running.lock().get(&id).cloned()?;
        let shown = entry.shown();
        entry.ended.cancel();
        entry.cx.cancel().cancel();
        Some(shown)
    }
}

impl Entry {
    /// Since the query came.
    pub(crate) fn elapsed(&self) -> Duration {
        self.cx.timer().elapsed()
    }

    fn shown(&self) -> ActiveQuery {
        let stats = self.cx.stats();
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ActiveQuery {
            id: self.id,
            endpoint: self.endpoint,
            query: self.query.clone(),
            start: api::format_rfc3339(self.cx.now_ms()),
            elapsed_seconds: self.elapsed().as_secs_f64(),
            waiting: self.waiting.load(Ordering::Relaxed),
            series: get(&stats.series),
            chunks: get(&stats.chunks),
            samples: get(&stats.samples),
            bytes: get(&stats.bytes),
            memory_bytes: self.cx.memory().used(),
            memory_peak_bytes: self.cx.memory().peak(),
            client: self.client.address.clone(),
            user_agent: self.client.user_agent.clone(),
            request_id: self.client.request_id.clone(),
        }
    }
}

impl Listed {
    pub(crate) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Says whether the query waits for its turn.
    pub(crate) fn set_waiting(&self, waiting: bool) {
        self.entry.waiting.store(waiting, Ordering::Relaxed);
    }

    /// Comes back when an operator has ended the query.
    pub(crate) async fn ended(&self) {
        self.entry.ended.cancelled().await;
    }

    /// Whether an operator has ended the query.
    pub(crate) fn is_ended(&self) -> bool {
        self.entry.ended.is_cancelled()
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.list.0.running.lock().remove(&self.entry.id);
    }
}
