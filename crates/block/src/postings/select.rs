use ::bytes::Bytes;
use hashbrown::HashMap;
use model::{Literals, MatchOp, Matcher};

use super::{Postings, Source, Union};
use crate::Corrupt;
use crate::index::{Entry, INDEX_FILE, IndexReader};

/// Reading a series' labels costs about as much as walking over so many members of lists.
const SERIES_COST: usize = 24;
/// So few values are looked up or tried at once, to know what their lists cost; the lengths of so many
/// lists tell those of others.
const RESOLVE_MAX: usize = 64;
/// Reading a series' labels costs about as much as trying a pattern on so many values.
const VALUE_COST: usize = 4;
/// So many lists are on their way from memory at once.
const LISTS_AHEAD: usize = 32;

/// The series that all matchers hold for, ascending, with Prometheus' semantics: a label that is
/// missing has the empty value. No matchers select everything.
///
/// Cheap conditions come first; the others then narrow what is left, by their lists or, where that is
/// cheaper, by the labels of each series that is left.
///
/// # Errors
/// When the parts of the index that are needed are damaged.
pub fn select(index: &IndexReader, matchers: &[Matcher]) -> Result<Vec<u32>, Corrupt> {
    let selected = select_within(index, matchers, &mut |_| true, &mut ListsRead::default())?;
    Ok(selected.map_or_else(Vec::new, Selected::into_vec))
}

/// As [`select`], told by `allow` whether so many more bytes may be held, before they are. `None` where they
/// may not. A long list is not copied where it is selected as it stands in the file. Adds to `read` what it
/// looked at.
///
/// # Errors
/// As [`select`].
pub fn select_within(
    index: &IndexReader,
    matchers: &[Matcher],
    allow: &mut dyn FnMut(usize) -> bool,
    read: &mut ListsRead,
) -> Result<Option<Selected>, Corrupt> {
    match select_from(index, matchers, allow, read) {
        Ok(selected) => Ok(Some(selected)),
        Err(Stop::Refused | Stop::NotHere) => Ok(None),
        Err(Stop::Corrupt(e)) => Err(e),
    }
}

/// [`select_within`], wherever the index lies.
pub(crate) fn select_from<S: Source>(
    index: &S,
    matchers: &[Matcher],
    allow: &mut dyn FnMut(usize) -> bool,
    read: &mut ListsRead,
) -> Result<Selected, Stop> {
    Selection::of(index, matchers, allow, read)
}

/// The lists of series whose members a selection has looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListsRead {
    pub lists: u64,
    /// Of their members.
    pub bytes: u64,
}

impl ListsRead {
    fn add<'a>(&mut self, list: Postings<'a>) -> Postings<'a> {
        self.lists += 1;
        self.bytes += list.bytes().len() as u64;
        list
    }
}

/// Ascending references of series.
#[derive(Clone, Debug)]
pub enum Selected {
    Own(Vec<u32>),
    /// A list of the index, as it stands there.
    Stored(Bytes),
}

impl Selected {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Own(list) => list.len(),
            Self::Stored(bytes) => bytes.len() / 4,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reference `i`, or `None` past the end.
    #[inline]
    #[must_use]
    pub fn get(&self, i: usize) -> Option<u32> {
        match self {
            Self::Own(list) => list.get(i).copied(),
            Self::Stored(bytes) => Postings::new(bytes).get(i),
        }
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Own(list) => list.capacity() * size_of::<u32>(),
            Self::Stored(_) => 0,
        }
    }

    fn into_vec(self) -> Vec<u32> {
        match self {
            Self::Own(list) => list,
            Self::Stored(bytes) => Postings::new(&bytes).to_vec(),
        }
    }
}

/// Shorter lists are copied: cheaper to walk over, and of no weight.
const STORED_MIN: usize = 1 << 16;
/// Members of maps and lists are counted in steps of this.
const COUNTED_STEP: usize = 1 << 16;

/// Why a selection is not made.
pub(crate) enum Stop {
    Corrupt(Corrupt),
    /// It would hold too many bytes.
    Refused,
    /// Lists or series are needed that have to be brought here first; the source knows which.
    NotHere,
}

impl From<Corrupt> for Stop {
    fn from(e: Corrupt) -> Self {
        Self::Corrupt(e)
    }
}

fn check(allow: &mut dyn FnMut(usize) -> bool, bytes: usize) -> Result<(), Stop> {
    if allow(bytes) { Ok(()) } else { Err(Stop::Refused) }
}

