use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use daemon::Shell;
use discovery::{Address, Dns, Targets};
use model::Labels;
use rpc::ClientTls;

use crate::upstreams::{Announced, Remotes, UpstreamSettings};
use crate::{Args, Querier};

/// Serves HTTP and gRPC until the shutdown.
///
/// # Errors
/// When a flag is wrong or an address cannot be listened on.
pub async fn run(args: Args, shell: Shell) -> Result<()> {
    args.check()?;
    let settings = args.settings();
    if args.endpoint.is_empty() && args.endpoint_strict.is_empty() {
        tracing::warn!("no --endpoint is given, so there is nothing to ask");
    }
    let addresses: Vec<Address> =
        args.endpoint.iter().chain(&args.endpoint_strict).map(|a| a.parse()).collect::<Result<_, _>>()?;
    let targets = Targets::new(addresses);
    let dns = if targets.is_fixed() { None } else { Some(Dns::system()?) };

    let remotes = Arc::new(Remotes::new(&shell, upstream_settings(&args)?));
    let querier = Querier::over(&shell, Arc::clone(&remotes) as _, settings);
    daemon::http::spawn(&shell, &args.http, querier.router()).await?;
    // What all stores have together, for other queriers.
    let labels = Labels::from_pairs(args.selector_label.iter().map(|l| (l.name.as_str(), l.value.as_str())));
    rpc::spawn(&shell, &args.grpc, Arc::new(Announced { store: remotes.proxy().clone(), labels })).await?;

    let (follow, probe, shutdown) = (Arc::clone(&remotes), shell.probe().clone(), shell.shutdown().clone());
    shell.tasks().spawn("discovery of stores", async move {
        tokio::select! {
            () = follow.follow(targets, dns, || probe.set_ready(true)) => {}
            () = shutdown.cancelled() => {}
        }
    });
    shell.shutdown().cancelled().await;
    Ok(())
}

fn upstream_settings(args: &Args) -> Result<UpstreamSettings> {
    Ok(UpstreamSettings {
        dns_interval: args.dns_interval.as_duration().max(Duration::from_secs(1)),
        unhealthy_timeout: args.unhealthy_timeout.as_duration(),
        response_timeout: args.response_timeout.as_duration(),
        tls: client_tls(args)?,
        compression: args.grpc_compression,
        strict: args.endpoint_strict.clone(),
    })
}

fn client_tls(args: &Args) -> Result<Option<ClientTls>> {
    if !args.tls_secure {
        return Ok(None);
    }
    let read = |path: &str| std::fs::read(path).with_context(|| format!("read {path}"));
    let identity = match (args.tls_cert.as_str(), args.tls_key.as_str()) {
        ("", "") => None,
        (cert, key) => Some((read(cert)?, read(key)?)),
    };
    let ca = if args.tls_ca.is_empty() { Vec::new() } else { read(&args.tls_ca)? };
    Ok(Some(ClientTls { server_name: args.tls_server_name.clone(), ca, identity }))
}
