//! `http_config`: how requests to the store are made.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::client::{Certificate, ClientOptions};
use object_store::{BackoffConfig, RetryConfig};
use serde::Deserialize;

use super::yaml;
use crate::link::{Link, LinkConnector};
use crate::{Error, Result};

/// Thanos' `http_config`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    #[serde(deserialize_with = "yaml::duration")]
    pub idle_conn_timeout: Duration,
    /// How long a request may stay without a byte of answer.
    #[serde(deserialize_with = "yaml::duration")]
    pub response_header_timeout: Duration,
    #[serde(deserialize_with = "yaml::boolean")]
    pub insecure_skip_verify: bool,
    /// Bounds connecting and the TLS handshake together.
    #[serde(deserialize_with = "yaml::duration")]
    pub tls_handshake_timeout: Duration,
    /// Taken; the client never waits for a `100 Continue`.
    #[serde(deserialize_with = "yaml::duration")]
    pub expect_continue_timeout: Duration,
    /// Taken; idle connections are bounded per host.
    pub max_idle_conns: usize,
    pub max_idle_conns_per_host: usize,
    /// Requests that may be in flight; 0 means 128.
    pub max_conns_per_host: usize,
    pub tls_config: TlsConfig,
    /// Taken; objects are never compressed on the wire.
    #[serde(deserialize_with = "yaml::boolean")]
    pub disable_compression: bool,
}

/// `http_config.tls_config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    pub ca_file: PathBuf,
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
    /// Not supported: refused by name.
    pub server_name: String,
    #[serde(deserialize_with = "yaml::boolean")]
    pub insecure_skip_verify: bool,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            idle_conn_timeout: Duration::from_secs(90),
            response_header_timeout: Duration::from_secs(120),
            insecure_skip_verify: false,
            tls_handshake_timeout: Duration::from_secs(10),
            expect_continue_timeout: Duration::from_secs(1),
            max_idle_conns: 100,
            max_idle_conns_per_host: 100,
            max_conns_per_host: 0,
            tls_config: TlsConfig::default(),
            disable_compression: false,
        }
    }
}

impl HttpConfig {
    pub(super) fn validate(&self) -> Result<()> {
        let tls = &self.tls_config;
        if !tls.server_name.is_empty() {
            return Err(Error::Config(
                "config.http_config.tls_config.server_name is not supported: the endpoint's own name is checked; give \
                 the endpoint a name that its certificate holds"
                    .to_owned(),
            ));
        }
        if tls.cert_file.as_os_str().is_empty() != tls.key_file.as_os_str().is_empty() {
            return Err(Error::Config(
                "config.http_config.tls_config: cert_file and key_file need each other".to_owned(),
            ));
        }
        Ok(())
    }

    fn skip_verify(&self) -> bool {
        self.insecure_skip_verify || self.tls_config.insecure_skip_verify
    }

    /// What every client of a store on the network is made of. `retries`: tries after the first.
    pub(super) fn remote(&self, allow_http: bool, retries: usize, hedge_budget: f64) -> Result<Remote> {
        let link = Link::new(self.max_conns_per_host, hedge_budget);
        Ok(Remote {
            options: self.client_options(allow_http)?,
            connector: LinkConnector { link: Arc::clone(&link), client: self.client(allow_http)? },
            retry: RetryConfig {
                backoff: BackoffConfig { max_backoff: Duration::from_secs(2), ..BackoffConfig::default() },
                max_retries: retries,
                retry_timeout: Duration::from_secs(120),
            },
            link,
        })
    }

    /// The options of `object_store`'s client.
    fn client_options(&self, allow_http: bool) -> Result<ClientOptions> {
        let mut options = ClientOptions::new()
            .with_allow_http(allow_http)
            .with_allow_invalid_certificates(self.skip_verify())
            // The total would cut off large objects on slow links: what counts is that bytes come.
            .with_timeout_disabled()
            .with_connect_timeout(self.tls_handshake_timeout)
            .with_read_timeout(self.response_header_timeout)
            .with_pool_idle_timeout(self.idle_conn_timeout)
            .with_pool_max_idle_per_host(self.max_idle_conns_per_host);
        if !self.tls_config.ca_file.as_os_str().is_empty() {
            for certificate in self.ca()? {
                options = options.with_root_certificate(certificate);
            }
        }
        Ok(options)
    }

    fn ca(&self) -> Result<Vec<Certificate>> {
        let path = &self.tls_config.ca_file;
        Certificate::from_pem_bundle(&read(path)?)
            .map_err(|e| Error::Config(format!("config.http_config.tls_config.ca_file {}: {e}", path.display())))
    }

    /// A client with a client certificate, where one is configured; the stock one cannot do that.
    fn client(&self, allow_http: bool) -> Result<Option<reqwest::Client>> {
        let tls = &self.tls_config;
        if tls.cert_file.as_os_str().is_empty() {
            return Ok(None);
        }
        let mut pem = read(&tls.cert_file)?;
        pem.push(b'\n');
        pem.extend(read(&tls.key_file)?);
        let identity = reqwest::Identity::from_pem(&pem).map_err(bad_client)?;
        Ok(Some(self.client_builder(allow_http)?.identity(identity).build().map_err(bad_client)?))
    }

    /// A plain HTTP client with the same trust and patience, for questions that are no object requests.
    pub(super) fn client_builder(&self, allow_http: bool) -> Result<reqwest::ClientBuilder> {
        let mut builder = reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(self.skip_verify())
            .https_only(!allow_http)
            .connect_timeout(self.tls_handshake_timeout)
            .read_timeout(self.response_header_timeout)
            .pool_idle_timeout(self.idle_conn_timeout)
            .pool_max_idle_per_host(self.max_idle_conns_per_host);
        let ca = &self.tls_config.ca_file;
        if !ca.as_os_str().is_empty() {
            let certificates = reqwest::Certificate::from_pem_bundle(&read(ca)?).map_err(bad_client)?;
            builder = builder.tls_certs_merge(certificates);
        }
        Ok(builder)
    }
}

/// The parts of a client.
pub(super) struct Remote {
    pub(super) options: ClientOptions,
    pub(super) connector: LinkConnector,
    pub(super) retry: RetryConfig,
    pub(super) link: Arc<Link>,
}

fn bad_client(e: reqwest::Error) -> Error {
    Error::Config(format!("config.http_config.tls_config: {e}"))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::local(path, e))
}