/// The lists that are needed, as far as the offset table tells: those of conditions that a selection as large
/// as the smallest before them would not leave to labels.
fn plan<S: Source>(
    index: &S,
    conditions: &mut [Condition<'_>],
    allow: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<u64>, Stop> {
    let mut wanted = Vec::new();
    let mut left: Option<usize> = None;
    for condition in conditions.iter_mut() {
        if left.is_some_and(|left| left.saturating_mul(VALUE_COST) < condition.values) {
            continue;
        }
        let (lists, total) = condition.resolve(index, allow)?;
        if left.is_none_or(|left| left.saturating_mul(SERIES_COST) >= total) {
            wanted.extend_from_slice(&lists);
        }
        if condition.keep {
            left = Some(left.map_or(total, |left| left.min(total)));
        }
        condition.which = Which::Lists(lists, total);
        condition.values = 0;
    }
    if left.is_none() {
        // Series are dropped from all of them.
        wanted.extend(index.all()?);
    }
    Ok(wanted)
}

enum Outcome<'a> {
    Always,
    Never,
    Depends(Condition<'a>),
}

/// A matcher as a set of lists: series in one of them are kept, or dropped.
struct Condition<'a> {
    matcher: &'a Matcher,
    keep: bool,
    which: Which<'a>,
    /// How many values have to be looked up or tried before the lists are known; 0 where they are.
    values: usize,
}

/// Which values' lists.
enum Which<'a> {
    /// Resolved, with the members' number as [`members`] reckons it.
    Lists(Vec<u64>, usize),
    /// Of these values.
    Values(&'a Literals),
    /// Every value.
    Every,
    /// Those that match, or do not; all begin with the prefix.
    Try { prefix: &'a str },
}

impl<'a> Condition<'a> {
    fn of<S: Source>(index: &S, matcher: &'a Matcher) -> Result<Outcome<'a>, Stop> {
        if matcher.name.is_empty() {
            return Ok(if matcher.matches_empty() { Outcome::Always } else { Outcome::Never });
        }
        if matcher.matches_everything() {
            return Ok(Outcome::Always);
        }
        // Series without the label match the empty value: then what does not match is dropped.
        let keep = !matcher.matches_empty();
        let Some(entries) = index.entries(&matcher.name)? else {
            return Ok(if keep { Outcome::Never } else { Outcome::Always });
        };
        // Which values are on the list: those that match where they are kept, else those that do not.
        let which = match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual if matcher.value.is_empty() => Which::Every,
            MatchOp::Equal | MatchOp::NotEqual => {
                let Some(entry) = entries.find(matcher.value.as_bytes())? else {
                    return Ok(if keep { Outcome::Never } else { Outcome::Always });
                };
                let list = index.list(entry)?;
                Which::Lists(vec![list], index.list_len(list)?)
            }
            op if (op == MatchOp::Regex) == keep && matcher.asks_for_presence() => Which::Every,
            // The listed values are those that the expression itself matches.
            op if (op == MatchOp::Regex) == keep => match matcher.set_matches() {
                Some(set) => Which::Values(set),
                None => Which::Try { prefix: matcher.prefix() },
            },
            // The listed values are those that it does not match.
            _ if matcher.set_matches().is_some_and(|set| set.iter().eq([""])) => Which::Every,
            _ => Which::Try { prefix: "" },
        };
        if matches!(which, Which::Every) && index.is_on_all(entries)? {
            return Ok(if keep { Outcome::Always } else { Outcome::Never });
        }
        let values = match &which {
            Which::Lists(..) => 0,
            Which::Values(set) => set.len(),
            Which::Every | Which::Try { .. } => entries.len(),
        };
        let mut condition = Self { matcher, keep, which, values };
        if (1..=RESOLVE_MAX).contains(&values) {
            let (offsets, members) = condition.resolve(index, &mut |_| true)?;
            condition.which = Which::Lists(offsets, members);
            condition.values = 0;
        }
        Ok(Outcome::Depends(condition))
    }

    /// Of the lists, where they are known.
    fn members(&self) -> usize {
        if let Which::Lists(_, members) = self.which { members } else { 0 }
    }

    /// Offsets of the lists and the number of their members, as [`members`] reckons it.
    fn resolve<S: Source>(&self, index: &S, allow: &mut dyn FnMut(usize) -> bool) -> Result<(Vec<u64>, usize), Stop> {
        let mut offsets = Vec::new();
        let mut take = |entry: Entry<'_>| {
            if offsets.len() % COUNTED_STEP == COUNTED_STEP - 1 {
                check(allow, COUNTED_STEP * size_of::<u64>())?;
            }
            offsets.push(index.list(entry)?);
            Ok::<(), Stop>(())
        };
        let Some(entries) = index.entries(&self.matcher.name)? else { return Ok((offsets, 0)) };
        match &self.which {
            Which::Lists(offsets, total) => return Ok((offsets.clone(), *total)),
            Which::Values(set) => {
                let mut refused = None;
                let each = |entry: Entry<'_>| {
                    if refused.is_none() {
                        refused = take(entry).err();
                    }
                };
                entries.rows().find_each(set.iter().map(str::as_bytes), each)?;
                if let Some(stop) = refused {
                    return Err(stop);
                }
            }
            Which::Every => {
                let mut rows = entries.rows();
                while let Some(entry) = rows.next()? {
                    take(entry)?;
                }
            }
            Which::Try { prefix } => {
                let mut rows = entries.rows();
                rows.seek(prefix.as_bytes())?;
                while let Some(entry) = rows.next()?.filter(|e| e.value.starts_with(prefix.as_bytes())) {
                    if self.matcher.matches(entry.value_str()?) == self.keep {
                        take(entry)?;
                    }
                }
            }
        }
        let total = members(index, &offsets, RESOLVE_MAX)?;
        Ok((offsets, total))
    }
}

