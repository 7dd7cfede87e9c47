//! Durations and arithmetic on them.

use super::binary::UNARY;
use super::{Parser, Place};
use crate::ast::{Duration, DurationOp, Number};
use crate::error::ParseError;
use crate::lex::{Tok, Token};
use crate::{Kind, NodeId, Span};

const IN_OFFSET: Place = ("offset", "number, duration, step(), or range()");

/// What is open while an operand of a duration expression is read.
enum Open {
    Paren {
        start: u32,
    },
    Unary {
        op: Token,
    },
    Binary {
        op: Token,
        lhs: NodeId,
    },
    /// `max_of(` or `min_of(`, and its first argument.
    Pick {
        name: Token,
        first: Option<NodeId>,
    },
}

impl Parser<'_> {
    /// What stands behind `offset`, and where it ends. Without parentheses only one operand belongs to it:
    /// `foo offset 5m * 2` multiplies the vector.
    pub(super) fn offset_duration(&mut self) -> Result<(NodeId, u32), ParseError> {
        let token = self.peek()?;
        let sign = matches!(token.tok, Tok::Add | Tok::Sub).then_some(token);
        if sign.is_some() {
            self.next()?;
        }
        let first = self.peek()?;
        match (sign, first.tok) {
            (_, Tok::Number | Tok::Duration) => {
                self.next()?;
                let mut number = self.number(first)?;
                if sign.is_some_and(|s| s.tok == Tok::Sub) {
                    number.value = -number.value;
                }
                let start = sign.unwrap_or(first).span;
                self.check_range(number, start)?;
                Ok((self.ast.push(Kind::Number(number), start.to(first.span)), first.span.end))
            }
            (_, Tok::Step | Tok::Range) => {
                self.next()?;
                let (id, end) = self.step_or_range(first, sign.is_none(), IN_OFFSET)?;
                Ok((self.signed(sign, id)?, end))
            }
            (_, Tok::MaxOf | Tok::MinOf) => {
                self.next()?;
                self.expect(Tok::LeftParen, Some(IN_OFFSET))?;
                let lhs = self.duration_expr(IN_OFFSET, None)?;
                self.expect(Tok::Comma, Some(IN_OFFSET))?;
                let rhs = self.duration_expr(IN_OFFSET, None)?;
                let end = self.expect(Tok::RightParen, Some(IN_OFFSET))?.span.end;
                let id = self.pick(first, lhs, rhs, end, sign.is_none())?;
                Ok((self.signed(sign, id)?, end))
            }
            (Some(sign), Tok::LeftParen) => {
                self.next()?;
                let inner = self.duration_expr(IN_OFFSET, None)?;
                let end = self.expect(Tok::RightParen, Some(IN_OFFSET))?.span.end;
                let wrapped = self.wrap(inner, Span::new(first.span.start, end));
                Ok((self.apply_sign(sign, wrapped)?, end))
            }
            (sign, _) => {
                let id = self.duration_expr(IN_OFFSET, sign)?;
                Ok((id, self.ast.span(id).end))
            }
        }
    }

    /// A duration expression; `sign` has been read before it. Stops at the first token that cannot belong
    /// to it.
    pub(super) fn duration_expr(&mut self, place: Place, sign: Option<Token>) -> Result<NodeId, ParseError> {
        let mut open: Vec<Open> = sign.map(|op| Open::Unary { op }).into_iter().collect();
        loop {
            let token = self.next()?;
            if open.len() + self.frames.len() >= self.options.max_depth {
                return Err(self.too_deep(token.span));
            }
            let mut operand = match token.tok {
                Tok::Add | Tok::Sub => {
                    open.push(Open::Unary { op: token });
                    continue;
                }
                Tok::LeftParen => {
                    open.push(Open::Paren { start: token.span.start });
                    continue;
                }
                Tok::MaxOf | Tok::MinOf => {
                    self.expect(Tok::LeftParen, Some(place))?;
                    open.push(Open::Pick { name: token, first: None });
                    continue;
                }
                Tok::Number | Tok::Duration => {
                    let number = self.number(token)?;
                    self.check_range(number, token.span)?;
                    self.ast.push(Kind::Number(number), token.span)
                }
                Tok::Step | Tok::Range => self.step_or_range(token, true, place)?.0,
                _ => return Err(self.unexpected_in(token, Some(place))),
            };
            loop {
                let token = self.peek()?;
                let next = precedence(token.tok);
                operand = self.reduce_durations(&mut open, operand, next)?;
                if next > 0 {
                    self.next()?;
                    open.push(Open::Binary { op: token, lhs: operand });
                    break;
                }
                match (open.pop(), token.tok) {
                    (None, _) => return Ok(operand),
                    (Some(Open::Paren { start }), Tok::RightParen) => {
                        self.next()?;
                        self.require_expressions(self.ast.span(operand))?;
                        operand = self.wrap(operand, Span::new(start, token.span.end));
                    }
                    (Some(Open::Pick { name, first: None }), Tok::Comma) => {
                        self.next()?;
                        open.push(Open::Pick { name, first: Some(operand) });
                        break;
                    }
                    (Some(Open::Pick { name, first: Some(lhs) }), Tok::RightParen) => {
                        self.next()?;
                        operand = self.pick(name, lhs, operand, token.span.end, true)?;
                    }
                    _ => return Err(self.unexpected_in(token, Some(place))),
                }
            }
        }
    }

    /// Completes open signs and operators that bind `operand` tighter than an operator of precedence `next`.
    fn reduce_durations(&mut self, open: &mut Vec<Open>, operand: NodeId, next: u8) -> Result<NodeId, ParseError> {
        let mut operand = operand;
        let binds = |prec: u8| prec > next || (prec == next && next != precedence(Tok::Pow));
        loop {
            match open.last() {
                Some(Open::Unary { .. }) if binds(UNARY) => {}
                Some(Open::Binary { op, .. }) if binds(precedence(op.tok)) => {}
                _ => return Ok(operand),
            }
            operand = match open.pop() {
                Some(Open::Unary { op }) => self.apply_sign(op, operand)?,
                Some(Open::Binary { op, lhs }) => self.finish_duration(op, lhs, operand)?,
                _ => operand,
            };
        }
    }

    fn finish_duration(&mut self, op: Token, lhs: NodeId, rhs: NodeId) -> Result<NodeId, ParseError> {
        self.require_expressions(self.ast.span(lhs))?;
        let is_zero = matches!(self.ast.kind(rhs), Kind::Number(Number { value, .. }) if *value == 0.0);
        let op_kind = match op.tok {
            Tok::Div if is_zero => return Err(self.error(op.span, "division by zero".to_owned())),
            Tok::Mod if is_zero => return Err(self.error(op.span, "modulo by zero".to_owned())),
            Tok::Add => DurationOp::Add,
            Tok::Sub => DurationOp::Sub,
            Tok::Mul => DurationOp::Mul,
            Tok::Div => DurationOp::Div,
            Tok::Mod => DurationOp::Mod,
            _ => DurationOp::Pow,
        };
        let span = self.ast.span(lhs).to(self.ast.span(rhs));
        Ok(self.push_duration(op_kind, Some(lhs), Some(rhs), span))
    }

    /// `step()` or `range()`, whose name has been read, and where it ends.
    fn step_or_range(&mut self, name: Token, check: bool, place: Place) -> Result<(NodeId, u32), ParseError> {
        self.expect(Tok::LeftParen, Some(place))?;
        let end = self.expect(Tok::RightParen, Some(place))?.span.end;
        let span = Span::new(name.span.start, end);
        if check {
            self.require_expressions(span)?;
        }
        let op = if name.tok == Tok::Step { DurationOp::Step } else { DurationOp::Range };
        Ok((self.push_duration(op, None, None, span), end))
    }

    /// `max_of(lhs, rhs)` or `min_of(lhs, rhs)`.
    fn pick(&mut self, name: Token, lhs: NodeId, rhs: NodeId, end: u32, check: bool) -> Result<NodeId, ParseError> {
        if check {
            // Prometheus puts the error at the first argument.
            self.require_expressions(self.ast.span(lhs))?;
        }
        let op = if name.tok == Tok::MaxOf { DurationOp::MaxOf } else { DurationOp::MinOf };
        Ok(self.push_duration(op, Some(lhs), Some(rhs), Span::new(name.span.start, end)))
    }

    /// A sign before `step()`, `range()`, `max_of()` or `min_of()` in an offset; unlike elsewhere, a plus
    /// is kept.
    fn signed(&mut self, sign: Option<Token>, expr: NodeId) -> Result<NodeId, ParseError> {
        let Some(sign) = sign else { return Ok(expr) };
        let span = sign.span.to(self.ast.span(expr));
        self.require_expressions(span)?;
        let op = if sign.tok == Tok::Sub { DurationOp::Sub } else { DurationOp::Add };
        Ok(self.push_duration(op, None, Some(expr), span))
    }

    /// A sign before any duration: numbers take it in, a plus before anything else vanishes.
    fn apply_sign(&mut self, sign: Token, expr: NodeId) -> Result<NodeId, ParseError> {
        let minus = sign.tok == Tok::Sub;
        let span = sign.span.to(self.ast.span(expr));
        if let Kind::Number(number) = self.ast.kind_mut(expr) {
            if minus {
                number.value = -number.value;
            }
            let number = *number;
            self.check_range(number, sign.span)?;
            *self.ast.span_mut(expr) = span;
            return Ok(expr);
        }
        if minus {
            return Ok(self.push_duration(DurationOp::Sub, None, Some(expr), span));
        }
        Ok(expr)
    }

    /// Marks an expression as parenthesised; a number gets a node to carry the mark.
    fn wrap(&mut self, expr: NodeId, span: Span) -> NodeId {
        if let Kind::Duration(duration) = self.ast.kind_mut(expr) {
            duration.wrapped = true;
            *self.ast.span_mut(expr) = span;
            return expr;
        }
        let duration = Duration { op: DurationOp::Add, lhs: None, rhs: Some(expr), wrapped: true };
        self.ast.push(Kind::Duration(duration), span)
    }

    fn push_duration(&mut self, op: DurationOp, lhs: Option<NodeId>, rhs: Option<NodeId>, span: Span) -> NodeId {
        self.ast.push(Kind::Duration(Duration { op, lhs, rhs, wrapped: false }), span)
    }

    fn require_expressions(&self, span: Span) -> Result<(), ParseError> {
        if self.options.duration_expressions {
            return Ok(());
        }
        Err(self.error(span, "experimental duration expression is not enabled".to_owned()))
    }

    /// Durations must fit 64 bits of nanoseconds.
    fn check_range(&self, number: Number, span: Span) -> Result<(), ParseError> {
        if number.value.abs() > 9_223_372_036.854_776 {
            return Err(self.error(span, "duration out of range".to_owned()));
        }
        Ok(())
    }
}

/// How tight an operator binds; 0 for what is none.
fn precedence(tok: Tok) -> u8 {
    match tok {
        Tok::Add | Tok::Sub => 4,
        Tok::Mul | Tok::Div | Tok::Mod => 5,
        Tok::Pow => 6,
        _ => 0,
    }
}
