//! Thanos' bucket configuration: `type`, `config` and `prefix` in YAML.

mod args;
mod azure;
mod credentials;
mod gcs;
mod http;
mod region;
mod s3;
pub(crate) mod yaml;

use std::path::PathBuf;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::{Bucket, Error, Result};

pub use args::{ObjstoreArgs, path_or_content};
pub use azure::{AzureConfig, PipelineConfig, ReaderConfig};
pub use gcs::GcsConfig;
pub use http::{HttpConfig, TlsConfig};
pub use s3::{LookupType, S3Config, SseConfig, TraceConfig};

const TYPES: &str = "S3, GCS, AZURE or FILESYSTEM";

/// A validated bucket configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjstoreConfig {
    pub provider: Provider,
    /// Put before every object's name; without leading and trailing `/`, empty for none.
    pub prefix: String,
    /// Of the reads of a store on the network, at most this share are asked a second time because the
    /// answer is late; 0 is none.
    pub hedge_budget: f64,
}

/// Unless `--objstore.hedge-budget` says otherwise.
pub const HEDGE_BUDGET: f64 = 0.05;

/// Where the objects lie.
#[derive(Clone, Debug, PartialEq)]
pub enum Provider {
    S3(Box<S3Config>),
    Gcs(Box<GcsConfig>),
    Azure(Box<AzureConfig>),
    Filesystem(FilesystemConfig),
}

/// `type: FILESYSTEM`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesystemConfig {
    /// The folder that is the bucket; created where it does not exist.
    pub directory: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "only its presence is allowed here; its type decides how it is read")]
    config: Option<IgnoredAny>,
    #[serde(default)]
    prefix: Option<String>,
}

/// The same document once more, now that the type of `config` is known: errors keep their line.
#[derive(Deserialize)]
struct Body<T> {
    config: Option<T>,
}

impl ObjstoreConfig {
    /// Reads the first document of `yaml`.
    ///
    /// # Errors
    /// For what is not YAML, for an unknown key (named, with its place), an unknown or unsupported
    /// type, and values that contradict one another.
    pub fn parse(yaml: &str) -> Result<Self> {
        let head: Head = yaml::first_document(yaml)?;
        let kind = head.kind.filter(|k| !k.is_empty());
        let kind = kind.ok_or_else(|| Error::Config(format!("key `type` is missing ({TYPES})")))?;
        let provider = match kind.to_ascii_uppercase().as_str() {
            "S3" => {
                let config: S3Config = body(yaml, "S3")?;
                config.validate()?;
                Provider::S3(Box::new(config))
            }
            "FILESYSTEM" => {
                let config: FilesystemConfig = body(yaml, "FILESYSTEM")?;
                if config.directory.as_os_str().is_empty() {
                    return Err(Error::Config("config.directory is empty".to_owned()));
                }
                Provider::Filesystem(config)
            }
            "GCS" => {
                let config: GcsConfig = body(yaml, "GCS")?;
                config.validate()?;
                Provider::Gcs(Box::new(config))
            }
            "AZURE" => {
                let config: AzureConfig = body(yaml, "AZURE")?;
                config.validate()?;
                Provider::Azure(Box::new(config))
            }
            known @ ("SWIFT" | "COS" | "ALIYUNOSS" | "BOS" | "OBS" | "OCI") => {
                return Err(Error::Config(format!(
                    "type {known} is not supported: use type S3 with the store's S3 endpoint (all but BOS have one)"
                )));
            }
            _ => return Err(Error::Config(format!("unknown type {kind:?}: use {TYPES}"))),
        };
        let prefix = head.prefix.unwrap_or_default().trim_matches('/').to_owned();
        Ok(Self { provider, prefix, hedge_budget: HEDGE_BUDGET })
    }

    /// As [`Self::open`], after asking an S3 store where the bucket lies, where the configuration does not
    /// say so: one request, whose failure changes nothing.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn connect(&self) -> Result<Bucket> {
        let Provider::S3(config) = &self.provider else { return self.open() };
        let region = region::find(config).await?;
        config.with_region(region).open(&self.prefix, self.hedge_budget)
    }

    /// Opens the bucket. Nothing is asked of the store yet; see [`Bucket::check`].
    ///
    /// # Errors
    /// When the configured files (keys, certificates) cannot be read or the folder cannot be created.
    pub fn open(&self) -> Result<Bucket> {
        match &self.provider {
            Provider::S3(config) => config.open(&self.prefix, self.hedge_budget),
            Provider::Gcs(config) => config.open(&self.prefix, self.hedge_budget),
            Provider::Azure(config) => config.open(&self.prefix, self.hedge_budget),
            Provider::Filesystem(config) => Bucket::filesystem(config.directory.join(&self.prefix)),
        }
    }
}

fn body<T: for<'de> Deserialize<'de>>(yaml: &str, kind: &str) -> Result<T> {
    let body: Body<T> = yaml::first_document(yaml)?;
    body.config.ok_or_else(|| Error::Config(format!("key `config` is missing for type {kind}")))
}

#[cfg(test)]
mod emulated;
#[cfg(test)]
mod tests;
