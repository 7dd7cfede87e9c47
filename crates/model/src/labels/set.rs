use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::compare;
use crate::quote::go_quote;

/// An immutable, sorted label set in one shared allocation. Cloning is a reference count.
///
/// Bytes: for each pair the name's length (`u32` little-endian), the name, the value's length, the
/// value. Equality and hashing work on these bytes; ordering on the decoded pairs.
#[derive(Clone)]
pub struct Labels(Arc<[u8]>);

impl Labels {
    #[must_use]
    pub fn empty() -> Self {
        Self(Arc::from([]))
    }

    /// Builds a set from pairs in any order. The last pair of a name wins; empty values are left out.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut builder = LabelsBuilder::new();
        for (name, value) in pairs {
            builder.set(name.as_ref(), value.as_ref());
        }
        builder.build()
    }

    /// Builds a set from pairs already sorted by name, unique and without empty values.
    pub fn from_sorted<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut bytes = Vec::with_capacity(128);
        for (name, value) in pairs {
            push_text(&mut bytes, name);
            push_text(&mut bytes, value);
        }
        Self(bytes.into())
    }

    #[must_use]
    pub fn iter(&self) -> Pairs<'_> {
        Pairs { bytes: &self.0 }
    }

    /// The value of `name`, or `None` where the label is missing.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self::empty()
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Labels {}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.iter(), other.iter())
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl fmt::Display for Labels {
    /// `{a="1", b="2"}`, as in Prometheus' text forms.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (name, value)) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            if is_plain(name) {
                f.write_str(name)?;
            } else {
                f.write_str(&go_quote(name.as_bytes()))?;
            }
            write!(f, "={}", go_quote(value.as_bytes()))?;
        }
        f.write_str("}")
    }
}

/// Whether a label's name can stand without quotes.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a str, &'a str);
    type IntoIter = Pairs<'a>;
    fn into_iter(self) -> Pairs<'a> {
        self.iter()
    }
}

/// The sorted `(name, value)` pairs of a [`Labels`].
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    bytes: &'a [u8],
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        Some((take_text(&mut self.bytes), take_text(&mut self.bytes)))
    }
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    let len = u32::try_from(text.len()).expect("a label is shorter than 4 GiB");
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> &'a str {
    let (len, rest) = bytes.split_first_chunk::<4>().expect("written by push_text");
    let (text, rest) = rest.split_at(u32::from_le_bytes(*len) as usize);
    *bytes = rest;
    std::str::from_utf8(text).expect("written by push_text")
}

/// Collects labels in any order into a [`Labels`].
#[derive(Clone, Debug, Default)]
pub struct LabelsBuilder {
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `name`, replacing what it had. An empty value removes the label.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        match self.pairs.iter_mut().find(|(n, _)| n == name) {
            Some(pair) => value.clone_into(&mut pair.1),
            None => self.pairs.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.pairs.retain(|(n, _)| n != name);
        self
    }

    /// Removes every label whose name `keep` turns down.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) -> &mut Self {
        self.pairs.retain(|(n, _)| keep(n));
        self
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    #[must_use]
    pub fn build(mut self) -> Labels {
        self.pairs.retain(|(_, v)| !v.is_empty());
        self.pairs.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Labels::from_sorted(self.pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())))
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for LabelsBuilder {
    /// Starts from an existing set.
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        Self { pairs: pairs.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect() }
    }
}
