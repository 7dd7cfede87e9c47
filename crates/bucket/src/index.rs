//! The bucket index: what a listing and the blocks' descriptions said at one moment, in one object.
//!
//! The compactor writes it, replacing it whole; readers start from it and look only at what is newer. It
//! is never the truth: whatever it says is checked against listings, and without it those do. The same
//! form serves as a component's own copy on local disk. The bytes are drawn in
//! `docs/format/bucket-index.md`.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;

use block::Corrupt;
use block::meta::{BlockMeta, DeletionMark, NoCompactMark, NoDownsampleMark};
use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, PutOptions};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::bucket::{BlockObjects, Listed};
use crate::sync::{Known, Parsed};
use crate::{BlockFile, Bucket, Error, Result, layout};

const MAGIC: &[u8; 8] = b"ESKERBIX";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 28;
/// Far above what a million blocks take: a damaged length does not fill the memory.
const TEXT_BYTES_MAX: u64 = 8 << 30;
const COMPRESSION_LEVEL: i32 = 6;

/// What an index holds.
#[derive(Debug, Default)]
pub(crate) struct BucketIndex {
    pub(crate) head: Head,
    pub(crate) known: Known,
}

/// The first line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// When the listing was made that this is the outcome of, Unix milliseconds.
    pub(crate) listed_ms: i64,
    /// Lines that follow.
    pub(crate) blocks: usize,
    /// Of a copy on local disk: the version of the bucket's index that it already holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) e_tag: Option<String>,
    /// Of a copy on local disk: the bucket it describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bucket: Option<String>,
}

/// What a copy on local disk is a copy of.
#[derive(Debug)]
pub(crate) struct CopyOf {
    pub(crate) e_tag: Option<String>,
    pub(crate) bucket: String,
}

/// Bytes, Unix milliseconds of the last change, and the store's version, where it has one.
type ObjectLine = (u64, i64, Option<String>);

#[derive(Serialize, Deserialize)]
struct Line {
    id: Ulid,
    objects: BTreeMap<String, ObjectLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    meta: Option<Arc<BlockMeta>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deletion: Option<Arc<DeletionMark>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    no_compact: Option<Arc<NoCompactMark>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    no_downsample: Option<Arc<NoDownsampleMark>>,
}

/// An index as bytes.
pub(crate) struct Encoded {
    pub(crate) bytes: Bytes,
    /// Of the blocks alone: the same as long as nothing changed in the bucket.
    pub(crate) fingerprint: u32,
}

/// Writes an index.
pub(crate) fn encode(known: &Known, listed_ms: i64, of: Option<CopyOf>) -> std::io::Result<Encoded> {
    let mut text_bytes = 0_u64;
    let mut fingerprint = 0;
    let mut out = zstd::stream::Encoder::new(vec![0; HEADER_BYTES], COMPRESSION_LEVEL)?;
    let (e_tag, bucket) = of.map_or((None, None), |of| (of.e_tag, Some(of.bucket)));
    let head = serde_json::to_vec(&Head { listed_ms, blocks: known.blocks.len(), e_tag, bucket })?;
    let mut write = |line: &[u8]| {
        text_bytes += line.len() as u64 + 1;
        out.write_all(line)?;
        out.write_all(b"\n")
    };
    write(&head)?;
    let mut line = Vec::new();
    for (id, objects) in &known.blocks {
        line.clear();
        serde_json::to_writer(&mut line, &Line::new(*id, objects, known))?;
        fingerprint = crc32c::crc32c_append(fingerprint, &line);
        write(&line)?;
    }
    let mut bytes = out.finish()?;
    let frame_crc = crc32c::crc32c(&bytes[HEADER_BYTES..]);
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_be_bytes());
    bytes[12..16].copy_from_slice(&frame_crc.to_be_bytes());
    bytes[16..24].copy_from_slice(&text_bytes.to_be_bytes());
    let header_crc = crc32c::crc32c(&bytes[..24]);
    bytes[24..28].copy_from_slice(&header_crc.to_be_bytes());
    Ok(Encoded { bytes: bytes.into(), fingerprint })
}

/// Reads an index. Blocks of one line and objects of one block that are not as they should be make the
/// whole unusable: what it holds is in the bucket too.
pub(crate) fn decode(bytes: &[u8]) -> Result<BucketIndex, Corrupt> {
    read(bytes).map_err(|corrupt| corrupt.within(layout::BUCKET_INDEX, 0))
}

