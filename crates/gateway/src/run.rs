//! The service around the gateway.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::extract::{Query, State};
use axum::response::Json;
use axum::routing::get;
use bucket::{BucketMetrics, Instrumented};
use daemon::{Shell, now_ms};
use futures::FutureExt;
use serde_json::{Value, json};
use store::Limited;

use crate::gate::Gate;
use crate::{Args, Gateway, attach};

/// Of a request whose caller names no deadline.
const DEADLINE: Duration = Duration::from_secs(600);

/// Serves a bucket's blocks over gRPC until the shutdown.
///
/// # Errors
/// When the flags or the bucket configuration are wrong, the bucket cannot be listed, or an address cannot
/// be bound.
pub async fn run(args: Args, shell: Shell) -> Result<()> {
    let metrics = shell.metrics().register(|r| BucketMetrics::register(r, || now_ms() as f64 / 1000.0));
    let bucket = args.objstore.require()?.open()?;
    let name = bucket.name().to_owned();
    let bucket = bucket.decorated(|store| Instrumented::new(store, &name, metrics));
    let gateway = attach::create(&shell, bucket, args.settings());
    daemon::http::spawn(&shell, &args.http, routes(Arc::clone(&gateway))).await?;
    attach::start(&shell, &gateway, args.sync_block_duration.as_duration()).await?;
    tracing::info!(bucket = name, blocks = gateway.blocks().len(), "store started");

    let limited = Limited::new(gateway, args.limits());
    let store = Arc::new(Gate::new(Arc::new(limited), args.series_max_concurrency));
    let listener = daemon::listen(&args.grpc.grpc_address).await?;
    tracing::info!(address = %listener.local_addr().context("read the address of a socket")?, "listening for gRPC calls");
    let grace = args.grpc.grpc_grace_period.as_duration();
    shell.extend_grace(grace);
    let grpc = &args.grpc;
    let settings = rpc::ServerSettings {
        tls: rpc::ServerTls::from_files(
            &grpc.grpc_server_tls_cert,
            &grpc.grpc_server_tls_key,
            &grpc.grpc_server_tls_client_ca,
        )?,
        max_connection_age: Some(grpc.grpc_server_max_connection_age.as_duration()),
        grace,
    };
    let shutdown = shell.shutdown().clone().cancelled_owned().shared();
    let contexts: rpc::Contexts = Arc::new(move |timeout| shell.request(timeout.unwrap_or(DEADLINE)));
    rpc::serve(store, contexts, listener, settings, shutdown).await.context("gRPC server")
}

fn routes(gateway: Arc<Gateway>) -> axum::Router {
    axum::Router::new().route("/api/v1/blocks", get(blocks)).with_state(gateway)
}

#[derive(serde::Deserialize)]
struct View {
    view: Option<String>,
}

/// The metas of the blocks, in the form of Thanos' block viewer.
async fn blocks(State(gateway): State<Arc<Gateway>>, Query(query): Query<View>) -> Json<Value> {
    let loaded = query.view.as_deref() == Some("loaded");
    let blocks = if loaded { gateway.blocks() } else { Vec::new() };
    let refreshed = jiff::Timestamp::from_millisecond(now_ms()).map(|t| t.to_string()).unwrap_or_default();
    Json(json!({
        "status": "success",
        "data": {"label": "", "blocks": blocks, "refreshedAt": refreshed, "err": null},
    }))
}
