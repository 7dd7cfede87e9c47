//! `type: S3`: its keys, and opening a bucket over them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{Attribute, Attributes};
use serde::Deserialize;

use super::credentials::Credentials;
use super::http::Remote;
use super::{HttpConfig, yaml};
use crate::{Bucket, Error, Kind, Result, WriteOptions};

/// Thanos' S3 keys. Those whose doc says "taken" change nothing here.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3Config {
    #[serde(deserialize_with = "yaml::text")]
    pub bucket: String,
    /// Host and port, with or without `http://` or `https://` (which then decides over `insecure`).
    #[serde(deserialize_with = "yaml::text")]
    pub endpoint: String,
    /// Derived from the endpoint where it is not given.
    #[serde(deserialize_with = "yaml::text")]
    pub region: String,
    /// Taken: dual-stack endpoints are only used when `endpoint` names one.
    #[serde(deserialize_with = "yaml::boolean")]
    pub disable_dualstack: bool,
    /// Credentials from the environment, the shared file or the instance, even where keys could be given.
    #[serde(deserialize_with = "yaml::boolean")]
    pub aws_sdk_auth: bool,
    #[serde(deserialize_with = "yaml::text")]
    pub access_key: String,
    /// Plain HTTP.
    #[serde(deserialize_with = "yaml::boolean")]
    pub insecure: bool,
    /// Refused when true: the old signature is not supported.
    #[serde(deserialize_with = "yaml::boolean")]
    pub signature_version2: bool,
    #[serde(deserialize_with = "yaml::text")]
    pub secret_key: String,
    #[serde(deserialize_with = "yaml::text")]
    pub session_token: String,
    /// Metadata of every object written; `X-Amz-Storage-Class` becomes its storage class.
    pub put_user_metadata: BTreeMap<String, String>,
    pub http_config: HttpConfig,
    /// Taken.
    pub trace: TraceConfig,
    /// `v1` is refused: listing uses version 2.
    #[serde(deserialize_with = "yaml::text")]
    pub list_objects_version: String,
    pub bucket_lookup_type: LookupType,
    /// Taken: payloads are signed with SHA-256.
    #[serde(deserialize_with = "yaml::boolean")]
    pub send_content_md5: bool,
    #[serde(deserialize_with = "yaml::boolean")]
    pub disable_multipart: bool,
    /// Bytes of one part of a multipart upload.
    pub part_size: u64,
    pub sse_config: SseConfig,
    /// Where temporary credentials are asked for.
    #[serde(deserialize_with = "yaml::text")]
    pub sts_endpoint: String,
    /// Tries after the first; 0 means 10.
    pub max_retries: usize,
}

/// `trace`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TraceConfig {
    #[serde(deserialize_with = "yaml::boolean")]
    pub enable: bool,
}

/// Whether the bucket's name stands in the host name or in the path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookupType {
    /// In the host name at Amazon, in the path elsewhere.
    #[default]
    #[serde(alias = "")]
    Auto,
    VirtualHosted,
    Path,
}

/// `sse_config`: encryption at rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SseConfig {
    /// `SSE-S3`, `SSE-KMS`, `SSE-C`, or empty for none.
    #[serde(rename = "type", deserialize_with = "yaml::text")]
    pub kind: String,
    #[serde(deserialize_with = "yaml::text")]
    pub kms_key_id: String,
    /// Not supported: refused by name.
    pub kms_encryption_context: BTreeMap<String, String>,
    /// The file with the 32 bytes of an SSE-C key.
    pub encryption_key: PathBuf,
}

impl Default for S3Config {
    fn default() -> Self {
        Self {
            bucket: String::new(),
            endpoint: String::new(),
            region: String::new(),
            disable_dualstack: false,
            aws_sdk_auth: false,
            access_key: String::new(),
            insecure: false,
            signature_version2: false,
            secret_key: String::new(),
            session_token: String::new(),
            put_user_metadata: BTreeMap::new(),
            http_config: HttpConfig::default(),
            trace: TraceConfig::default(),
            list_objects_version: String::new(),
            bucket_lookup_type: LookupType::Auto,
            send_content_md5: true,
            disable_multipart: false,
            part_size: 64 << 20,
            sse_config: SseConfig::default(),
            sts_endpoint: String::new(),
            max_retries: 0,
        }
    }
}

/// S3's bounds on the size of a part.
const PART_SIZE_MIN: u64 = 5 << 20;
const PART_SIZE_MAX: u64 = 5 << 30;

