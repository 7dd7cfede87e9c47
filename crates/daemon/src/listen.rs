use std::io;
use std::net::{Ipv6Addr, SocketAddr};

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;

/// Binds an address written in any of Go's forms: `:10901` (all addresses, IPv4 and IPv6), `0.0.0.0:10902`,
/// `[::1]:0`, `localhost:80`.
///
/// # Errors
/// When the text is no address, the host has none, or it is in use; the message names it.
pub async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    let (host, port) = split(address)?;
    let listener = match host {
        "" => any(port).await,
        host => TcpListener::bind((host, port)).await,
    };
    listener.with_context(|| format!("cannot listen on {address}"))
}

async fn any(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))).await {
        Err(e) if e.kind() != io::ErrorKind::AddrInUse => TcpListener::bind(("0.0.0.0", port)).await,
        bound => bound,
    }
}

/// Host (without brackets) and port.
fn split(address: &str) -> anyhow::Result<(&str, u16)> {
    let Some((host, port)) = address.rsplit_once(':') else { bail!("address {address}: missing port in address") };
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').with_context(|| format!("address {address}: missing ']' in address"))?,
        None if host.contains(':') => bail!("address {address}: too many colons in address"),
        None => host,
    };
    let port = port.parse().with_context(|| format!("address {address}: invalid port {port:?}"))?;
    Ok((host, port))
}

#[cfg(test)]
mod tests;
