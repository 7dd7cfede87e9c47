//! Aggregations and label lists.

use super::{Frame, Grouping, Parser};
use crate::ast::{Aggregate, AggregateOp};
use crate::error::ParseError;
use crate::lex::{Tok, Token, unquote};
use crate::{Kind, NodeId, Span};

impl Parser<'_> {
    /// What follows an aggregation's name; `None` where its arguments come next.
    pub(super) fn open_aggregate(&mut self, op: AggregateOp, name: Token) -> Result<Option<NodeId>, ParseError> {
        let in_aggregation = Some(("aggregation", ""));
        let modifier = match self.peek()?.tok {
            Tok::By | Tok::Without => Some(self.grouping()?),
            _ => None,
        };
        self.expect(Tok::LeftParen, in_aggregation)?;
        let start = name.span.start;
        self.open(Frame::Aggregate { op, start, modifier, args: Vec::new() }, name.span)?;
        if self.peek()?.tok != Tok::RightParen {
            return Ok(None);
        }
        let end = self.next()?.span.end;
        let Some(Frame::Aggregate { modifier, args, .. }) = self.frames.pop() else { return Ok(None) };
        self.finish_aggregate(op, start, modifier, args, end).map(Some)
    }

    /// Behind the arguments: perhaps a modifier, if none came before them.
    pub(super) fn finish_aggregate(
        &mut self,
        op: AggregateOp,
        start: u32,
        mut modifier: Option<Grouping>,
        args: Vec<NodeId>,
        mut end: u32,
    ) -> Result<NodeId, ParseError> {
        if modifier.is_none() && matches!(self.peek()?.tok, Tok::By | Tok::Without) {
            let grouping = self.grouping()?;
            end = grouping.end;
            modifier = Some(grouping);
        }
        let span = Span::new(start, end);
        let Grouping { labels: grouping, without, .. } = modifier.unwrap_or_default();
        if args.is_empty() {
            return Err(self.error(span, "no arguments for aggregate expression provided".to_owned()));
        }
        if op.is_experimental() && !self.options.experimental_functions {
            let message = format!(
                "{op}() is experimental and must be enabled with --enable-feature=promql-experimental-functions"
            );
            return Err(self.error(span, message));
        }
        let wanted = if op.takes_param() { 2 } else { 1 };
        if args.len() != wanted {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {}",
                args.len()
            );
            return Err(self.error(span, message));
        }
        let expr = args[wanted - 1];
        let param = op.takes_param().then_some(args[0]);
        Ok(self.ast.push(Kind::Aggregate(Aggregate { op, expr, param, grouping, without }), span))
    }

    /// `by (labels)` or `without (labels)`, the word included.
    fn grouping(&mut self) -> Result<Grouping, ParseError> {
        let without = self.next()?.tok == Tok::Without;
        let (labels, end) = self.labels()?;
        Ok(Grouping { labels, without, end })
    }

    /// Labels in parentheses, and where they end.
    pub(super) fn labels(&mut self) -> Result<(Vec<String>, u32), ParseError> {
        self.expect(Tok::LeftParen, Some(("grouping opts", "\"(\"")))?;
        let mut labels = Vec::new();
        loop {
            if self.peek()?.tok == Tok::RightParen {
                return Ok((labels, self.next()?.span.end));
            }
            let token = self.next()?;
            labels.push(self.label(token)?);
            let separator = self.peek()?;
            match separator.tok {
                Tok::Comma => {
                    self.next()?;
                }
                Tok::RightParen => {}
                _ => return Err(self.unexpected_in(separator, Some(("grouping opts", "\",\" or \")\"")))),
            }
        }
    }

    fn label(&self, token: Token) -> Result<String, ParseError> {
        let text = self.text(token);
        if token.tok == Tok::String {
            let bytes = unquote(text);
            return match std::str::from_utf8(&bytes) {
                Ok(name) if !name.is_empty() => Ok(name.to_owned()),
                _ => {
                    let quoted = model::quote::go_quote(&bytes);
                    Err(self.error(token.span, format!("invalid label name for grouping: {quoted}")))
                }
            };
        }
        if token.tok.is_label() {
            return Ok(text.to_owned());
        }
        Err(self.unexpected_in(token, Some(("grouping opts", "label"))))
    }
}
