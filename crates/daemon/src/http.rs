//! The frame of every component's HTTP server: probes, metrics, panics contained, answers compressed, graceful
//! shutdown.

mod compress;
mod metrics;

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use futures::FutureExt;
use http::{StatusCode, header};
use tokio::net::TcpListener;

use crate::flags::HttpArgs;
use crate::{Shell, listen};
use metrics::HttpMetrics;
pub(crate) use metrics::register_process;

/// Binds the address of `args` and serves `router` with `/-/healthy`, `/-/ready` and `/metrics` in a task of
/// the shell until the shutdown. Gives the address it listens on.
///
/// # Errors
/// When the address cannot be bound.
pub async fn spawn(shell: &Shell, args: &HttpArgs, router: Router) -> anyhow::Result<SocketAddr> {
    let listener = listen(&args.http_address).await?;
    let address = listener.local_addr().context("read the address of a socket")?;
    tracing::info!(%address, component = shell.name(), "listening for HTTP requests");
    let grace = args.http_grace_period.as_duration();
    shell.extend_grace(grace + Duration::from_secs(1));
    let serving = serve(shell.clone(), listener, router, grace);
    shell.tasks().spawn_fallible("HTTP server", serving);
    Ok(address)
}

/// Serves until the shutdown, then finishes the requests under way for at most `grace`.
///
/// # Errors
/// When the server fails.
pub async fn serve(shell: Shell, listener: TcpListener, router: Router, grace: Duration) -> anyhow::Result<()> {
    let router = frame(&shell, router);
    let shutdown = shell.shutdown().clone();
    // The last part of a long answer does not wait until the client has told of the one before.
    let listener = listener.tap_io(|connection| {
        if let Err(e) = connection.set_nodelay(true) {
            tracing::debug!(err = %e, "cannot have a connection send at once");
        }
    });
    let server = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let overdue = async {
        shutdown.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        served = server => served.context("HTTP server"),
        () = overdue => {
            tracing::warn!("HTTP requests were still under way after the grace period");
            Ok(())
        }
    }
}

/// `router` with the routes and layers that every component has.
pub fn frame(shell: &Shell, router: Router) -> Router {
    let probes = Router::new()
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
        .route("/metrics", get(exposition))
        .with_state(shell.clone());
    let metrics = HttpMetrics::register(shell);
    router
        .merge(probes)
        .layer(middleware::from_fn_with_state(shell.clone(), compress::compress))
        .layer(middleware::from_fn(contain_panic))
        .layer(middleware::from_fn_with_state(metrics, observe))
}

async fn healthy(State(shell): State<Shell>) -> Response {
    verdict(shell.probe().is_healthy())
}

async fn ready(State(shell): State<Shell>) -> Response {
    verdict(shell.probe().is_ready() && !shell.shutdown().is_cancelled())
}

fn verdict(good: bool) -> Response {
    if good {
        (StatusCode::OK, "OK").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "NOT OK").into_response()
    }
}

async fn exposition(State(shell): State<Shell>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], shell.metrics().text()).into_response()
}

/// A handler that panics answers 500 for its own request.
async fn contain_panic(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal error: the request panicked").into_response(),
    }
}

async fn observe(State(metrics): State<HttpMetrics>, request: Request, next: Next) -> Response {
    let handler = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = request.method().as_str().to_ascii_lowercase();
    let begun = Instant::now();
    let response = next.run(request).await;
    metrics.observe(handler, method, response.status(), begun.elapsed());
    response
}

#[cfg(test)]
mod tests;
