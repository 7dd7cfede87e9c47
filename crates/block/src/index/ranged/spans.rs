use ::bytes::Bytes;
use hashbrown::HashMap;

use crate::Corrupt;
use crate::bytes::Cursor;
use crate::index::INDEX_FILE;

/// Parts of the series section that are here.
#[derive(Debug, Default)]
pub(super) struct Spans {
    /// Where each begins; they ascend.
    spans: Vec<(u64, Bytes)>,
    /// Series that end behind their span, by where they begin.
    longer: HashMap<u64, Bytes>,
}

impl Spans {
    /// A span that begins at `start`; one that begins there before gives way to it where it is shorter.
    pub(super) fn add(&mut self, start: u64, bytes: Bytes) {
        let at = self.spans.partition_point(|&(s, _)| s < start);
        match self.spans.get_mut(at) {
            Some((s, known)) if *s == start => {
                if known.len() < bytes.len() {
                    *known = bytes;
                }
            }
            _ => self.spans.insert(at, (start, bytes)),
        }
    }

    /// A series that its span does not hold whole.
    pub(super) fn add_longer(&mut self, start: u64, bytes: Bytes) {
        self.longer.insert(start, bytes);
    }

    /// The bytes that hold what lies at `at`, and where they begin.
    pub(super) fn find(&self, at: u64) -> Option<(u64, &Bytes)> {
        if let Some(bytes) = self.longer.get(&at) {
            return Some((at, bytes));
        }
        let before = self.spans.partition_point(|&(start, _)| start <= at).checked_sub(1)?;
        let (start, bytes) = self.spans.get(before)?;
        (at - start < bytes.len() as u64).then_some((*start, bytes))
    }

    /// How long the entry at `at` says that it is, with length and checksum. `None`: its bytes are not here.
    pub(super) fn len_of(&self, at: u64) -> Result<Option<u64>, Corrupt> {
        let Some((base, bytes)) = self.find(at) else { return Ok(None) };
        let start = (at - base) as usize;
        let mut cursor = Cursor::at(bytes, start);
        let len = cursor.uvarint().map_err(|e| e.within(INDEX_FILE, base))?;
        Ok(Some(len.saturating_add((cursor.position() - start) as u64 + 4)))
    }

    /// Where the entry at `at` ends, if it is here whole.
    pub(super) fn end_of(&self, at: u64) -> Option<u64> {
        let (base, bytes) = self.find(at)?;
        let end = at.checked_add(self.len_of(at).ok()??)?;
        (end - base <= bytes.len() as u64).then_some(end)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.spans.iter().map(|(_, bytes)| bytes).chain(self.longer.values()).map(|bytes| bytes.len() as u64).sum()
    }
}
