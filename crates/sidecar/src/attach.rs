//! Attaching to a running Prometheus: waiting for it, learning what it is, keeping that fresh, shipping.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bucket::Bucket;
use daemon::flags::TimeOrDuration;
use daemon::worker::{self, Worker};
use daemon::{Shell, now_ms};
use model::Labels;
use prometheus_client::metrics::gauge::Gauge;
use tracing::{info, warn};

use crate::{HeadState, PrometheusClient, PrometheusStore, Shipper, ShipperMetrics, ShipperSettings};

/// How often blocks are looked for, as in Thanos.
const SHIP_INTERVAL: Duration = Duration::from_secs(30);
/// Prometheus' default for both block durations.
const BLOCK_DURATION: &str = "2h";

/// How to attach to one Prometheus.
#[derive(Clone, Debug)]
pub struct AttachSettings {
    pub ready_timeout: Duration,
    /// How often labels and the lowest time are read anew.
    pub refresh_interval: Duration,
    /// Nothing older is served.
    pub min_time: TimeOrDuration,
    /// `None`: blocks are not shipped.
    pub shipper: Option<ShipperSettings>,
    pub ignore_unequal_block_size: bool,
}

/// Waits for Prometheus, checks that it can be shipped from, and starts the workers that keep its state
/// fresh and ship its blocks to `bucket`. Readiness of `shell` follows Prometheus'.
///
/// # Errors
/// When Prometheus does not come up in time, has no external labels, or cuts blocks of unequal length.
pub async fn attach(
    shell: &Shell,
    client: PrometheusClient,
    settings: AttachSettings,
    bucket: Option<Bucket>,
) -> Result<Arc<PrometheusStore>> {
    let labels = wait_for_prometheus(&client, settings.ready_timeout).await?;
    ensure!(
        !labels.is_empty(),
        "no external labels configured on Prometheus at {}: they tell sources apart in the bucket; set \
         global.external_labels in its configuration, for example {{cluster: eu, replica: a}}",
        client.url()
    );
    info!(prometheus = %client.url(), external_labels = %labels, "attached to Prometheus");
    let shipper = match (settings.shipper, bucket) {
        (Some(shipper), Some(bucket)) => {
            check_block_durations(&client, settings.ignore_unequal_block_size).await?;
            let metrics = shell.metrics().register(ShipperMetrics::register);
            Some(Shipper::new(shipper, bucket, metrics))
        }
        _ => {
            info!("no bucket is configured: blocks are not shipped");
            None
        }
    };
    let state = HeadState { min_time: min_time(&client, settings.min_time).await?, external_labels: labels };
    let store = Arc::new(PrometheusStore::new(client.clone(), state));
    let up = Gauge::<i64>::default();
    up.set(1);
    shell.metrics().register(|r| {
        let help = "Whether Prometheus could be reached the last time it was asked";
        r.register("thanos_sidecar_prometheus_up", help, up.clone());
    });
    shell.probe().set_ready(true);
    let refresh = Refresh { shell: shell.clone(), client, store: store.clone(), min_time: settings.min_time, up };
    worker::spawn(shell, settings.refresh_interval, refresh);
    if let Some(shipper) = shipper {
        worker::spawn(shell, SHIP_INTERVAL, Ship { shipper, store: store.clone() });
    }
    Ok(store)
}

async fn wait_for_prometheus(client: &PrometheusClient, timeout: Duration) -> Result<Labels> {
    let mut last = None;
    let tries = async {
        loop {
            match client.external_labels().await {
                Ok(labels) => return labels,
                Err(e) => {
                    warn!(prometheus = %client.url(), error = format!("{e:#}"), "waiting for Prometheus");
                    last = Some(e);
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    match tokio::time::timeout(timeout, tries).await {
        Ok(labels) => Ok(labels),
        Err(_) => {
            let waited =
                format!("Prometheus did not answer within --prometheus.ready_timeout ({} s)", timeout.as_secs());
            match last {
                Some(e) => Err(e).context(waited),
                None => bail!(waited),
            }
        }
    }
}

/// Blocks of Prometheus' own compaction would be shipped twice, so it must not compact.
async fn check_block_durations(client: &PrometheusClient, ignore: bool) -> Result<()> {
    let flags = client.flags().await?;
    let flag = |name: &str| flags.get(name).map_or("", String::as_str).to_owned();
    let (min, max) = (flag("storage.tsdb.min-block-duration"), flag("storage.tsdb.max-block-duration"));
    if min != max {
        let text = format!(
            "Prometheus at {} compacts its blocks itself: its min and max block durations differ ({min} and {max}), so \
             shipped blocks would overlap; start it with --storage.tsdb.min-block-duration={BLOCK_DURATION} \
             --storage.tsdb.max-block-duration={BLOCK_DURATION}",
            client.url()
        );
        if !ignore {
            bail!(text);
        }
        warn!("{text}");
    } else if min != BLOCK_DURATION {
        warn!(block_duration = min, "Prometheus' block duration is not {BLOCK_DURATION}; shipping is tested with that");
    }
    Ok(())
}

async fn min_time(client: &PrometheusClient, flag: TimeOrDuration) -> Result<i64> {
    let lowest = client.lowest_timestamp_ms().await?;
    Ok(flag.at(now_ms()).max(lowest.unwrap_or(i64::MIN)))
}

/// Reads external labels and the lowest time anew.
#[derive(Debug)]
struct Refresh {
    shell: Shell,
    client: PrometheusClient,
    store: Arc<PrometheusStore>,
    min_time: TimeOrDuration,
    up: Gauge,
}

impl Refresh {
    async fn state(&self) -> Result<HeadState> {
        let external_labels = self.client.external_labels().await?;
        ensure!(!external_labels.is_empty(), "Prometheus' external labels are gone; keeping those known before");
        Ok(HeadState { external_labels, min_time: min_time(&self.client, self.min_time).await? })
    }
}

impl Worker for Refresh {
    fn name(&self) -> &'static str {
        "prometheus refresh"
    }

    async fn work(&mut self) -> Result<()> {
        let state = self.state().await;
        self.up.set(i64::from(state.is_ok()));
        self.shell.probe().set_ready(state.is_ok());
        self.store.update(state?);
        Ok(())
    }
}

/// Ships what is new.
#[derive(Debug)]
struct Ship {
    shipper: Shipper,
    store: Arc<PrometheusStore>,
}

impl Worker for Ship {
    fn name(&self) -> &'static str {
        "shipper"
    }

    async fn work(&mut self) -> Result<()> {
        self.shipper.ship(&self.store.external_labels()).await?;
        Ok(())
    }
}
