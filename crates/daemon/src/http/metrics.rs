use std::fs;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Unit;
use request::MemoryBudget;

use crate::{Probe, Shell, memory, now_ms};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HttpLabels {
    code: u16,
    handler: String,
    method: String,
}

/// `http_requests_total` and `http_request_duration_seconds`, labelled as Thanos labels them.
#[derive(Clone, Debug)]
pub(super) struct HttpMetrics {
    requests: Family<HttpLabels, Counter>,
    seconds: Family<HttpLabels, Histogram, fn() -> Histogram>,
}

const BUCKETS: [f64; 14] = [0.001, 0.01, 0.1, 0.3, 0.6, 1.0, 3.0, 6.0, 9.0, 20.0, 30.0, 60.0, 90.0, 120.0];

impl HttpMetrics {
    pub(super) fn register(shell: &Shell) -> Self {
        let metrics =
            Self { requests: Family::default(), seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)) };
        shell.metrics().register(|r| {
            r.register("http_requests", "HTTP requests", metrics.requests.clone());
            r.register_with_unit(
                "http_request_duration",
                "Latency of HTTP requests",
                Unit::Seconds,
                metrics.seconds.clone(),
            );
        });
        metrics
    }

    pub(super) fn observe(&self, handler: String, method: String, code: StatusCode, took: Duration) {
        let labels = HttpLabels { code: code.as_u16(), handler, method };
        self.requests.get_or_create(&labels).inc();
        self.seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

/// Registers `process_*`, `thanos_build_info` and `thanos_status`.
pub(crate) fn register_process(shell: &Shell) {
    let probe = shell.probe().clone();
    let component: Arc<str> = shell.name().into();
    let version = [("version", env!("CARGO_PKG_VERSION")), ("branch", ""), ("revision", ""), ("goversion", "")];
    let build = Info::new(version.to_vec());
    let started = now_ms() as f64 / 1000.0;
    let budget = shell.memory().clone();
    shell.metrics().register(|r| {
        r.register("thanos_build", "The running version; always 1", build);
        r.register_collector(Box::new(Process { probe, component, started, budget }));
    });
}

#[derive(Debug)]
struct Process {
    probe: Probe,
    component: Arc<str>,
    started: f64,
    budget: MemoryBudget,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for (check, good) in [("healthy", self.probe.is_healthy()), ("ready", self.probe.is_ready())] {
            let gauge = ConstGauge::new(i64::from(good));
            let labels = [("check", check), ("component", &self.component)];
            let mut metric =
                encoder.encode_descriptor("thanos_status", "What the probes say", None, gauge.metric_type())?;
            gauge.encode(metric.encode_family(&labels)?)?;
        }
        let mut gauge = |name: &str, help: &str, value: f64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        gauge("process_start_time_seconds", "When the process began, Unix time", self.started)?;
        if let Some(resident) = memory::resident() {
            gauge("process_resident_memory_bytes", "Resident memory", resident.total as f64)?;
        }
        let limit = "Bytes that the process may hold: --memory.limit";
        gauge("esker_memory_limit_bytes", limit, self.budget.limit() as f64)?;
        gauge("esker_memory_used_bytes", "What all requests hold together", self.budget.used() as f64)?;
        gauge("esker_memory_peak_bytes", "The most that all requests held together", self.budget.peak() as f64)?;
        let unleased = "Bytes that the process holds besides";
        gauge("esker_memory_unleased_bytes", unleased, self.budget.unleased() as f64)?;
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            gauge("process_open_fds", "Open file descriptors", entries.count() as f64)?;
        }
        let mut count = |name: &str, help: &str, value: f64| {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)
        };
        let refused = "Requests for memory that --memory.limit refused";
        count("esker_memory_refused", refused, self.budget.refused() as f64)?;
        match cpu_seconds() {
            Some(seconds) => count("process_cpu_seconds", "User and system CPU time", seconds),
            None => Ok(()),
        }
    }
}

/// Fields 14 and 15 of `/proc/self/stat`, in ticks of 10 ms, after the name in parentheses.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}
