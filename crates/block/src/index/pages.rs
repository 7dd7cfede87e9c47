use std::sync::atomic::{AtomicU64, Ordering};

use super::numbers::Numbers;
use crate::Corrupt;
use crate::bytes::check_crc;

/// Bytes under one checksum.
const PAGE: usize = 4096;

/// Checksums of the pages of a part of a file, each verified when it is first read: so a part whose
/// structure is known need not be read as a whole to be trusted.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// Where the part begins.
    start: usize,
    sums: Numbers,
    /// A bit for each page that was found sound.
    sound: Box<[AtomicU64]>,
}

impl Pages {
    /// The checksums of `part`.
    pub(super) fn sums_of(part: &[u8]) -> Numbers {
        part.chunks(PAGE).map(crc32c::crc32c).collect()
    }

    pub(super) fn count(len: usize) -> usize {
        len.div_ceil(PAGE)
    }

    pub(super) fn new(start: usize, sums: Numbers) -> Self {
        let sound = (0..sums.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Self { start, sums, sound }
    }

    /// Verifies the pages that `from..to` of `file` lies in, where that has not been done; the part ends
    /// with `file`.
    #[inline]
    pub(super) fn check(&self, file: &[u8], from: usize, to: usize) -> Result<(), Corrupt> {
        if self.sums.len() == 0 || to <= from || from < self.start {
            return Ok(());
        }
        for page in (from - self.start) / PAGE..=(to - 1 - self.start) / PAGE {
            let known = self.sound.get(page / 64).is_none_or(|w| w.load(Ordering::Relaxed) >> (page % 64) & 1 == 1);
            if !known {
                self.verify(file, page)?;
            }
        }
        Ok(())
    }

    #[cold]
    fn verify(&self, file: &[u8], page: usize) -> Result<(), Corrupt> {
        let at = self.start + page * PAGE;
        let bytes = file.get(at..file.len().min(at + PAGE)).unwrap_or_default();
        check_crc(self.sums.get(page), bytes, at)?;
        if let Some(word) = self.sound.get(page / 64) {
            word.fetch_or(1 << (page % 64), Ordering::Relaxed);
        }
        Ok(())
    }
}
