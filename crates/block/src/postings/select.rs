use hashbrown::HashMap;
use model::{Literals, MatchOp, Matcher};

use super::{Postings, Union};
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
    let mut conditions = Vec::with_capacity(matchers.len());
    for matcher in matchers {
        match Condition::of(index, matcher)? {
            Outcome::Always => {}
            Outcome::Never => return Ok(Vec::new()),
            Outcome::Depends(condition) => conditions.push(condition),
        }
    }
    conditions.sort_by_key(|c| (!c.keep, c.values, c.members()));
    let mut selection = Selection { index, found: None, by_labels: Vec::new() };
    for condition in conditions {
        selection.narrow(condition)?;
        if selection.found.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }
    }
    selection.finish()
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
    fn of(index: &IndexReader, matcher: &'a Matcher) -> Result<Outcome<'a>, Corrupt> {
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
                Which::Lists(vec![entry.offset], index.postings_len_at(entry.offset)?)
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
            let (offsets, members) = condition.resolve(index)?;
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
    fn resolve(&self, index: &IndexReader) -> Result<(Vec<u64>, usize), Corrupt> {
        let mut offsets = Vec::new();
        let mut take = |entry: Entry<'_>| offsets.push(entry.offset);
        let Some(entries) = index.entries(&self.matcher.name)? else { return Ok((offsets, 0)) };
        match &self.which {
            Which::Lists(offsets, total) => return Ok((offsets.clone(), *total)),
            Which::Values(set) => {
                entries.rows().find_each(set.iter().map(str::as_bytes), take)?;
            }
            Which::Every => {
                let mut rows = entries.rows();
                while let Some(entry) = rows.next()? {
                    take(entry);
                }
            }
            Which::Try { prefix } => {
                let mut rows = entries.rows();
                rows.seek(prefix.as_bytes())?;
                while let Some(entry) = rows.next()?.filter(|e| e.value.starts_with(prefix.as_bytes())) {
                    if self.matcher.matches(entry.value_str()?) == self.keep {
                        take(entry);
                    }
                }
            }
        }
        let total = members(index, &offsets, RESOLVE_MAX)?;
        Ok((offsets, total))
    }
}

struct Selection<'a> {
    index: &'a IndexReader,
    /// `None`: everything still.
    found: Option<Vec<u32>>,
    /// Left to the labels of the series that remain.
    by_labels: Vec<&'a Matcher>,
}

impl<'a> Selection<'a> {
    fn narrow(&mut self, condition: Condition<'a>) -> Result<(), Corrupt> {
        let left = self.found.as_ref().map(Vec::len);
        if left.is_some_and(|left| left.saturating_mul(VALUE_COST) < condition.values) {
            self.by_labels.push(condition.matcher);
            return Ok(());
        }
        let (offsets, total) = condition.resolve(self.index)?;
        if left.is_some_and(|left| left.saturating_mul(SERIES_COST) < total) {
            self.by_labels.push(condition.matcher);
            return Ok(());
        }
        let index = self.index;
        let list = |offset: &u64| index.postings_at(*offset);
        match (&mut self.found, &offsets[..]) {
            (Some(found), []) if condition.keep => found.clear(),
            (None, []) if condition.keep => self.found = Some(Vec::new()),
            (_, []) => {}
            (Some(found), [one]) => list(one)?.filter(found, condition.keep),
            (None, [one]) if condition.keep => self.found = Some(sorted(list(one)?)?),
            (found, many) => {
                let all = self.index.all_postings()?;
                // Where the lists hold every series there is no need to put them together.
                if total >= all.len() / 10 * 9 && members(index, many, many.len())? == all.len() {
                    if !condition.keep {
                        *found = Some(Vec::new());
                    } else if found.is_none() {
                        *found = Some(sorted(all)?);
                    }
                    return Ok(());
                }
                let raw = many.iter().enumerate().map(|(i, &offset)| {
                    many.get(i + LISTS_AHEAD).into_iter().for_each(|&later| index.prefetch_postings(later));
                    index.postings_at(offset)
                });
                let union = Union::of(raw, total, index.series_ref_end()).map_err(|e| e.within(INDEX_FILE, 0))?;
                match found {
                    Some(found) => union.filter(found, condition.keep),
                    None if condition.keep => *found = Some(union.into_sorted()),
                    None => union.filter(found.insert(sorted(all)?), false),
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<u32>, Corrupt> {
        let mut found = match self.found {
            Some(found) => found,
            None => sorted(self.index.all_postings()?)?,
        };
        if self.by_labels.is_empty() {
            return Ok(found);
        }
        let mut tests = Vec::with_capacity(self.by_labels.len());
        for matcher in self.by_labels {
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
            if holds {
                found[kept] = found[i];
                kept += 1;
            }
        }
        found.truncate(kept);
        Ok(found)
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
    fn holds(&mut self, index: &IndexReader, labels: &[(u32, u32)]) -> Result<bool, Corrupt> {
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
fn members(index: &IndexReader, offsets: &[u64], looked_at: usize) -> Result<usize, Corrupt> {
    let step = offsets.len().div_ceil(looked_at.max(1)).max(1);
    let mut members = 0;
    for &offset in offsets.iter().step_by(step) {
        members += index.postings_len_at(offset)?;
    }
    Ok(members * offsets.len() / offsets.len().div_ceil(step).max(1))
}

fn sorted(list: Postings<'_>) -> Result<Vec<u32>, Corrupt> {
    list.to_sorted().map_err(|e| e.within(INDEX_FILE, 0))
}
