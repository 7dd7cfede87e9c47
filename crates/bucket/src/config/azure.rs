//! `type: AZURE`: its keys, and opening a container over them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use serde::Deserialize;

use super::http::Remote;
use super::{HttpConfig, yaml};
use crate::{Bucket, Error, Kind, Result};

/// Thanos' Azure keys. Those whose doc says "taken" change nothing here.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AzureConfig {
    #[serde(deserialize_with = "yaml::text")]
    pub az_tenant_id: String,
    #[serde(deserialize_with = "yaml::text")]
    pub client_id: String,
    #[serde(deserialize_with = "yaml::text")]
    pub client_secret: String,
    #[serde(deserialize_with = "yaml::text")]
    pub storage_account: String,
    #[serde(deserialize_with = "yaml::text")]
    pub storage_account_key: String,
    #[serde(deserialize_with = "yaml::text")]
    pub storage_connection_string: String,
    /// Taken: the container must exist.
    #[serde(deserialize_with = "yaml::boolean")]
    pub storage_create_container: bool,
    #[serde(deserialize_with = "yaml::text")]
    pub container: String,
    /// Comes after the account's name in the host name.
    #[serde(deserialize_with = "yaml::text")]
    pub endpoint: String,
    /// The client id of a managed identity.
    #[serde(deserialize_with = "yaml::text")]
    pub user_assigned_id: String,
    /// Stands in for `pipeline_config.max_tries`.
    pub max_retries: usize,
    pub reader_config: ReaderConfig,
    pub pipeline_config: PipelineConfig,
    pub http_config: HttpConfig,
    /// Taken: known without being told.
    #[serde(deserialize_with = "yaml::text")]
    pub msi_resource: String,
}

/// `reader_config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReaderConfig {
    /// Taken: reads cut short go on where they stopped, as often as other requests are tried.
    pub max_retry_requests: usize,
}

/// `pipeline_config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PipelineConfig {
    /// Tries after the first; 0 means 10.
    pub max_tries: usize,
    /// How long one try may stay without a byte of answer; 0 is `http_config.response_header_timeout`.
    #[serde(deserialize_with = "yaml::duration")]
    pub try_timeout: Duration,
    /// Pauses between tries, at first and at most; 0 means 100 ms and 2 s.
    #[serde(deserialize_with = "yaml::duration")]
    pub retry_delay: Duration,
    #[serde(deserialize_with = "yaml::duration")]
    pub max_retry_delay: Duration,
}

impl Default for AzureConfig {
    fn default() -> Self {
        Self {
            az_tenant_id: String::new(),
            client_id: String::new(),
            client_secret: String::new(),
            storage_account: String::new(),
            storage_account_key: String::new(),
            storage_connection_string: String::new(),
            storage_create_container: true,
            container: String::new(),
            endpoint: "blob.core.windows.net".to_owned(),
            user_assigned_id: String::new(),
            max_retries: 0,
            reader_config: ReaderConfig::default(),
            pipeline_config: PipelineConfig::default(),
            http_config: HttpConfig::default(),
            msi_resource: String::new(),
        }
    }
}

