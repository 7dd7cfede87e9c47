//! Quoted strings: where they end, and what they say.

use super::{LexError, Lexer, Tok, Token};

impl Lexer<'_> {
    /// A string in `"` or `'`, whose opening quote has been read.
    pub(super) fn string(&mut self, quote: char) -> Result<Option<Token>, LexError> {
        loop {
            match self.next() {
                Some('\\') => {
                    if let Err(message) = self.escape(quote) {
                        return self.fail(message);
                    }
                }
                Some(char::REPLACEMENT_CHARACTER) => return self.fail("invalid UTF-8 rune".to_owned()),
                None | Some('\n') => return self.fail("unterminated quoted string".to_owned()),
                Some(c) if c == quote => return self.emit(Tok::String),
                Some(_) => {}
            }
        }
    }

    /// A string in backticks, whose opening one has been read.
    pub(super) fn raw_string(&mut self) -> Result<Option<Token>, LexError> {
        loop {
            match self.next() {
                Some(char::REPLACEMENT_CHARACTER) => return self.fail("invalid UTF-8 rune".to_owned()),
                None => return self.fail("unterminated raw string".to_owned()),
                Some('`') => return self.emit(Tok::String),
                Some(_) => {}
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self, quote: char) -> Result<(), String> {
        let (digits, radix, max, mut c) = match self.next() {
            None => return Err("escape sequence not terminated".to_owned()),
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\') => return Ok(()),
            Some(c) if c == quote => return Ok(()),
            Some(c @ '0'..='7') => (3, 8, 255, Some(c)),
            Some('x') => (2, 16, 255, self.next()),
            Some('u') => (4, 16, u32::from(char::MAX), self.next()),
            Some('U') => (8, 16, u32::from(char::MAX), self.next()),
            Some(c) => return Err(format!("unknown escape sequence {}", code_point(c))),
        };
        let mut value: u32 = 0;
        for left in (0..digits).rev() {
            let Some(digit) = c else {
                return Err("escape sequence not terminated".to_owned());
            };
            let Some(d) = digit.to_digit(radix) else {
                return Err(format!("illegal character {} in escape sequence", code_point(digit)));
            };
            value = value.wrapping_mul(radix).wrapping_add(d);
            if left > 0 {
                c = self.next();
            }
        }
        if value > max || (0xD800..0xE000).contains(&value) {
            return Err("escape sequence is an invalid Unicode code point".to_owned());
        }
        Ok(())
    }
}

/// A character as Go's `%#U` writes it.
fn code_point(c: char) -> String {
    let escaped = c.is_control();
    if escaped { format!("U+{:04X}", u32::from(c)) } else { format!("U+{:04X} '{c}'", u32::from(c)) }
}

/// What a string token says: bytes, since `\x` and octal escapes need not spell UTF-8.
pub(crate) fn unquote(token: &str) -> Box<[u8]> {
    let inner = &token[1..token.len() - 1];
    if token.starts_with('`') || !inner.contains('\\') {
        return inner.as_bytes().into();
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let kind = rest.as_bytes()[at + 1];
        let (from, len, radix) = match kind {
            b'x' => (at + 2, 2, 16),
            b'u' => (at + 2, 4, 16),
            b'U' => (at + 2, 8, 16),
            b'0'..=b'7' => (at + 1, 3, 8),
            _ => (at + 1, 1, 0),
        };
        let end = from + len;
        if radix == 0 {
            out.push(simple_escape(kind));
        } else {
            let value = u32::from_str_radix(&rest[from..end], radix).unwrap_or_default();
            match (kind, u8::try_from(value)) {
                (b'x' | b'0'..=b'7', Ok(byte)) => out.push(byte),
                _ => {
                    let c = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
        rest = &rest[end..];
    }
    out.extend_from_slice(rest.as_bytes());
    out.into()
}

fn simple_escape(kind: u8) -> u8 {
    match kind {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        other => other,
    }
}
