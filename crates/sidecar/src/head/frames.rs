use bytes::{Buf, Bytes, BytesMut};
use crc32c::crc32c;

use super::remote_read::broken;

/// No frame of Prometheus is larger than its 1 MiB default by much; one series' largest chunk decides.
const FRAME_BYTES_MAX: u64 = 64 << 20;

/// Cuts a streamed remote read answer into frames: `uvarint length, CRC-32C of the data (big-endian),
/// data`.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: BytesMut,
}

impl Frames {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame's data; `None` where more bytes are needed.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, String> {
        let Some((len, header)) = self.length()? else { return Ok(None) };
        let end = header + 4 + len;
        if self.bytes.len() < end {
            self.bytes.reserve(end - self.bytes.len());
            return Ok(None);
        }
        self.bytes.advance(header);
        let want = self.bytes.get_u32();
        let data = self.bytes.split_to(len).freeze();
        if crc32c(&data) != want {
            return Err(format!("a frame of {len} bytes has another checksum than it states"));
        }
        Ok(Some(data))
    }

    /// Whether bytes of an incomplete frame are left.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The stream has ended.
    pub(super) fn end(&self) -> store::Result<()> {
        if self.is_empty() { Ok(()) } else { Err(broken(&"the stream ends within a frame")) }
    }

    /// The length of the next frame's data and of the field that states it.
    fn length(&self) -> Result<Option<(usize, usize)>, String> {
        let mut len = 0_u64;
        for (i, byte) in self.bytes.iter().take(10).enumerate() {
            len |= u64::from(byte & 0x7f).checked_shl(7 * i as u32).unwrap_or(0);
            if byte & 0x80 == 0 {
                if len > FRAME_BYTES_MAX {
                    return Err(format!("a frame states {len} bytes, more than {FRAME_BYTES_MAX}"));
                }
                return Ok(Some((len as usize, i + 1)));
            }
        }
        if self.bytes.len() >= 10 {
            return Err("a frame's length does not end".to_owned());
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
