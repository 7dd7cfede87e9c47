use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// A component's metrics. Clones are the same registry; there are no statics, so two components can live in
/// one process.
#[derive(Clone, Default)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    component: Option<Arc<str>>,
}

impl Metrics {
    /// Calls `register` with the registry. Counters get `_total` appended by the encoding: register
    /// `thanos_shipper_uploads` to export `thanos_shipper_uploads_total`. Register each name once.
    pub fn register<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        let mut registry = self.registry.lock();
        match &self.component {
            None => register(&mut registry),
            Some(name) => register(registry.sub_registry_with_label(("component".into(), name.to_string().into()))),
        }
    }

    /// The same exposition with the label `component` on everything that is registered through what is
    /// returned. For several components in one process.
    #[must_use]
    pub fn component(&self, name: &str) -> Self {
        Self { registry: Arc::clone(&self.registry), component: Some(name.into()) }
    }

    /// All metrics in the OpenMetrics text format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _infallible = encode(&mut out, &self.registry.lock());
        out
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("component", &self.component).finish_non_exhaustive()
    }
}
