//! Where answers may differ, and why. Everything else is an error of ours.

use crate::answer::Answer;
use crate::compare::{Difference, Part};
use crate::query::Query;

/// A query that was answered differently.
#[derive(Debug)]
pub struct Case<'a> {
    pub query: &'a Query,
    pub expected: &'a Answer,
    pub got: &'a Answer,
    pub difference: &'a Difference,
}

/// A difference that is understood.
#[derive(Debug)]
pub struct Exception {
    pub name: &'static str,
    pub why: &'static str,
    pub applies: fn(&Case<'_>) -> bool,
}

/// All of them; the first that applies is the one.
pub const EXCEPTIONS: &[Exception] = &[Exception {
    name: "wording",
    why: "both refuse, in other words: errors are compared by status",
    applies: |case| case.difference.part == Part::Wording,
}];

/// The exception that explains `case`.
#[must_use]
pub fn explain(case: &Case<'_>) -> Option<&'static Exception> {
    EXCEPTIONS.iter().find(|exception| (exception.applies)(case))
}
