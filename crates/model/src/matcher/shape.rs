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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Rest {
    /// Only the pattern itself can tell.
    #[default]
    Pattern,
    /// Anything, also nothing.
    Any,
    /// Anything but nothing.
    Some,
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
        while let Some(HirKind::Literal(literal)) = parts.peek() {
            let Ok(text) = std::str::from_utf8(&literal.0) else { return shape };
            shape.prefix.push_str(text);
            parts.next();
        }
        let rest: Vec<_> = parts.collect();
        if let [HirKind::Repetition(repetition)] = rest[..]
            && repetition.max.is_none()
            && repetition.min <= 1
            && is_any_char(&repetition.sub)
        {
            shape.rest = if repetition.min == 0 { Rest::Any } else { Rest::Some };
        }
        shape
    }

    /// Decides without the pattern where the shape suffices.
    pub(super) fn matches(&self, value: &str) -> Option<bool> {
        if let Some(set) = &self.set {
            return Some(set.binary_search_by(|s| (**s).cmp(value)).is_ok());
        }
        let Some(rest) = value.strip_prefix(self.prefix.as_str()) else { return Some(false) };
        match self.rest {
            Rest::Pattern => None,
            Rest::Any => Some(true),
            Rest::Some => Some(!rest.is_empty()),
        }
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