struct Selection<'a, 'f, S> {
    index: &'a S,
    found: Found<'a>,
    /// Left to the labels of the series that remain.
    by_labels: Vec<&'a Matcher>,
    allow: &'f mut dyn FnMut(usize) -> bool,
    read: &'f mut ListsRead,
}

enum Found<'a> {
    Everything,
    /// One list of the index.
    Stored(Postings<'a>),
    Own(Vec<u32>),
}

impl<'a, 'f, S: Source> Selection<'a, 'f, S> {
    fn of(
        index: &'a S,
        matchers: &'a [Matcher],
        allow: &'f mut dyn FnMut(usize) -> bool,
        read: &'f mut ListsRead,
    ) -> Result<Selected, Stop> {
        let nothing = || Selected::Own(Vec::new());
        let mut conditions = Vec::with_capacity(matchers.len());
        for matcher in matchers {
            match Condition::of(index, matcher)? {
                Outcome::Always => {}
                Outcome::Never => return Ok(nothing()),
                Outcome::Depends(condition) => conditions.push(condition),
            }
        }
        conditions.sort_by_key(|c| (!c.keep, c.values, c.members()));
        if !S::AT_HAND {
            index.need_lists(&plan(index, &mut conditions, allow)?)?;
        }
        let mut selection = Self { index, found: Found::Everything, by_labels: Vec::new(), allow, read };
        for condition in conditions {
            selection.narrow(condition)?;
            if selection.left() == Some(0) {
                return Ok(nothing());
            }
        }
        selection.finish()
    }

    /// How many are left; `None` where nothing has narrowed it yet.
    fn left(&self) -> Option<usize> {
        match &self.found {
            Found::Everything => None,
            Found::Stored(list) => Some(list.len()),
            Found::Own(list) => Some(list.len()),
        }
    }

    fn narrow(&mut self, condition: Condition<'a>) -> Result<(), Stop> {
        let left = self.left();
        if left.is_some_and(|left| left.saturating_mul(VALUE_COST) < condition.values) {
            self.by_labels.push(condition.matcher);
            return Ok(());
        }
        let (offsets, total) = condition.resolve(self.index, self.allow)?;
        if left.is_some_and(|left| left.saturating_mul(SERIES_COST) < total) {
            self.by_labels.push(condition.matcher);
            return Ok(());
        }
        let index = self.index;
        index.need_lists(&offsets)?;
        match (left.is_some(), &offsets[..]) {
            (_, []) if condition.keep => self.found = Found::Own(Vec::new()),
            (_, []) => {}
            (true, [one]) => {
                let list = self.read.add(index.postings(*one)?);
                list.filter(self.own()?, condition.keep);
            }
            (false, [one]) if condition.keep => self.found = Found::Stored(self.read.add(index.postings(*one)?)),
            (narrowed, many) => {
                let all = if S::AT_HAND { index.all_postings()?.len() } else { usize::MAX };
                // Where the lists hold every series there is no need to put them together.
                if total >= all / 10 * 9 && members(index, many, many.len())? == all {
                    match (condition.keep, narrowed) {
                        (false, _) => self.found = Found::Own(Vec::new()),
                        (true, false) => self.found = Found::Stored(self.read.add(index.all_postings()?)),
                        (true, true) => {}
                    }
                    return Ok(());
                }
                let end = index.series_ref_end();
                check(self.allow, Union::bytes(total, end))?;
                let read = &mut *self.read;
                let raw = many.iter().enumerate().map(|(i, &offset)| {
                    many.get(i + LISTS_AHEAD).into_iter().for_each(|&later| index.prefetch_postings(later));
                    index.postings(offset).map(|list| read.add(list))
                });
                let union = Union::of(raw, total, end).map_err(|e| e.within(INDEX_FILE, 0))?;
                if !narrowed && condition.keep {
                    check(self.allow, total.min(all) * size_of::<u32>())?;
                    self.found = Found::Own(union.into_sorted());
                } else {
                    union.filter(self.own()?, condition.keep);
                }
            }
        }
        Ok(())
    }

