//! Vector selectors.

use model::{METRIC_NAME, MatchOp, Matcher};

use super::Parser;
use crate::ast::{TimeModifiers, VectorSelector};
use crate::error::ParseError;
use crate::lex::{Tok, Token, unquote};
use crate::{Kind, NodeId};

impl Parser<'_> {
    /// A selector whose name or, without one, left brace (`first`) has been read.
    pub(super) fn selector(&mut self, name: Option<Token>, first: Token) -> Result<NodeId, ParseError> {
        let mut span = first.span;
        let mut matchers = Vec::new();
        let has_braces = name.is_none() || self.peek()?.tok == Tok::LeftBrace;
        if has_braces {
            if name.is_some() {
                self.next()?;
            }
            span.end = self.matchers(&mut matchers)?;
        }
        let name = name.map_or("", |token| self.text(token)).to_owned();
        if !name.is_empty() {
            matchers.push(Matcher::equal(METRIC_NAME, &*name));
        }
        let modifiers = TimeModifiers::default();
        let selector = VectorSelector { name, matchers, modifiers, anchored: false, smoothed: false };
        Ok(self.ast.push(Kind::Vector(selector), span))
    }

    /// Matchers up to and with the right brace, whose end is returned.
    fn matchers(&mut self, matchers: &mut Vec<Matcher>) -> Result<u32, ParseError> {
        loop {
            let token = self.next()?;
            match token.tok {
                // `{}` and `{a="b",}`, but not `{,}`.
                Tok::RightBrace => return Ok(token.span.end),
                Tok::Identifier | Tok::String => matchers.push(self.matcher(token)?),
                _ => return Err(self.unexpected_in(token, Some(("label matching", "identifier or \"}\"")))),
            }
            let separator = self.next()?;
            match separator.tok {
                Tok::Comma => {}
                Tok::RightBrace => return Ok(separator.span.end),
                _ => return Err(self.unexpected_in(separator, Some(("label matching", "\",\" or \"}\"")))),
            }
        }
    }

    /// `name op "value"`, or a quoted metric name alone.
    fn matcher(&mut self, first: Token) -> Result<Matcher, ParseError> {
        let name = match first.tok {
            Tok::String => self.utf8(first)?,
            _ => self.text(first).to_owned(),
        };
        let op = match self.peek()?.tok {
            Tok::Eql => MatchOp::Equal,
            Tok::Neq => MatchOp::NotEqual,
            Tok::EqlRegex => MatchOp::Regex,
            Tok::NeqRegex => MatchOp::NotRegex,
            _ if first.tok == Tok::String => return Ok(Matcher::equal(METRIC_NAME, name)),
            _ => {
                let token = self.next()?;
                return Err(self.unexpected_in(token, Some(("label matching", "label matching operator"))));
            }
        };
        self.next()?;
        let value = self.expect(Tok::String, Some(("label matching", "string")))?;
        let text = self.utf8(value)?;
        Matcher::new(op, name, text).map_err(|e| self.error(first.span.to(value.span), e.to_string()))
    }

    /// A string that must be UTF-8, as every label is.
    pub(super) fn utf8(&self, token: Token) -> Result<String, ParseError> {
        let bytes = unquote(self.text(token));
        String::from_utf8(bytes.into()).map_err(|e| {
            let quoted = model::quote::go_quote(e.as_bytes());
            self.error(token.span, format!("label matcher is not valid UTF-8: {quoted}"))
        })
    }
}
