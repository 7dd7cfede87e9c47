//! Reading the formats' primitives from untrusted bytes, and writing them.

use crate::Corrupt;

/// Walks over bytes; every error says where in the file it stands.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at `position` of the whole file `bytes`, so that offsets in errors are the file's.
    #[inline]
    pub(crate) fn at(bytes: &'a [u8], position: usize) -> Self {
        Self { bytes, position: position.min(bytes.len()) }
    }

    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Where the bytes end.
    pub(crate) fn end(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    pub(crate) fn corrupt(&self, what: impl Into<String>) -> Corrupt {
        Corrupt::new(self.position as u64, what)
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Corrupt> {
        if len > self.remaining() {
            return Err(self.corrupt(format!("{len} bytes wanted, {} left", self.remaining())));
        }
        let taken = &self.bytes[self.position..self.position + len];
        self.position += len;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, Corrupt> {
        match self.bytes.get(self.position) {
            Some(&b) => {
                self.position += 1;
                Ok(b)
            }
            None => Err(self.corrupt("ends too early")),
        }
    }

    #[inline]
    pub(crate) fn be32(&mut self) -> Result<u32, Corrupt> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(crate) fn be64(&mut self) -> Result<u64, Corrupt> {
        Ok(u64::from(self.be32()?) << 32 | u64::from(self.be32()?))
    }

    #[inline]
    pub(crate) fn uvarint(&mut self) -> Result<u64, Corrupt> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let mut value = u64::from(first & 0x7f);
        let mut shift = 7;
        loop {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(self.corrupt("varint is longer than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    #[inline]
    pub(crate) fn uvarint32(&mut self) -> Result<u32, Corrupt> {
        let value = self.uvarint()?;
        u32::try_from(value).map_err(|_| self.corrupt(format!("number {value} does not fit 32 bits")))
    }

    /// A zigzag-encoded signed number.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<i64, Corrupt> {
        let raw = self.uvarint()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// Bytes behind their length as a varint.
    #[inline]
    pub(crate) fn uvarint_bytes(&mut self) -> Result<&'a [u8], Corrupt> {
        let len = self.uvarint()?;
        self.take(usize::try_from(len).unwrap_or(usize::MAX))
    }

    pub(crate) fn uvarint_str(&mut self) -> Result<&'a str, Corrupt> {
        let start = self.position;
        let bytes = self.uvarint_bytes()?;
        std::str::from_utf8(bytes).map_err(|_| Corrupt::new(start as u64, "text is not UTF-8"))
    }

    /// A section `length (4 bytes), body, crc32c (4 bytes)` at the cursor: its body, as a cursor that
    /// ends where the body ends. The checksum is verified.
    pub(crate) fn section(&mut self) -> Result<Self, Corrupt> {
        let start = self.position;
        let len = self.be32()? as usize;
        let body = self.take(len)?;
        let stored = self.be32()?;
        check_crc(stored, body, start)?;
        Ok(Self { bytes: &self.bytes[..start + 4 + len], position: start + 4 })
    }
}

/// Compares a stored checksum with the body's; `at` is where the part begins.
#[inline]
pub(crate) fn check_crc(stored: u32, body: &[u8], at: usize) -> Result<(), Corrupt> {
    let actual = crc32c::crc32c(body);
    if stored == actual {
        return Ok(());
    }
    Err(Corrupt::new(at as u64, format!("checksum is {stored:08x}, the bytes have {actual:08x}")))
}

pub(crate) fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_varint(out: &mut Vec<u8>, value: i64) {
    put_uvarint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_uvarint(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// Bytes that [`put_uvarint`] takes.
pub(crate) fn uvarint_len(value: u64) -> u64 {
    u64::from((64 - (value | 1).leading_zeros()).div_ceil(7))
}

/// Bytes that [`put_text`] takes.
pub(crate) fn text_len(text: &[u8]) -> u64 {
    uvarint_len(text.len() as u64) + text.len() as u64
}

#[cfg(test)]
mod tests;
