use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use hashbrown::HashMap;

use super::index::{Output, Section};
use crate::bytes::Cursor;
use crate::index::SERIES_ALIGN;
use crate::{Corrupt, WriteError};

/// Members of lists that are held in memory at once; a single list may be longer.
const MEMBERS_MAX: usize = 16 << 20;
/// So many members of a list are put together before they are written.
const MEMBERS_AT_ONCE: usize = 1024;
/// So many labels are looked up at a time: first what they need is read from memory, all at once, and only then
/// one waits for another.
const LABELS_AT_ONCE: usize = 256;
const ABSENT: u32 = u32::MAX;
/// In the place of a slot with this bit: the value is on one series only, and that is known.
const ALONE: u32 = 1 << 31;

/// The distinct label pairs of the series written, each with the number of its series.
#[derive(Debug)]
pub(super) struct LabelPairs {
    /// By value, the slot of the first pair that has it: most values belong to one name.
    first: Vec<u32>,
    /// The slots of all other pairs.
    others: HashMap<(u32, u32), u32>,
    pairs: Vec<Pair>,
    /// Labels of the last series, which are not yet counted, and the references of those.
    pending: Vec<Label>,
}

/// Name, value, and the reference of the series that has them.
type Label = (u32, u32, u32);

#[derive(Clone, Copy, Debug)]
struct Pair {
    name: u32,
    value: u32,
    /// How many series have it, and the reference of the first.
    count: u32,
    reference: u32,
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
        Self { first: vec![ABSENT; symbols], others: HashMap::new(), pairs: Vec::new(), pending: Vec::new() }
    }

    pub(super) fn add(&mut self, labels: &[(u32, u32)], reference: u32) -> Result<(), WriteError> {
        self.pending.extend(labels.iter().map(|&(name, value)| (name, value, reference)));
        if self.pending.len() < LABELS_AT_ONCE { Ok(()) } else { self.count() }
    }

    /// Reads what [`count`](Self::count) and [`shared_slot`](Self::shared_slot) need, so that it is near.
    fn touch(&self, labels: &[Label]) {
        let read = |sum, &(_, value, _): &Label| sum ^ self.first.get(value as usize).copied().unwrap_or(0);
        black_box(labels.iter().fold(0, read));
    }

    /// Counts the pending labels.
    fn count(&mut self) -> Result<(), WriteError> {
        let mut pending = std::mem::take(&mut self.pending);
        self.touch(&pending);
        for (name, value, reference) in pending.drain(..) {
            let next = self.pairs.len() as u32;
            let first = &mut self.first[value as usize];
            let slot = match *first {
                ABSENT => {
                    *first = next | ALONE;
                    next
                }
                known => {
                    *first = known & !ALONE;
                    if self.pairs[*first as usize].name == name {
                        *first
                    } else {
                        *self.others.entry((name, value)).or_insert(next)
                    }
                }
            };
            if slot < next {
                self.pairs[slot as usize].count += 1;
            } else if next >= ALONE - 1 {
                return Err(WriteError::TooLarge("the number of label pairs"));
            } else {
                self.pairs.push(Pair { name, value, count: 1, reference });
            }
        }
        self.pending = pending;
        Ok(())
    }

    /// The slot of a pair that is there, unless its value is on one series only.
    #[inline]
    fn shared_slot(&self, (name, value): (u32, u32)) -> Option<usize> {
        let first = *self.first.get(value as usize)?;
        if first & ALONE != 0 {
            return None;
        }
        match self.pairs.get(first as usize) {
            Some(pair) if pair.name == name => Some(first as usize),
            _ => self.others.get(&(name, value)).map(|&slot| slot as usize),
        }
    }

    /// Slots in the order of names and values; [`ALONE`] stays.
    fn sorted(&self) -> Vec<u32> {
        let slots = |value: usize| Some(self.first[value]).filter(|&first| first != ABSENT);
        let mut others: Vec<(u32, u32)> = self.others.iter().map(|(&(_, value), &slot)| (value, slot)).collect();
        others.sort_unstable();
        // Values in order; each goes behind those of its name. First, where each name's begin.
        let mut next = vec![0_u32; self.first.len()];
        self.pairs.iter().for_each(|pair| next[pair.name as usize] += 1);
        let mut start = 0;
        for next in &mut next {
            start += std::mem::replace(next, start);
        }
        let mut sorted = vec![ABSENT; self.pairs.len()];
        let mut put = |slot: u32| {
            let next = &mut next[self.pairs[(slot & !ALONE) as usize].name as usize];
            sorted[*next as usize] = slot;
            *next += 1;
        };
        let mut others = others.into_iter().peekable();
        for value in 0..self.first.len() {
            slots(value).into_iter().for_each(&mut put);
            while let Some((_, slot)) = others.next_if(|&(of, _)| of as usize == value) {
                put(slot);
            }
        }
        sorted
    }

    /// Writes all lists. The series are read back from the file, once for as many lists as fit in memory;
    /// they end where `out` stands but for padding.
    pub(super) fn write(mut self, out: &mut Output, series: &[u32]) -> Result<Lists, WriteError> {
        self.count()?;
        let order = self.sorted();
        let series_end = out.position;
        let mut buffer = Vec::new();
        let all = out.position;
        write_list(out, series, &mut buffer)?;
        let mut by_pair = Vec::with_capacity(order.len());
        let mut members: Vec<u32> = Vec::new();
        // Where the next member of each pair's list goes, of those in this round.
        let mut next = vec![ABSENT; self.pairs.len()];
        let mut rest = &order[..];
        while !rest.is_empty() {
            let mut total = 0;
            let mut lists = 0;
            for &slot in rest {
                if slot & ALONE == 0 {
                    let count = self.pairs[slot as usize].count as usize;
                    if total > 0 && total + count > MEMBERS_MAX {
                        break;
                    }
                    next[slot as usize] = total as u32;
                    total += count;
                }
                lists += 1;
            }
            members.resize(total, 0);
            let (round, later) = rest.split_at(lists);
            if total > 0 {
                scan(out, series, series_end, |labels| {
                    self.touch(labels);
                    for &(name, value, reference) in labels {
                        if let Some(slot) = self.shared_slot((name, value))
                            && next[slot] != ABSENT
                        {
                            members[next[slot] as usize] = reference;
                            next[slot] += 1;
                        }
                    }
                })?;
            }
            let mut start = 0;
            for some in round.chunks(LABELS_AT_ONCE) {
                let pair = |slot: u32| self.pairs[(slot & !ALONE) as usize];
                black_box(some.iter().fold(0, |sum, &slot| sum ^ pair(slot).count));
                for &slot in some {
                    let Pair { name, value, count, reference } = pair(slot);
                    by_pair.push((name, value, out.position));
                    if slot & ALONE != 0 {
                        write_list(out, &[reference], &mut buffer)?;
                        continue;
                    }
                    let end = start + count as usize;
                    write_list(out, &members[start..end], &mut buffer)?;
                    next[slot as usize] = ABSENT;
                    start = end;
                }
            }
            rest = later;
        }
        Ok(Lists { all, by_pair })
    }
}

