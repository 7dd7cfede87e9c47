//! Background workers: do a unit of work, wait, again, until the shutdown.

use std::future::Future;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::Shell;

/// Something that is done over and over.
pub trait Worker: Send + 'static {
    /// For logs and metrics, e.g. `shipper`.
    fn name(&self) -> &str;

    /// One unit of work. An error is logged and the unit is tried again at the next turn.
    fn work(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    worker: String,
    result: &'static str,
}

/// Runs `worker` as a task of `shell` at once and then every `interval` (counted from the end of a turn) until
/// the shutdown. Turns that fail wait longer, up to 8 intervals or 5 minutes, whichever is less. A shutdown
/// during a turn drops it: units of work must be safe to abandon at any await.
pub fn spawn(shell: &Shell, interval: Duration, mut worker: impl Worker) {
    let runs = Family::<RunLabels, Counter>::default();
    shell.metrics().register(|r| {
        let help = "Turns of background workers by result";
        r.register(format!("esker_{}_turns", worker.name().replace([' ', '-', '/'], "_")), help, runs.clone());
    });
    let name = worker.name().to_owned();
    let shutdown = shell.shutdown().clone();
    shell.tasks().spawn(&name.clone(), async move {
        let mut failures = 0_u32;
        let turns = async {
            loop {
                let result = match worker.work().await {
                    Ok(()) => {
                        failures = 0;
                        "ok"
                    }
                    Err(e) => {
                        failures += 1;
                        tracing::error!(worker = name, failures, err = format!("{e:#}"), "a turn failed");
                        "failed"
                    }
                };
                runs.get_or_create(&RunLabels { worker: name.clone(), result }).inc();
                tokio::time::sleep(pause(interval, failures)).await;
            }
        };
        tokio::select! {
            () = turns => {}
            () = shutdown.cancelled() => {}
        }
    });
}

fn pause(interval: Duration, failures: u32) -> Duration {
    let longest = (interval * 8).min(Duration::from_secs(300)).max(interval);
    (interval * (1 << failures.saturating_sub(1).min(3))).min(longest)
}
