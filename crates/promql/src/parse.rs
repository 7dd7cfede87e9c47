//! The parser: operator precedence over an explicit stack, so that neither depth nor length of the input
//! grows the call stack. It accepts what Prometheus' grammar accepts, and finds errors in the same order.

mod aggregate;
mod binary;
mod check;
mod duration;
mod expr;
mod metric;
mod range;
mod selector;

pub use metric::parse_metric;

use model::Matcher;

use crate::ast::{AggregateOp, Ast, BinaryOp, NodeId, UnaryOp, VectorMatching};
use crate::error::{ParseError, ParseErrorKind};
use crate::lex::{LexError, Lexer, Tok, Token};
use crate::{Kind, Span};

/// What the parser accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// `limitk`, `info`, `sort_by_label` and other functions that may still change.
    pub experimental_functions: bool,
    /// Arithmetic in ranges, steps and offsets.
    pub duration_expressions: bool,
    /// `anchored` and `smoothed`.
    pub extended_range_selectors: bool,
    /// `fill`, `fill_left`, `fill_right`.
    pub fill_modifiers: bool,
    /// The longest input in bytes.
    pub max_bytes: usize,
    /// How deep parentheses, calls, signs and operators may nest. A chain `a + a + …` does not nest.
    pub max_depth: usize,
}

impl Default for Options {
    /// Everything on.
    fn default() -> Self {
        Self {
            experimental_functions: true,
            duration_expressions: true,
            extended_range_selectors: true,
            fill_modifiers: true,
            max_bytes: 4 << 20,
            max_depth: 1000,
        }
    }
}

impl Options {
    /// What Prometheus accepts without feature flags.
    #[must_use]
    pub fn stable() -> Self {
        Self {
            experimental_functions: false,
            duration_expressions: false,
            extended_range_selectors: false,
            fill_modifiers: false,
            ..Self::default()
        }
    }
}

/// Parses and type-checks an expression.
///
/// # Errors
/// The first thing wrong, in Prometheus' words; also what is too long or nested too deep.
pub fn parse(input: &str, options: &Options) -> Result<Ast, ParseError> {
    let mut parser = Parser::new(input, options)?;
    parser.expression()?;
    check::check(&mut parser.ast, input).map_err(|e| parser.error(e.span, e.message))?;
    Ok(parser.ast)
}

/// Parses a selector such as the API's `match[]`: `name{matchers}` and nothing else. Unlike in an
/// expression, it may match everything.
///
/// # Errors
/// As [`parse`].
pub fn parse_selector(input: &str) -> Result<Vec<Matcher>, ParseError> {
    let options = Options::default();
    let mut parser = Parser::new(input, &options)?;
    let token = parser.next()?;
    let id = match token.tok {
        Tok::LeftBrace => parser.selector(None, token)?,
        tok if tok.is_metric_name() => parser.selector(Some(token), token)?,
        _ => return Err(parser.unexpected(token)),
    };
    let end = parser.next()?;
    if end.tok != Tok::Eof {
        return Err(parser.unexpected(end));
    }
    match parser.ast.kind_mut(id) {
        Kind::Vector(selector) => Ok(std::mem::take(&mut selector.matchers)),
        _ => Ok(Vec::new()),
    }
}

/// Where an unexpected token stood and what would have been right, as messages name them.
type Place = (&'static str, &'static str);

/// What is open while an operand is read.
#[derive(Debug)]
enum Frame {
    Paren { start: u32 },
    Call { name: Token, args: Vec<NodeId> },
    Aggregate { op: AggregateOp, start: u32, modifier: Option<Grouping>, args: Vec<NodeId> },
    Binary { op: BinaryOp, lhs: NodeId, return_bool: bool, matching: VectorMatching },
    Unary { op: UnaryOp, start: u32 },
}

/// `by (labels)` or `without (labels)`.
#[derive(Debug, Default)]
struct Grouping {
    labels: Vec<String>,
    without: bool,
    /// Where it ends.
    end: u32,
}

#[derive(Debug)]
struct Parser<'a> {
    lexer: Lexer<'a>,
    peeked: Option<Token>,
    options: &'a Options,
    ast: Ast,
    frames: Vec<Frame>,
}

impl<'a> Parser<'a> {
    fn new(input: &'a str, options: &'a Options) -> Result<Self, ParseError> {
        if input.len() > options.max_bytes || u32::try_from(input.len()).is_err() {
            let message =
                format!("expression of {} bytes is longer than the limit of {}", input.len(), options.max_bytes);
            return Err(ParseError::new(input, ParseErrorKind::Limit, Span::default(), message));
        }
        let ast = Ast::with_capacity(input.len() / 8);
        Ok(Self { lexer: Lexer::new(input), peeked: None, options, ast, frames: Vec::new() })
    }

    /// The next token, left in place. Read only where Prometheus' grammar needs it too, so that errors of
    /// the lexer and of the grammar come in the same order.
    fn peek(&mut self) -> Result<Token, ParseError> {
        if let Some(token) = self.peeked {
            return Ok(token);
        }
        let token = self.lexer.next_token().map_err(|e| self.lex_error(e))?;
        self.peeked = Some(token);
        Ok(token)
    }

    fn next(&mut self) -> Result<Token, ParseError> {
        let token = self.peek()?;
        self.peeked = None;
        Ok(token)
    }

    /// Takes a token that must be `tok`.
    fn expect(&mut self, tok: Tok, place: Option<Place>) -> Result<Token, ParseError> {
        let token = self.next()?;
        if token.tok == tok { Ok(token) } else { Err(self.unexpected_in(token, place)) }
    }

    fn text(&self, token: Token) -> &'a str {
        self.lexer.text(token.span)
    }

    /// Pushes a frame, unless nesting is too deep already.
    fn open(&mut self, frame: Frame, at: Span) -> Result<(), ParseError> {
        if self.frames.len() >= self.options.max_depth {
            return Err(self.too_deep(at));
        }
        self.frames.push(frame);
        Ok(())
    }

    fn too_deep(&self, at: Span) -> ParseError {
        let message = format!("expression is nested deeper than the limit of {} levels", self.options.max_depth);
        ParseError::new(self.lexer.input(), ParseErrorKind::Limit, at, message)
    }

    fn error(&self, span: Span, message: String) -> ParseError {
        ParseError::new(self.lexer.input(), ParseErrorKind::Invalid, span, message)
    }

    fn lex_error(&self, e: LexError) -> ParseError {
        let end = u32::try_from(self.lexer.input().len()).unwrap_or(u32::MAX);
        self.error(Span::new(e.start, end), e.message)
    }

    /// A token that fits nowhere in an expression.
    fn unexpected(&self, token: Token) -> ParseError {
        self.unexpected_in(token, None)
    }

    /// A token that does not fit `place`; without one, an aggregation that is still open is named.
    fn unexpected_in(&self, token: Token, place: Option<Place>) -> ParseError {
        let in_aggregation = || self.frames.iter().any(|f| matches!(f, Frame::Aggregate { .. }));
        let mut message = format!("unexpected {}", token.tok.describe(self.text(token)));
        if let Some((place, expected)) = place.or_else(|| in_aggregation().then_some(("aggregation", ""))) {
            message.push_str(" in ");
            message.push_str(place);
            if !expected.is_empty() {
                message.push_str(", expected ");
                message.push_str(expected);
            }
        }
        self.error(token.span, message)
    }
}

#[cfg(test)]
mod tests;
