//! Why a text is not PromQL.

use std::fmt;

use thiserror::Error;

use crate::Span;

/// Line and column of a byte of the input, both from 1; columns count bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    /// The position of byte `offset`; `None` for an empty input or beyond its end.
    #[must_use]
    pub fn of(input: &str, offset: u32) -> Option<Self> {
        let before = input.as_bytes().get(..offset as usize)?;
        if input.is_empty() {
            return None;
        }
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        Some(Self { line, column: before.len() - line_start + 1 })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseErrorKind {
    /// Not an expression, or one whose types do not fit.
    Invalid,
    /// Longer or deeper nested than [`crate::Options`] allows.
    Limit,
}

/// The first thing wrong with a text; prints as Prometheus' parser words it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub struct ParseError {
    pub kind: ParseErrorKind,
    /// `None` where the input is empty.
    pub position: Option<Position>,
    pub span: Span,
    pub message: String,
}

impl ParseError {
    pub(crate) fn new(input: &str, kind: ParseErrorKind, span: Span, message: String) -> Self {
        Self { kind, position: Position::of(input, span.start), span, message }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{position}: parse error: {}", self.message),
            None => write!(f, "unknown position: parse error: {}", self.message),
        }
    }
}
