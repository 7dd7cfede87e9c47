//! The service around the gateway.

use std::sync::Arc;

use anyhow::Result;
use axum::extract::State;
use axum::response::Json;
use axum::routing::get;
use daemon::{Shell, now_ms};
use serde_json::{Value, json};
use store::Limited;

use crate::caches::{caching_bucket, index_caches};
use crate::gate::Gate;
use crate::{Args, Gateway, attach};

/// Serves a bucket's blocks over gRPC until the shutdown.
///
/// # Errors
/// When the flags or the bucket configuration are wrong, the bucket cannot be listed, or an address cannot
/// be bound.
pub async fn run(args: Args, shell: Shell) -> Result<()> {
    let bucket = args.objstore.require()?.connect().await?;
    let bucket = shell.metrics().register(|r| bucket.instrumented(r, now_ms));
    let name = bucket.name().to_owned();
    let bucket = caching_bucket(&shell, &args.caches, bucket)?;
    let settings = args.settings()?;
    let caches = index_caches(&shell, &args.caches, settings.index_cache_bytes / 4)?;
    let gateway = attach::create(&shell, bucket, settings, caches);
    daemon::http::spawn(&shell, &args.http, routes(&shell, &gateway)).await?;
    attach::start(&shell, &gateway, args.sync_block_duration.as_duration()).await?;
    tracing::info!(bucket = name, blocks = gateway.blocks().len(), "store started");

    let metrics = gateway.metrics.clone();
    let limited = Limited::new(gateway, args.limits());
    let store = Arc::new(Gate::new(Arc::new(limited), args.series_max_concurrency, metrics));
    rpc::spawn(&shell, &args.grpc, store).await?;
    shell.shutdown().cancelled().await;
    Ok(())
}

fn routes(shell: &Shell, gateway: &Arc<Gateway>) -> axum::Router {
    let (state, budget) = (Arc::clone(gateway), shell.memory().clone());
    let debug = move || async move {
        let mut state = state.debug();
        state["memory"] = json!({
            "limit_bytes": budget.limit(),
            "leased_bytes": budget.used(),
            "unleased_bytes": budget.unleased(),
            "peak_leased_bytes": budget.peak(),
            "refused": budget.refused(),
        });
        Json(state)
    };
    axum::Router::new()
        .route("/api/v1/blocks", get(blocks))
        .with_state(Arc::clone(gateway))
        .route("/debug/state", get(debug))
}

/// The metas of the blocks that are served, in the form of Thanos' block viewer; its view of a whole bucket is the same.
async fn blocks(State(gateway): State<Arc<Gateway>>) -> Json<Value> {
    let refreshed = jiff::Timestamp::from_millisecond(now_ms()).map(|t| t.to_string()).unwrap_or_default();
    Json(json!({
        "status": "success",
        "data": {"label": "", "blocks": gateway.blocks(), "refreshedAt": refreshed, "err": null},
    }))
}
