use std::future::Future;
use std::net::IpAddr;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::RData;

use crate::Error;

/// Where an SRV record points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Without the final dot.
    pub target: String,
    pub port: u16,
}

/// What names mean. A name that does not exist has no addresses; that is no error.
pub trait Resolve: Send + Sync {
    /// The A and AAAA records of `host`, or the address itself.
    fn addresses(&self, host: &str) -> impl Future<Output = Result<Vec<IpAddr>, Error>> + Send;

    /// The SRV records of `name`.
    fn services(&self, name: &str) -> impl Future<Output = Result<Vec<Service>, Error>> + Send;
}

/// The name servers of the system's configuration (`/etc/resolv.conf`, `/etc/hosts`).
#[derive(Clone)]
pub struct Dns(TokioResolver);

impl Dns {
    /// Reads the system's configuration. Needs a Tokio runtime when it is used, not here.
    ///
    /// # Errors
    /// When the configuration cannot be read.
    pub fn system() -> Result<Self, Error> {
        let setup = |e: NetError| Error::Setup(e.to_string());
        let mut builder = TokioResolver::builder_tokio().map_err(setup)?;
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        // The caller looks up at its own interval and wants what is true now.
        options.cache_size = 0;
        Ok(Self(builder.build().map_err(setup)?))
    }
}

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dns").finish_non_exhaustive()
    }
}

impl Resolve for Dns {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Error> {
        match self.0.lookup_ip(host).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(e) if e.is_no_records_found() => Ok(Vec::new()),
            Err(e) => Err(Error::Lookup { name: host.to_owned(), why: e.to_string() }),
        }
    }

    async fn services(&self, name: &str) -> Result<Vec<Service>, Error> {
        let found = match self.0.srv_lookup(name).await {
            Ok(found) => found,
            Err(e) if e.is_no_records_found() => return Ok(Vec::new()),
            Err(e) => return Err(Error::Lookup { name: name.to_owned(), why: e.to_string() }),
        };
        let services = found.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => {
                Some(Service { target: srv.target.to_utf8().trim_end_matches('.').to_owned(), port: srv.port })
            }
            _ => None,
        });
        Ok(services.collect())
    }
}
