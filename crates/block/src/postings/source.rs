use ::bytes::Bytes;

use super::{Postings, Stop};
use crate::Corrupt;
use crate::index::{Entry, IndexReader, NameEntries};

/// Where a selection reads from: an index that is at hand, or one whose lists and series have to be brought
/// here first, many at once. Lists go by their byte offset.
pub(crate) trait Source {
    /// Whether lists are at hand, so that looking at one costs next to nothing.
    const AT_HAND: bool;

    fn entries(&self, name: &str) -> Result<Option<NameEntries<'_>>, Corrupt>;
    /// The list that a row leads to.
    fn list(&self, entry: Entry<'_>) -> Result<u64, Corrupt>;
    /// Members of a list that a row led to; about so many where it is not here yet.
    fn list_len(&self, list: u64) -> Result<usize, Corrupt>;
    /// A list that is here.
    fn postings(&self, list: u64) -> Result<Postings<'_>, Corrupt>;
    /// Whether every series has the label; false where that would have to be fetched.
    fn is_on_all(&self, entries: NameEntries<'_>) -> Result<bool, Corrupt>;
    /// One past the largest reference that a series can have.
    fn series_ref_end(&self) -> u64;
    fn symbol(&self, reference: u32) -> Result<&str, Corrupt>;
    fn symbol_ref(&self, text: &str) -> Result<Option<u32>, Corrupt>;
    /// Labels of a series that is here.
    fn series_labels(&self, reference: u32, labels: &mut Vec<(u32, u32)>) -> Result<(), Corrupt>;
    /// A list's bytes, to be kept.
    fn stored(&self, list: Postings<'_>) -> Bytes;

    /// Stops where lists are not here, and notes which.
    fn need_lists(&self, _lists: &[u64]) -> Result<(), Stop> {
        Ok(())
    }

    /// Stops where series, of ascending references, are not here, and notes which.
    fn need_series(&self, _references: &[u32]) -> Result<(), Stop> {
        Ok(())
    }

    /// Asks memory for the begin of a list ahead of its turn.
    fn prefetch_postings(&self, _list: u64) {}

    /// The list of all series, if the index has one.
    fn all(&self) -> Result<Option<u64>, Corrupt> {
        let Some(entries) = self.entries("")? else { return Ok(None) };
        entries.find(b"")?.map(|entry| self.list(entry)).transpose()
    }

    fn all_postings(&self) -> Result<Postings<'_>, Corrupt> {
        self.all()?.map_or(Ok(Postings::default()), |all| self.postings(all))
    }
}

impl Source for IndexReader {
    const AT_HAND: bool = true;

    fn entries(&self, name: &str) -> Result<Option<NameEntries<'_>>, Corrupt> {
        self.entries(name)
    }

    #[inline]
    fn list(&self, entry: Entry<'_>) -> Result<u64, Corrupt> {
        Ok(entry.offset)
    }

    fn list_len(&self, list: u64) -> Result<usize, Corrupt> {
        self.postings_len_at(list)
    }

    fn postings(&self, list: u64) -> Result<Postings<'_>, Corrupt> {
        self.postings_at(list)
    }

    fn is_on_all(&self, entries: NameEntries<'_>) -> Result<bool, Corrupt> {
        self.is_on_all(entries)
    }

    fn series_ref_end(&self) -> u64 {
        self.series_ref_end()
    }

    fn symbol(&self, reference: u32) -> Result<&str, Corrupt> {
        self.symbol(reference)
    }

    fn symbol_ref(&self, text: &str) -> Result<Option<u32>, Corrupt> {
        self.symbol_ref(text)
    }

    fn series_labels(&self, reference: u32, labels: &mut Vec<(u32, u32)>) -> Result<(), Corrupt> {
        self.series_labels(reference, labels)
    }

    fn stored(&self, list: Postings<'_>) -> Bytes {
        self.bytes().slice_ref(list.bytes())
    }

    fn prefetch_postings(&self, list: u64) {
        self.prefetch_postings(list);
    }
}
