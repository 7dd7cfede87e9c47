use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// `thanos_sidecar_reloader_*`.
#[derive(Clone, Debug, Default)]
pub(super) struct ReloaderMetrics {
    pub(super) applies: Counter,
    pub(super) apply_failures: Counter,
    pub(super) reloads: Counter,
    pub(super) reload_failures: Counter,
    pub(super) variable_errors: Gauge,
    pub(super) last_successful: Gauge,
    pub(super) last_success_seconds: Gauge,
}

impl ReloaderMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let name = |part: &str| format!("thanos_sidecar_reloader_{part}");
        for (part, help, counter) in [
            ("config_apply_operations", "Times the configuration was read and written", &metrics.applies),
            ("config_apply_operations_failed", "Times that failed", &metrics.apply_failures),
            ("reloads", "Reloads asked of Prometheus", &metrics.reloads),
            ("reloads_failed", "Reloads that failed", &metrics.reload_failures),
        ] {
            registry.register(name(part), help, counter.clone());
        }
        for (part, help, gauge) in [
            ("config_environment_variable_expansion_errors", "1 while a variable is not set", &metrics.variable_errors),
            ("last_reload_successful", "Whether the last reload succeeded", &metrics.last_successful),
            (
                "last_reload_success_timestamp_seconds",
                "Unix time of the last reload that succeeded",
                &metrics.last_success_seconds,
            ),
        ] {
            registry.register(name(part), help, gauge.clone());
        }
        metrics
    }
}
