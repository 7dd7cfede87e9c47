use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use crate::{Address, Error, Resolve};

/// A list of addresses and what they last came to.
#[derive(Debug)]
pub struct Targets {
    /// With each address what its last good lookup gave.
    entries: Vec<(Address, Vec<String>)>,
}

impl Targets {
    #[must_use]
    pub fn new(addresses: impl IntoIterator<Item = Address>) -> Self {
        let entries = addresses.into_iter().map(|address| {
            let known = match &address {
                Address::Static(host_port) => vec![host_port.clone()],
                _ => Vec::new(),
            };
            (address, known)
        });
        Self { entries: entries.collect() }
    }

    /// Whether no address needs a name server, so that looking up again changes nothing.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.entries.iter().all(|(address, _)| matches!(address, Address::Static(_)))
    }

    /// The `host:port` addresses known now, sorted, each once.
    #[must_use]
    pub fn current(&self) -> Vec<String> {
        let all: BTreeSet<&String> = self.entries.iter().flat_map(|(_, known)| known).collect();
        all.into_iter().cloned().collect()
    }

    /// Looks every name up again. Where that fails the last addresses stay; the failures are logged
    /// and given back.
    pub async fn refresh(&mut self, resolver: &impl Resolve) -> Vec<Error> {
        let mut failures = Vec::new();
        for (address, known) in &mut self.entries {
            match look_up(address, resolver).await {
                Ok(Some(found)) => *known = found,
                Ok(None) => {}
                Err(e) => {
                    tracing::warn!(error = %e, kept = known.len(), "keeping the last known addresses");
                    failures.push(e);
                }
            }
        }
        failures
    }
}

/// `None` where there is nothing to look up.
async fn look_up(address: &Address, resolver: &impl Resolve) -> Result<Option<Vec<String>>, Error> {
    let found = match address {
        Address::Static(_) => return Ok(None),
        Address::Dns { host, port } => with_port(resolver.addresses(host).await?, *port),
        Address::SrvNoA { name, port } => {
            let services = resolver.services(name).await?;
            services.into_iter().map(|s| format!("{}:{}", s.target, port.unwrap_or(s.port))).collect()
        }
        Address::Srv { name, port } => {
            let mut all = Vec::new();
            for service in resolver.services(name).await? {
                let ips = resolver.addresses(&service.target).await?;
                all.extend(with_port(ips, port.unwrap_or(service.port)));
            }
            all
        }
    };
    Ok(Some(found))
}

fn with_port(ips: Vec<IpAddr>, port: u16) -> Vec<String> {
    ips.into_iter().map(|ip| SocketAddr::new(ip, port).to_string()).collect()
}

#[cfg(test)]
mod tests;
