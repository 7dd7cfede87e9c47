//! Templates with references to groups, as Go's `Regexp.Expand` has them.

/// Replaces `$1`, `${1}`, `$name`, `${name}` by the groups' texts and `$$` by `$`. A name is as long as it
/// can be; groups that did not take part, or do not exist, are empty; what is no reference stays.
pub(super) fn expand<'t>(template: &str, names: &[Option<String>], group: impl Fn(usize) -> Option<&'t str>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let Some((name, after)) = reference(rest) else {
            out.push('$');
            continue;
        };
        rest = after;
        let text = match number(name) {
            Some(i) => (i < names.len()).then(|| group(i)).flatten(),
            None => {
                let called = |i: &usize| names[*i].as_deref() == Some(name);
                (0..names.len()).filter(called).find_map(&group)
            }
        };
        out.push_str(text.unwrap_or_default());
    }
    out.push_str(rest);
    out
}

/// The name that `text`, which followed a `$`, begins with, and what is behind it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{').unwrap_or(text);
    let end = inner.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    if name.is_empty() {
        return None;
    }
    if text.starts_with('{') {
        return Some((name, rest.strip_prefix('}')?));
    }
    Some((name, rest))
}

/// A group's number; leading zeros make it a name.
fn number(name: &str) -> Option<usize> {
    let plain = name.bytes().all(|b| b.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    plain.then(|| name.parse().unwrap_or(usize::MAX))
}
