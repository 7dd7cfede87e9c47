//! Where S3 credentials come from: the configuration, else the environment, the shared file, the instance.

use std::path::PathBuf;

use object_store::aws::AmazonS3ConfigKey;

use super::S3Config;
use crate::{Error, Result};

pub(super) enum Credentials {
    Static {
        access_key: String,
        secret_key: String,
        session_token: String,
    },
    /// Settings of the token and instance providers; empty: the instance's metadata service.
    Chain(Vec<(AmazonS3ConfigKey, String)>),
}

/// The variables that the web-identity and container providers read.
const CHAIN: [&str; 6] = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

impl Credentials {
    /// The first source that has credentials.
    pub(super) fn find(config: &S3Config, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        if !config.access_key.is_empty() {
            return Ok(Self::Static {
                access_key: config.access_key.clone(),
                secret_key: config.secret_key.clone(),
                session_token: config.session_token.clone(),
            });
        }
        let first = |names: [&str; 2]| names.into_iter().find_map(&variable);
        let access_key = first(["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"]);
        let secret_key = first(["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"]);
        if let (Some(access_key), Some(secret_key)) = (access_key, secret_key) {
            let session_token = variable("AWS_SESSION_TOKEN").unwrap_or_default();
            return Ok(Self::Static { access_key, secret_key, session_token });
        }
        if let Some(found) = Self::shared_file(&variable)? {
            return Ok(found);
        }
        let keys = CHAIN.iter().filter_map(|name| {
            let value = variable(name)?;
            Some((name.to_ascii_lowercase().parse().ok()?, value))
        });
        Ok(Self::Chain(keys.collect()))
    }

    /// `~/.aws/credentials`, or where `AWS_SHARED_CREDENTIALS_FILE` points, for `AWS_PROFILE`.
    fn shared_file(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let named = variable("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
        let home = || variable("HOME").map(|home| PathBuf::from(home).join(".aws/credentials"));
        let Some(path) = named.or_else(home) else { return Ok(None) };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::local(path, e)),
        };
        let profile = variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
        Ok(Self::parse_shared(&text, &profile))
    }

    fn parse_shared(text: &str, profile: &str) -> Option<Self> {
        let (mut access_key, mut secret_key, mut session_token) = (None, None, String::new());
        let mut ours = false;
        for line in text.lines().map(str::trim) {
            if let Some(section) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                ours = section.trim() == profile;
            } else if let Some((key, value)) = line.split_once('=').filter(|_| ours) {
                let value = value.trim().to_owned();
                match key.trim() {
                    "aws_access_key_id" => access_key = Some(value),
                    "aws_secret_access_key" => secret_key = Some(value),
                    "aws_session_token" => session_token = value,
                    _ => {}
                }
            }
        }
        Some(Self::Static { access_key: access_key?, secret_key: secret_key?, session_token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(found: &Credentials) -> (&str, &str, &str) {
        match found {
            Credentials::Static { access_key, secret_key, session_token } => (access_key, secret_key, session_token),
            Credentials::Chain(_) => ("chain", "", ""),
        }
    }

    #[test]
    fn sources_in_order() {
        let given = S3Config { access_key: "a".into(), secret_key: "s".into(), ..S3Config::default() };
        let env = |name: &str| name.starts_with("AWS_ACCESS").then(|| "ea".to_owned());
        assert_eq!(keys(&Credentials::find(&given, env).expect("given")), ("a", "s", ""));

        let env = |name: &str| match name {
            "AWS_ACCESS_KEY_ID" => Some("ea".to_owned()),
            "AWS_SECRET_KEY" => Some("es".to_owned()),
            "AWS_SESSION_TOKEN" => Some("et".to_owned()),
            _ => None,
        };
        assert_eq!(keys(&Credentials::find(&S3Config::default(), env).expect("env")), ("ea", "es", "et"));

        let env = |name: &str| (name == "AWS_ROLE_ARN").then(|| "arn".to_owned());
        match Credentials::find(&S3Config::default(), env).expect("chain") {
            Credentials::Chain(keys) => assert_eq!(keys, [(AmazonS3ConfigKey::RoleArn, "arn".to_owned())]),
            Credentials::Static { .. } => panic!("the environment holds no keys"),
        }
    }

    #[test]
    fn shared_file_profiles() {
        let text = "[default]\naws_access_key_id = A\naws_secret_access_key=B\n\n[other]\naws_access_key_id=C\n\
                    aws_secret_access_key=D\naws_session_token=E\n[half]\naws_access_key_id=F\n";
        let parsed = |profile| {
            Credentials::parse_shared(text, profile).map(|c| {
                let (a, b, c) = keys(&c);
                format!("{a}{b}{c}")
            })
        };
        assert_eq!(parsed("default").as_deref(), Some("AB"));
        assert_eq!(parsed("other").as_deref(), Some("CDE"));
        assert_eq!(parsed("half"), None);
        assert_eq!(parsed("none"), None);
    }
}