impl S3Config {
    pub(super) fn validate(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::Config(what.to_owned()));
        match () {
            () if self.endpoint.is_empty() => refuse("config.endpoint is missing: no s3 endpoint in config"),
            () if self.bucket.is_empty() => refuse("config.bucket is missing: no s3 bucket in config"),
            () if self.signature_version2 => refuse(
                "config.signature_version2: signature version 2 is not supported, requests are signed with version 4; \
                 leave the key out",
            ),
            () if self.aws_sdk_auth && !self.access_key.is_empty() => {
                refuse("config.aws_sdk_auth and config.access_key are mutually exclusive")
            }
            () if self.access_key.is_empty() && !self.secret_key.is_empty() => refuse(
                "config.secret_key is given without config.access_key: give both, or neither to use the environment",
            ),
            () if !self.access_key.is_empty() && self.secret_key.is_empty() => refuse(
                "config.access_key is given without config.secret_key: give both, or neither to use the environment",
            ),
            () if self.list_objects_version == "v1" => {
                refuse("config.list_objects_version: v1 is not supported, listing uses v2; leave the key out")
            }
            () if !matches!(self.list_objects_version.as_str(), "" | "v2") => {
                refuse("config.list_objects_version: supported values are v1 and v2")
            }
            () if !(PART_SIZE_MIN..=PART_SIZE_MAX).contains(&self.part_size) => {
                refuse("config.part_size must lie between 5 MiB and 5 GiB")
            }
            () => Ok(()),
        }?;
        self.sse_config.validate()?;
        self.http_config.validate()
    }

    /// Scheme and host, without a trailing `/`.
    fn endpoint(&self) -> (&'static str, &str) {
        let endpoint = self.endpoint.trim_end_matches('/');
        if let Some(host) = endpoint.strip_prefix("http://") {
            return ("http", host);
        }
        if let Some(host) = endpoint.strip_prefix("https://") {
            return ("https", host);
        }
        (if self.insecure { "http" } else { "https" }, endpoint)
    }

    fn virtual_hosted(&self) -> bool {
        let host = self.endpoint().1;
        match self.bucket_lookup_type {
            LookupType::Path => false,
            LookupType::VirtualHosted => true,
            // A name with dots does not match Amazon's wildcard certificate.
            LookupType::Auto => is_amazon(host) && !self.bucket.contains('.'),
        }
    }

    /// The region that the configuration or the endpoint's name gives.
    pub(super) fn known_region(&self) -> Option<String> {
        if self.region.is_empty() { region_of(self.endpoint().1).map(str::to_owned) } else { Some(self.region.clone()) }
    }

    /// Where the bucket is asked for itself, and whether that is plain HTTP.
    pub(super) fn bucket_url(&self) -> (String, bool) {
        let (scheme, host) = self.endpoint();
        let bucket = &self.bucket;
        let url = if self.virtual_hosted() {
            format!("{scheme}://{bucket}.{host}/")
        } else {
            format!("{scheme}://{host}/{bucket}")
        };
        (url, scheme == "http")
    }

    pub(super) fn with_region(&self, region: String) -> Self {
        Self { region, ..self.clone() }
    }

    /// The region to sign for: as given, else as the endpoint or the environment says, else `us-east-1`.
    pub(super) fn region(&self, variable: impl Fn(&str) -> Option<String>) -> String {
        self.known_region()
            .or_else(|| variable("AWS_REGION"))
            .or_else(|| variable("AWS_DEFAULT_REGION"))
            .filter(|r| !r.is_empty())
            .unwrap_or_else(|| "us-east-1".to_owned())
    }

    pub(super) fn open(&self, prefix: &str, hedge_budget: f64) -> Result<Bucket> {
        let (scheme, host) = self.endpoint();
        let virtual_hosted = self.virtual_hosted();
        let url =
            if virtual_hosted { format!("{scheme}://{}.{host}", self.bucket) } else { format!("{scheme}://{host}") };
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let retries = if self.max_retries == 0 { 10 } else { self.max_retries };
        let Remote { options, connector, retry, link } =
            self.http_config.remote(scheme == "http", retries, hedge_budget)?;
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_endpoint(url)
            .with_virtual_hosted_style_request(virtual_hosted)
            .with_region(self.region(variable))
            .with_retry(retry)
            .with_disable_bulk_delete(true)
            .with_client_options(options)
            .with_http_connector(connector);
        builder = match Credentials::find(self, variable)? {
            Credentials::Static { access_key, secret_key, session_token } => {
                let builder = builder.with_access_key_id(access_key).with_secret_access_key(secret_key);
                if session_token.is_empty() { builder } else { builder.with_token(session_token) }
            }
            Credentials::Chain(keys) => keys.into_iter().fold(builder, |b, (key, value)| b.with_config(key, value)),
        };
        if !self.sts_endpoint.is_empty() {
            builder = builder.with_config(AmazonS3ConfigKey::StsEndpoint, &self.sts_endpoint);
        }
        builder = self.sse_config.apply(builder)?;
        let store = builder.build().map_err(|e| Error::Config(e.to_string()))?;
        let write = WriteOptions {
            part_bytes: self.part_size.min(WriteOptions::default().part_bytes),
            multipart: !self.disable_multipart,
            attributes: self.attributes(),
        };
        if self.trace.enable {
            tracing::warn!("config.trace.enable has no effect: use --log.level=debug");
        }
        let bucket = Bucket::new(Arc::new(store), &self.bucket, Kind::S3).with_link(link);
        Ok(bucket.with_write_options(write).with_prefix(prefix))
    }

    fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::new();
        for (name, value) in &self.put_user_metadata {
            let key = if name.eq_ignore_ascii_case("X-Amz-Storage-Class") {
                Attribute::StorageClass
            } else {
                Attribute::Metadata(name.to_ascii_lowercase().into())
            };
            attributes.insert(key, value.clone().into());
        }
        attributes
    }
}

