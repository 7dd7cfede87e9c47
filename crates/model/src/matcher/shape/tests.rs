use crate::{MatchOp, Matcher};

fn matcher(pattern: &str) -> Matcher {
    Matcher::new(MatchOp::Regex, "l", pattern).unwrap()
}

#[test]
fn alternatives_become_a_sorted_set() {
    let check = |pattern: &str, expected: Option<&[&str]>| {
        let found = matcher(pattern);
        let found = found.set_matches().map(|s| s.iter().map(|v| &**v).collect::<Vec<_>>());
        assert_eq!(found.as_deref(), expected, "{pattern}");
    };
    check("500|404", Some(&["404", "500"]));
    check("foo", Some(&["foo"]));
    check("", Some(&[""]));
    check("foo|", Some(&["", "foo"]));
    check("foo(bar|baz)?", Some(&["foo", "foobar", "foobaz"]));
    check("[ab]x", Some(&["ax", "bx"]));
    check("(?i)a", Some(&["A", "a"]));
    check("a{2}", Some(&["aa"]));
    check("foo.*", None);
    check("[a-z]{3}", None);
    check(".", None);
    check("^foo$", None);
}

#[test]
fn a_long_alternation_is_a_set() {
    let values: Vec<String> = (0..50_000).map(|i| format!("value-{i:06}")).collect();
    let m = matcher(&values.join("|"));
    assert_eq!(m.set_matches().unwrap().len(), 50_000);
    assert!(m.matches("value-049999") && !m.matches("value-050000") && !m.matches(""));
}

#[test]
fn the_literal_begin_is_the_prefix() {
    let check = |pattern: &str, prefix: &str| assert_eq!(matcher(pattern).prefix(), prefix, "{pattern}");
    check("api-.*", "api-");
    check("api-[0-9]+", "api-");
    check("(api)-(x.*)", "api-x");
    check(".+", "");
    check("a|b.*", "");
}

#[test]
fn shapes_decide_as_the_pattern_does() {
    let check = |pattern: &str, yes: &[&str], no: &[&str]| {
        let m = matcher(pattern);
        assert!(yes.iter().all(|v| m.matches(v)), "{pattern}");
        assert!(!no.iter().any(|v| m.matches(v)), "{pattern}");
    };
    check(".*", &["", "a", "\n"], &[]);
    check(".+", &["a", "\n", "é"], &[""]);
    check("a.+", &["ab", "a\n"], &["", "a", "b"]);
    check("a.*b", &["ab", "axb"], &["a", "b", "abc"]);
    check("a.*a", &["aa", "axa"], &["a", "ab"]);
    check(".*b", &["b", "ab", "\nb"], &["", "ba"]);
    check(".*b.*", &["b", "ab", "ba"], &["", "a"]);
    check(".*ab.*bc.*c", &["abbcc", "xabxbcxc"], &["abcc", "abbc", "bcabc"]);
    check("a.*b.+", &["abc"], &["ab", "a"]);
    check("a.{2,}", &["abc", "abcd"], &["ab"]);
    check("a.*.*", &["a", "axb"], &["b"]);
    check("^foo$", &["foo"], &["xfoo", ""]);
    check("foo|foobar", &["foo", "foobar"], &["foob"]);
    assert!(matcher(".*").matches_everything() && !matcher(".+").matches_everything());
}
