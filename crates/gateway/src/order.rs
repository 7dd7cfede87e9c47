//! Final label sets, and what [`store::order`] asks of them to hold series back: all on symbols of the index.
//! Where labels of the series themselves are removed or replaced, nothing is left of the order, and the
//! selection is sorted anew.

use block::Corrupt;
use hashbrown::HashMap;
use model::Labels;

use crate::index::Index;

/// A series on its way: labels as symbols of the index, and its chunks within the time asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) labels: Vec<(u32, u32)>,
    pub(crate) chunks: Vec<Located>,
}

/// A chunk and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Located {
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
    pub(crate) chunk_ref: u64,
    /// Bytes until the next chunk begins; 0 where that is not known.
    pub(crate) len: u32,
}

/// The labels that are added to and taken from every series of a block.
#[derive(Debug)]
pub(crate) struct Finals {
    /// External labels that stay, sorted by name.
    pub(crate) added: Vec<(String, String)>,
    /// Names that are not taken from the series: of removed and of external labels. As symbols.
    dropped: Vec<u32>,
    places: HashMap<u32, usize>,
    /// The one that was asked for last: mostly it is asked for again.
    last: Option<(u32, usize)>,
}

impl Finals {
    /// `external` labels win over the series' own; `without` are in none of the final sets.
    pub(crate) fn new(index: &Index, external: &Labels, without: &[String]) -> Result<Self, Corrupt> {
        let stays = |name: &str| !without.iter().any(|w| w == name);
        let added = external.iter().filter(|(n, _)| stays(n)).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let mut dropped = Vec::new();
        for name in without.iter().map(String::as_str).chain(external.iter().map(|(n, _)| n)) {
            if index.label_value_count(name)? > 0 {
                dropped.extend(index.symbol_ref(name)?);
            }
        }
        Ok(Self { added, dropped, places: HashMap::new(), last: None })
    }

    /// Whether the series' own order still holds, but for prefixes.
    pub(crate) fn keeps_order(&self) -> bool {
        self.dropped.is_empty()
    }

    pub(crate) fn is_dropped(&self, name: u32) -> bool {
        self.dropped.contains(&name)
    }

    /// How many of the added labels come before the label `name`.
    pub(crate) fn added_before(&mut self, index: &Index, name: u32) -> Result<usize, Corrupt> {
        if let Some((_, place)) = self.last.filter(|(last, _)| *last == name) {
            return Ok(place);
        }
        let place = match self.places.get(&name) {
            Some(&place) => place,
            None => {
                let text = index.symbol(name)?;
                let place = self.added.partition_point(|(n, _)| n.as_str() < text);
                self.places.insert(name, place);
                place
            }
        };
        self.last = Some((name, place));
        Ok(place)
    }

    /// The final set of a series, sorted by name.
    pub(crate) fn labels(&mut self, index: &Index, labels: &[(u32, u32)]) -> Result<Labels, Corrupt> {
        let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(labels.len() + self.added.len());
        for &(name, value) in labels {
            if !self.is_dropped(name) {
                pairs.push((index.symbol(name)?, index.symbol(value)?));
            }
        }
        pairs.extend(self.added.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        pairs.sort_unstable();
        Ok(Labels::from_sorted(pairs))
    }

    /// As [`store::order::waits`].
    pub(crate) fn waits(&mut self, index: &Index, held: &Row, next: &Row) -> Result<bool, Corrupt> {
        match next.labels.strip_prefix(&held.labels[..]) {
            Some([(name, _), ..]) => self.precedes_added(index, Some(*name)),
            _ => Ok(false),
        }
    }

    /// Whether `row` may have to wait for one that comes after it.
    pub(crate) fn may_wait(&mut self, index: &Index, row: &Row) -> Result<bool, Corrupt> {
        self.precedes_added(index, row.labels.last().map(|&(name, _)| name))
    }

    /// Whether a label of this name comes before one that is added.
    fn precedes_added(&mut self, index: &Index, name: Option<u32>) -> Result<bool, Corrupt> {
        Ok(match name {
            Some(name) => self.added_before(index, name)? < self.added.len(),
            None => !self.added.is_empty(),
        })
    }
}

#[cfg(test)]
mod tests;