impl SseConfig {
    fn validate(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::Config(what));
        match self.kind.as_str() {
            "" | "SSE-S3" => Ok(()),
            "SSE-KMS" if self.kms_key_id.is_empty() => {
                refuse("config.sse_config.kms_key_id must be set for type SSE-KMS".to_owned())
            }
            "SSE-KMS" if !self.kms_encryption_context.is_empty() => refuse(
                "config.sse_config.kms_encryption_context is not supported: leave it out, or set the bucket's own \
                     default encryption"
                    .to_owned(),
            ),
            "SSE-C" if self.encryption_key.as_os_str().is_empty() => {
                refuse("config.sse_config.encryption_key must be set for type SSE-C".to_owned())
            }
            "SSE-KMS" | "SSE-C" => Ok(()),
            other => refuse(format!("config.sse_config.type {other:?}: supported are SSE-S3, SSE-KMS and SSE-C")),
        }
    }

    fn apply(&self, builder: AmazonS3Builder) -> Result<AmazonS3Builder> {
        Ok(match self.kind.as_str() {
            "SSE-S3" => {
                // The key's type is not exported; its name is.
                let key = "aws_server_side_encryption".parse::<AmazonS3ConfigKey>();
                builder.with_config(key.map_err(|e| Error::Config(e.to_string()))?, "AES256")
            }
            "SSE-KMS" => builder.with_sse_kms_encryption(&self.kms_key_id),
            "SSE-C" => {
                let path = &self.encryption_key;
                let key = std::fs::read(path).map_err(|e| Error::local(path, e))?;
                if key.len() != 32 {
                    let have = key.len();
                    let what =
                        format!("config.sse_config.encryption_key {}: {have} bytes, 32 are needed", path.display());
                    return Err(Error::Config(what));
                }
                builder.with_ssec_encryption(base64(&key))
            }
            _ => builder,
        })
    }
}

fn host_name(host: &str) -> &str {
    host.split(['/', ':']).next().unwrap_or(host)
}

fn is_amazon(host: &str) -> bool {
    let name = host_name(host);
    name.ends_with(".amazonaws.com") || name.ends_with(".amazonaws.com.cn")
}

/// The region in `s3.<region>.…`, `s3-<region>.…` and `s3.dualstack.<region>.…`.
fn region_of(host: &str) -> Option<&str> {
    let name = host_name(host);
    let looks_right = |part: &&str| part.contains('-') && part.bytes().any(|b| b.is_ascii_digit());
    if let Some(rest) = name.strip_prefix("s3.") {
        let rest = rest.strip_prefix("dualstack.").unwrap_or(rest);
        return rest.split('.').next().filter(looks_right);
    }
    name.strip_prefix("s3-")?.split('.').next().filter(looks_right)
}

/// RFC 4648 base64 with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - group.len()));
        for i in 0..4 {
            let symbol = ALPHABET[(word >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= group.len() { char::from(symbol) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod answers;
#[cfg(test)]
mod tests;