    /// The list of all series; it is what was found from now on.
    fn everything(&mut self) -> Result<Postings<'a>, Stop> {
        if !S::AT_HAND {
            self.index.need_lists(self.index.all()?.as_slice())?;
        }
        let list = self.read.add(self.index.all_postings()?);
        self.found = Found::Stored(list);
        Ok(list)
    }

    /// What was found, in memory of its own.
    fn own(&mut self) -> Result<&mut Vec<u32>, Stop> {
        let stored = match &self.found {
            Found::Everything => Some(self.everything()?),
            Found::Stored(list) => Some(*list),
            Found::Own(_) => None,
        };
        if let Some(list) = stored {
            check(self.allow, list.len() * size_of::<u32>())?;
            self.found = Found::Own(sorted(list)?);
        }
        match &mut self.found {
            Found::Own(list) => Ok(list),
            Found::Everything | Found::Stored(_) => unreachable!("made its own above"),
        }
    }

    fn finish(mut self) -> Result<Selected, Stop> {
        if self.by_labels.is_empty() {
            let stored = match &self.found {
                Found::Everything => Some(self.everything()?),
                Found::Stored(list) => Some(*list),
                Found::Own(_) => None,
            };
            if let Some(list) = stored.filter(|list| list.len() >= STORED_MIN) {
                list.check_order().map_err(|e| e.within(INDEX_FILE, 0))?;
                return Ok(Selected::Stored(self.index.stored(list)));
            }
            return Ok(Selected::Own(std::mem::take(self.own()?)));
        }
        let mut found = std::mem::take(self.own()?);
        self.index.need_series(&found)?;
        let mut tests = Vec::with_capacity(self.by_labels.len());
        for &matcher in &self.by_labels {
            // A name that is no symbol is on no series.
            let name = self.index.symbol_ref(&matcher.name)?;
            tests.push(LabelTest { matcher, name, empty: matcher.matches_empty(), known: HashMap::new() });
        }
        let mut labels = Vec::new();
        let mut kept = 0;
        for i in 0..found.len() {
            self.index.series_labels(found[i], &mut labels)?;
            let mut holds = true;
            for test in &mut tests {
                holds = holds && test.holds(self.index, &labels)?;
            }
            if i % COUNTED_STEP == COUNTED_STEP - 1 {
                // A number, an answer, and the map's own.
                check(self.allow, tests.len() * COUNTED_STEP * 16)?;
            }
            if holds {
                found[kept] = found[i];
                kept += 1;
            }
        }
        found.truncate(kept);
        found.shrink_to_fit();
        Ok(Selected::Own(found))
    }
}

/// A matcher tried on series, each value once.
struct LabelTest<'a> {
    matcher: &'a Matcher,
    name: Option<u32>,
    empty: bool,
    known: HashMap<u32, bool>,
}

impl LabelTest<'_> {
    fn holds<S: Source>(&mut self, index: &S, labels: &[(u32, u32)]) -> Result<bool, Corrupt> {
        let Some(&(_, value)) = labels.iter().find(|(name, _)| Some(*name) == self.name) else {
            return Ok(self.empty);
        };
        if let Some(&known) = self.known.get(&value) {
            return Ok(known);
        }
        let holds = self.matcher.matches(index.symbol(value)?);
        self.known.insert(value, holds);
        Ok(holds)
    }
}

/// How many members lists have together: counted over at most `looked_at` of them, the others taken to be
/// as long.
fn members<S: Source>(index: &S, offsets: &[u64], looked_at: usize) -> Result<usize, Corrupt> {
    let step = offsets.len().div_ceil(looked_at.max(1)).max(1);
    let mut members = 0;
    for &offset in offsets.iter().step_by(step) {
        members += index.list_len(offset)?;
    }
    Ok(members * offsets.len() / offsets.len().div_ceil(step).max(1))
}

fn sorted(list: Postings<'_>) -> Result<Vec<u32>, Corrupt> {
    list.to_sorted().map_err(|e| e.within(INDEX_FILE, 0))
}