/// Writes a list; lists are multiples of four long, so each begins aligned.
fn write_list(out: &mut Output, members: &[u32], buffer: &mut Vec<u8>) -> Result<(), WriteError> {
    let mut section = Section::begin(out, 4 + 4 * members.len() as u64, "a list of series")?;
    buffer.clear();
    buffer.extend_from_slice(&(members.len() as u32).to_be_bytes());
    for part in members.chunks(MEMBERS_AT_ONCE) {
        buffer.extend(part.iter().flat_map(|member| member.to_be_bytes()));
        section.write(buffer)?;
        buffer.clear();
    }
    // Of no members.
    section.write(buffer)?;
    section.end()
}

/// Calls `each` with the labels of all series written, in order, some at a time; the last series ends at `end`
/// or before.
fn scan(out: &mut Output, series: &[u32], end: u64, mut each: impl FnMut(&[Label])) -> Result<(), WriteError> {
    let Some(&first) = series.first() else { return Ok(()) };
    let (path, file) = out.reopen()?;
    let failed = |source| WriteError::Io { path: path.clone(), source };
    let changed = |e: Corrupt| WriteError::Input(format!("the index changed while it was written: {e}"));
    let at = |reference: u32| u64::from(reference) * SERIES_ALIGN;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    reader.seek(SeekFrom::Start(at(first))).map_err(failed)?;
    let ends = series.iter().skip(1).map(|&next| at(next)).chain([end]);
    let (mut copy, mut labels) = (Vec::new(), Vec::with_capacity(2 * LABELS_AT_ONCE));
    for (&reference, end) in series.iter().zip(ends) {
        let len = (end - at(reference)) as usize;
        let whole = reader.buffer().len() >= len;
        if !whole {
            copy.resize(len, 0);
            reader.read_exact(&mut copy).map_err(failed)?;
        }
        let mut cursor = Cursor::at(if whole { &reader.buffer()[..len] } else { &copy }, 0);
        cursor.uvarint().map_err(changed)?;
        for _ in 0..cursor.uvarint().map_err(changed)? {
            labels.push((cursor.uvarint32().map_err(changed)?, cursor.uvarint32().map_err(changed)?, reference));
        }
        if whole {
            reader.consume(len);
        }
        if labels.len() >= LABELS_AT_ONCE {
            each(&labels);
            labels.clear();
        }
    }
    each(&labels);
    Ok(())
}
