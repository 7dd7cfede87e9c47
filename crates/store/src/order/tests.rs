use model::Labels;

use super::*;
use crate::testing::prefixes_and_extensions;

fn check(added: &[&str]) {
    let finals = |own: &Labels| Labels::from_pairs(own.iter().chain(added.iter().map(|a| (*a, "x"))));
    let mut held = HeldBack::default();
    let mut out = Vec::new();
    for own in prefixes_and_extensions() {
        while let Ok(Some(before)) = held.pop_before(|top: &Labels| Ok::<_, ()>(waits(top.iter(), own.iter(), added))) {
            out.push(before);
        }
        let may_wait = own.iter().last().is_none_or(|(name, _)| precedes(name, added));
        out.extend(held.hold(own, may_wait));
    }
    while let Some(last) = held.pop() {
        out.push(last);
    }
    let all: Vec<Labels> = out.iter().map(finals).collect();
    assert_eq!(all.len(), prefixes_and_extensions().len());
    assert!(all.is_sorted(), "with {added:?}: {all:?}");
}

#[test]
fn prefixes_come_after_what_an_added_label_puts_before_them() {
    for added in [&[][..], &["a"], &["c"], &["e"], &["i"], &["a", "g"], &["c", "e", "i"]] {
        check(added);
    }
}
