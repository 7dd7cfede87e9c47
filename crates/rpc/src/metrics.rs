//! `grpc_server_*`, under the names and labels of go-grpc-middleware, which dashboards read.

use std::time::Instant;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tonic::Code;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    grpc_method: &'static str,
    grpc_service: &'static str,
    grpc_type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Handled {
    grpc_code: String,
    grpc_method: &'static str,
    grpc_service: &'static str,
    grpc_type: &'static str,
}

/// Calls that a server took. Clones count together.
#[derive(Clone, Debug)]
pub struct GrpcMetrics {
    started: Family<Call, Counter>,
    handled: Family<Handled, Counter>,
    seconds: Family<Call, Histogram, fn() -> Histogram>,
}

const BUCKETS: [f64; 15] = [0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8];

impl Default for GrpcMetrics {
    fn default() -> Self {
        Self {
            started: Family::default(),
            handled: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        }
    }
}

impl GrpcMetrics {
    /// New counters among those of `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("grpc_server_started", "RPCs that began", metrics.started.clone());
        registry.register("grpc_server_handled", "RPCs that ended, by status", metrics.handled.clone());
        let help = "How long RPCs took";
        registry.register_with_unit("grpc_server_handling", help, Unit::Seconds, metrics.seconds.clone());
        // There from the start, so that rates of what has not happened yet are zero.
        for (service, method, kind) in [
            ("thanos.Store", "Series", STREAM),
            ("thanos.Store", "LabelNames", UNARY),
            ("thanos.Store", "LabelValues", UNARY),
            ("thanos.info.Info", "Info", UNARY),
        ] {
            let call = Call { grpc_method: method, grpc_service: service, grpc_type: kind };
            let _there = metrics.started.get_or_create(&call);
            let _there = metrics.handled.get_or_create(&call.handled(Code::Ok));
        }
        metrics
    }

    pub(crate) fn begin(&self, service: &'static str, method: &'static str, kind: &'static str) -> Running {
        let call = Call { grpc_method: method, grpc_service: service, grpc_type: kind };
        self.started.get_or_create(&call).inc();
        Running { metrics: self.clone(), call, since: Instant::now(), code: Code::Cancelled }
    }
}

pub(crate) const UNARY: &str = "unary";
pub(crate) const STREAM: &str = "server_stream";

impl Call {
    fn handled(&self, code: Code) -> Handled {
        Handled {
            grpc_code: name(code),
            grpc_method: self.grpc_method,
            grpc_service: self.grpc_service,
            grpc_type: self.grpc_type,
        }
    }
}

/// Go's name of a code.
fn name(code: Code) -> String {
    match code {
        Code::Ok => "OK".to_owned(),
        Code::Cancelled => "Canceled".to_owned(),
        other => format!("{other:?}"),
    }
}

/// A call under way; counted as it was ended, or as cancelled, when it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    metrics: GrpcMetrics,
    call: Call,
    since: Instant,
    code: Code,
}

impl Running {
    pub(crate) fn end(&mut self, code: Code) {
        self.code = code;
    }

    /// Ends the call as its answer says.
    pub(crate) fn ended<T>(mut self, answer: Result<T, tonic::Status>) -> Result<T, tonic::Status> {
        self.end(answer.as_ref().map_or_else(tonic::Status::code, |_| Code::Ok));
        answer
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.metrics.handled.get_or_create(&self.call.handled(self.code)).inc();
        self.metrics.seconds.get_or_create(&self.call).observe(self.since.elapsed().as_secs_f64());
    }
}
