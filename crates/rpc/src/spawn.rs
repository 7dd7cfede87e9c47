use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use daemon::Shell;
use daemon::flags::GrpcArgs;
use store::Store;

use crate::{Error, GrpcMetrics, ServerSettings, ServerTls, serve};

/// A call whose client names no deadline is ended after this long.
const CALL_TIME_MAX: Duration = Duration::from_secs(3600);

/// Binds the address of `args` and serves `store` in a task of the shell until the shutdown. Gives the
/// address it listens on.
///
/// # Errors
/// When the address cannot be bound or the TLS files cannot be read.
pub async fn spawn(shell: &Shell, args: &GrpcArgs, store: Arc<dyn Store>) -> Result<SocketAddr, Error> {
    let files = (&args.grpc_server_tls_cert, &args.grpc_server_tls_key, &args.grpc_server_tls_client_ca);
    let settings = ServerSettings {
        tls: ServerTls::from_files(files.0, files.1, files.2)?,
        max_connection_age: Some(args.grpc_server_max_connection_age.as_duration()),
        grace: args.grpc_grace_period.as_duration(),
        metrics: shell.metrics().register(GrpcMetrics::register),
    };
    let listener = daemon::listen(&args.grpc_address).await.map_err(|e| Error::Listen(format!("{e:#}")))?;
    let address = listener.local_addr().map_err(|e| Error::Listen(e.to_string()))?;
    tracing::info!(%address, component = shell.name(), "listening for gRPC calls");
    shell.extend_grace(settings.grace + Duration::from_secs(1));
    let contexts = shell.clone();
    let contexts = Arc::new(move |allowed: Option<Duration>| contexts.request(allowed.unwrap_or(CALL_TIME_MAX)));
    let shutdown = shell.shutdown().clone();
    shell.tasks().spawn_fallible("gRPC server", async move {
        // A future that can be cloned: each clone waits for the same shutdown.
        let ended = futures::FutureExt::shared(async move { shutdown.cancelled_owned().await });
        Ok(serve(store, contexts, listener, settings, ended).await?)
    });
    Ok(address)
}
