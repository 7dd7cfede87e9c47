use regex_syntax::hir::{Class, Hir, HirKind};

use super::Literals;

/// At most so many strings come out of classes and repetitions; alternatives are not limited.
const PRODUCT_MAX: usize = 256;

/// What a pattern says without being run: indexes look values up instead of testing each.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// The pattern matches exactly these.
    pub(super) set: Option<Literals>,
    /// The pattern matches exactly these in any case, in which they are written as [`fold`] does: sorted.
    folded: Option<Vec<String>>,
    /// Everything that matches begins with this.
    pub(super) prefix: String,
    /// What follows the prefix.
    rest: Rest,
}

#[derive(Debug, Default)]
enum Rest {
    /// Only the pattern itself can tell.
    #[default]
    Pattern,
    /// Gaps and literals in turn: `.*foo.+bar` is two, `.*` is one with an empty literal.
    Gaps(Vec<Gap>),
}

/// At least `min` characters of any kind, then a text; the last one ends the value.
#[derive(Debug)]
struct Gap {
    min: usize,
    then: String,
}

impl Shape {
    /// Of a pattern that matches just these.
    pub(super) fn of_set(set: Literals) -> Self {
        Self { set: Some(set), ..Self::default() }
    }

    /// The shape of a pattern as it stands inside the anchors, flags included.
    pub(super) fn of(pattern: &Hir) -> Self {
        let mut shape = Self::default();
        if let Some(set) = strings(pattern, Case::Exact) {
            return Self::of_set(Literals::new(&set));
        }
        if let Some(mut set) = strings(pattern, Case::Folded) {
            set.sort_unstable();
            set.dedup();
            shape.folded = Some(set);
            return shape;
        }
        let mut parts = Vec::new();
        flatten(pattern, &mut parts);
        let mut parts = parts.into_iter().peekable();
        while let Some(HirKind::Literal(literal)) = parts.peek() {
            let Ok(text) = std::str::from_utf8(&literal.0) else { return shape };
            shape.prefix.push_str(text);
            parts.next();
        }
        if let Some(gaps) = gaps(parts) {
            shape.rest = Rest::Gaps(gaps);
        }
        shape
    }

    /// Whether the pattern is never needed.
    pub(super) fn decides(&self) -> bool {
        self.set.is_some() || self.folded.is_some() || matches!(self.rest, Rest::Gaps(_))
    }

    /// Everything matches, the empty value too: `.*`.
    pub(super) fn is_anything(&self) -> bool {
        self.is_one_gap(0)
    }

    /// Everything matches but the empty value: `.+`.
    pub(super) fn is_something(&self) -> bool {
        self.is_one_gap(1)
    }

    fn is_one_gap(&self, chars: usize) -> bool {
        let one = |gaps: &[Gap]| matches!(gaps, [Gap { min, then }] if *min == chars && then.is_empty());
        self.prefix.is_empty() && matches!(&self.rest, Rest::Gaps(gaps) if one(gaps))
    }

    /// Decides without the pattern where the shape suffices.
    pub(super) fn matches(&self, value: &str) -> Option<bool> {
        if let Some(set) = &self.set {
            return Some(set.contains(value));
        }
        if let Some(set) = &self.folded {
            return Some(set.binary_search_by(|s| s.chars().cmp(value.chars().map(fold))).is_ok());
        }
        let Some(rest) = value.strip_prefix(self.prefix.as_str()) else { return Some(false) };
        match &self.rest {
            Rest::Pattern => None,
            Rest::Gaps(gaps) => Some(fills(gaps, rest)),
        }
    }
}

/// Whether `text` is made of the gaps and their literals. The first place for each literal leaves most
/// room for the others.
fn fills(gaps: &[Gap], mut text: &str) -> bool {
    for (i, gap) in gaps.iter().enumerate() {
        let Some(behind) = skip_chars(text, gap.min) else { return false };
        if i + 1 == gaps.len() {
            return behind.ends_with(&*gap.then);
        }
        let Some(at) = behind.find(&*gap.then) else { return false };
        text = &behind[at + gap.then.len()..];
    }
    text.is_empty()
}

fn skip_chars(text: &str, n: usize) -> Option<&str> {
    let mut chars = text.chars();
    (0..n).try_for_each(|_| chars.next().map(drop))?;
    Some(chars.as_str())
}

