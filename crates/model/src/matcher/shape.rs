use std::sync::Arc;

use regex_syntax::hir::{Class, Hir, HirKind};

/// At most so many strings come out of classes and repetitions; alternatives are not limited.
const PRODUCT_MAX: usize = 256;

/// What a pattern says without being run: indexes look values up instead of testing each.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// The pattern matches exactly these: sorted, unique.
    pub(super) set: Option<Vec<Arc<str>>>,
    /// Everything that matches begins with this.
    pub(super) prefix: String,
    /// What follows the prefix.
    pub(super) rest: Rest,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Rest {
    /// Only the pattern itself can tell.
    #[default]
    Pattern,
    /// Anything but nothing: `.+`.
    Some,
    /// Texts in this order with anything around them, and at the end the last one: `.*a.*b.*c`.
    Wild { inner: Vec<String>, suffix: String },
}

impl Shape {
    /// The shape of a pattern as it stands inside the anchors, flags included.
    pub(super) fn of(pattern: &Hir) -> Self {
        let mut shape = Self { set: expand(pattern), ..Self::default() };
        if let Some(set) = &mut shape.set {
            set.sort_unstable();
            set.dedup();
            return shape;
        }
        let mut parts = Vec::new();
        flatten(pattern, &mut parts);
        let mut parts = parts.into_iter().peekable();
        while let Some(text) = parts.peek().and_then(|part| literal(part)) {
            shape.prefix.push_str(text);
            parts.next();
        }
        let parts: Vec<_> = parts.collect();
        shape.rest = rest(&parts);
        shape
    }

    /// Decides without the pattern where the shape suffices.
    pub(super) fn matches(&self, value: &str) -> Option<bool> {
        if let Some(set) = &self.set {
            return Some(set.binary_search_by(|s| (**s).cmp(value)).is_ok());
        }
        let Some(rest) = value.strip_prefix(self.prefix.as_str()) else { return Some(false) };
        match &self.rest {
            Rest::Pattern => None,
            Rest::Some => Some(!rest.is_empty()),
            Rest::Wild { inner, suffix } => {
                let Some(mut rest) = rest.strip_suffix(suffix.as_str()) else { return Some(false) };
                Some(inner.iter().all(|text| match rest.find(text.as_str()) {
                    Some(at) => {
                        rest = &rest[at + text.len()..];
                        true
                    }
                    None => false,
                }))
            }
        }
    }

    /// Everything matches, the empty value too.
    pub(super) fn is_anything(&self) -> bool {
        let wild = |inner: &Vec<String>, suffix: &str| inner.is_empty() && suffix.is_empty();
        self.prefix.is_empty() && matches!(&self.rest, Rest::Wild { inner, suffix } if wild(inner, suffix))
    }

    /// Everything matches but the empty value.
    pub(super) fn is_something(&self) -> bool {
        self.prefix.is_empty() && self.rest == Rest::Some
    }
}

/// What follows the prefix: texts between `.*`, or one `.+`.
fn rest(parts: &[&HirKind]) -> Rest {
    if let [part] = parts
        && repeats_any_char(part) == Some(1)
    {
        return Rest::Some;
    }
    let mut texts = vec![String::new()];
    for part in parts {
        if let Some(text) = literal(part) {
            texts.last_mut().expect("never empty").push_str(text);
        } else if repeats_any_char(part) == Some(0) {
            texts.push(String::new());
        } else {
            return Rest::Pattern;
        }
    }
    let suffix = texts.pop().unwrap_or_default();
    texts.retain(|text| !text.is_empty());
    // Without any `.*` the pattern would be a set.
    Rest::Wild { inner: texts, suffix }
}

fn literal(part: &HirKind) -> Option<&str> {
    match part {
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok(),
        _ => None,
    }
}

/// The least number of characters, where the part is any number of any characters.
fn repeats_any_char(part: &HirKind) -> Option<u32> {
    match part {
        HirKind::Repetition(r) if r.max.is_none() && is_any_char(&r.sub) => Some(r.min),
        _ => None,
    }
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

/// All strings that match, where they are few.
fn expand(hir: &Hir) -> Option<Vec<Arc<str>>> {
    Some(strings(hir)?.into_iter().map(Arc::from).collect())
}

fn strings(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![String::new()]),
        HirKind::Literal(literal) => Some(vec![std::str::from_utf8(&literal.0).ok()?.to_owned()]),
        HirKind::Class(Class::Unicode(class)) => {
            let chars = class.iter().map(|r| r.len()).try_fold(0_usize, usize::checked_add)?;
            let each = || class.iter().flat_map(|r| r.start()..=r.end()).map(String::from).collect();
            (chars <= PRODUCT_MAX).then(each)
        }
        HirKind::Capture(capture) => strings(&capture.sub),
        HirKind::Alternation(all) => {
            let mut union = Vec::with_capacity(all.len());
            for one in all {
                union.append(&mut strings(one)?);
            }
            Some(union)
        }
        HirKind::Concat(parts) => {
            parts.iter().try_fold(vec![String::new()], |heads, part| product(heads, &strings(part)?))
        }
        HirKind::Repetition(repetition) if repetition.max.is_some_and(|max| max <= 4) => {
            let once = strings(&repetition.sub)?;
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
    if let ([head], true) = (&heads[..], tails.len() == 1) {
        return Some(vec![format!("{head}{}", tails[0])]);
    }
    Some(heads.iter().flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}"))).collect())
}

#[cfg(test)]
mod tests;
