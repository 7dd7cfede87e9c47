//! Groups of an aggregation, and join signatures: keys made of some of a series' labels.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use model::{Labels, METRIC_NAME};

use crate::plan::Grouping;
use crate::vector::METADATA_LABELS;

/// Cuts keys out of label sets: the chosen labels, as bytes.
#[derive(Clone, Debug)]
pub(super) struct KeyMaker {
    grouping: Grouping,
    /// Names and metadata are gone already, though the labels at hand still have them.
    stripped: bool,
}

impl KeyMaker {
    pub(super) fn new(grouping: Grouping, stripped: bool) -> Self {
        Self { grouping, stripped }
    }

    /// Appends the key of a label set, sorted by name, to `key`.
    pub(super) fn push<'a>(&self, labels: impl Iterator<Item = (&'a str, &'a str)>, key: &mut Vec<u8>) {
        let Grouping { without, labels: chosen } = &self.grouping;
        if !without && chosen.is_empty() {
            return;
        }
        let mut next = 0;
        for (name, value) in labels {
            while next < chosen.len() && chosen[next].as_str() < name {
                next += 1;
            }
            if !without && next == chosen.len() {
                return;
            }
            let is_chosen = next < chosen.len() && chosen[next] == name;
            let gone = (*without && name == METRIC_NAME) || (self.stripped && METADATA_LABELS.contains(&name));
            if is_chosen != *without && !gone {
                push_text(key, name);
                push_text(key, value);
            }
        }
    }
}

fn push_text(key: &mut Vec<u8>, text: &str) {
    key.extend_from_slice(&(text.len() as u32).to_le_bytes());
    key.extend_from_slice(text.as_bytes());
}

/// The label set that a key stands for.
fn labels_of(mut key: &[u8]) -> Labels {
    let mut texts = Vec::new();
    while let Some((length, rest)) = key.split_first_chunk::<4>() {
        let (text, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        texts.push(std::str::from_utf8(text).unwrap_or_default());
        key = rest;
    }
    Labels::from_sorted(texts.chunks_exact(2).map(|pair| (pair[0], pair[1])))
}

/// Numbers keys in the order in which they come.
#[derive(Debug, Default)]
pub(super) struct KeyTable {
    bytes: Vec<u8>,
    /// Key `i` ends here in `bytes`.
    ends: Vec<usize>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl KeyTable {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The number of `key`, the next one if it is new.
    pub(super) fn number(&mut self, key: &[u8]) -> usize {
        let hash = self.hasher.hash_one(key);
        let Self { bytes, ends, index, hasher } = self;
        if let Some(&known) = index.find(hash, |&i| slice(bytes, ends, i as usize) == key) {
            return known as usize;
        }
        let number = ends.len();
        bytes.extend_from_slice(key);
        ends.push(bytes.len());
        index.insert_unique(hash, number as u32, |&i| hasher.hash_one(slice(bytes, ends, i as usize)));
        number
    }

    pub(super) fn labels(&self, number: usize) -> Labels {
        labels_of(slice(&self.bytes, &self.ends, number))
    }
}

fn slice<'a>(bytes: &'a [u8], ends: &[usize], i: usize) -> &'a [u8] {
    let start = if i == 0 { 0 } else { ends[i - 1] };
    &bytes[start..ends[i]]
}
