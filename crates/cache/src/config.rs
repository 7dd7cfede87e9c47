//! The YAML of Thanos' caches.

use std::str::FromStr;
use std::time::Duration;

use daemon::flags::{Bytes, GoDuration};
use discovery::{Address, Targets};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::Error;

/// Which cache, and how.
#[derive(Clone, Debug)]
pub enum Config {
    Memory(MemoryConfig),
    Memcached(MemcachedConfig),
    Redis(RedisConfig),
}

/// Items in the process's memory.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryConfig {
    #[serde(rename = "max_size", deserialize_with = "bytes")]
    pub bytes_max: u64,
    /// 0 is no limit.
    #[serde(rename = "max_item_size", deserialize_with = "bytes")]
    pub item_bytes_max: u64,
    #[serde(rename = "max_size_items")]
    _items_max: Option<u64>,
    #[serde(rename = "validity")]
    _validity: Option<String>,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { bytes_max: 250 << 20, item_bytes_max: 125 << 20, _items_max: None, _validity: None }
    }
}

impl MemoryConfig {
    /// Up to so many bytes, in items of any size.
    #[must_use]
    pub fn of(bytes_max: u64) -> Self {
        Self { bytes_max, item_bytes_max: 0, ..Self::default() }
    }
}

/// memcached servers, each of which has a part of the keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct MemcachedConfig {
    pub addresses: Vec<String>,
    /// Of each call.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    pub max_idle_connections: usize,
    pub max_async_concurrency: usize,
    pub max_async_buffer_size: usize,
    pub max_get_multi_concurrency: usize,
    /// 0 is no limit.
    #[serde(deserialize_with = "bytes")]
    pub max_item_size: u64,
    /// 0 is no limit.
    pub max_get_multi_batch_size: usize,
    #[serde(rename = "dns_provider_update_interval", deserialize_with = "duration")]
    pub dns_interval: Duration,
    pub auto_discovery: bool,
}

impl Default for MemcachedConfig {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            timeout: Duration::from_millis(500),
            max_idle_connections: 100,
            max_async_concurrency: 20,
            max_async_buffer_size: 10_000,
            max_get_multi_concurrency: 100,
            max_item_size: 1 << 20,
            max_get_multi_batch_size: 0,
            dns_interval: Duration::from_secs(10),
            auto_discovery: false,
        }
    }
}

impl MemcachedConfig {
    pub(crate) fn targets(&self) -> Result<Targets, Error> {
        if self.addresses.is_empty() {
            return Err(Error::Config("addresses of memcached servers are missing".to_owned()));
        }
        targets(self.addresses.iter().map(String::as_str))
    }
}

/// A redis server.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct RedisConfig {
    pub addr: String,
    /// Before every key.
    pub prefix: String,
    pub username: String,
    pub password: String,
    pub db: u32,
    #[serde(deserialize_with = "duration")]
    pub dial_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub read_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub write_timeout: Duration,
    pub max_get_multi_concurrency: usize,
    pub get_multi_batch_size: usize,
    pub tls_enabled: bool,
    pub master_name: String,
    pub max_async_buffer_size: usize,
    pub max_async_concurrency: usize,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            addr: String::new(),
            prefix: String::new(),
            username: String::new(),
            password: String::new(),
            db: 0,
            dial_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(3),
            write_timeout: Duration::from_secs(3),
            max_get_multi_concurrency: 100,
            get_multi_batch_size: 100,
            tls_enabled: false,
            master_name: String::new(),
            max_async_buffer_size: 10_000,
            max_async_concurrency: 20,
        }
    }
}

impl RedisConfig {
    pub(crate) fn targets(&self) -> Result<Targets, Error> {
        if self.addr.is_empty() {
            return Err(Error::Config("addr of the redis server is missing".to_owned()));
        }
        targets(self.addr.split(','))
    }
}

fn targets<'a>(addresses: impl Iterator<Item = &'a str>) -> Result<Targets, Error> {
    let parse = |text: &str| Address::from_str(text.trim()).map_err(|e| Error::Config(e.to_string()));
    Ok(Targets::new(addresses.map(parse).collect::<Result<Vec<_>, _>>()?))
}

impl Config {
    /// Reads `type` and `config` of a YAML text; other keys are left to the caller.
    ///
    /// # Errors
    /// When it is not one, or asks for what there is not.
    pub fn parse(yaml: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Outer {
            #[serde(rename = "type")]
            kind: String,
            #[serde(default)]
            config: Option<serde_yaml::Value>,
        }
        let wrong = |e: serde_yaml::Error| Error::Config(e.to_string());
        let outer: Outer = serde_yaml::from_str(yaml).map_err(wrong)?;
        let inner = outer.config.filter(|c| !c.is_null());
        let inner = inner.unwrap_or_else(|| serde_yaml::Value::Mapping(serde_yaml::Mapping::new()));
        match outer.kind.to_ascii_uppercase().as_str() {
            "IN-MEMORY" => {
                let mut config: MemoryConfig = serde_yaml::from_value(inner).map_err(wrong)?;
                if config.bytes_max == 0 {
                    config.bytes_max = MemoryConfig::default().bytes_max;
                }
                Ok(Self::Memory(config))
            }
            "MEMCACHED" => {
                let config: MemcachedConfig = serde_yaml::from_value(inner).map_err(wrong)?;
                if config.auto_discovery {
                    let text = "auto_discovery of memcached is not there; list the addresses, or use dnssrv+";
                    return Err(Error::Config(text.to_owned()));
                }
                config.targets().map(|_| Self::Memcached(config))
            }
            "REDIS" => {
                let config: RedisConfig = serde_yaml::from_value(inner).map_err(wrong)?;
                if config.tls_enabled {
                    return Err(Error::Config("tls_enabled: redis is spoken without TLS only".to_owned()));
                }
                if !config.master_name.is_empty() {
                    return Err(Error::Config("master_name: redis sentinels are not asked".to_owned()));
                }
                config.targets().map(|_| Self::Redis(config))
            }
            other => Err(Error::Config(format!("unknown type {other}: IN-MEMORY, MEMCACHED or REDIS"))),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Number(u64),
    Text(String),
}

/// `250MB`, or a number.
fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match Given::deserialize(from)? {
        Given::Number(n) => Ok(n),
        Given::Text(text) => Bytes::from_str(&text).map(|b| b.0).map_err(D::Error::custom),
    }
}

/// `500ms`, as Go writes it, or a number of nanoseconds.
fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    match Given::deserialize(from)? {
        Given::Number(nanos) => Ok(Duration::from_nanos(nanos)),
        Given::Text(text) => GoDuration::from_str(&text).map(|d| d.as_duration()).map_err(D::Error::custom),
    }
}
