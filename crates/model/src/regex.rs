//! Regular expressions as Prometheus has them: Go's RE2 syntax, anchored at both ends, `.` matching
//! line ends too. Patterns are translated for the regex crates, whose syntax differs (see
//! `regex/translate.rs`); what Go refuses is refused, in Go's words.

mod class;
mod expand;
mod translate;

use regex_automata::meta;
use regex_automata::util::syntax;
use regex_syntax::hir::{Hir, HirKind, Look};
use thiserror::Error;

/// The memory that one compiled pattern may take; beyond it the pattern is refused.
const COMPILED_BYTES_MAX: usize = 10 << 20;
/// How deep groups may nest.
const NESTING_MAX: u32 = 250;

/// Why a pattern is none; worded as Go words it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("error parsing regexp: {reason}: `{part}`")]
pub struct RegexError {
    pub reason: &'static str,
    /// The part of the pattern that is wrong.
    pub part: String,
}

impl RegexError {
    fn new(reason: &'static str, part: &str) -> Self {
        Self { reason, part: part.to_owned() }
    }
}

/// A compiled, anchored pattern whose groups can be read.
#[derive(Clone, Debug)]
pub struct Regex {
    compiled: meta::Regex,
    /// The names of the groups; the whole match is group 0.
    names: Vec<Option<String>>,
}

impl Regex {
    /// # Errors
    /// When the pattern is not RE2's, or too large.
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        let (hir, names) = parse(pattern, true)?;
        Ok(Self { compiled: compile(&hir, pattern)?, names })
    }

    /// Whether all of `text` matches.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }

    /// `template` with `$1`, `${1}`, `$name` and `${name}` replaced by what the groups matched in
    /// `text`, by the rules of Go's `Regexp.Expand`; `None` where `text` does not match.
    #[must_use]
    pub fn expand(&self, text: &str, template: &str) -> Option<String> {
        let mut captures = self.compiled.create_captures();
        self.compiled.captures(text, &mut captures);
        captures.is_match().then(|| {
            let group = |i: usize| captures.get_group(i).map(|span| &text[span.range()]);
            expand::expand(template, &self.names, group)
        })
    }
}

/// The syntax tree of a pattern, unanchored, and its groups' names; without `groups` they do not capture.
pub(crate) fn parse(pattern: &str, groups: bool) -> Result<(Hir, Vec<Option<String>>), RegexError> {
    let translated = translate::translate(pattern, groups)?;
    let config = syntax::Config::new().dot_matches_new_line(true).nest_limit(NESTING_MAX);
    let hir = syntax::parse_with(&translated.pattern, &config).map_err(|e| {
        let reason = match e {
            regex_syntax::Error::Parse(e) if matches!(e.kind(), regex_syntax::ast::ErrorKind::NestLimitExceeded(_)) => {
                "expression nests too deeply"
            }
            // What the translation lets through and the tables do not know: names of Unicode classes.
            _ => "invalid character class range",
        };
        RegexError::new(reason, pattern)
    })?;
    Ok((hir, translated.names))
}

/// Compiles a syntax tree, anchored at both ends.
pub(crate) fn compile(hir: &Hir, pattern: &str) -> Result<meta::Regex, RegexError> {
    let anchored = Hir::concat(vec![Hir::look(Look::Start), hir.clone(), Hir::look(Look::End)]);
    let config = meta::Config::new().nfa_size_limit(Some(COMPILED_BYTES_MAX)).onepass_size_limit(Some(1 << 20));
    meta::Builder::new()
        .configure(config)
        .build_from_hir(&anchored)
        .map_err(|_| RegexError::new("expression too large", pattern))
}

/// The tree without `^` at its begin and `$` at its end, which change nothing in an anchored pattern.
pub(crate) fn without_anchors(hir: Hir) -> Hir {
    if matches!(hir.kind(), HirKind::Look(Look::Start | Look::End)) {
        return Hir::empty();
    }
    if !matches!(hir.kind(), HirKind::Concat(_)) {
        return hir;
    }
    let HirKind::Concat(mut parts) = hir.into_kind() else { return Hir::empty() };
    let is = |part: Option<&Hir>, look: Look| part.is_some_and(|p| *p.kind() == HirKind::Look(look));
    while is(parts.last(), Look::End) {
        parts.pop();
    }
    let begins = parts.iter().take_while(|p| *p.kind() == HirKind::Look(Look::Start)).count();
    parts.drain(..begins);
    Hir::concat(parts)
}

#[cfg(test)]
mod tests;
