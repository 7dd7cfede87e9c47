//! From RE2's syntax to that of `regex-syntax`.
//!
//! What differs: `\d`, `\s`, `\w`, `\b` are ASCII in RE2; `{` that begins no repetition, `[` in a class,
//! `\Q…\E` and octal escapes are plain text there; `**`, `a{1001}`, the flags `x` and `R`, and `\u` are
//! errors; groups may share a name; `&&`, `--`, `~~` mean nothing in a class. Grammar and errors follow
//! Go's `regexp/syntax`.

use super::RegexError;
use super::class;

/// Repetitions may not multiply to more than this.
const REPEAT_MAX: u32 = 1000;

#[derive(Debug)]
pub(super) struct Translated {
    pub(super) pattern: String,
    /// Group 0 first.
    pub(super) names: Vec<Option<String>>,
}

/// Translates `pattern`; without `groups`, groups do not capture.
pub(super) fn translate(pattern: &str, groups: bool) -> Result<Translated, RegexError> {
    let mut translator = Translator {
        whole: pattern,
        rest: pattern,
        out: String::with_capacity(pattern.len() + 8),
        groups,
        names: vec![None],
        open: Vec::new(),
        atom: None,
        repeats: 1,
        last_repeat: None,
    };
    while !translator.rest.is_empty() {
        translator.token()?;
    }
    if translator.open.is_empty() {
        return Ok(Translated { pattern: translator.out, names: translator.names });
    }
    Err(RegexError::new("missing closing )", pattern))
}

/// What a repetition operator would apply to.
#[derive(Clone, Copy, Debug)]
struct Atom {
    /// Where it lies in the output.
    start: usize,
    end: usize,
    /// What the repetitions in it multiply to.
    repeats: u32,
    /// Has a repetition operator already.
    repeated: bool,
}

/// An open group: where it starts in the output, and the repetitions before it at its level.
#[derive(Clone, Copy, Debug)]
struct Group {
    start: usize,
    repeats: u32,
}

struct Translator<'a> {
    whole: &'a str,
    rest: &'a str,
    out: String,
    groups: bool,
    names: Vec<Option<String>>,
    open: Vec<Group>,
    atom: Option<Atom>,
    /// The largest product of repetitions in the current group so far.
    repeats: u32,
    /// The pattern from the operator on that was read just before, if one was.
    last_repeat: Option<&'a str>,
}

impl<'a> Translator<'a> {
    fn token(&mut self) -> Result<(), RegexError> {
        let before = self.rest;
        let previous_repeat = self.last_repeat.take();
        let Some(c) = before.chars().next() else { return Ok(()) };
        match c {
            '(' if before.starts_with("(?") => return self.flags_or_group(),
            '(' => {
                self.rest = &before[1..];
                self.open_group(None);
            }
            '|' => {
                self.rest = &before[1..];
                self.out.push('|');
                self.atom = None;
            }
            ')' => return self.close_group(),
            '[' => {
                let start = self.out.len();
                self.rest = class::translate(before, &mut self.out)?;
                self.push_atom(start, 1);
            }
            '*' | '+' | '?' => {
                self.rest = &before[1..];
                return self.repeat(before, &before[..1], 1, previous_repeat);
            }
            '{' => match parse_repeat(before) {
                None => self.literal('{', 1),
                Some((min, max, len)) => {
                    let range = max.is_none_or(|max| min <= max && max <= REPEAT_MAX);
                    if min > REPEAT_MAX || !range {
                        return Err(RegexError::new("invalid repeat count", &before[..len]));
                    }
                    self.rest = &before[len..];
                    // `{0}` keeps nothing; without an upper bound the lower one counts.
                    let times = max.unwrap_or(min);
                    return self.repeat(before, &before[..len], times, previous_repeat);
                }
            },
            '^' | '$' | '.' => {
                let start = self.out.len();
                self.out.push(c);
                self.rest = &before[1..];
                self.push_atom(start, 1);
            }
            '\\' => return self.escape(),
            c => self.literal(c, c.len_utf8()),
        }
        Ok(())
    }

    fn push_atom(&mut self, start: usize, repeats: u32) {
        self.atom = Some(Atom { start, end: self.out.len(), repeats, repeated: false });
        self.repeats = self.repeats.max(repeats);
    }

    /// Takes `len` bytes of the pattern, which stand for `c`.
    fn literal(&mut self, c: char, len: usize) {
        let start = self.out.len();
        class::push_char(&mut self.out, c);
        self.rest = &self.rest[len..];
        self.push_atom(start, 1);
    }

    fn open_group(&mut self, name: Option<String>) {
        self.open.push(Group { start: self.out.len(), repeats: self.repeats });
        self.out.push_str(if self.groups { "(" } else { "(?:" });
        self.names.push(name);
        (self.atom, self.repeats) = (None, 1);
    }

    fn close_group(&mut self) -> Result<(), RegexError> {
        let Some(group) = self.open.pop() else {
            return Err(RegexError::new("unexpected )", self.whole));
        };
        self.out.push(')');
        self.rest = &self.rest[1..];
        let inner = std::mem::replace(&mut self.repeats, group.repeats);
        self.push_atom(group.start, inner);
        Ok(())
    }

