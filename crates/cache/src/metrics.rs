use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// What a cache did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) requests: Counter,
    pub(crate) hits: Counter,
    pub(crate) added: Counter,
    pub(crate) evicted: Counter,
    /// Not kept: too large, or too many at once.
    pub(crate) skipped: Counter,
    /// Calls of a server that failed or took too long.
    pub(crate) failures: Counter,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry, prefix: &str) {
        let mut register = |name: &str, help: &str, counter: &Counter| {
            registry.register(format!("{prefix}_{name}"), help, counter.clone());
        };
        register("requests", "Items that the cache was asked for", &self.requests);
        register("hits", "Items that the cache had", &self.hits);
        register("items_added", "Items that were put into the cache", &self.added);
        register("items_evicted", "Items that made room for others", &self.evicted);
        register("items_overflowed", "Items that were not kept: too large, or too many at once", &self.skipped);
        register("failures", "Calls of a cache server that failed or took too long", &self.failures);
    }
}
