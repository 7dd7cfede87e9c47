//! `esker sidecar` from flags to a running service.

use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use bucket::Bucket;
use daemon::{Shell, now_ms, worker};
use tracing::warn;

use crate::{Args, AttachSettings, PrometheusClient, Reloader, ShipperSettings, attach};

/// Watched files are looked at so often, for there are no notifications.
const WATCH_INTERVAL_MAX: Duration = Duration::from_secs(10);

/// Runs the sidecar until the shutdown.
///
/// # Errors
/// When the settings do not fit, an address cannot be bound, the bucket refuses, or Prometheus cannot be
/// attached to (see [`attach`]).
pub async fn run(args: Args, shell: Shell) -> Result<()> {
    let timeout = args.prometheus_get_config_timeout.as_duration();
    let client = PrometheusClient::new(&args.prometheus_url, args.http_config()?, timeout)?;
    let bucket = open_bucket(&args, &shell).await?;
    daemon::http::spawn(&shell, &args.http, Router::new()).await?;
    start_reloader(&args, &shell, &client)?;
    if let Some(bucket) = &bucket {
        match bucket.check().await {
            Err(e) if e.is_transient() => warn!(error = %e, "the bucket does not answer; shipping is tried later"),
            checked => checked?,
        }
    }
    let settings = attach_settings(&args, bucket.is_some());
    let attached = tokio::select! {
        attached = attach(&shell, client, settings, bucket) => attached?,
        () = shell.shutdown().cancelled() => return Ok(()),
    };
    rpc::spawn(&shell, &args.grpc, attached).await?;
    shell.shutdown().cancelled().await;
    Ok(())
}

async fn open_bucket(args: &Args, shell: &Shell) -> Result<Option<Bucket>> {
    let Some(config) = args.objstore.load()? else { return Ok(None) };
    let bucket = config.connect().await?;
    Ok(Some(shell.metrics().register(|r| bucket.instrumented(r, now_ms))))
}

/// The configuration is written out before anything else: Prometheus may be waiting for it.
fn start_reloader(args: &Args, shell: &Shell, client: &PrometheusClient) -> Result<()> {
    let settings = args.reloader();
    if !settings.is_enabled() {
        return Ok(());
    }
    let reloader = Reloader::new(shell, settings, client.clone());
    reloader.apply().context("apply Prometheus' configuration")?;
    let interval = args.reloader_watch_interval.as_duration();
    if !interval.is_zero() {
        worker::spawn(shell, interval.min(WATCH_INTERVAL_MAX), reloader);
    }
    Ok(())
}

fn attach_settings(args: &Args, ships: bool) -> AttachSettings {
    let shipper = ships.then(|| ShipperSettings {
        tsdb_path: args.tsdb_path.clone(),
        progress_file: args.shipper_meta_file_name.clone(),
        upload_compacted: args.shipper_upload_compacted,
        allow_out_of_order_uploads: args.shipper_allow_out_of_order_uploads,
        skip_corrupted_blocks: args.shipper_skip_corrupted_blocks,
    });
    AttachSettings {
        ready_timeout: args.prometheus_ready_timeout.as_duration(),
        refresh_interval: args.prometheus_get_config_interval.as_duration(),
        min_time: args.min_time,
        shipper,
        ignore_unequal_block_size: args.shipper_ignore_unequal_block_size,
    }
}