fn read(bytes: &[u8]) -> Result<BucketIndex, Corrupt> {
    let Some((header, frame)) = bytes.split_at_checked(HEADER_BYTES) else {
        return Err(Corrupt::new(0, format!("{} bytes, a header has {HEADER_BYTES}", bytes.len())));
    };
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if &header[..8] != MAGIC {
        return Err(Corrupt::new(0, "does not begin with ESKERBIX"));
    }
    if word(24) != crc32c::crc32c(&header[..24]) {
        return Err(Corrupt::new(24, "the header's checksum is wrong"));
    }
    if word(8) != VERSION {
        return Err(Corrupt::new(8, format!("version {}, only {VERSION} is known", word(8))));
    }
    if word(12) != crc32c::crc32c(frame) {
        return Err(Corrupt::new(12, "the checksum of the compressed text is wrong"));
    }
    let text_bytes = u64::from(word(16)) << 32 | u64::from(word(20));
    if text_bytes > TEXT_BYTES_MAX {
        return Err(Corrupt::new(16, format!("{text_bytes} bytes of text are too many")));
    }
    let bad = |e: std::io::Error| Corrupt::new(HEADER_BYTES as u64, format!("cannot be decompressed: {e}"));
    let mut text = BufReader::new(zstd::stream::Decoder::with_buffer(frame).map_err(bad)?.take(text_bytes));
    let mut line = Vec::new();
    let mut number = 0_u64;
    let mut next = |line: &mut Vec<u8>| {
        line.clear();
        number += 1;
        text.read_until(b'\n', line).map(|n| (n > 0).then_some(number)).map_err(bad)
    };
    let bad_line = |number: u64, e: serde_json::Error| {
        Corrupt::new(HEADER_BYTES as u64, format!("line {number} of the text: {e}"))
    };
    let Some(number) = next(&mut line)? else { return Err(Corrupt::new(16, "the text is empty")) };
    let head: Head = serde_json::from_slice(&line).map_err(|e| bad_line(number, e))?;
    let mut known = Known::default();
    while let Some(number) = next(&mut line)? {
        serde_json::from_slice::<Line>(&line).map_err(|e| bad_line(number, e))?.into_known(&mut known);
    }
    if known.blocks.len() != head.blocks {
        return Err(Corrupt::new(16, format!("{} blocks, {} were promised", known.blocks.len(), head.blocks)));
    }
    Ok(BucketIndex { head, known })
}

impl Line {
    fn new(id: Ulid, objects: &BlockObjects, known: &Known) -> Self {
        let mut line = Self {
            id,
            objects: objects.iter().map(|(name, o)| (name.clone(), (o.size, o.modified_ms, o.e_tag.clone()))).collect(),
            meta: None,
            deletion: None,
            no_compact: None,
            no_downsample: None,
        };
        for file in crate::sync::READ {
            // What was read of an older version is left to be read again.
            let read = known.parsed.get(&(id, file)).filter(|(seen, _)| objects.get(&file.rel_path()) == Some(seen));
            match read.map(|(_, parsed)| parsed) {
                Some(Parsed::Meta(meta)) => line.meta = Some(Arc::clone(meta)),
                Some(Parsed::Deletion(mark)) => line.deletion = Some(Arc::clone(mark)),
                Some(Parsed::NoCompact(mark)) => line.no_compact = Some(Arc::clone(mark)),
                Some(Parsed::NoDownsample(mark)) => line.no_downsample = Some(Arc::clone(mark)),
                Some(Parsed::Corrupt(_)) | None => {}
            }
        }
        line
    }

    fn into_known(self, known: &mut Known) {
        let id = self.id;
        let objects: BlockObjects = self
            .objects
            .into_iter()
            .map(|(name, (size, modified_ms, e_tag))| (name, Listed { size, modified_ms, e_tag }))
            .collect();
        let parsed = [
            (BlockFile::Meta, self.meta.filter(|meta| meta.ulid == id).map(Parsed::Meta)),
            (BlockFile::DeletionMark, self.deletion.map(Parsed::Deletion)),
            (BlockFile::NoCompactMark, self.no_compact.map(Parsed::NoCompact)),
            (BlockFile::NoDownsampleMark, self.no_downsample.map(Parsed::NoDownsample)),
        ];
        let parsed = parsed
            .into_iter()
            .filter_map(|(file, parsed)| Some(((id, file), (objects.get(&file.rel_path())?.clone(), parsed?))));
        known.parsed.extend(parsed.collect::<HashMap<_, _>>());
        known.blocks.insert(id, Arc::new(objects));
    }
}

/// What came of looking for the index.
pub(crate) enum IndexRead {
    Absent,
    Unchanged,
    New { bytes: Bytes, e_tag: Option<String> },
}

impl Bucket {
    /// The bucket index, unless it is still the version `seen`: one request.
    pub(crate) async fn read_bucket_index(&self, seen: Option<&str>) -> Result<IndexRead> {
        use object_store::Error as E;
        let path = Path::from(layout::BUCKET_INDEX);
        let options = GetOptions { if_none_match: seen.map(str::to_owned), ..GetOptions::default() };
        let read = async {
            let found = self.store().get_opts(&path, options).await?;
            let e_tag = found.meta.e_tag.clone();
            if e_tag.is_some() && e_tag.as_deref() == seen {
                // The store does not know the condition.
                return Ok(IndexRead::Unchanged);
            }
            Ok(IndexRead::New { bytes: found.bytes().await?, e_tag })
        };
        match read.await {
            Ok(read) => Ok(read),
            Err(E::NotModified { .. }) => Ok(IndexRead::Unchanged),
            Err(E::NotFound { .. }) => Ok(IndexRead::Absent),
            Err(e) => Err(Error::store("read", &path, e)),
        }
    }

    /// Replaces the bucket index.
    pub(crate) async fn write_bucket_index(&self, bytes: Bytes) -> Result<()> {
        let path = Path::from(layout::BUCKET_INDEX);
        let options = PutOptions { attributes: self.write_options().attributes.clone(), ..PutOptions::default() };
        let put = self.store().put_opts(&path, bytes.into(), options).await;
        put.map(|_| ()).map_err(|e| Error::store("write", &path, e))
    }

    /// Tells this bucket from others, for what is kept of it on local disk.
    pub(crate) fn identity(&self) -> String {
        format!("{} {}", self.name(), self.store())
    }
}

#[cfg(test)]
mod tests;
