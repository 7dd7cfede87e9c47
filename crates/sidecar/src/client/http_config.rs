//! `--prometheus.http-client`: how to talk to Prometheus, in Thanos' YAML.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Certificate, Client, Identity, Proxy, RequestBuilder};
use serde::Deserialize;

/// HTTP client settings. Unknown keys are errors that name the key.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    basic_auth: BasicAuth,
    bearer_token: String,
    bearer_token_file: Option<PathBuf>,
    proxy_url: String,
    tls_config: TlsConfig,
    transport_config: TransportConfig,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
struct BasicAuth {
    username: String,
    password: String,
    password_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
struct TlsConfig {
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    /// Accepted; the name is taken from the URL.
    server_name: String,
    insecure_skip_verify: bool,
}

/// Times are whole nanoseconds, as in Thanos. What has no effect here is accepted.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
struct TransportConfig {
    max_idle_conns: i64,
    max_idle_conns_per_host: Option<usize>,
    idle_conn_timeout: Option<u64>,
    response_header_timeout: i64,
    expect_continue_timeout: i64,
    max_conns_per_host: i64,
    disable_compression: bool,
    tls_handshake_timeout: i64,
    dialer_timeout: Option<u64>,
}

impl HttpConfig {
    /// Reads the YAML; the empty text gives the defaults.
    ///
    /// # Errors
    /// On unknown keys, and on settings that exclude each other.
    pub fn parse(yaml: &str) -> Result<Self> {
        if yaml.trim().is_empty() {
            return Ok(Self::default());
        }
        let config: Self = serde_yaml::from_str(yaml).context("--prometheus.http-client")?;
        let basic = !config.basic_auth.username.is_empty();
        let bearer = !config.bearer_token.is_empty() || config.bearer_token_file.is_some();
        if basic && bearer {
            bail!("--prometheus.http-client: at most one of basic_auth and bearer_token can be set");
        }
        Ok(config)
    }

    pub(super) fn client(&self) -> Result<Client> {
        let tls = &self.tls_config;
        let mut builder = Client::builder().danger_accept_invalid_certs(tls.insecure_skip_verify);
        if !self.proxy_url.is_empty() {
            builder =
                builder.proxy(Proxy::all(&self.proxy_url).with_context(|| format!("proxy_url {:?}", self.proxy_url))?);
        }
        if let Some(path) = &tls.ca_file {
            let pem = read(path)?;
            let certificate = Certificate::from_pem(&pem).with_context(|| format!("ca_file {}", path.display()))?;
            builder = builder.add_root_certificate(certificate);
        }
        match (&tls.cert_file, &tls.key_file) {
            (Some(certificate), Some(key)) => {
                let pem = [read(certificate)?, b"\n".to_vec(), read(key)?].concat();
                let identity =
                    Identity::from_pem(&pem).with_context(|| format!("cert_file {}", certificate.display()))?;
                builder = builder.identity(identity);
            }
            (None, None) => {}
            _ => bail!("--prometheus.http-client: cert_file and key_file belong together"),
        }
        let transport = &self.transport_config;
        if let Some(timeout) = transport.dialer_timeout {
            builder = builder.connect_timeout(Duration::from_nanos(timeout));
        }
        if let Some(timeout) = transport.idle_conn_timeout {
            builder = builder.pool_idle_timeout(Duration::from_nanos(timeout));
        }
        if let Some(idle) = transport.max_idle_conns_per_host {
            builder = builder.pool_max_idle_per_host(idle);
        }
        builder.build().context("build the HTTP client for Prometheus")
    }

    /// Adds credentials; files are read at each call, so they can be rotated.
    pub(super) fn authorise(&self, request: RequestBuilder) -> Result<RequestBuilder> {
        let secret = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
            anyhow::Ok(text.trim().to_owned())
        };
        if !self.basic_auth.username.is_empty() {
            let password = match &self.basic_auth.password_file {
                Some(path) => secret(path)?,
                None => self.basic_auth.password.clone(),
            };
            return Ok(request.basic_auth(&self.basic_auth.username, Some(password)));
        }
        if let Some(path) = &self.bearer_token_file {
            return Ok(request.bearer_auth(secret(path)?));
        }
        if !self.bearer_token.is_empty() {
            return Ok(request.bearer_auth(&self.bearer_token));
        }
        Ok(request)
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("read {}", path.display()))
}

#[cfg(test)]
mod tests;
