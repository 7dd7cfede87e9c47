//! The parts of Prometheus' HTTP API that a sidecar needs.

mod http_config;
mod wire;

pub use http_config::HttpConfig;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use model::{Labels, Matcher, TimeRange};
use reqwest::{Client, Method, Response, Url};
use serde::de::DeserializeOwned;

use wire::{Answer, Config, Flags};

/// A client of one Prometheus server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PrometheusClient {
    base: Url,
    http: Client,
    config: HttpConfig,
    timeout: Duration,
}

impl PrometheusClient {
    /// `base` may carry a path prefix. `timeout` bounds each call but remote reads, which take their
    /// deadline from the request.
    ///
    /// # Errors
    /// When the URL or the HTTP settings make no client.
    pub fn new(base: &str, config: HttpConfig, timeout: Duration) -> Result<Self> {
        let mut base = Url::parse(base).with_context(|| format!("--prometheus.url {base:?} is not a URL"))?;
        if base.cannot_be_a_base() || base.host().is_none() {
            bail!("--prometheus.url {base} names no host; use a form like http://localhost:9090");
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let http = config.client()?;
        Ok(Self { base, http, config, timeout })
    }

    /// Where it talks to, for messages.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.base
    }

    /// The external labels of the running configuration.
    ///
    /// # Errors
    /// When Prometheus cannot be reached or its configuration cannot be read.
    pub async fn external_labels(&self) -> Result<Labels> {
        let config: Config = self.get("api/v1/status/config", &[]).await?;
        wire::external_labels(&config.yaml).with_context(|| format!("configuration of {}", self.base))
    }

    /// The command-line flags in effect, by name.
    ///
    /// # Errors
    /// When Prometheus cannot be reached.
    pub async fn flags(&self) -> Result<Flags> {
        self.get("api/v1/status/flags", &[]).await
    }

    /// The oldest sample it holds, in Unix milliseconds; `None` while it holds none.
    ///
    /// # Errors
    /// When Prometheus cannot be reached.
    pub async fn lowest_timestamp_ms(&self) -> Result<Option<i64>> {
        let text = self.send(Method::GET, "metrics", &[]).await?.text().await?;
        Ok(wire::lowest_timestamp_ms(&text))
    }

    /// The label sets of all series that match within `range`.
    ///
    /// # Errors
    /// When Prometheus cannot be reached or refuses.
    pub async fn series(&self, matchers: &[Matcher], range: TimeRange, limit: u64) -> Result<Vec<Labels>> {
        let sets: Vec<BTreeMap<String, String>> =
            self.post("api/v1/series", &selection(matchers, range, limit)).await?;
        Ok(sets.into_iter().map(Labels::from_pairs).collect())
    }

    /// The label names of all series that match within `range`.
    ///
    /// # Errors
    /// As [`Self::series`].
    pub async fn label_names(&self, matchers: &[Matcher], range: TimeRange, limit: u64) -> Result<Vec<String>> {
        self.post("api/v1/labels", &selection(matchers, range, limit)).await
    }

    /// The values of `label` over all series that match within `range`.
    ///
    /// # Errors
    /// As [`Self::series`].
    pub async fn label_values(
        &self,
        label: &str,
        matchers: &[Matcher],
        range: TimeRange,
        limit: u64,
    ) -> Result<Vec<String>> {
        let path = format!("api/v1/label/{}/values", wire::escape_label_name(label));
        self.get(&path, &selection(matchers, range, limit)).await
    }

    /// Posts a snappy-compressed remote read request and gives the answer, still unread.
    ///
    /// # Errors
    /// When Prometheus cannot be reached or refuses.
    pub async fn remote_read(&self, body: Vec<u8>) -> Result<Response> {
        let url = self.base.join("api/v1/read")?;
        let request = self
            .authorised(self.http.request(Method::POST, url.clone()))?
            .header("Content-Type", "application/x-protobuf")
            .header("Content-Encoding", "snappy")
            .header("X-Prometheus-Remote-Read-Version", "0.1.0")
            .body(body);
        accepted(&url, request.send().await).await
    }

    /// Asks for the configuration and rules to be loaded anew.
    ///
    /// # Errors
    /// When Prometheus cannot be reached, refuses, or was not started with `--web.enable-lifecycle`.
    pub async fn reload(&self) -> Result<()> {
        self.send(Method::POST, "-/reload", &[]).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, params: &[(String, String)]) -> Result<T> {
        data(self.send(Method::GET, path, params).await?).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, params: &[(String, String)]) -> Result<T> {
        data(self.send(Method::POST, path, params).await?).await
    }

    /// Sends `params` as a query string, or as a form where the method has a body.
    async fn send(&self, method: Method, path: &str, params: &[(String, String)]) -> Result<Response> {
        let mut url = self.base.join(path)?;
        let mut form = String::new();
        if method == Method::POST {
            let mut scratch = url.clone();
            scratch.query_pairs_mut().extend_pairs(params);
            form = scratch.query().unwrap_or_default().to_owned();
        } else if !params.is_empty() {
            url.query_pairs_mut().extend_pairs(params);
        }
        let mut request = self.authorised(self.http.request(method, url.clone()))?.timeout(self.timeout);
        if !form.is_empty() {
            request = request.header("Content-Type", "application/x-www-form-urlencoded").body(form);
        }
        accepted(&url, request.send().await).await
    }

    fn authorised(&self, request: reqwest::RequestBuilder) -> Result<reqwest::RequestBuilder> {
        self.config.authorise(request)
    }
}

/// The parameters by which series are selected.
fn selection(matchers: &[Matcher], range: TimeRange, limit: u64) -> Vec<(String, String)> {
    let mut params = Vec::new();
    if !matchers.is_empty() {
        let all: Vec<String> = matchers.iter().map(wire::matcher).collect();
        params.push(("match[]".to_owned(), format!("{{{}}}", all.join(","))));
    }
    params.push(("start".to_owned(), wire::seconds(range.min)));
    params.push(("end".to_owned(), wire::seconds(range.max)));
    if limit > 0 {
        params.push(("limit".to_owned(), limit.to_string()));
    }
    params
}

/// Turns a refused or failed call into an error that names the URL and Prometheus' own words.
async fn accepted(url: &Url, sent: reqwest::Result<Response>) -> Result<Response> {
    let response =
        sent.map_err(|e| anyhow!(e.without_url())).with_context(|| format!("cannot reach Prometheus at {url}"))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = response.text().await.unwrap_or_default();
    bail!("Prometheus answered {status} to {}: {}", url.path(), text.trim().chars().take(300).collect::<String>())
}

async fn data<T: DeserializeOwned>(response: Response) -> Result<T> {
    let path = response.url().path().to_owned();
    let bytes = response.bytes().await.with_context(|| format!("read the answer to {path}"))?;
    let answer: Answer<T> =
        serde_json::from_slice(&bytes).with_context(|| format!("the answer to {path} is not Prometheus' JSON"))?;
    answer.data.with_context(|| format!("the answer to {path} has no data"))
}
