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
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        name: "wording",
        why: "both refuse, in other words: errors are compared by status",
        applies: |case| case.difference.part == Part::Wording,
    },
    Exception {
        name: "samples of a note",
        why: "the note on buckets that are not monotonic counts its samples; Prometheus adds the count to itself \
              whenever notes are merged, at each step and each level of the query, so that it doubles",
        applies: |case| notes_without(case, counts_no_samples),
    },
    Exception {
        name: "last of a step",
        why: "of several pairs of incompatible types in one step Prometheus names the last; between a vector and a \
              scalar ours names each kind",
        applies: |case| {
            let (Answer::Given(expected), Answer::Given(got)) = (case.expected, case.got) else { return false };
            case.difference.part == Part::Infos
                && expected.infos.iter().all(|info| got.infos.contains(info))
                && got.infos.iter().all(|i| expected.infos.contains(i) || i.contains("incompatible sample types"))
        },
    },
    Exception {
        name: "layout of histograms",
        why: "`changes`, `==` and `!=` of native histograms: Prometheus compares how empty buckets are stored, which \
              differs from chunk to chunk; to ours an empty bucket is as good as none, so that compaction does not \
              change answers",
        applies: |case| {
            let text = &case.query.text;
            let compares = ["changes(", "==", "!= "].iter().any(|what| text.contains(what));
            let natives = ["nh", "mixed", "__name__"].iter().any(|what| text.contains(what));
            compares && natives && matches!(case.difference.part, Part::Values | Part::Points | Part::Labels)
        },
    },
];

/// Whether the notes are the same once `simplified`.
fn notes_without(case: &Case<'_>, simplified: fn(&str) -> String) -> bool {
    let (Answer::Given(expected), Answer::Given(got)) = (case.expected, case.got) else { return false };
    let simple = |notes: &[String]| notes.iter().map(|note| simplified(note)).collect::<Vec<_>>();
    case.difference.part == Part::Infos && simple(&expected.infos) == simple(&got.infos)
}

/// The note without `over N samples`.
fn counts_no_samples(note: &str) -> String {
    let Some((before, after)) = note.split_once(", over ") else { return note.to_owned() };
    let rest = after.split_once(" samples ").map_or(after, |(_, rest)| rest);
    format!("{before}, {rest}")
}

/// The exception that explains `case`.
#[must_use]
pub fn explain(case: &Case<'_>) -> Option<&'static Exception> {
    EXCEPTIONS.iter().find(|exception| (exception.applies)(case))
}
