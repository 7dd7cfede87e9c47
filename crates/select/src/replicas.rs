use std::collections::BTreeSet;

use model::{MatchOp, Matcher, TimeRange};
use store::StoreInfo;

/// The distinct values of the replica labels, in their order, over the extents that a selection may
/// touch; the empty string where an extent lacks the label.
pub(crate) fn tuples(
    info: &StoreInfo,
    range: TimeRange,
    matchers: &[Matcher],
    labels: &[String],
) -> BTreeSet<Vec<String>> {
    let tuple = |e: &store::Extent| labels.iter().map(|l| e.labels.get(l).unwrap_or("").to_owned()).collect();
    info.matching(range, matchers).map(tuple).collect()
}

/// Matchers that split all series into one part for each tuple, in the order of the tuples.
///
/// A label by which tuples do not differ gets no matcher. The part of the empty value takes all values
/// that no tuple names, so that series with the label among their own are not lost.
pub(crate) fn partition(tuples: &BTreeSet<Vec<String>>, labels: &[String]) -> Vec<Vec<Matcher>> {
    let tuples: Vec<&[String]> = tuples.iter().map(Vec::as_slice).collect();
    let mut parts = Vec::new();
    split(&tuples, labels, &mut Vec::new(), &mut parts);
    parts
}

/// `tuples` are sorted and equal in all labels before `labels`.
fn split(tuples: &[&[String]], labels: &[String], matchers: &mut Vec<Matcher>, parts: &mut Vec<Vec<Matcher>>) {
    let Some((label, rest)) = labels.split_first() else {
        parts.push(matchers.clone());
        return;
    };
    let groups: Vec<_> = tuples.chunk_by(|a, b| a[0] == b[0]).collect();
    let named: Vec<&str> = groups.iter().map(|g| g[0][0].as_str()).filter(|v| !v.is_empty()).collect();
    for group in &groups {
        let len = matchers.len();
        if groups.len() > 1 {
            let value = &group[0][0];
            matchers.push(if value.is_empty() { none_of(label, &named) } else { Matcher::equal(&**label, &**value) });
        }
        let inner: Vec<_> = group.iter().map(|t| &t[1..]).collect();
        split(&inner, rest, matchers, parts);
        matchers.truncate(len);
    }
}

fn none_of(label: &str, values: &[&str]) -> Matcher {
    if let [value] = values {
        return Matcher::new(MatchOp::NotEqual, label, *value).expect("no pattern to compile");
    }
    let mut pattern = String::new();
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            pattern.push('|');
        }
        for c in value.chars() {
            if !c.is_alphanumeric() && c != '_' {
                pattern.push('\\');
            }
            pattern.push(c);
        }
    }
    Matcher::new(MatchOp::NotRegex, label, pattern).expect("escaped text compiles")
}
