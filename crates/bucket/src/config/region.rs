//! Which region to sign for, where neither the configuration nor the endpoint's name says so.

use std::time::Duration;

use super::S3Config;
use crate::Result;

/// What S3 says of a bucket, even to those who may not read it.
const HEADER: &str = "x-amz-bucket-region";

/// At the start, where nothing is to be gained by waiting longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The region: as given, else as the endpoint's name says, else as the store says of the bucket, else as
/// the environment says, else `us-east-1`.
pub(super) async fn find(config: &S3Config) -> Result<String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    if let Some(known) = config.known_region() {
        return Ok(known);
    }
    let (url, allow_http) = config.bucket_url();
    let client = config.http_config.client_builder(allow_http)?.build();
    let Ok(client) = client else { return Ok(config.region(variable)) };
    let asked = tokio::time::timeout(PATIENCE, client.head(&url).send()).await;
    let said = match &asked {
        Ok(Ok(answer)) => answer.headers().get(HEADER).and_then(|value| value.to_str().ok()).filter(|r| !r.is_empty()),
        _ => None,
    };
    Ok(match said {
        Some(region) => {
            tracing::debug!(region, bucket = config.bucket, "the store says where the bucket lies");
            region.to_owned()
        }
        None => config.region(variable),
    })
}
