use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use ulid::Ulid;

use super::{parse_json, to_json};
use crate::Corrupt;

/// Reasons that Thanos' components know.
pub mod reason {
    pub const MANUAL: &str = "manual";
    pub const INDEX_SIZE: &str = "index-size-exceeding";
    pub const OUT_OF_ORDER_CHUNK: &str = "block-index-out-of-order-chunk";
    pub const DOWNSAMPLE_VERTICAL: &str = "downsample-vertical-compaction";
}

/// The block is to be deleted once the delay has passed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeletionMark {
    pub id: Ulid,
    pub version: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
    /// Unix seconds at which it was marked.
    pub deletion_time: i64,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// The compactor is to leave the block alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoCompactMark {
    pub id: Ulid,
    pub version: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
    /// Unix seconds.
    pub no_compact_time: i64,
    /// One of [`reason`], or any text.
    #[serde(default)]
    pub reason: String,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// The block is not to be downsampled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoDownsampleMark {
    pub id: Ulid,
    pub version: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
    /// Unix seconds.
    pub no_downsample_time: i64,
    #[serde(default)]
    pub reason: String,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl DeletionMark {
    /// The file's name within a block.
    pub const FILE: &'static str = "deletion-mark.json";

    #[must_use]
    pub fn new(id: Ulid, deletion_time: i64, details: impl Into<String>) -> Self {
        Self { id, version: 1, details: details.into(), deletion_time, unknown: Map::new() }
    }
}

impl NoCompactMark {
    /// The file's name within a block.
    pub const FILE: &'static str = "no-compact-mark.json";

    #[must_use]
    pub fn new(id: Ulid, no_compact_time: i64, reason: impl Into<String>, details: impl Into<String>) -> Self {
        Self { id, version: 1, details: details.into(), no_compact_time, reason: reason.into(), unknown: Map::new() }
    }
}

impl NoDownsampleMark {
    /// The file's name within a block.
    pub const FILE: &'static str = "no-downsample-mark.json";

    #[must_use]
    pub fn new(id: Ulid, no_downsample_time: i64, reason: impl Into<String>, details: impl Into<String>) -> Self {
        Self { id, version: 1, details: details.into(), no_downsample_time, reason: reason.into(), unknown: Map::new() }
    }
}

macro_rules! json {
    ($mark:ident) => {
        impl $mark {
            /// # Errors
            /// When the bytes are not such a mark of version 1.
            pub fn parse(bytes: &[u8]) -> Result<Self, Corrupt> {
                let mark: Self = parse_json(Self::FILE, bytes)?;
                if mark.version != 1 {
                    let what = format!("unsupported version {}", mark.version);
                    return Err(Corrupt::new(0, what).within(Self::FILE, 0));
                }
                Ok(mark)
            }

            /// The file's bytes.
            #[must_use]
            pub fn to_json(&self) -> Vec<u8> {
                to_json(self)
            }
        }
    };
}

json!(DeletionMark);
json!(NoCompactMark);
json!(NoDownsampleMark);
