//! What can go wrong with a bucket.

use std::path::PathBuf;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bucket configuration is wrong: fix the YAML or the flag it names.
    #[error("objstore configuration: {0}")]
    Config(String),
    /// The object store refused or failed an operation. `hint` says what to check, where that is known.
    #[error("{operation} {object}: {}{hint}", cause(source))]
    Store {
        operation: &'static str,
        /// The object's name within the bucket; the bucket's name for operations on all of it.
        object: String,
        #[source]
        source: Box<object_store::Error>,
        hint: String,
    },
    /// An object is not what its name promises: quarantine or repair the block.
    #[error(transparent)]
    Corrupt(#[from] block::Corrupt),
    /// A local file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Local {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The bucket already holds another object of this name, which must not be replaced.
    #[error("{object} exists with different content: {what}")]
    Conflict { object: String, what: String },
}

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Whether the error says that an object (or the bucket) does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Store { source, .. } if matches!(**source, object_store::Error::NotFound { .. }))
    }

    /// Whether trying again later may help: anything but wrong configuration and wrong content.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use object_store::Error as E;
        match self {
            Self::Store { source, .. } => !matches!(
                **source,
                E::NotFound { .. } | E::PermissionDenied { .. } | E::Unauthenticated { .. } | E::InvalidPath { .. }
            ),
            Self::Local { .. } => true,
            Self::Config(_) | Self::Corrupt(_) | Self::Conflict { .. } => false,
        }
    }

    pub(crate) fn store(operation: &'static str, object: impl ToString, source: object_store::Error) -> Self {
        let hint = hint(&source).map_or_else(String::new, |h| format!(": {h}"));
        Self::Store { operation, object: object.to_string(), source: Box::new(source), hint }
    }

    pub(crate) fn local(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Local { path: path.into(), source }
    }
}

/// The short reason of a store's error: the S3 error code and message where the answer holds them.
fn cause(error: &object_store::Error) -> String {
    let text = chain(error);
    match (element(&text, "Code"), element(&text, "Message")) {
        (Some(code), Some(message)) => format!("{message} ({code})"),
        (Some(code), None) => code.to_owned(),
        _ if matches!(error, object_store::Error::NotFound { .. }) => "not found".to_owned(),
        _ => text,
    }
}

/// What somebody who meets the error should look at.
fn hint(error: &object_store::Error) -> Option<&'static str> {
    let text = chain(error);
    if let Some(code) = element(&text, "Code") {
        return Some(match code {
            "SignatureDoesNotMatch" => "check secret_key (and region)",
            "InvalidAccessKeyId" => "check access_key: the store does not know it",
            "InvalidToken" | "ExpiredToken" => "check session_token: it is wrong or has expired",
            "NoSuchBucket" => "check bucket and endpoint: there is no such bucket",
            "AccessDenied" | "AllAccessDisabled" => {
                "check the permissions of this access key: list, get, put and delete on the bucket are needed"
            }
            "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
                "check region: the bucket lies in another one"
            }
            "RequestTimeTooSkewed" => "check the clock of this machine",
            "InvalidBucketName" => "check bucket: the name is not a valid one",
            _ => return None,
        });
    }
    let text = text.to_ascii_lowercase();
    let any = |needles: &[&str]| needles.iter().any(|n| text.contains(n));
    if any(&["dns error", "failed to lookup", "name or service not known"]) {
        return Some("check endpoint: its host name does not resolve");
    }
    if any(&["invalidcontenttype", "received corrupt message", "wrong version number"]) {
        return Some("check insecure: the endpoint does not speak TLS; set `insecure: true` for plain HTTP");
    }
    if any(&["certificate", "unknownissuer"]) {
        return Some("check http_config.tls_config.ca_file: the endpoint's certificate is not trusted");
    }
    if any(&["client sent an http request to an https server"]) {
        return Some("check insecure: the endpoint speaks TLS");
    }
    if any(&["connection refused", "error trying to connect", "client error (connect)"]) {
        return Some("check endpoint and insecure: nothing answers there");
    }
    match error {
        object_store::Error::PermissionDenied { .. } => Some("check the permissions and the secret key"),
        object_store::Error::Unauthenticated { .. } => Some("check access_key and secret_key"),
        _ => None,
    }
}

/// The error and its sources, each said once.
fn chain(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        let part = source.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        next = source.source();
    }
    text
}

/// The text of the first `<name>…</name>` in an XML answer.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let open = format!("<{name}>");
    let start = text.find(&open)? + open.len();
    let len = text[start..].find("</")?;
    Some(&text[start..start + len])
}
