use std::fmt;
use std::str::FromStr;

use super::FlagError;

/// A label: `name="value"`, the value quoted as in Go (double quotes with escapes, or back quotes).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelFlag {
    pub name: String,
    pub value: String,
}

impl FromStr for LabelFlag {
    type Err = FlagError;

    fn from_str(text: &str) -> Result<Self, FlagError> {
        let invalid = |why: &str| FlagError(format!("label {text:?} {why}; write name=\"value\""));
        let (name, quoted) = text.split_once('=').ok_or_else(|| invalid("has no '='"))?;
        if name.is_empty() {
            return Err(invalid("has no name"));
        }
        let value = unquote(quoted).ok_or_else(|| invalid("has a value that is not quoted"))?;
        Ok(Self { name: name.to_owned(), value })
    }
}

impl fmt::Display for LabelFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, model::quote::go_quote(self.value.as_bytes()))
    }
}

/// The text of a Go string literal that is valid UTF-8.
fn unquote(literal: &str) -> Option<String> {
    if let Some(raw) = literal.strip_prefix('`') {
        return raw.strip_suffix('`').filter(|r| !r.contains('`')).map(str::to_owned);
    }
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\n' => return None,
            '\\' => unescape(&mut chars, &mut bytes)?,
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    String::from_utf8(bytes).ok()
}

fn unescape(chars: &mut std::str::Chars<'_>, out: &mut Vec<u8>) -> Option<()> {
    let byte = match chars.next()? {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        '"' => b'"',
        'x' => u8::try_from(number(chars, 2, 16, 0)?).ok()?,
        first @ '0'..='7' => u8::try_from(number(chars, 2, 8, first.to_digit(8)?)?).ok()?,
        kind @ ('u' | 'U') => {
            let c = char::from_u32(number(chars, if kind == 'u' { 4 } else { 8 }, 16, 0)?)?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(());
        }
        _ => return None,
    };
    out.push(byte);
    Some(())
}

fn number(chars: &mut std::str::Chars<'_>, digits: usize, radix: u32, first: u32) -> Option<u32> {
    (0..digits).try_fold(first, |n, _| n.checked_mul(radix)?.checked_add(chars.next()?.to_digit(radix)?))
}
