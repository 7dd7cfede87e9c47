//! Binary operators: precedence and modifiers.

use super::expr::starts_expression;
use super::{Frame, Parser};
use crate::ast::{Binary, BinaryOp, Cardinality, Fill, UnaryOp, VectorMatching};
use crate::error::ParseError;
use crate::lex::{Tok, Token};
use crate::{Kind, NodeId};

/// How tight a sign binds: as multiplication, so `-a ^ b` is `-(a ^ b)`.
pub(super) const UNARY: u8 = 5;

/// How tight an operator binds.
const fn precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And | BinaryOp::Unless => 2,
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Gt | BinaryOp::Lt | BinaryOp::Ge | BinaryOp::Le => 3,
        BinaryOp::TrimUpper | BinaryOp::TrimLower => 3,
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Atan2 => 5,
        BinaryOp::Pow => 6,
    }
}

impl Parser<'_> {
    /// Completes the open operators that bind `operand` tighter than `next` does; all of them where there
    /// is no next operator.
    pub(super) fn reduce(&mut self, mut operand: NodeId, next: Option<BinaryOp>) -> Result<NodeId, ParseError> {
        let right_associative = next == Some(BinaryOp::Pow);
        let limit = next.map_or(0, precedence);
        let binds = |open: u8| open > limit || (open == limit && !right_associative);
        loop {
            match self.frames.last() {
                Some(Frame::Binary { op, .. }) if binds(precedence(*op)) => {}
                Some(Frame::Unary { .. }) if binds(UNARY) => {}
                _ => return Ok(operand),
            }
            operand = match self.frames.pop() {
                Some(Frame::Unary { op, start }) => self.finish_unary(op, start, operand),
                Some(Frame::Binary { op, lhs, return_bool, matching }) => {
                    let span = self.ast.span(lhs).to(self.ast.span(operand));
                    if matching.fill != Fill::default() && !self.options.fill_modifiers {
                        let message = "binop fill modifiers are experimental and not enabled".to_owned();
                        return Err(self.error(span, message));
                    }
                    let matching = Some(matching);
                    self.ast.push(Kind::Binary(Binary { op, lhs, rhs: operand, matching, return_bool }), span)
                }
                _ => operand,
            };
        }
    }

    /// The modifiers of an operator that has been read; its right side comes next.
    pub(super) fn open_binary(&mut self, op: BinaryOp, lhs: NodeId, token: Token) -> Result<(), ParseError> {
        let return_bool = self.peek()?.tok == Tok::Bool;
        if return_bool {
            self.next()?;
        }
        let mut matching = VectorMatching::default();
        let tok = self.peek()?.tok;
        if matches!(tok, Tok::On | Tok::Ignoring) {
            self.next()?;
            matching.on = tok == Tok::On;
            matching.labels = self.labels()?.0;
            let group = self.peek()?.tok;
            if matches!(group, Tok::GroupLeft | Tok::GroupRight) {
                self.next()?;
                matching.card = if group == Tok::GroupLeft { Cardinality::ManyToOne } else { Cardinality::OneToMany };
                // Labels may be left out where an operand or `fill` comes next. A parenthesis is theirs.
                let next = self.peek()?.tok;
                let is_fill = matches!(next, Tok::Fill | Tok::FillLeft | Tok::FillRight);
                if next == Tok::LeftParen || !(is_fill || starts_expression(next)) {
                    matching.include = self.labels()?.0;
                }
            }
        }
        matching.fill = self.fill()?;
        self.open(Frame::Binary { op, lhs, return_bool, matching }, token.span)
    }

    /// `fill(v)`, or `fill_left(v)` and `fill_right(v)` in either order, or nothing.
    fn fill(&mut self) -> Result<Fill, ParseError> {
        let mut fill = Fill::default();
        match self.peek()?.tok {
            Tok::Fill => {
                fill.lhs = Some(self.fill_value()?);
                fill.rhs = fill.lhs;
            }
            Tok::FillLeft => {
                fill.lhs = Some(self.fill_value()?);
                if self.peek()?.tok == Tok::FillRight {
                    fill.rhs = Some(self.fill_value()?);
                }
            }
            Tok::FillRight => {
                fill.rhs = Some(self.fill_value()?);
                if self.peek()?.tok == Tok::FillLeft {
                    fill.lhs = Some(self.fill_value()?);
                }
            }
            _ => {}
        }
        Ok(fill)
    }

    /// `fill(-1.5)`, the word included.
    fn fill_value(&mut self) -> Result<f64, ParseError> {
        self.next()?;
        self.expect(Tok::LeftParen, None)?;
        let mut token = self.next()?;
        let mut sign = UnaryOp::Plus;
        if matches!(token.tok, Tok::Add | Tok::Sub) {
            if token.tok == Tok::Sub {
                sign = UnaryOp::Minus;
            }
            token = self.next()?;
        }
        if !matches!(token.tok, Tok::Number | Tok::Duration) {
            return Err(self.unexpected(token));
        }
        let value = self.number(token)?.value;
        self.expect(Tok::RightParen, None)?;
        Ok(if sign == UnaryOp::Minus { -value } else { value })
    }
}
