use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What `/-/healthy` and `/-/ready` say. Healthy from the start; ready when the service says so. Clones are
/// the same probe.
#[derive(Clone, Debug)]
pub struct Probe(Arc<State>);

#[derive(Debug)]
struct State {
    healthy: AtomicBool,
    ready: AtomicBool,
}

impl Default for Probe {
    fn default() -> Self {
        Self(Arc::new(State { healthy: AtomicBool::new(true), ready: AtomicBool::new(false) }))
    }
}

impl Probe {
    /// Call it with `true` once requests can be answered, with `false` while they cannot.
    pub fn set_ready(&self, ready: bool) {
        self.0.ready.store(ready, Ordering::Relaxed);
    }

    pub fn set_healthy(&self, healthy: bool) {
        self.0.healthy.store(healthy, Ordering::Relaxed);
    }

    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.ready.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.0.healthy.load(Ordering::Relaxed)
    }
}
