//! The flags of the index cache and the caching bucket.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bucket::Bucket;
use cache::{Cache, Config, MemoryConfig};
use daemon::Shell;
use daemon::flags::{Bytes, GoDuration};
use serde_yaml::Value;

use crate::caching::{Caching, CachingSettings};
use crate::expanded::Expanded;
use crate::gateway::IndexCaches;
use crate::metrics::TENANT;
use crate::parts::PartCache;

const DAY: Duration = Duration::from_secs(86_400);

/// Where the YAML of the caches comes from.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct CacheArgs {
    /// Path to the YAML file with the configuration of the index cache
    #[arg(long = "index-cache.config-file", value_name = "FILE")]
    pub index_file: Option<PathBuf>,
    /// The configuration of the index cache as YAML; in memory, within --index-cache-size, if not set
    #[arg(long = "index-cache.config", value_name = "YAML")]
    pub index: Option<String>,
    /// Path to the YAML file with the configuration of the caching bucket
    #[arg(long = "store.caching-bucket.config-file", value_name = "FILE")]
    pub bucket_file: Option<PathBuf>,
    /// The configuration of the caching bucket as YAML
    #[arg(long = "store.caching-bucket.config", value_name = "YAML")]
    pub bucket: Option<String>,
}

fn text(name: &str, file: Option<&Path>, inline: Option<&str>) -> Result<Option<String>> {
    let Some(text) = bucket::config::path_or_content(name, file, inline)? else { return Ok(None) };
    let variable = |name: &str| std::env::var(name).ok();
    Ok(Some(model::variables::expand(&text, variable).with_context(|| name.to_owned())?))
}

/// The cache, its writer in a task of the shell, what it counts under `prefix`.
fn start(shell: &Shell, config: &Config, prefix: &str, item_type: &'static str) -> Result<Cache> {
    let (cache, worker) = Cache::new(config)?;
    shell.metrics().register(|r| {
        let labels = [("item_type", item_type), ("tenant", TENANT)].map(|(n, v)| (n.into(), v.into()));
        cache.register(r.sub_registry_with_labels(labels.into_iter()), prefix);
    });
    let shutdown = shell.shutdown().clone();
    shell.tasks().spawn(prefix, async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = worker.run() => {}
        }
    });
    Ok(cache)
}

/// The caches of selections and of parts of indexes: as `args` say, else each in memory within `bytes_max`.
pub(crate) fn index_caches(shell: &Shell, args: &CacheArgs, bytes_max: u64) -> Result<IndexCaches> {
    let yaml = text("index-cache.config", args.index_file.as_deref(), args.index.as_deref())?;
    let (config, ttl, expanded, parts) = match yaml {
        None => (Config::Memory(MemoryConfig::of(bytes_max)), DAY, true, true),
        Some(yaml) => {
            let config = Config::parse(&yaml).context("index-cache.config")?;
            let outer: Value = serde_yaml::from_str(&yaml).context("index-cache.config")?;
            let enabled = outer.get("enabled_items").and_then(Value::as_sequence).cloned().unwrap_or_default();
            for item in &enabled {
                if !["Postings", "Series", "ExpandedPostings"].iter().any(|known| item.as_str() == Some(known)) {
                    bail!("index-cache.config: unsupported item type {item:?} in enabled_items");
                }
            }
            let has = |name| enabled.is_empty() || enabled.iter().any(|item| item.as_str() == Some(name));
            let ttl = duration(&outer, "ttl", DAY).context("index-cache.config")?;
            let ttl = if ttl.is_zero() { DAY } else { ttl };
            (config, ttl, has("ExpandedPostings"), has("Postings") || has("Series"))
        }
    };
    let start = |item_type| start(shell, &config, "thanos_store_index_cache", item_type);
    let expanded = if expanded { Some(Expanded::new(start("ExpandedPostings")?, ttl)) } else { None };
    // Lists and series lie side by side in them.
    let parts = if parts { Some(PartCache::new(start("Series")?, ttl)) } else { None };
    Ok(IndexCaches { expanded, parts })
}

/// The bucket behind its cache, where there is one.
pub(crate) fn caching_bucket(shell: &Shell, args: &CacheArgs, bucket: Bucket) -> Result<Bucket> {
    const NAME: &str = "store.caching-bucket.config";
    let Some(yaml) = text(NAME, args.bucket_file.as_deref(), args.bucket.as_deref())? else { return Ok(bucket) };
    let config = Config::parse(&yaml).context(NAME)?;
    let outer: Value = serde_yaml::from_str(&yaml).context(NAME)?;
    let settings = CachingSettings {
        part_bytes: outer.get("chunk_subrange_size").and_then(Value::as_u64).filter(|&n| n > 0).unwrap_or(16_000),
        requests_max: outer
            .get("max_chunks_get_range_requests")
            .and_then(Value::as_i64)
            .map_or(3, |n| usize::try_from(n).unwrap_or(0)),
        part_ttl: duration(&outer, "chunk_subrange_ttl", DAY).context(NAME)?,
        meta_ttl: duration(&outer, "metafile_content_ttl", DAY).context(NAME)?,
        meta_bytes_max: size(&outer, "metafile_max_size", 1 << 20).context(NAME)?,
    };
    let cache = start(shell, &config, "thanos_store_bucket_cache", "chunks")?;
    Ok(bucket.decorated(|store| Caching::new(store, cache, settings)))
}

fn duration(yaml: &Value, field: &str, default: Duration) -> Result<Duration> {
    match yaml.get(field) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Number(n)) => Ok(Duration::from_nanos(n.as_u64().unwrap_or(0))),
        Some(Value::String(text)) => Ok(GoDuration::from_str(text).with_context(|| field.to_owned())?.as_duration()),
        Some(other) => bail!("{field}: {other:?} is not a duration"),
    }
}

fn size(yaml: &Value, field: &str, default: u64) -> Result<u64> {
    match yaml.get(field) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Number(n)) => Ok(n.as_u64().unwrap_or(default)),
        Some(Value::String(text)) => Ok(Bytes::from_str(text).with_context(|| field.to_owned())?.0),
        Some(other) => bail!("{field}: {other:?} is not a number of bytes"),
    }
}
