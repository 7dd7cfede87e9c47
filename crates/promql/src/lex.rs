//! The lexer. It follows the states of Prometheus' lexer, since what is a token, and where an error
//! stands, depends on them: inside braces there are no keywords, inside brackets only durations.

mod number;
mod string;
mod token;

pub(crate) use number::parse_number;
pub(crate) use string::unquote;
pub(crate) use token::{Tok, Token};

use crate::Span;

/// A text that is no token, and where it starts.
#[derive(Debug)]
pub(crate) struct LexError {
    pub(crate) start: u32,
    pub(crate) message: String,
}

/// Produces tokens one at a time; comments are skipped.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    input: &'a str,
    pos: usize,
    /// Where the current token starts.
    start: usize,
    /// Width of the character last read, for one step back.
    width: usize,
    paren_depth: usize,
    brace_open: bool,
    bracket_open: bool,
    got_colon: bool,
    got_duration: bool,
    /// Just inside `[`, before the first number.
    in_duration: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(input: &'a str) -> Self {
        Self {
            input,
            pos: 0,
            start: 0,
            width: 0,
            paren_depth: 0,
            brace_open: false,
            bracket_open: false,
            got_colon: false,
            got_duration: false,
            in_duration: false,
        }
    }

    pub(crate) fn input(&self) -> &'a str {
        self.input
    }

    pub(crate) fn text(&self, span: Span) -> &'a str {
        &self.input[span.start as usize..span.end as usize]
    }

    /// The next token; [`Tok::Eof`] at the end, as often as asked.
    pub(crate) fn next_token(&mut self) -> Result<Token, LexError> {
        loop {
            let found = if self.in_duration {
                self.duration()?
            } else if self.brace_open {
                self.inside_braces()?
            } else {
                self.statement()?
            };
            if let Some(token) = found {
                return Ok(token);
            }
        }
    }

    fn statement(&mut self) -> Result<Option<Token>, LexError> {
        let Some(c) = self.next() else {
            if self.paren_depth != 0 {
                return self.fail("unclosed left parenthesis".to_owned());
            }
            if self.bracket_open {
                return self.fail("unclosed left bracket".to_owned());
            }
            return self.emit(Tok::Eof);
        };
        match c {
            '#' => self.line_comment(),
            ' ' | '\t' | '\n' | '\r' => self.space(),
            ',' => self.emit(Tok::Comma),
            '*' => self.emit(Tok::Mul),
            '/' => self.emit(Tok::Div),
            '%' => self.emit(Tok::Mod),
            '+' => self.emit(Tok::Add),
            '-' => self.emit(Tok::Sub),
            '^' => self.emit(Tok::Pow),
            '@' => self.emit(Tok::At),
            '=' => match self.peek() {
                Some('=') => self.emit_wider(Tok::EqlC),
                Some('~') => self.fail("unexpected character after '=': '~'".to_owned()),
                _ => self.emit(Tok::Eql),
            },
            '!' => match self.next() {
                Some('=') => self.emit(Tok::Neq),
                other => self.fail(format!("unexpected character after '!': {}", quote_char(other))),
            },
            '<' => match self.peek() {
                Some('=') => self.emit_wider(Tok::Lte),
                Some('/') => self.emit_wider(Tok::TrimUpper),
                _ => self.emit(Tok::Lss),
            },
            '>' => match self.peek() {
                Some('=') => self.emit_wider(Tok::Gte),
                Some('/') => self.emit_wider(Tok::TrimLower),
                _ => self.emit(Tok::Gtr),
            },
            '"' | '\'' => self.string(c),
            '`' => self.raw_string(),
            '(' => self.left_paren(),
            ')' => self.right_paren(),
            '{' => {
                self.brace_open = true;
                self.emit(Tok::LeftBrace)
            }
            '[' => self.left_bracket(),
            ']' if self.bracket_open => {
                self.bracket_open = false;
                self.emit(Tok::RightBracket)
            }
            ']' => self.fail("unexpected right bracket ']'".to_owned()),
            c if c.is_ascii_digit() || (c == '.' && self.peek_is(|n| n.is_ascii_digit())) => self.number_or_duration(),
            c if is_alpha(c) || c == ':' => self.word(c),
            c => self.fail(format!("unexpected character: {}", quote_char(Some(c)))),
        }
    }

    /// A keyword or identifier; inside brackets only `:` and the words of duration expressions.
    fn word(&mut self, first: char) -> Result<Option<Token>, LexError> {
        if !self.bracket_open {
            self.skip_while(|c| is_alphanumeric(c) || c == ':');
            let word = &self.input[self.start..self.pos];
            let tok = match Tok::keyword(word) {
                // Metrics called `fill` are older than the modifier, which always has a parenthesis.
                Some(Tok::Fill | Tok::FillLeft | Tok::FillRight) if !self.left_paren_follows() => Tok::Identifier,
                Some(keyword) => keyword,
                None if word.contains(':') => Tok::MetricIdentifier,
                None => Tok::Identifier,
            };
            return self.emit(tok);
        }
        if first == ':' {
            if self.got_colon {
                return self.fail("unexpected colon ':'".to_owned());
            }
            self.got_colon = true;
            return self.emit(Tok::Colon);
        }
        match self.duration_keyword(first) {
            Some(tok) => self.emit(tok),
            None => self.fail(format!("unexpected character: {}, expected ':'", quote_char(Some(first)))),
        }
    }

    /// Inside `[`, before the first number.
    fn duration(&mut self) -> Result<Option<Token>, LexError> {
        let Some(c) = self.next() else {
            return self.fail("unexpected end of input in duration expression".to_owned());
        };
        match c {
            ']' => {
                (self.bracket_open, self.got_colon, self.in_duration) = (false, false, false);
                self.emit(Tok::RightBracket)
            }
            ':' => {
                if !self.got_duration || self.got_colon {
                    self.start = self.pos;
                    let which = if self.got_duration { "repeated colon" } else { "colon before duration" };
                    return self.fail(format!("unexpected {which} in duration expression"));
                }
                self.got_colon = true;
                self.emit(Tok::Colon)
            }
            '(' => self.left_paren(),
            ')' => self.right_paren(),
            ' ' | '\t' | '\n' | '\r' => self.space(),
            '+' => self.emit(Tok::Add),
            '-' => self.emit(Tok::Sub),
            '*' => self.emit(Tok::Mul),
            '/' => self.emit(Tok::Div),
            '%' => self.emit(Tok::Mod),
            '^' => self.emit(Tok::Pow),
            ',' => self.emit(Tok::Comma),
            c if c.is_ascii_digit() || (c == '.' && self.peek_is(|n| n.is_ascii_digit())) => {
                (self.got_duration, self.in_duration) = (true, false);
                self.number_or_duration()
            }
            c => match self.duration_keyword(c) {
                Some(tok) => self.emit(tok),
                None => self.fail(format!("unexpected character in duration expression: {}", quote_char(Some(c)))),
            },
        }
    }

    fn inside_braces(&mut self) -> Result<Option<Token>, LexError> {
        let Some(c) = self.next() else {
            return self.fail("unexpected end of input inside braces".to_owned());
        };
        match c {
            '#' => self.line_comment(),
            ' ' | '\t' | '\n' | '\r' => self.space(),
            ',' => self.emit(Tok::Comma),
            '"' | '\'' => self.string(c),
            '`' => self.raw_string(),
            '=' if self.peek() == Some('~') => self.emit_wider(Tok::EqlRegex),
            '=' => self.emit(Tok::Eql),
            '!' => match self.next() {
                Some('~') => self.emit(Tok::NeqRegex),
                Some('=') => self.emit(Tok::Neq),
                other => self.fail(format!("unexpected character after '!' inside braces: {}", quote_char(other))),
            },
            '{' => self.fail("unexpected left brace '{'".to_owned()),
            '}' => {
                self.brace_open = false;
                self.emit(Tok::RightBrace)
            }
            c if is_alpha(c) => {
                self.skip_while(is_alphanumeric);
                self.emit(Tok::Identifier)
            }
            c => self.fail(format!("unexpected character inside braces: {}", quote_char(Some(c)))),
        }
    }

    fn left_paren(&mut self) -> Result<Option<Token>, LexError> {
        self.paren_depth += 1;
        self.emit(Tok::LeftParen)
    }

    fn right_paren(&mut self) -> Result<Option<Token>, LexError> {
        if self.paren_depth == 0 {
            self.start = self.pos;
            return self.fail("unexpected right parenthesis ')'".to_owned());
        }
        self.paren_depth -= 1;
        self.emit(Tok::RightParen)
    }

    fn left_bracket(&mut self) -> Result<Option<Token>, LexError> {
        if self.bracket_open {
            return self.fail("unexpected left bracket '['".to_owned());
        }
        (self.got_colon, self.bracket_open, self.in_duration) = (false, true, true);
        self.emit(Tok::LeftBracket)
    }

    fn line_comment(&mut self) -> Result<Option<Token>, LexError> {
        self.skip_while(|c| c != '\n' && c != '\r');
        self.start = self.pos;
        Ok(None)
    }

    fn space(&mut self) -> Result<Option<Token>, LexError> {
        self.skip_while(is_space);
        self.start = self.pos;
        Ok(None)
    }

    /// `step`, `range`, `max_of` or `min_of`, whose first character has been read.
    fn duration_keyword(&mut self, first: char) -> Option<Tok> {
        if !matches!(first.to_ascii_lowercase(), 's' | 'r' | 'm') {
            return None;
        }
        self.skip_while(is_alpha);
        Tok::keyword(&self.input[self.start..self.pos])
            .filter(|tok| matches!(tok, Tok::Step | Tok::Range | Tok::MaxOf | Tok::MinOf))
    }

    fn left_paren_follows(&self) -> bool {
        self.input[self.pos..].trim_start_matches(is_space).starts_with('(')
    }

    #[expect(clippy::unnecessary_wraps, reason = "every state returns the same")]
    fn emit(&mut self, tok: Tok) -> Result<Option<Token>, LexError> {
        let token = Token { tok, span: Span::new(offset(self.start), offset(self.pos)) };
        self.start = self.pos;
        Ok(Some(token))
    }

    /// Takes the character that was peeked into the token.
    fn emit_wider(&mut self, tok: Tok) -> Result<Option<Token>, LexError> {
        self.next();
        self.emit(tok)
    }

    fn fail(&self, message: String) -> Result<Option<Token>, LexError> {
        Err(LexError { start: offset(self.start), message })
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek();
        self.width = c.map_or(0, char::len_utf8);
        self.pos += self.width;
        c
    }

    fn peek(&self) -> Option<char> {
        self.input[self.pos..].chars().next()
    }

    fn peek_is(&self, test: impl Fn(char) -> bool) -> bool {
        self.peek().is_some_and(test)
    }

    fn back(&mut self) {
        self.pos -= self.width;
        self.width = 0;
    }

    fn skip_while(&mut self, test: impl Fn(char) -> bool) {
        while self.peek_is(&test) {
            self.next();
        }
    }

    /// Takes the next character if it is one of `set`.
    fn accept(&mut self, set: &str) -> bool {
        let found = self.peek_is(|c| set.contains(c));
        if found {
            self.next();
        }
        found
    }
}

/// Inputs are limited to 4 GiB before they are read.
fn offset(pos: usize) -> u32 {
    u32::try_from(pos).unwrap_or(u32::MAX)
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_alphanumeric(c: char) -> bool {
    is_alpha(c) || c.is_ascii_digit()
}

/// A character in single quotes as Go's `%q` writes it; the end of the input reads as U+FFFD.
fn quote_char(c: Option<char>) -> String {
    let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
    if c == '"' {
        return "'\"'".to_owned();
    }
    if c == '\'' {
        return "'\\''".to_owned();
    }
    let quoted = model::quote::go_quote(c.encode_utf8(&mut [0; 4]).as_bytes());
    format!("'{}'", &quoted[1..quoted.len() - 1])
}

#[cfg(test)]
mod tests;
