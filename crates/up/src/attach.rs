//! Running Prometheus servers, attached as a sidecar does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bucket::Bucket;
use daemon::Shell;
use daemon::flags::TimeOrDuration;
use sidecar::{AttachSettings, HttpConfig, PrometheusClient, ShipperSettings};
use store::Store;

use crate::Args;

/// How long a call to Prometheus' configuration API may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How often external labels are read anew.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// Attaches each Prometheus and gives their heads.
///
/// # Errors
/// When one does not come up, cannot be shipped from, or has the external labels of another.
pub(crate) async fn attach(args: &Args, shell: &Shell, bucket: &Bucket) -> anyhow::Result<Vec<Arc<dyn Store>>> {
    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    let mut known = BTreeMap::new();
    for (i, (url, path)) in args.sources()?.into_iter().enumerate() {
        let client = PrometheusClient::new(&url, HttpConfig::default(), CALL_TIMEOUT)?;
        let shell = shell.component(&format!("sidecar-{i}"));
        let settings = AttachSettings {
            ready_timeout: args.prometheus_ready_timeout.as_duration(),
            refresh_interval: REFRESH_INTERVAL,
            min_time: TimeOrDuration::Time(i64::MIN),
            shipper: Some(ShipperSettings {
                tsdb_path: path,
                progress_file: "thanos.shipper.json".to_owned(),
                upload_compacted: false,
                allow_out_of_order_uploads: false,
                skip_corrupted_blocks: false,
            }),
            ignore_unequal_block_size: false,
        };
        let attached = sidecar::attach(&shell, client, settings, Some(bucket.clone())).await;
        let store = attached.with_context(|| format!("attach Prometheus at {url}"))?;
        if let Some(other) = known.insert(store.external_labels(), url.clone()) {
            bail!(
                "Prometheus at {other} and at {url} have the same external labels: they must differ, for example by a label replica"
            );
        }
        stores.push(store);
    }
    Ok(stores)
}
