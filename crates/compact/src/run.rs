//! The service around the compactor.

use anyhow::{Context as _, Result, bail};
use bucket::SyncMetrics;
use daemon::Shell;

use crate::{Args, CompactMetrics, Compactor, Report};

/// Cycles in a row without progress, though work was due, after which the component is not ready.
const STUCK_CYCLES: u32 = 2;

/// Compacts until nothing is left to do; with `--wait` again and again until the shutdown.
///
/// # Errors
/// When the flags or the bucket configuration are wrong, the bucket cannot be read at the start, or,
/// without `--wait`, when a group failed.
pub async fn run(args: Args, shell: Shell) -> Result<()> {
    let settings = args.settings()?;
    let metrics = shell.metrics().register(CompactMetrics::register);
    let sync_metrics = shell.metrics().register(SyncMetrics::register);
    let bucket = args.objstore.require()?.connect().await?;
    let bucket = shell.metrics().register(|r| bucket.instrumented(r, daemon::now_ms));
    let name = bucket.name().to_owned();
    daemon::http::spawn(&shell, &args.http, axum::Router::new()).await?;
    bucket.check().await.context("look into the bucket")?;
    if !args.downsampling_disable {
        tracing::warn!("downsampling is not available yet: blocks stay raw (silence with --downsampling.disable)");
    }
    let compactor = Compactor::new(settings, bucket).with_metrics(metrics, sync_metrics);
    shell.probe().set_ready(true);
    tracing::info!(bucket = name, wait = args.wait, "compactor started");
    let shutdown = shell.shutdown().clone();
    let mut stuck = 0;
    loop {
        let cycle = tokio::select! {
            cycle = compactor.run_once() => cycle,
            () = shutdown.cancelled() => return Ok(()),
        };
        match cycle {
            Ok(report) => {
                tracing::info!(
                    compactions = report.compactions,
                    marked = report.marked,
                    deleted = report.deleted,
                    failures = report.failures.len(),
                    "cycle done"
                );
                stuck = if report.is_stuck() { stuck + 1 } else { 0 };
                if !args.wait {
                    return verdict(&report);
                }
            }
            Err(e) if args.wait => {
                tracing::error!(error = %e, "cycle failed, trying again");
                stuck += 1;
            }
            Err(e) => return Err(e.into()),
        }
        shell.probe().set_ready(stuck < STUCK_CYCLES);
        tokio::select! {
            () = tokio::time::sleep(args.wait_interval.as_duration()) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}

fn verdict(report: &Report) -> Result<()> {
    let failed: Vec<String> = report.failures.iter().map(|f| format!("{}: {}", f.group, f.error)).collect();
    if !failed.is_empty() {
        bail!("{} of the groups failed: {}", failed.len(), failed.join("; "));
    }
    Ok(())
}
