//! Label matchers with Prometheus' semantics: a missing label matches as the empty string, and
//! regular expressions are anchored RE2 with `(?s)`.

mod literals;
mod shape;

use std::fmt;
use std::sync::Arc;

use regex_automata::meta;
use thiserror::Error;

use crate::LabelsRef;
use crate::quote::go_quote;
use crate::regex::{self, RegexError};
pub use literals::Literals;
use shape::Shape;

/// How a [`Matcher`] compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MatchOp {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

impl MatchOp {
    /// As written in PromQL: `=`, `!=`, `=~`, `!~`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// A matcher whose pattern is not a valid regular expression; worded as Prometheus words it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{reason}")]
pub struct MatcherError {
    pub name: String,
    pub pattern: String,
    pub reason: RegexError,
}

/// One condition on one label. Cheap to clone; a compiled pattern is shared.
#[derive(Clone)]
pub struct Matcher {
    pub name: Arc<str>,
    pub op: MatchOp,
    pub value: Arc<str>,
    pattern: Option<Arc<Pattern>>,
}

#[derive(Debug)]
struct Pattern {
    shape: Shape,
    /// `None` where the shape alone decides.
    regex: Option<meta::Regex>,
}

impl Matcher {
    /// # Errors
    /// When `op` is a regular expression and `value` does not compile.
    pub fn new(op: MatchOp, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Result<Self, MatcherError> {
        let (name, value) = (name.into(), value.into());
        let pattern = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => {
                let compiled = Pattern::new(&value).map_err(|reason| MatcherError {
                    name: name.to_string(),
                    pattern: value.to_string(),
                    reason,
                })?;
                Some(Arc::new(compiled))
            }
        };
        Ok(Self { name, op, value, pattern })
    }

    /// `name="value"`.
    #[must_use]
    pub fn equal(name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), op: MatchOp::Equal, value: value.into(), pattern: None }
    }

    /// Whether a label of this value matches; a missing label has the empty value.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        match self.op {
            MatchOp::Equal => value == &*self.value,
            MatchOp::NotEqual => value != &*self.value,
            MatchOp::Regex => self.is_match(value),
            MatchOp::NotRegex => !self.is_match(value),
        }
    }

    /// Whether series without the label match.
    #[must_use]
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }

    /// Whether the matcher holds on a whole label set.
    #[must_use]
    pub fn matches_labels(&self, labels: LabelsRef<'_>) -> bool {
        self.matches(labels.get(&self.name).unwrap_or(""))
    }

    /// The only values that the regular expression matches, where it is a plain alternation; for
    /// [`MatchOp::NotRegex`] the only ones that it turns down.
    #[must_use]
    pub fn set_matches(&self) -> Option<&Literals> {
        self.pattern.as_ref()?.shape.set.as_ref()
    }

    /// What every value begins with that the regular expression matches; empty where nothing is known.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.pattern.as_ref().map_or("", |p| &p.shape.prefix)
    }

    /// Whether every value matches, the empty one included.
    #[must_use]
    pub fn matches_everything(&self) -> bool {
        self.op == MatchOp::Regex && self.pattern.as_ref().is_some_and(|p| p.shape.is_anything())
    }

    /// Whether the regular expression matches every value but the empty one.
    #[must_use]
    pub fn asks_for_presence(&self) -> bool {
        self.pattern.as_ref().is_some_and(|p| p.shape.is_something())
    }

    fn is_match(&self, value: &str) -> bool {
        self.pattern.as_ref().is_some_and(|p| p.is_match(value))
    }
}

impl Pattern {
    fn new(pattern: &str) -> Result<Self, RegexError> {
        if let Some(set) = Literals::of_pattern(pattern) {
            return Ok(Self { shape: Shape::of_set(set), regex: None });
        }
        let (hir, _names) = regex::parse(pattern, false)?;
        let hir = regex::without_anchors(hir);
        let shape = Shape::of(&hir);
        if shape.decides() {
            return Ok(Self { shape, regex: None });
        }
        let regex = Some(regex::compile(&hir, pattern)?);
        Ok(Self { shape, regex })
    }

    fn is_match(&self, value: &str) -> bool {
        let by_pattern = || self.regex.as_ref().is_some_and(|r| r.is_match(value));
        self.shape.matches(value).unwrap_or_else(by_pattern)
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (self.op, &self.name, &self.value) == (other.op, &other.name, &other.value)
    }
}
impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As Prometheus prints it: names that are not plain identifiers are quoted.
        let plain = |(i, b): (usize, u8)| b == b'_' || b.is_ascii_alphabetic() || (i > 0 && b.is_ascii_digit());
        if !self.name.is_empty() && self.name.bytes().enumerate().all(plain) {
            f.write_str(&self.name)?;
        } else {
            f.write_str(&go_quote(self.name.as_bytes()))?;
        }
        f.write_str(self.op.as_str())?;
        f.write_str(&go_quote(self.value.as_bytes()))
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
