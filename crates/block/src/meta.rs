//! `meta.json` with the `thanos` section, and the marks beside it.
//!
//! Field names and order follow Prometheus' `tsdb.BlockMeta` and Thanos' `metadata.Meta`; fields that
//! neither knows are kept when a file is rewritten. Files are indented with tabs and end in a newline,
//! as Thanos writes them.

mod mark;

use std::collections::BTreeMap;

use model::{Labels, TimeRange};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use ulid::Ulid;

use crate::Corrupt;

pub use mark::{DeletionMark, NoCompactMark, NoDownsampleMark, reason};

/// The file's name within a block.
pub const META_FILE: &str = "meta.json";

/// What a block says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockMeta {
    pub ulid: Ulid,
    /// Time of the earliest sample, Unix milliseconds.
    #[serde(rename = "minTime")]
    pub min_time: i64,
    /// One past the latest sample: the range is half open.
    #[serde(rename = "maxTime")]
    pub max_time: i64,
    #[serde(default)]
    pub stats: BlockStats,
    pub compaction: Compaction,
    /// Always 1.
    pub version: u32,
    /// Missing in a block that never went through a Thanos or Esker component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thanos: Option<Thanos>,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// What a block holds. Zero is left out of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BlockStats {
    #[serde(skip_serializing_if = "is_zero")]
    pub num_samples: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub num_float_samples: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub num_histogram_samples: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub num_series: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub num_chunks: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub num_tombstones: u64,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Where a block comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Compaction {
    /// 1 for a block cut from a head.
    pub level: u32,
    /// The head blocks whose samples are in it; sorted.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Ulid>,
    /// Compaction left nothing in it.
    #[serde(skip_serializing_if = "is_false")]
    pub deletable: bool,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<Parent>,
    #[serde(skip_serializing_if = "is_false")]
    pub failed: bool,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// A block that went directly into another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    pub ulid: Ulid,
    #[serde(rename = "minTime")]
    pub min_time: i64,
    #[serde(rename = "maxTime")]
    pub max_time: i64,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// The section that the bucket's components add.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thanos {
    #[serde(skip_serializing_if = "is_zero_u32")]
    pub version: u32,
    /// External labels of the source.
    #[serde(deserialize_with = "null_is_default")]
    pub labels: BTreeMap<String, String>,
    pub downsample: Downsample,
    /// `sidecar`, `compactor`, …
    pub source: String,
    /// Names in `chunks/`; superseded by `files`, still read by others.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub segment_files: Vec<String>,
    /// All files of the block with their sizes, sorted by path; `meta.json` without size.
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub rewrites: Vec<Value>,
    pub index_stats: IndexStats,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Value>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_time: Option<String>,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Downsample {
    /// Milliseconds; 0 is raw.
    pub resolution: i64,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// One file of a block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct File {
    pub rel_path: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<Value>,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// The largest entries, for readers that guess how much to fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IndexStats {
    #[serde(skip_serializing_if = "is_zero")]
    pub series_max_size: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub chunk_max_size: u64,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Parent {
    #[must_use]
    pub fn new(ulid: Ulid, min_time: i64, max_time: i64) -> Self {
        Self { ulid, min_time, max_time, unknown: Map::new() }
    }
}

impl BlockMeta {
    /// A level 1 block of its own, without a `thanos` section.
    #[must_use]
    pub fn new(ulid: Ulid, min_time: i64, max_time: i64) -> Self {
        Self {
            ulid,
            min_time,
            max_time,
            stats: BlockStats::default(),
            compaction: Compaction { level: 1, sources: vec![ulid], ..Compaction::default() },
            version: 1,
            thanos: None,
            unknown: Map::new(),
        }
    }

    /// # Errors
    /// When the bytes are not a meta file of version 1.
    pub fn parse(bytes: &[u8]) -> Result<Self, Corrupt> {
        let meta: Self = parse_json(META_FILE, bytes)?;
        if meta.version != 1 {
            return Err(Corrupt::new(0, format!("unsupported version {}", meta.version)).within(META_FILE, 0));
        }
        Ok(meta)
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }

    /// External labels; empty without a `thanos` section.
    #[must_use]
    pub fn labels(&self) -> Labels {
        Labels::from_pairs(self.thanos.iter().flat_map(|t| &t.labels))
    }

    /// Resolution in milliseconds; 0 is raw.
    #[must_use]
    pub fn resolution_ms(&self) -> i64 {
        self.thanos.as_ref().map_or(0, |t| t.downsample.resolution)
    }

    /// The closed range in which samples lie.
    #[must_use]
    pub fn time_range(&self) -> TimeRange {
        TimeRange::new(self.min_time, self.max_time.saturating_sub(1))
    }
}

/// An identifier with this time and randomness. The clock and the random bits are the caller's.
#[must_use]
pub fn ulid_at(now_ms: i64, random: u128) -> Ulid {
    Ulid::from_parts(u64::try_from(now_ms).unwrap_or(0), random)
}

/// Unix milliseconds at which an identifier was made.
#[must_use]
pub fn ulid_time_ms(ulid: Ulid) -> i64 {
    // 48 bits.
    ulid.timestamp_ms().cast_signed()
}

pub(crate) fn parse_json<T: DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T, Corrupt> {
    serde_json::from_slice(bytes).map_err(|e| {
        let before: usize = bytes.split(|&b| b == b'\n').take(e.line().saturating_sub(1)).map(|l| l.len() + 1).sum();
        Corrupt::new((before + e.column().saturating_sub(1)) as u64, e.to_string()).within(file, 0)
    })
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    value.serialize(&mut serializer).expect("string keys into memory cannot fail");
    bytes.push(b'\n');
    bytes
}

fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(d: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn is_zero_u32(n: &u32) -> bool {
    *n == 0
}

fn is_false(b: &bool) -> bool {
    !b
}

#[cfg(test)]
mod tests;