    /// Applies a repetition operator that was read, `operator`, at `before`.
    fn repeat(
        &mut self,
        before: &'a str,
        operator: &str,
        times: u32,
        previous: Option<&str>,
    ) -> Result<(), RegexError> {
        let lazy = self.rest.starts_with('?');
        if lazy {
            self.rest = &self.rest[1..];
        }
        if let Some(previous) = previous {
            let part = &previous[..previous.len() - self.rest.len()];
            return Err(RegexError::new("invalid nested repetition operator", part));
        }
        let text = &before[..before.len() - self.rest.len()];
        let Some(mut atom) = self.atom else {
            return Err(RegexError::new("missing argument to repetition operator", text));
        };
        let is_counted = operator.starts_with('{');
        if is_counted {
            atom.repeats = if times == 0 { 1 } else { atom.repeats.saturating_mul(times) };
            if times >= 2 && atom.repeats > REPEAT_MAX {
                return Err(RegexError::new("invalid repeat count", text));
            }
        }
        // Flags may stand between the operand and its operator: `a(?i)*`.
        let behind = self.out.split_off(atom.end);
        if atom.repeated {
            self.out.insert_str(atom.start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(operator);
        if lazy {
            self.out.push('?');
        }
        atom.end = self.out.len();
        self.out.push_str(&behind);
        atom.repeated = true;
        self.repeats = self.repeats.max(atom.repeats);
        self.atom = Some(atom);
        self.last_repeat = Some(before);
        Ok(())
    }

    /// `(?flags)`, `(?flags:`, `(?P<name>` or `(?<name>`.
    fn flags_or_group(&mut self) -> Result<(), RegexError> {
        let from = self.rest;
        for opening in ["(?P<", "(?<"] {
            let Some(named) = from.strip_prefix(opening).filter(|n| !n.is_empty()) else { continue };
            let Some((name, rest)) = named.split_once('>') else {
                return Err(RegexError::new("invalid named capture", from));
            };
            if name.is_empty() || !name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
                let part = &from[..opening.len() + name.len() + 1];
                return Err(RegexError::new("invalid named capture", part));
            }
            self.rest = rest;
            self.open_group(Some(name.to_owned()));
            return Ok(());
        }
        // Each flag, and whether it was turned on or off last.
        let mut flags: [Option<bool>; 4] = [None; 4];
        let (mut on, mut seen_since_minus) = (true, false);
        for (at, c) in from.char_indices().skip(2) {
            match c {
                'i' | 'm' | 's' | 'U' => {
                    let i = FLAGS.iter().position(|f| *f == c).unwrap_or_default();
                    flags[i] = Some(on);
                    seen_since_minus = true;
                }
                '-' if on => (on, seen_since_minus) = (false, false),
                ':' | ')' if on || seen_since_minus => {
                    self.rest = &from[at + 1..];
                    self.push_flags(flags, c == ':');
                    return Ok(());
                }
                _ => {
                    let part = &from[..at + c.len_utf8()];
                    return Err(RegexError::new("invalid or unsupported Perl syntax", part));
                }
            }
        }
        Err(RegexError::new("invalid or unsupported Perl syntax", from))
    }

    fn push_flags(&mut self, flags: [Option<bool>; 4], opens_group: bool) {
        let start = self.out.len();
        let chosen = |on: bool| FLAGS.iter().zip(flags).filter(move |(_, f)| *f == Some(on)).map(|(c, _)| *c);
        let (on, off): (String, String) = (chosen(true).collect(), chosen(false).collect());
        if !opens_group && on.is_empty() && off.is_empty() {
            return;
        }
        self.out.push_str("(?");
        self.out.push_str(&on);
        if !off.is_empty() {
            self.out.push('-');
            self.out.push_str(&off);
        }
        if opens_group {
            self.out.push(':');
            self.open.push(Group { start, repeats: self.repeats });
            (self.atom, self.repeats) = (None, 1);
        } else {
            self.out.push(')');
        }
    }

    fn escape(&mut self) -> Result<(), RegexError> {
        let from = self.rest;
        let start = self.out.len();
        match from.as_bytes().get(1) {
            Some(b'A') => self.out.push_str("\\A"),
            Some(b'z') => self.out.push_str("\\z"),
            Some(b'b') => self.out.push_str("(?-u:\\b)"),
            Some(b'B') => self.out.push_str("(?-u:\\B)"),
            Some(b'C') => return Err(RegexError::new("invalid escape sequence", "\\C")),
            Some(b'Q') => {
                let quoted = &from[2..];
                let (text, rest) = quoted.split_once("\\E").unwrap_or((quoted, ""));
                for c in text.chars() {
                    self.literal(c, 0);
                }
                self.rest = rest;
                return Ok(());
            }
            _ => {
                if let Some(rest) = class::translate_escaped_class(from, &mut self.out)? {
                    self.rest = rest;
                } else {
                    let (c, rest) = class::parse_escape(from)?;
                    class::push_code_point(&mut self.out, c);
                    self.rest = rest;
                }
                self.push_atom(start, 1);
                return Ok(());
            }
        }
        self.rest = &from[2..];
        self.push_atom(start, 1);
        Ok(())
    }
}

/// The flags of RE2.
const FLAGS: [char; 4] = ['i', 'm', 's', 'U'];

/// `{min}`, `{min,}` or `{min,max}` at the start of `text`: the bounds, and its length. Numbers too large
/// to count read as more than the maximum; what is not of the form is `None`.
fn parse_repeat(text: &str) -> Option<(u32, Option<u32>, usize)> {
    let inner = &text[1..text.find('}')?];
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = digits.len() > 1 && digits.starts_with('0');
        (plain && !leading_zero).then(|| digits.parse().unwrap_or(u32::MAX))
    };
    let len = inner.len() + 2;
    match inner.split_once(',') {
        None => number(inner).map(|n| (n, Some(n), len)),
        Some((min, "")) => number(min).map(|min| (min, None, len)),
        Some((min, max)) => Some((number(min)?, Some(number(max)?), len)),
    }
}
