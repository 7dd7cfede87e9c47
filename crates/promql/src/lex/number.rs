//! Numbers and durations: which texts are tokens, and what a number's text means.

use model::quote::go_quote;

use super::{LexError, Lexer, Tok, Token, is_alphanumeric};

const DECIMAL: &str = "0123456789";
const HEXADECIMAL: &str = "0123456789abcdefABCDEF";

impl Lexer<'_> {
    /// A number or a duration, whose first character has been read.
    pub(super) fn number_or_duration(&mut self) -> Result<Option<Token>, LexError> {
        self.back();
        if self.scan_number() {
            return self.emit(Tok::Number);
        }
        if self.scan_rest_of_duration() {
            return self.emit(Tok::Duration);
        }
        let text = &self.input()[self.start..self.pos];
        self.fail(format!("bad number or duration syntax: {}", go_quote(text.as_bytes())))
    }

    /// Whether a number stands here. What it takes may still not be one (`1.2.3`): [`parse_number`]
    /// says so. Where it is none, as much is taken as an error message shows.
    fn scan_number(&mut self) -> bool {
        let start = self.pos;
        let mut digits = DECIMAL;
        if self.accept("0") && self.accept("xX") {
            self.accept("_");
            digits = HEXADECIMAL;
        }
        self.accept(".");
        self.accept(digits);
        let (mut dot_seen, mut exponent_seen) = (false, false);
        while let Some(c) = self.peek() {
            match c {
                c if digits.contains(c) && !matches!(c, 'e' | 'E') => self.skip_while(|c| digits.contains(c)),
                '.' => {
                    self.next();
                    if dot_seen || self.accept("_.") || digits == HEXADECIMAL {
                        return false;
                    }
                    dot_seen = true;
                }
                'e' | 'E' => {
                    self.next();
                    if exponent_seen {
                        return false;
                    }
                    exponent_seen = true;
                    self.accept("+-");
                    if self.accept("._eE") || self.peek().is_none() {
                        return false;
                    }
                }
                '_' => {
                    self.next();
                    if self.accept("._eE") || self.peek().is_none() {
                        return false;
                    }
                }
                _ => break,
            }
        }
        self.pos > start && !self.peek_is(is_alphanumeric)
    }

    /// The unit that follows the digits already taken, and any further pairs of digits and unit. That
    /// they make sense together is [`model::duration::parse`]'s business.
    fn scan_rest_of_duration(&mut self) -> bool {
        if !self.accept("smhdwy") {
            return false;
        }
        self.accept("s");
        while self.accept(DECIMAL) {
            while self.accept(DECIMAL) {}
            if !self.accept("smhdw") {
                return false;
            }
            self.accept("s");
        }
        if self.peek_is(is_alphanumeric) {
            // The offending character belongs into the message.
            self.next();
            return false;
        }
        true
    }
}

/// The value of a number's text by Go's rules: hexadecimal, octal with a leading 0, underscores between
/// digits, `inf` and `nan` in any case.
pub(crate) fn parse_number(text: &str) -> Result<f64, String> {
    if let Some(n) = parse_int(text) {
        #[expect(clippy::cast_precision_loss, reason = "PromQL's numbers are floats")]
        return Ok(n as f64);
    }
    let error = |what: &str| {
        Err(format!("error parsing number: strconv.ParseFloat: parsing {}: {what}", go_quote(text.as_bytes())))
    };
    let plain = if text.contains('_') {
        if !underscores_ok(text) {
            return error("invalid syntax");
        }
        text.replace('_', "")
    } else {
        text.to_owned()
    };
    match plain.parse::<f64>() {
        Ok(v) if v.is_infinite() && plain.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            error("value out of range")
        }
        Ok(v) => Ok(v),
        Err(_) => error("invalid syntax"),
    }
}

/// An unsigned integer that fits `i64`.
fn parse_int(text: &str) -> Option<i64> {
    if text.contains('_') && !underscores_ok(text) {
        return None;
    }
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    let (digits, radix) = match plain.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&plain[2..], 16),
        [b'0', _, ..] => (&plain[1..], 8),
        _ => (&*plain, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(digits, radix).ok()
}

/// Underscores stand between digits, or between a base prefix and a digit.
fn underscores_ok(text: &str) -> bool {
    let is_hex = text.len() >= 2 && (text.starts_with("0x") || text.starts_with("0X"));
    let body = if is_hex { &text[2..] } else { text };
    // What came before: a digit (a base prefix counts), an underscore, or neither.
    let (mut after_digit, mut after_underscore) = (is_hex, false);
    for c in body.chars() {
        let digit = c.is_ascii_digit() || (is_hex && c.is_ascii_hexdigit());
        if c == '_' && !after_digit || after_underscore && !digit {
            return false;
        }
        (after_digit, after_underscore) = (digit, c == '_');
    }
    !after_underscore
}
