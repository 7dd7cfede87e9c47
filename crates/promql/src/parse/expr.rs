//! Expressions: operands, what follows them, and the reduction of open operators.

use super::{Frame, Parser};
use crate::ast::{Call, Number, Unary, UnaryOp};
use crate::error::ParseError;
use crate::lex::{Tok, Token, parse_number, unquote};
use crate::{Function, Kind, NodeId, Span};

impl Parser<'_> {
    /// Parses the whole input into the tree.
    pub(super) fn expression(&mut self) -> Result<(), ParseError> {
        if self.peek()?.tok == Tok::Eof {
            return Err(self.error(Span::default(), "no expression found in input".to_owned()));
        }
        loop {
            let Some(mut operand) = self.operand()? else { continue };
            // Until an operator or a comma asks for the next operand.
            loop {
                match self.after_operand(operand)? {
                    After::Operand(id) => operand = id,
                    After::Open => break,
                    After::End(root) => {
                        self.ast.set_root(root);
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Reads one operand; `None` where a frame was opened and its operand comes next.
    fn operand(&mut self) -> Result<Option<NodeId>, ParseError> {
        let token = self.next()?;
        match token.tok {
            Tok::Add => self.open(Frame::Unary { op: UnaryOp::Plus, start: token.span.start }, token.span)?,
            Tok::Sub => self.open(Frame::Unary { op: UnaryOp::Minus, start: token.span.start }, token.span)?,
            Tok::LeftParen => self.open(Frame::Paren { start: token.span.start }, token.span)?,
            Tok::Number | Tok::Duration => {
                let number = self.number(token)?;
                return Ok(Some(self.ast.push(Kind::Number(number), token.span)));
            }
            Tok::String => {
                let value = unquote(self.text(token));
                return Ok(Some(self.ast.push(Kind::String(value), token.span)));
            }
            Tok::LeftBrace => return self.selector(None, token).map(Some),
            Tok::Aggregate(op) if matches!(self.peek()?.tok, Tok::By | Tok::Without | Tok::LeftParen) => {
                return self.open_aggregate(op, token);
            }
            Tok::Identifier | Tok::Start | Tok::End | Tok::Step | Tok::Range | Tok::MaxOf | Tok::MinOf
                if self.peek()?.tok == Tok::LeftParen =>
            {
                self.next()?;
                if self.peek()?.tok == Tok::RightParen {
                    let end = self.next()?.span.end;
                    return self.finish_call(token, Vec::new(), end).map(Some);
                }
                self.open(Frame::Call { name: token, args: Vec::new() }, token.span)?;
            }
            tok if tok.is_metric_name() => return self.selector(Some(token), token).map(Some),
            _ => return Err(self.unexpected(token)),
        }
        Ok(None)
    }

    /// Looks at the token behind a complete operand: a modifier changes it, an operator opens a frame, all
    /// else closes one.
    fn after_operand(&mut self, operand: NodeId) -> Result<After, ParseError> {
        let token = self.peek()?;
        match token.tok {
            Tok::Offset => return self.offset(operand).map(After::Operand),
            Tok::At => return self.at(operand).map(After::Operand),
            Tok::LeftBracket => return self.range(operand).map(After::Operand),
            Tok::Anchored | Tok::Smoothed => {
                self.next()?;
                return self.extend(operand, token.tok).map(After::Operand);
            }
            _ => {}
        }
        if let Some(op) = token.tok.binary_op() {
            let lhs = self.reduce(operand, Some(op))?;
            self.next()?;
            self.open_binary(op, lhs, token)?;
            return Ok(After::Open);
        }
        let inner = self.reduce(operand, None)?;
        self.close(inner, token)
    }

    /// Closes the innermost parenthesis, or takes a comma between arguments.
    fn close(&mut self, inner: NodeId, token: Token) -> Result<After, ParseError> {
        match (self.frames.last_mut(), token.tok) {
            (None, Tok::Eof) => return Ok(After::End(inner)),
            (Some(Frame::Paren { .. } | Frame::Call { .. } | Frame::Aggregate { .. }), Tok::RightParen) => {}
            (Some(Frame::Call { args, .. } | Frame::Aggregate { args, .. }), Tok::Comma) => {
                args.push(inner);
                self.next()?;
                if !starts_expression(self.peek()?.tok) {
                    let message = "trailing commas not allowed in function call args".to_owned();
                    return Err(self.error(token.span, message));
                }
                return Ok(After::Open);
            }
            _ => return Err(self.unexpected(token)),
        }
        self.next()?;
        let end = token.span.end;
        let id = match self.frames.pop() {
            Some(Frame::Paren { start }) => self.ast.push(Kind::Paren(inner), Span::new(start, end)),
            Some(Frame::Call { name, mut args }) => {
                args.push(inner);
                self.finish_call(name, args, end)?
            }
            Some(Frame::Aggregate { op, start, modifier, mut args }) => {
                args.push(inner);
                self.finish_aggregate(op, start, modifier, args, end)?
            }
            _ => return Err(self.unexpected(token)),
        };
        Ok(After::Operand(id))
    }

    fn finish_call(&mut self, name: Token, args: Vec<NodeId>, end: u32) -> Result<NodeId, ParseError> {
        let text = self.text(name);
        let quoted = || model::quote::go_quote(text.as_bytes());
        let Some(func) = Function::by_name(text) else {
            return Err(self.error(name.span, format!("unknown function with name {}", quoted())));
        };
        if func.experimental && !self.options.experimental_functions {
            return Err(self.error(name.span, format!("function {} is not enabled", quoted())));
        }
        Ok(self.ast.push(Kind::Call(Call { func, args }), Span::new(name.span.start, end)))
    }

    /// Applies a sign: numbers take it in, everything else gets a node.
    pub(super) fn finish_unary(&mut self, op: UnaryOp, start: u32, expr: NodeId) -> NodeId {
        if let Kind::Number(number) = self.ast.kind_mut(expr) {
            if op == UnaryOp::Minus {
                number.value = -number.value;
            }
            self.ast.span_mut(expr).start = start;
            return expr;
        }
        let end = self.ast.span(expr).end;
        self.ast.push(Kind::Unary(Unary { op, expr }), Span::new(start, end))
    }

    /// The value of a number or duration token.
    pub(super) fn number(&self, token: Token) -> Result<Number, ParseError> {
        let text = self.text(token);
        if token.tok == Tok::Duration {
            let ms = model::duration::parse(text).map_err(|e| self.error(token.span, e.to_string()))?;
            return Ok(Number { value: seconds(ms), duration: true });
        }
        let value = parse_number(text).map_err(|message| self.error(token.span, message))?;
        Ok(Number { value, duration: false })
    }
}

/// What [`Parser::after_operand`] found.
enum After {
    /// The operand grew or was closed; look again.
    Operand(NodeId),
    /// Another operand comes.
    Open,
    End(NodeId),
}

/// Go's `Duration.Seconds`: whole seconds and the fraction apart, so that the sum rounds once.
#[expect(clippy::cast_precision_loss, reason = "292 years of seconds fit 53 bits")]
fn seconds(ms: i64) -> f64 {
    (ms / 1000) as f64 + ((ms % 1000) * 1_000_000) as f64 / 1e9
}

pub(super) fn starts_expression(tok: Tok) -> bool {
    tok.is_metric_name()
        || matches!(tok, Tok::Add | Tok::Sub | Tok::LeftParen | Tok::LeftBrace)
        || matches!(tok, Tok::Number | Tok::Duration | Tok::String)
}