impl AzureConfig {
    pub(super) fn validate(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::Config(what.to_owned()));
        let [tenant, id, secret] = [&self.az_tenant_id, &self.client_id, &self.client_secret].map(|s| !s.is_empty());
        let key = !self.storage_account_key.is_empty();
        let string = !self.storage_connection_string.is_empty();
        let user = !self.user_assigned_id.is_empty();
        match () {
            () if user && key => {
                refuse("config.user_assigned_id cannot be set when using config.storage_account_key authentication")
            }
            () if user && string => refuse(
                "config.user_assigned_id cannot be set when using config.storage_connection_string authentication",
            ),
            () if user && id => {
                refuse("config.user_assigned_id cannot be set when using config.client_id authentication")
            }
            () if (tenant || id || secret) && !(tenant && id && secret) => {
                refuse("config.az_tenant_id, config.client_id and config.client_secret must be set together")
            }
            () if key && string => {
                refuse("config.storage_account_key and config.storage_connection_string cannot both be set")
            }
            () if self.storage_account.is_empty() => refuse("config.storage_account is required but not configured"),
            () if self.container.is_empty() => refuse("config.container is missing: no container specified"),
            () if self.endpoint.is_empty() => refuse("config.endpoint is empty"),
            () => Ok(()),
        }?;
        if string {
            self.connection()?;
        }
        self.http_config.validate()
    }

    fn connection(&self) -> Result<Connection> {
        Connection::parse(&self.storage_connection_string)
            .map_err(|what| Error::Config(format!("config.storage_connection_string: {what}")))
    }

    pub(super) fn open(&self, prefix: &str, hedge_budget: f64) -> Result<Bucket> {
        let connection = if self.storage_connection_string.is_empty() { None } else { Some(self.connection()?) };
        let account = connection.as_ref().map_or(&self.storage_account, |c| &c.account);
        let url = connection
            .as_ref()
            .map_or_else(|| format!("https://{}.{}", self.storage_account, self.endpoint), |c| c.url.clone());
        let pipeline = &self.pipeline_config;
        let tries = [pipeline.max_tries, self.max_retries].into_iter().find(|n| *n > 0).unwrap_or(10);
        let mut http = self.http_config.clone();
        if !pipeline.try_timeout.is_zero() {
            http.response_header_timeout = pipeline.try_timeout;
        }
        let Remote { options, connector, mut retry, link } =
            http.remote(url.starts_with("http://"), tries, hedge_budget)?;
        if !pipeline.retry_delay.is_zero() {
            retry.backoff.init_backoff = pipeline.retry_delay;
        }
        if !pipeline.max_retry_delay.is_zero() {
            retry.backoff.max_backoff = pipeline.max_retry_delay;
        }
        let builder = MicrosoftAzureBuilder::new()
            .with_account(account)
            .with_container_name(&self.container)
            .with_endpoint(url)
            .with_retry(retry)
            .with_client_options(options)
            .with_http_connector(connector);
        if !self.msi_resource.is_empty() {
            tracing::warn!("config.msi_resource has no effect: it is known without being told");
        }
        let builder = self.authorise(builder, connection.as_ref());
        let store = builder.build().map_err(|e| Error::Config(e.to_string()))?;
        let bucket = Bucket::new(Arc::new(store), &self.container, Kind::Azure).with_link(link);
        Ok(bucket.with_prefix(prefix))
    }

    /// The first of: connection string, account key, client secret, the managed identity that is named,
    /// and what the environment gives: a client secret, workload identity, the machine's own identity.
    fn authorise(&self, builder: MicrosoftAzureBuilder, connection: Option<&Connection>) -> MicrosoftAzureBuilder {
        match connection.map(|c| &c.credential) {
            Some(Credential::Key(key)) => return builder.with_access_key(key),
            Some(Credential::Signature(signature)) => return builder.with_config(AzureConfigKey::SasKey, signature),
            None => {}
        }
        if !self.storage_account_key.is_empty() {
            return builder.with_access_key(&self.storage_account_key);
        }
        if !self.client_secret.is_empty() {
            return builder.with_client_secret_authorization(&self.client_id, &self.client_secret, &self.az_tenant_id);
        }
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let given = |builder: MicrosoftAzureBuilder, names: &[(&str, AzureConfigKey)]| {
            names.iter().fold(builder, |builder, (name, key)| match variable(name) {
                Some(value) => builder.with_config(*key, value),
                None => builder,
            })
        };
        if !self.user_assigned_id.is_empty() {
            let builder = given(builder, &[("IDENTITY_ENDPOINT", AzureConfigKey::MsiEndpoint)]);
            return builder.with_client_id(&self.user_assigned_id);
        }
        given(builder, &ENVIRONMENT)
    }
}

/// The variables of Azure's own libraries.
const ENVIRONMENT: [(&str, AzureConfigKey); 6] = [
    ("AZURE_CLIENT_ID", AzureConfigKey::ClientId),
    ("AZURE_CLIENT_SECRET", AzureConfigKey::ClientSecret),
    ("AZURE_TENANT_ID", AzureConfigKey::AuthorityId),
    ("AZURE_AUTHORITY_HOST", AzureConfigKey::AuthorityHost),
    ("AZURE_FEDERATED_TOKEN_FILE", AzureConfigKey::FederatedTokenFile),
    ("IDENTITY_ENDPOINT", AzureConfigKey::MsiEndpoint),
];

/// What a connection string says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Connection {
    account: String,
    url: String,
    credential: Credential,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Credential {
    Key(String),
    /// A shared access signature.
    Signature(String),
}

impl Connection {
    /// `Name=value;…`; values may hold `=`.
    fn parse(text: &str) -> Result<Self, String> {
        let mut parts = BTreeMap::new();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or("a part has no `=`")?;
            parts.insert(name.trim().to_ascii_lowercase(), value.trim());
        }
        let get = |name: &str| parts.get(name).copied().filter(|value| !value.is_empty());
        let account = get("accountname").unwrap_or_default().to_owned();
        let url = match get("blobendpoint") {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None if account.is_empty() => return Err("neither AccountName nor BlobEndpoint is in it".to_owned()),
            None => {
                let protocol = get("defaultendpointsprotocol").unwrap_or("https");
                let suffix = get("endpointsuffix").unwrap_or("core.windows.net");
                format!("{protocol}://{account}.blob.{suffix}")
            }
        };
        let account = match account.is_empty() {
            // Its first label names the account.
            true => url.rsplit("//").next().unwrap_or_default().split(['.', '/']).next().unwrap_or_default().to_owned(),
            false => account,
        };
        let credential = match (get("accountkey"), get("sharedaccesssignature")) {
            (Some(key), _) => Credential::Key(key.to_owned()),
            (None, Some(signature)) => Credential::Signature(signature.trim_start_matches('?').to_owned()),
            (None, None) => return Err("neither AccountKey nor SharedAccessSignature is in it".to_owned()),
        };
        Ok(Self { account, url, credential })
    }
}

#[cfg(test)]
mod tests;