/// The parts of a concatenation as gaps and literals, where they are no more than that.
fn gaps<'a>(parts: impl Iterator<Item = &'a HirKind>) -> Option<Vec<Gap>> {
    let mut gaps: Vec<Gap> = Vec::new();
    for part in parts {
        match part {
            HirKind::Literal(literal) => gaps.last_mut()?.then.push_str(std::str::from_utf8(&literal.0).ok()?),
            HirKind::Repetition(repetition) if repetition.max.is_none() && is_any_char(&repetition.sub) => {
                let min = usize::try_from(repetition.min).ok()?;
                match gaps.last_mut() {
                    Some(last) if last.then.is_empty() => last.min += min,
                    _ => gaps.push(Gap { min, then: String::new() }),
                }
            }
            _ => return None,
        }
    }
    (!gaps.is_empty()).then_some(gaps)
}

/// The parts of a concatenation, captures seen through.
fn flatten<'a>(hir: &'a Hir, parts: &mut Vec<&'a HirKind>) {
    match hir.kind() {
        HirKind::Capture(capture) => flatten(&capture.sub, parts),
        HirKind::Concat(all) => all.iter().for_each(|part| flatten(part, parts)),
        HirKind::Empty => {}
        other => parts.push(other),
    }
}

fn is_any_char(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Capture(capture) => is_any_char(&capture.sub),
        HirKind::Class(Class::Unicode(class)) => {
            // Surrogates are no characters, so the full class is one range.
            matches!(class.ranges(), [all] if all.start() == '\0' && all.end() == char::MAX)
        }
        _ => false,
    }
}

/// How strings are read out of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Exact,
    /// Letters stand in the pattern in both cases, and come out as [`fold`] writes them.
    Folded,
}

/// Case folding of ASCII letters, the two characters that fold to one included (the Kelvin sign, the
/// long s). Other letters are left alone: patterns with them in both cases are not read as strings.
fn fold(c: char) -> char {
    match c {
        'A'..='Z' => c.to_ascii_lowercase(),
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        _ => c,
    }
}

/// All strings that match, where they are few.
fn strings(hir: &Hir, case: Case) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![String::new()]),
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            let has_case = |c: char| fold(c) != c || c.is_ascii_alphabetic();
            (case == Case::Exact || !text.contains(has_case)).then(|| vec![text.to_owned()])
        }
        HirKind::Class(Class::Unicode(class)) => {
            let chars = class.iter().map(|r| r.len()).try_fold(0_usize, usize::checked_add)?;
            if chars > PRODUCT_MAX {
                return None;
            }
            let mut each: Vec<char> = class.iter().flat_map(|r| r.start()..=r.end()).collect();
            if case == Case::Folded {
                let whole = |c: char| match c {
                    'k' | 's' => 3,
                    c if c.is_ascii_lowercase() => 2,
                    _ => 1,
                };
                each.iter_mut().for_each(|c| *c = fold(*c));
                each.sort_unstable();
                // Each letter must be there in all its forms.
                if each.chunk_by(|a, b| a == b).any(|forms| forms.len() != whole(forms[0])) {
                    return None;
                }
                each.dedup();
            }
            Some(each.into_iter().map(String::from).collect())
        }
        HirKind::Capture(capture) => strings(&capture.sub, case),
        HirKind::Alternation(all) => {
            let mut union = Vec::with_capacity(all.len());
            for one in all {
                union.append(&mut strings(one, case)?);
            }
            Some(union)
        }
        HirKind::Concat(parts) => {
            parts.iter().try_fold(vec![String::new()], |heads, part| product(heads, &strings(part, case)?))
        }
        HirKind::Repetition(repetition) if repetition.max.is_some_and(|max| max <= 4) => {
            let once = strings(&repetition.sub, case)?;
            let mut power = vec![String::new()];
            let mut union = Vec::new();
            for n in 0..=repetition.max? {
                if n >= repetition.min {
                    union.extend_from_slice(&power);
                }
                if n < repetition.max? {
                    power = product(power, &once)?;
                }
            }
            Some(union)
        }
        _ => None,
    }
}

fn product(heads: Vec<String>, tails: &[String]) -> Option<Vec<String>> {
    if heads.len() > 1 && tails.len() > 1 && heads.len() * tails.len() > PRODUCT_MAX {
        return None;
    }
    if let ([head], [tail]) = (&heads[..], tails) {
        return Some(vec![format!("{head}{tail}")]);
    }
    Some(heads.iter().flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}"))).collect())
}

#[cfg(test)]
mod tests;
