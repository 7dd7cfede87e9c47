use std::ops::Range;

use ::bytes::Bytes;

use super::{RangedIndex, Ranges, read_exact};
use crate::Corrupt;
use crate::bytes::Cursor;
use crate::index::symbols::Symbols;
use crate::index::table::OffsetTable;
use crate::index::{HEADER_LEN, TOC_LEN, Toc, named, read_toc, read_version};

/// So much of either end of the file is read before it is known where its parts lie.
const FIRST_READ: u64 = 64 << 10;
/// Bytes that are read for a series at first: four times what one takes on average, within these.
const SERIES_GUESS: Range<u64> = 4 << 10..64 << 10;

/// Where the two ends lie in the file.
struct Ends {
    version: u8,
    toc: Toc,
    /// From the begin to here,
    front: u64,
    /// and from here to the end.
    back: u64,
}

impl Ends {
    /// `front` begins with the file, `toc` are its last bytes.
    fn find(front: &[u8], toc: &[u8], len: u64) -> Result<Self, Corrupt> {
        let version = read_version(front)?;
        let toc_at = len.saturating_sub(TOC_LEN as u64);
        let toc = read_toc(toc, toc_at)?;
        let symbols_end = if toc.symbols == 0 {
            HEADER_LEN as u64
        } else {
            let body = Cursor::at(front, usize::try_from(toc.symbols).unwrap_or(usize::MAX)).be32()?;
            toc.symbols + 4 + u64::from(body) + 4
        };
        let back = if toc.postings_table == 0 { toc_at } else { toc.postings_table };
        if symbols_end > back {
            let what = format!("symbols end at {symbols_end}, behind the begin of the postings offset table at {back}");
            return Err(Corrupt::new(toc.symbols, what));
        }
        Ok(Self { version, toc, front: symbols_end, back })
    }
}

impl RangedIndex {
    /// Reads the ends of an index file of `len` bytes: one batch for a small one, two for others.
    ///
    /// # Errors
    /// When they cannot be read or are damaged, or the symbols do not lie at the begin of the file.
    pub fn open<R: Ranges>(ranges: &R, len: u64) -> Result<Self, R::Error> {
        if len < (HEADER_LEN + TOC_LEN) as u64 {
            return Err(named(Corrupt::new(0, format!("{len} bytes are too few for an index"))).into());
        }
        let is_small = len <= 2 * FIRST_READ;
        let mut known = Vec::from([if is_small { 0..len } else { 0..FIRST_READ }]);
        known.extend((!is_small).then(|| len - FIRST_READ..len));
        let mut pieces: Vec<(u64, Bytes)> =
            known.iter().map(|range| range.start).zip(read_exact(ranges, &known)?).collect();
        let (first, last) = (&pieces[0].1, &pieces[pieces.len() - 1].1);
        let ends = Ends::find(first, &last[last.len() - TOC_LEN..], len).map_err(named)?;
        if pieces.len() > 1 {
            let tail = len - FIRST_READ;
            let missing = [FIRST_READ..ends.front.min(tail), ends.back.max(FIRST_READ)..tail];
            let missing: Vec<_> = missing.into_iter().filter(|range| !range.is_empty()).collect();
            let read = read_exact(ranges, &missing)?;
            pieces.splice(1..1, missing.iter().map(|range| range.start).zip(read));
        }
        let mut both = Vec::with_capacity(usize::try_from(ends.front + len - ends.back).unwrap_or(0));
        for wanted in [0..ends.front, ends.back..len] {
            for (start, bytes) in &pieces {
                let within = |at: u64| (at.saturating_sub(*start) as usize).min(bytes.len());
                both.extend_from_slice(&bytes[within(wanted.start)..within(wanted.end)]);
            }
        }
        Ok(Self::from_ends(both.into(), len)?)
    }

    /// From the ends that [`ends`](Self::ends) gave, of an index file of `len` bytes.
    ///
    /// # Errors
    /// When they are damaged or of another index.
    pub fn from_ends(ends: Bytes, len: u64) -> Result<Self, Corrupt> {
        let toc_at = ends.len().checked_sub(TOC_LEN).filter(|&at| at >= HEADER_LEN);
        let Some(toc_at) = toc_at else {
            return Err(named(Corrupt::new(0, format!("{} bytes are too few for an index", ends.len()))));
        };
        let Ends { version, toc, front, back } = Ends::find(&ends, &ends[toc_at..], len).map_err(named)?;
        if front.checked_add(len.saturating_sub(back)) != Some(ends.len() as u64) {
            let what = format!("{} bytes are not the ends of an index of {len} bytes", ends.len());
            return Err(named(Corrupt::new(0, what)));
        }
        let split = usize::try_from(front).unwrap_or(usize::MAX).min(ends.len());
        let symbols = Symbols::read(&ends[..split], version, toc.symbols).map_err(named)?;
        let table = OffsetTable::read_part(&ends[split..], toc.postings_table, back)?;
        let mut index = Self { ends, split, len, version, toc, symbols, table, series_guess: SERIES_GUESS.start };
        index.series_guess = index.guess()?;
        Ok(index)
    }

    fn guess(&self) -> Result<u64, Corrupt> {
        let all = self.entries("")?.map(|entries| entries.find(b"")).transpose()?.flatten();
        let Some(all) = all else { return Ok(SERIES_GUESS.start) };
        let all = self.list(all)?;
        let series = ((all.end - all.start) / 4).saturating_sub(3).max(1);
        let bytes = self.series_end().saturating_sub(self.toc.series);
        Ok((bytes / series).saturating_mul(4).clamp(SERIES_GUESS.start, SERIES_GUESS.end))
    }
}
