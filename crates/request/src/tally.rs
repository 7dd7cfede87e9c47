use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What one part of a request took: a node of the plan, a store asked for a selector, a block of that
/// store. Kept only where the request asks for it; see [`Context::tally`](crate::Context::tally).
#[derive(Debug, Default)]
pub struct Tally {
    name: String,
    time_ns: AtomicU64,
    cpu_ns: AtomicU64,
    responses: AtomicU64,
    series: AtomicU64,
    chunks: AtomicU64,
    samples: AtomicU64,
    bytes: AtomicU64,
    fetched_bytes: AtomicU64,
    requests: AtomicU64,
    memory_peak: AtomicU64,
    parts: Mutex<Vec<Arc<Tally>>>,
}

/// The numbers of a [`Tally`] as they are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Took {
    /// By the clock on the wall, waiting included.
    pub time: Duration,
    /// On the CPU pool, over all threads.
    pub cpu: Duration,
    /// Batches of series that came.
    pub responses: u64,
    pub series: u64,
    pub chunks: u64,
    pub samples: u64,
    /// Of chunks, still encoded.
    pub bytes: u64,
    /// From the bucket, and in so many reads.
    pub fetched_bytes: u64,
    pub requests: u64,
    /// The most that the whole request held at once meanwhile.
    pub memory_peak: u64,
}

impl Tally {
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds to every number; the peak becomes the higher one.
    pub fn add(&self, took: Took) {
        let add = |counter: &AtomicU64, n: u64| {
            if n > 0 {
                counter.fetch_add(n, Ordering::Relaxed);
            }
        };
        add(&self.time_ns, nanos(took.time));
        add(&self.cpu_ns, nanos(took.cpu));
        add(&self.responses, took.responses);
        add(&self.series, took.series);
        add(&self.chunks, took.chunks);
        add(&self.samples, took.samples);
        add(&self.bytes, took.bytes);
        add(&self.fetched_bytes, took.fetched_bytes);
        add(&self.requests, took.requests);
        self.memory_peak.fetch_max(took.memory_peak, Ordering::Relaxed);
    }

    #[must_use]
    pub fn took(&self) -> Took {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Took {
            time: Duration::from_nanos(get(&self.time_ns)),
            cpu: Duration::from_nanos(get(&self.cpu_ns)),
            responses: get(&self.responses),
            series: get(&self.series),
            chunks: get(&self.chunks),
            samples: get(&self.samples),
            bytes: get(&self.bytes),
            fetched_bytes: get(&self.fetched_bytes),
            requests: get(&self.requests),
            memory_peak: get(&self.memory_peak),
        }
    }

    /// The part of that name; a new one the first time.
    #[must_use]
    pub fn part(&self, name: &str) -> Arc<Self> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = parts.iter().find(|p| p.name == name) {
            return Arc::clone(known);
        }
        let new = Arc::new(Self::new(name));
        parts.push(Arc::clone(&new));
        new
    }

    /// All parts, in the order in which they began.
    #[must_use]
    pub fn parts(&self) -> Vec<Arc<Self>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
