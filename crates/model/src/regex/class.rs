//! Character classes and escapes.

use super::RegexError;

/// Translates the class that `text` begins with; gives what follows it.
pub(super) fn translate<'a>(text: &'a str, out: &mut String) -> Result<&'a str, RegexError> {
    let mut rest = &text[1..];
    out.push('[');
    if let Some(negated) = rest.strip_prefix('^') {
        out.push('^');
        rest = negated;
    }
    let mut first = true;
    while first || !rest.starts_with(']') {
        first = false;
        if let Some(behind) = named_class(rest, out)? {
            rest = behind;
            continue;
        }
        if let Some(behind) = translate_escaped_class(rest, out)? {
            rest = behind;
            continue;
        }
        let (low, behind) = class_char(rest, text)?;
        let mut high = low;
        let from = rest;
        rest = behind;
        if let Some(end) = rest.strip_prefix('-').filter(|r| !r.is_empty() && !r.starts_with(']')) {
            (high, rest) = class_char(end, text)?;
            if high < low {
                return Err(RegexError::new("invalid character class range", &from[..from.len() - rest.len()]));
            }
        }
        push_range(out, low, high);
    }
    out.push(']');
    Ok(&rest[1..])
}

/// `[:alpha:]` within a class.
fn named_class<'a>(text: &'a str, out: &mut String) -> Result<Option<&'a str>, RegexError> {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
        "word", "xdigit",
    ];
    let Some((name, rest)) = text.strip_prefix("[:").and_then(|t| t.split_once(":]")) else { return Ok(None) };
    let whole = &text[..text.len() - rest.len()];
    if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Err(RegexError::new("invalid character class range", whole));
    }
    out.push_str(whole);
    Ok(Some(rest))
}

/// `\d`, `\pL`, `\p{Greek}` and the like; `None` where `text` begins with none. RE2's are ASCII, and `\s`
/// does not take the vertical tab.
pub(super) fn translate_escaped_class<'a>(text: &'a str, out: &mut String) -> Result<Option<&'a str>, RegexError> {
    let Some(kind) = text.strip_prefix('\\').and_then(|t| t.bytes().next()) else { return Ok(None) };
    out.push_str(match kind {
        b'd' => "[0-9]",
        b'D' => "[^0-9]",
        b's' => "[\\t\\n\\f\\r ]",
        b'S' => "[^\\t\\n\\f\\r ]",
        b'w' => "[0-9A-Za-z_]",
        b'W' => "[^0-9A-Za-z_]",
        b'p' | b'P' => return unicode_class(text, out).map(Some),
        _ => return Ok(None),
    });
    Ok(Some(&text[2..]))
}

/// `\pL`, `\p{Greek}`, `\p{^Greek}`, `\P…`.
fn unicode_class<'a>(text: &'a str, out: &mut String) -> Result<&'a str, RegexError> {
    let wrong = |part: &str| RegexError::new("invalid character class range", part);
    let mut negated = text.starts_with("\\P");
    let Some(first) = text[2..].chars().next() else { return Err(wrong(text)) };
    let (mut name, rest) = if first == '{' {
        text[3..].split_once('}').ok_or_else(|| wrong(text))?
    } else {
        text[2..].split_at(first.len_utf8())
    };
    let part = &text[..text.len() - rest.len()];
    if let Some(positive) = name.strip_prefix('^') {
        (name, negated) = (positive, !negated);
    }
    // Properties by name and value are not RE2's.
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b' ')) {
        return Err(wrong(part));
    }
    let translated = format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' });
    if regex_syntax::parse(&translated).is_err() {
        return Err(wrong(part));
    }
    out.push_str(&translated);
    Ok(rest)
}

/// A character of a class, escaped or not, as a code point.
fn class_char<'a>(text: &'a str, class: &str) -> Result<(u32, &'a str), RegexError> {
    match text.chars().next() {
        None => Err(RegexError::new("missing closing ]", class)),
        Some('\\') => parse_escape(text),
        Some(c) => Ok((c.into(), &text[c.len_utf8()..])),
    }
}

/// The code point that the escape at the start of `text` stands for.
pub(super) fn parse_escape(text: &str) -> Result<(u32, &str), RegexError> {
    let mut rest = &text[1..];
    let mut next = || -> Option<char> {
        let c = rest.chars().next()?;
        rest = &rest[c.len_utf8()..];
        Some(c)
    };
    let Some(c) = next() else {
        return Err(RegexError::new("trailing backslash at end of expression", ""));
    };
    let found = match c {
        '0'..='7' => {
            let more = text[2..].bytes().take(2).take_while(|b| (b'0'..=b'7').contains(b)).count();
            // A digit alone would be a reference to a group.
            let octal = &text[1..2 + more];
            if c != '0' && more == 0 {
                None
            } else {
                rest = &text[2 + more..];
                u32::from_str_radix(octal, 8).ok()
            }
        }
        'x' => match next() {
            Some('{') => {
                let mut value = Some(0_u32);
                let mut digits = 0;
                loop {
                    match next() {
                        Some('}') => break value.filter(|_| digits > 0),
                        Some(c) => match c.to_digit(16) {
                            Some(d) => {
                                digits += 1;
                                value =
                                    value.map(|v| v.saturating_mul(16).saturating_add(d)).filter(|v| *v <= 0x10_FFFF);
                                if value.is_none() {
                                    break None;
                                }
                            }
                            None => break None,
                        },
                        None => break None,
                    }
                }
            }
            Some(high) => {
                let low = next();
                high.to_digit(16).zip(low.and_then(|c| c.to_digit(16))).map(|(h, l)| h * 16 + l)
            }
            None => None,
        },
        'a' => Some(0x07),
        'f' => Some(0x0c),
        'n' => Some(0x0a),
        'r' => Some(0x0d),
        't' => Some(0x09),
        'v' => Some(0x0b),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c.into()),
        _ => None,
    };
    match found {
        Some(code_point) => Ok((code_point, rest)),
        None => Err(RegexError::new("invalid escape sequence", &text[..text.len() - rest.len()])),
    }
}

/// A character that stands for itself.
pub(super) fn push_char(out: &mut String, c: char) {
    if regex_syntax::is_meta_character(c) {
        out.push('\\');
    }
    out.push(c);
}

/// A code point; surrogates, which no text contains, match nothing.
pub(super) fn push_code_point(out: &mut String, code_point: u32) {
    match char::from_u32(code_point) {
        Some(c) => push_char(out, c),
        None => out.push_str(NOTHING),
    }
}

/// Characters of a class; surrogates are left out.
fn push_range(out: &mut String, low: u32, high: u32) {
    let low = char::from_u32(low).unwrap_or('\u{e000}');
    let high = char::from_u32(high).unwrap_or('\u{d7ff}');
    if low > high {
        out.push_str(NOTHING);
        return;
    }
    push_char(out, low);
    if high > low {
        out.push('-');
        push_char(out, high);
    }
}

/// A class without characters.
const NOTHING: &str = "[^\\x{0}-\\x{10FFFF}]";
