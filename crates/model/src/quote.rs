//! Quoted strings as Go writes them (`%q`), which is how Prometheus prints labels and messages.

/// `bytes` in double quotes with Go's escapes. Bytes that are not UTF-8 become `\xNN`; characters that
/// do not print become `\u…`.
#[must_use]
pub fn go_quote(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    go_quote_into(&mut out, bytes);
    out
}

/// As [`go_quote()`], appended to `out`.
pub fn go_quote_into(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_escaped(out, c);
        }
        for b in chunk.invalid() {
            push_hex(out, "\\x", u32::from(*b), 2);
        }
    }
    out.push('"');
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        ' '..='~' => out.push(c),
        c if c < ' ' || c == '\x7f' => push_hex(out, "\\x", c.into(), 2),
        c if is_print(c) => out.push(c),
        c if (c as u32) < 0x1_0000 => push_hex(out, "\\u", c.into(), 4),
        c => push_hex(out, "\\U", c.into(), 8),
    }
}

/// Go prints letters, marks, numbers, punctuation, symbols and the ASCII space. What Rust's `{:?}`
/// escapes is nearly the complement; it also escapes combining marks, which Go prints.
fn is_print(c: char) -> bool {
    if c.is_whitespace() {
        return false;
    }
    let mut escaped = c.escape_debug();
    escaped.next() == Some(c) || is_mark(c)
}

/// Combining marks, which [`char::escape_debug`] escapes at the start of a string.
fn is_mark(c: char) -> bool {
    // Inside a string, after another character, `str::escape_debug` leaves marks as they are.
    let mut pair = [0; 8];
    pair[0] = b'a';
    let len = c.encode_utf8(&mut pair[1..]).len();
    std::str::from_utf8(&pair[..=len]).is_ok_and(|s| !s.escape_debug().any(|e| e == '\\'))
}

fn push_hex(out: &mut String, prefix: &str, value: u32, width: usize) {
    use std::fmt::Write as _;
    let _infallible = write!(out, "{prefix}{value:0width$x}");
}
