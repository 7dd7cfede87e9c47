use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use hashbrown::HashMap;

use super::index::{Output, Section};
use crate::bytes::Cursor;
use crate::index::SERIES_ALIGN;
use crate::{Corrupt, WriteError};

/// Members of lists that are held in memory at once; a single list may be longer.
const MEMBERS_MAX: usize = 16 << 20;
const ABSENT: u32 = u32::MAX;

/// The distinct label pairs of the series written, each with the number of its series.
#[derive(Debug)]
pub(super) struct LabelPairs {
    /// By value, the slot of the first pair that has it: most values belong to one name.
    first: Vec<u32>,
    /// The slots of all other pairs.
    others: HashMap<(u32, u32), u32>,
    /// Name, value and number of series.
    pairs: Vec<(u32, u32, u32)>,
}

/// Where the lists lie.
#[derive(Debug)]
pub(super) struct Lists {
    /// Offset of the list of all series.
    pub(super) all: u64,
    /// Name, value, offset; sorted.
    pub(super) by_pair: Vec<(u32, u32, u64)>,
}

impl LabelPairs {
    /// Of so many symbols.
    pub(super) fn new(symbols: usize) -> Self {
        Self { first: vec![ABSENT; symbols], others: HashMap::new(), pairs: Vec::new() }
    }

    pub(super) fn add(&mut self, labels: &[(u32, u32)]) {
        for &(name, value) in labels {
            let next = self.pairs.len() as u32;
            let first = &mut self.first[value as usize];
            let slot = match *first {
                ABSENT => {
                    *first = next;
                    next
                }
                slot if self.pairs[slot as usize].0 == name => slot,
                _ => *self.others.entry((name, value)).or_insert(next),
            };
            if slot == next {
                self.pairs.push((name, value, 0));
            }
            self.pairs[slot as usize].2 += 1;
        }
    }

    fn slot(&self, (name, value): (u32, u32)) -> Option<usize> {
        let first = *self.first.get(value as usize)? as usize;
        match self.pairs.get(first) {
            Some(pair) if pair.0 == name => Some(first),
            _ => self.others.get(&(name, value)).map(|&slot| slot as usize),
        }
    }

    /// Writes all lists. The series are read back from the file, once for as many lists as fit in memory.
    pub(super) fn write(self, out: &mut Output, series: &[u32]) -> Result<Lists, WriteError> {
        let mut order: Vec<(u32, u32, u32)> =
            self.pairs.iter().zip(0..).map(|(&(name, value, _), slot)| (name, value, slot)).collect();
        order.sort_unstable();
        let all = out.position;
        write_list(out, series)?;
        let mut by_pair = Vec::with_capacity(order.len());
        let mut members: Vec<u32> = Vec::new();
        // Where the next member of each pair's list goes, of those in this round.
        let mut next = vec![ABSENT; self.pairs.len()];
        let mut rest = &order[..];
        while !rest.is_empty() {
            let mut total = 0;
            let mut lists = 0;
            for &(_, _, slot) in rest {
                let count = self.pairs[slot as usize].2;
                if lists > 0 && total + count as usize > MEMBERS_MAX {
                    break;
                }
                next[slot as usize] = total as u32;
                total += count as usize;
                lists += 1;
            }
            members.resize(total, 0);
            let (round, later) = rest.split_at(lists);
            scan(out, series, |reference, pair| {
                if let Some(slot) = self.slot(pair)
                    && next[slot] != ABSENT
                {
                    members[next[slot] as usize] = reference;
                    next[slot] += 1;
                }
            })?;
            let mut start = 0;
            for &(name, value, slot) in round {
                let end = start + self.pairs[slot as usize].2 as usize;
                by_pair.push((name, value, out.position));
                write_list(out, &members[start..end])?;
                next[slot as usize] = ABSENT;
                start = end;
            }
            rest = later;
        }
        Ok(Lists { all, by_pair })
    }
}

fn write_list(out: &mut Output, members: &[u32]) -> Result<(), WriteError> {
    // Lists are multiples of four long, so each begins aligned.
    let mut section = Section::begin(out, 4 + 4 * members.len() as u64, "a list of series")?;
    section.write(&(members.len() as u32).to_be_bytes())?;
    let mut bytes = [0; 4096];
    for part in members.chunks(bytes.len() / 4) {
        for (member, to) in part.iter().zip(bytes.chunks_exact_mut(4)) {
            to.copy_from_slice(&member.to_be_bytes());
        }
        section.write(&bytes[..part.len() * 4])?;
    }
    section.end()
}

/// Calls `each` with the reference and every label pair of every series written.
fn scan(out: &mut Output, series: &[u32], mut each: impl FnMut(u32, (u32, u32))) -> Result<(), WriteError> {
    let Some(&first) = series.first() else { return Ok(()) };
    let (path, file) = out.reopen()?;
    let failed = |source| WriteError::Io { path: path.clone(), source };
    let changed = |e: Corrupt| WriteError::Input(format!("the index changed while it was written: {e}"));
    let mut position = u64::from(first) * SERIES_ALIGN;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    reader.seek(SeekFrom::Start(position)).map_err(failed)?;
    let mut body = Vec::new();
    for &reference in series {
        let start = u64::from(reference) * SERIES_ALIGN;
        reader.seek_relative((start - position).cast_signed()).map_err(failed)?;
        let (len, len_bytes) = read_len(&mut reader).map_err(failed)?;
        body.resize(len, 0);
        reader.read_exact(&mut body).map_err(failed)?;
        position = start + (len + len_bytes) as u64;
        let mut cursor = Cursor::at(&body, 0);
        for _ in 0..cursor.uvarint().map_err(changed)? {
            let pair = (cursor.uvarint32().map_err(changed)?, cursor.uvarint32().map_err(changed)?);
            each(reference, pair);
        }
    }
    Ok(())
}

fn read_len(reader: &mut impl BufRead) -> std::io::Result<(usize, usize)> {
    let (mut len, mut bytes) = (0_usize, 0);
    loop {
        let mut byte = [0];
        reader.read_exact(&mut byte)?;
        len |= usize::from(byte[0] & 0x7f) << (7 * bytes).min(63);
        bytes += 1;
        if byte[0] < 0x80 {
            return Ok((len, bytes));
        }
    }
}
