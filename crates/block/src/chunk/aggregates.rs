//! Thanos' `AggrChunk` (encoding 255): the chunks of one series and time range, one per aggregate.
//!
//! Five entries in the order of [`ORDER`]: a varint length, and if it is not zero the encoding's byte
//! and so many bytes of payload. Source: `pkg/compact/downsample/aggr.go` of Thanos.

use super::{Aggregate, EncodedChunk, Encoding};
use crate::Corrupt;

/// The aggregates in the order of their entries.
pub const ORDER: [Aggregate; 5] =
    [Aggregate::Count, Aggregate::Sum, Aggregate::Min, Aggregate::Max, Aggregate::Counter];

/// The chunks of an `AggrChunk`, one per aggregate in [`ORDER`]; `None` where one is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aggregates<'a>([Option<(Encoding, &'a [u8])>; 5]);

impl<'a> Aggregates<'a> {
    /// Splits the payload of an `AggrChunk`.
    ///
    /// # Errors
    /// When an entry reaches past the end, has an unknown encoding, or bytes are left over.
    pub fn split(payload: &'a [u8]) -> Result<Self, Corrupt> {
        let mut parts = [None; 5];
        let mut at = 0;
        for part in &mut parts {
            let (length, start) = uvarint(payload, at)?;
            at = start;
            if length == 0 {
                continue;
            }
            let end = usize::try_from(length).ok().and_then(|n| (at + 1).checked_add(n));
            let Some(entry) = end.and_then(|end| payload.get(at..end)) else {
                return Err(Corrupt::new(
                    at as u64,
                    format!("aggregate of {length} bytes reaches past the chunk's end"),
                ));
            };
            let encoding = Encoding::from_byte(entry[0]).map_err(|e| Corrupt { offset: at as u64, ..e })?;
            if encoding == Encoding::Aggregates {
                return Err(Corrupt::new(at as u64, "aggregate is itself an aggregate chunk"));
            }
            *part = Some((encoding, &entry[1..]));
            at += entry.len();
        }
        if at != payload.len() {
            return Err(Corrupt::new(at as u64, "bytes behind the last aggregate"));
        }
        Ok(Self(parts))
    }

    /// Encoding and payload of one aggregate; `None` where it is absent, and for `Raw`.
    #[must_use]
    pub fn get(&self, aggregate: Aggregate) -> Option<(Encoding, &'a [u8])> {
        self.0[ORDER.iter().position(|&a| a == aggregate)?]
    }

    /// Those that are there, in [`ORDER`].
    pub fn iter(&self) -> impl Iterator<Item = (Aggregate, Encoding, &'a [u8])> {
        ORDER.into_iter().zip(self.0).filter_map(|(a, part)| part.map(|(encoding, bytes)| (a, encoding, bytes)))
    }
}

/// Joins chunks, one per aggregate in [`ORDER`], into the payload of an `AggrChunk`.
#[must_use]
pub fn join(parts: [Option<(Encoding, &[u8])>; 5]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().flatten().map(|(_, b)| b.len() + 4).sum::<usize>() + 5);
    for part in parts {
        let mut length = part.map_or(0, |(_, bytes)| bytes.len());
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        if let Some((encoding, bytes)) = part.filter(|(_, bytes)| !bytes.is_empty()) {
            out.push(encoding.to_byte());
            out.extend_from_slice(bytes);
        }
    }
    out
}

/// Joins finished chunks of one time range into an `AggrChunk`.
#[must_use]
pub fn join_chunks(min_time: i64, max_time: i64, parts: [Option<&EncodedChunk>; 5]) -> EncodedChunk {
    let bytes = join(parts.map(|part| part.map(|c| (c.encoding, &*c.bytes))));
    EncodedChunk { min_time, max_time, encoding: Encoding::Aggregates, bytes }
}

/// A varint at `at`, and where it ends.
fn uvarint(bytes: &[u8], at: usize) -> Result<(u64, usize), Corrupt> {
    let mut value = 0u64;
    for (i, &byte) in bytes.get(at..).unwrap_or_default().iter().take(10).enumerate() {
        if i == 9 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok((value, at + i + 1));
        }
    }
    Err(Corrupt::new(at as u64, "aggregate's length is no varint within the chunk"))
}
