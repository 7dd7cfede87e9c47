//! What stands behind a selector or a subquery: ranges, `offset`, `@`, `anchored`, `smoothed`.

use super::{Parser, Place};
use crate::ast::{At, MatrixSelector, Number, Subquery, TimeModifiers};
use crate::error::ParseError;
use crate::lex::Tok;
use crate::{Kind, NodeId, Span};

const IN_BRACKETS: Place = ("subquery or range selector", "number, duration, step(), or range()");
const BEHIND_RANGE: Place = ("subquery or range", "\":\" or \"]\"");
const BEFORE_STEP: Place = ("subquery selector", "number, duration, step(), range(), or \"]\"");
const BEHIND_STEP: Place = ("subquery selector", "\"]\"");
const IN_AT: Place = ("@", "timestamp");

impl Parser<'_> {
    /// `[range]` or `[range:step]` behind `operand`.
    pub(super) fn range(&mut self, operand: NodeId) -> Result<NodeId, ParseError> {
        let bracket = self.next()?.span;
        let range = self.positive_duration(IN_BRACKETS)?;
        let token = self.next()?;
        match token.tok {
            Tok::RightBracket => self.matrix(operand, range, bracket.to(token.span)),
            Tok::Colon if self.peek()?.tok == Tok::RightBracket => {
                let end = self.next()?.span.end;
                Ok(self.subquery(operand, range, (0, None), end))
            }
            Tok::Colon => {
                let step = self.positive_duration(BEFORE_STEP)?;
                let end = self.expect(Tok::RightBracket, Some(BEHIND_STEP))?.span.end;
                Ok(self.subquery(operand, range, step, end))
            }
            _ => Err(self.unexpected_in(token, Some(BEHIND_RANGE))),
        }
    }

    fn matrix(
        &mut self,
        operand: NodeId,
        (range_ms, range_expr): (i64, Option<NodeId>),
        brackets: Span,
    ) -> Result<NodeId, ParseError> {
        let wrong = match self.ast.kind(operand) {
            Kind::Vector(selector) => {
                let TimeModifiers { offset_ms, offset_expr, at } = selector.modifiers;
                if offset_ms != 0 || offset_expr.is_some() {
                    Some("no offset modifiers allowed before range")
                } else {
                    at.map(|_| "no @ modifiers allowed before range")
                }
            }
            _ => Some("ranges only allowed for vector selectors"),
        };
        if let Some(message) = wrong {
            return Err(self.error(brackets, message.to_owned()));
        }
        let span = self.ast.span(operand).to(brackets);
        Ok(self.ast.push(Kind::Matrix(MatrixSelector { selector: operand, range_ms, range_expr }), span))
    }

    fn subquery(
        &mut self,
        expr: NodeId,
        (range_ms, range_expr): (i64, Option<NodeId>),
        (step_ms, step_expr): (i64, Option<NodeId>),
        end: u32,
    ) -> NodeId {
        let modifiers = TimeModifiers::default();
        let start = self.ast.span(expr).start;
        let subquery = Subquery { expr, range_ms, range_expr, step_ms, step_expr, modifiers };
        self.ast.push(Kind::Subquery(subquery), Span::new(start, end))
    }

    /// A duration for a range or step: milliseconds, or the node of an expression.
    fn positive_duration(&mut self, place: Place) -> Result<(i64, Option<NodeId>), ParseError> {
        let id = self.duration_expr(place, None)?;
        // The token behind it is read first, as in Prometheus' grammar.
        self.peek()?;
        match *self.ast.kind(id) {
            Kind::Number(Number { value, .. }) if value <= 0.0 => {
                Err(self.error(self.ast.span(id), "duration must be greater than 0".to_owned()))
            }
            Kind::Number(Number { value, .. }) => Ok((milliseconds(value), None)),
            _ => Ok((0, Some(id))),
        }
    }

    /// `offset duration` behind `operand`.
    pub(super) fn offset(&mut self, operand: NodeId) -> Result<NodeId, ParseError> {
        self.next()?;
        let (duration, end) = self.offset_duration()?;
        let message = match self.modifiers_mut(operand) {
            None => {
                "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery"
            }
            Some(m) if m.offset_ms != 0 || m.offset_expr.is_some() => "offset may not be set multiple times",
            Some(_) => "",
        };
        if !message.is_empty() {
            return Err(self.error(self.ast.span(operand), message.to_owned()));
        }
        let (offset_ms, offset_expr) = match *self.ast.kind(duration) {
            Kind::Number(Number { value, .. }) => (milliseconds(value), None),
            _ => (0, Some(duration)),
        };
        let operand = if offset_expr.is_some() { self.renew(operand) } else { operand };
        if let Some(modifiers) = self.modifiers_mut(operand) {
            (modifiers.offset_ms, modifiers.offset_expr) = (offset_ms, offset_expr);
        }
        self.ast.span_mut(operand).end = end;
        Ok(operand)
    }

    /// `@ timestamp` behind `operand`.
    pub(super) fn at(&mut self, operand: NodeId) -> Result<NodeId, ParseError> {
        self.next()?;
        let token = self.next()?;
        let (at, end) = match token.tok {
            Tok::Start | Tok::End => {
                self.expect(Tok::LeftParen, Some(IN_AT))?;
                let end = self.expect(Tok::RightParen, Some(IN_AT))?.span.end;
                (if token.tok == Tok::Start { At::Start } else { At::End }, end)
            }
            Tok::Number | Tok::Duration => (At::Timestamp(self.timestamp(operand, token, 1.0)?), token.span.end),
            Tok::Add | Tok::Sub => {
                let sign = if token.tok == Tok::Sub { -1.0 } else { 1.0 };
                let number = self.next()?;
                if !matches!(number.tok, Tok::Number | Tok::Duration) {
                    return Err(self.unexpected_in(number, Some(IN_AT)));
                }
                (At::Timestamp(self.timestamp(operand, number, sign)?), number.span.end)
            }
            _ => return Err(self.unexpected_in(token, Some(IN_AT))),
        };
        let message = match self.modifiers_mut(operand) {
            None => "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery",
            Some(TimeModifiers { at: Some(_), .. }) => "@ <timestamp> may not be set multiple times",
            Some(modifiers) => {
                modifiers.at = Some(at);
                ""
            }
        };
        if !message.is_empty() {
            return Err(self.error(self.ast.span(operand), message.to_owned()));
        }
        self.ast.span_mut(operand).end = end;
        Ok(operand)
    }

    fn timestamp(&self, operand: NodeId, token: crate::lex::Token, sign: f64) -> Result<i64, ParseError> {
        let seconds = sign * self.number(token)?.value;
        // 2^63; what is beyond, or is no number, is no time.
        if seconds.is_nan() || seconds.abs() >= 9_223_372_036_854_775_808.0 {
            let text = crate::print::format_fixed(seconds);
            let message = format!("timestamp out of bounds for @ modifier: {text}");
            return Err(self.error(self.ast.span(operand), message));
        }
        Ok((seconds * 1000.0).round() as i64)
    }

    /// `anchored` or `smoothed` behind `operand`.
    pub(super) fn extend(&mut self, operand: NodeId, tok: Tok) -> Result<NodeId, ParseError> {
        let word = if tok == Tok::Anchored { "anchored" } else { "smoothed" };
        let span = self.ast.span(operand);
        if !self.options.extended_range_selectors {
            return Err(self.error(span, format!("{word} modifier is experimental and not enabled")));
        }
        let selector = match self.ast.kind(operand) {
            Kind::Vector(_) => operand,
            Kind::Matrix(matrix) => matrix.selector,
            Kind::Subquery(_) => {
                return Err(self.error(span, format!("{word} modifier is not supported for subqueries")));
            }
            _ => return Err(self.error(span, format!("{word} modifier not implemented"))),
        };
        if let Kind::Vector(selector) = self.ast.kind_mut(selector) {
            if tok == Tok::Anchored {
                selector.anchored = true;
            } else {
                selector.smoothed = true;
            }
            if selector.anchored && selector.smoothed {
                let message = "anchored and smoothed modifiers cannot be used together".to_owned();
                return Err(self.error(span, message));
            }
        }
        Ok(operand)
    }

    /// The `@` and `offset` of a selector or subquery; `None` where the node has none.
    fn modifiers_mut(&mut self, operand: NodeId) -> Option<&mut TimeModifiers> {
        let holder = match self.ast.kind(operand) {
            Kind::Matrix(matrix) => matrix.selector,
            _ => operand,
        };
        match self.ast.kind_mut(holder) {
            Kind::Vector(selector) => Some(&mut selector.modifiers),
            Kind::Subquery(subquery) => Some(&mut subquery.modifiers),
            _ => None,
        }
    }

    /// Copies an operand behind the offset expression that it is to refer to, to keep children first.
    fn renew(&mut self, operand: NodeId) -> NodeId {
        let node = self.ast.node(operand).clone();
        let kind = match node.kind {
            Kind::Matrix(matrix) => {
                let selector = self.ast.node(matrix.selector).clone();
                let selector = self.ast.push(selector.kind, selector.span);
                Kind::Matrix(MatrixSelector { selector, ..matrix })
            }
            kind => kind,
        };
        self.ast.push(kind, node.span)
    }
}

/// Seconds to milliseconds by way of whole nanoseconds, as Prometheus does.
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64 / 1_000_000
}
