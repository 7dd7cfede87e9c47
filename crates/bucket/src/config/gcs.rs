//! `type: GCS`: its keys, and opening a bucket over them.

use std::sync::Arc;

use object_store::gcp::GoogleCloudStorageBuilder;
use serde::Deserialize;

use super::http::Remote;
use super::{HttpConfig, yaml};
use crate::{Bucket, Error, Kind, Result, WriteOptions};

/// Thanos' GCS keys. Those whose doc says "taken" change nothing here.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GcsConfig {
    #[serde(deserialize_with = "yaml::text")]
    pub bucket: String,
    /// The service account's key as JSON. Empty: the file that `GOOGLE_APPLICATION_CREDENTIALS` names, the
    /// well-known file of gcloud, or the metadata service (workload identity).
    #[serde(deserialize_with = "yaml::text")]
    pub service_account: String,
    /// Taken: requests go over HTTP.
    #[serde(deserialize_with = "yaml::boolean")]
    pub use_grpc: bool,
    /// Taken.
    pub grpc_conn_pool_size: usize,
    pub http_config: HttpConfig,
    /// Bytes of one part of an upload in parts; 0 means 16 MiB.
    pub chunk_size_bytes: u64,
    /// Tries, the first included; 0 means 11.
    pub max_retries: usize,
}

/// Google's bounds on the size of a part.
const PART_BYTES: std::ops::RangeInclusive<u64> = (5 << 20)..=(5 << 30);

impl GcsConfig {
    pub(super) fn validate(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::Config(what.to_owned()));
        if self.bucket.is_empty() {
            return refuse("config.bucket is missing: no Google Cloud Storage bucket name in config");
        }
        if !self.service_account.is_empty() {
            self.account()?;
        }
        self.http_config.validate()
    }

    /// Checks the inline key: the client's own message would quote it.
    fn account(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::Config(format!("config.service_account: {what}")));
        let account: serde_json::Value = match serde_json::from_str(&self.service_account) {
            Ok(account) => account,
            Err(e) => return refuse(format!("not JSON: {e}")),
        };
        match account.get("type").and_then(|kind| kind.as_str()) {
            Some("service_account") | None => {}
            Some(other) => {
                return refuse(format!(
                    "type {other:?} is not supported inline: give a service account's key, or leave the key out to use \
                     workload identity or the file that GOOGLE_APPLICATION_CREDENTIALS names"
                ));
            }
        }
        let missing = ["private_key", "private_key_id", "client_email"].into_iter().find(|k| account.get(k).is_none());
        missing.map_or(Ok(()), |key| refuse(format!("has no {key:?}")))
    }

    pub(super) fn open(&self, prefix: &str, hedge_budget: f64) -> Result<Bucket> {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let emulator = variable("STORAGE_EMULATOR_HOST").map(|host| match host.contains("://") {
            true => host,
            false => format!("http://{host}"),
        });
        // Tests of Google's own clients name the emulator in the key.
        let inline = self.service_account.contains("\"http://");
        let allow_http = inline || emulator.as_ref().is_some_and(|url| url.starts_with("http://"));
        let retries = if self.max_retries == 0 { 10 } else { self.max_retries - 1 };
        let Remote { options, connector, retry, link } = self.http_config.remote(allow_http, retries, hedge_budget)?;
        let mut builder = GoogleCloudStorageBuilder::new()
            .with_bucket_name(&self.bucket)
            .with_retry(retry)
            .with_client_options(options)
            .with_http_connector(connector);
        if let Some(url) = emulator {
            builder = builder.with_base_url(&url).with_skip_signature(true);
        }
        if !self.service_account.is_empty() {
            builder = builder.with_service_account_key(&self.service_account);
        } else if let Some(path) = variable("GOOGLE_APPLICATION_CREDENTIALS") {
            builder = builder.with_application_credentials(path);
        }
        if self.use_grpc {
            tracing::warn!("config.use_grpc has no effect: requests go over HTTP");
        }
        let store = builder.build().map_err(|e| Error::Config(e.to_string()))?;
        let part_bytes = match self.chunk_size_bytes {
            0 => WriteOptions::default().part_bytes,
            given => given.clamp(*PART_BYTES.start(), *PART_BYTES.end()),
        };
        let write = WriteOptions { part_bytes, ..WriteOptions::default() };
        let bucket = Bucket::new(Arc::new(store), &self.bucket, Kind::Gcs).with_link(link);
        Ok(bucket.with_write_options(write).with_prefix(prefix))
    }
}
