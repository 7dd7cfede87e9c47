use crate::{MatchOp, Matcher};

fn matcher(pattern: &str) -> Matcher {
    Matcher::new(MatchOp::Regex, "l", pattern).unwrap()
}

#[test]
fn alternatives_become_a_sorted_set() {
    let check = |pattern: &str, expected: Option<&[&str]>| {
        let found = matcher(pattern);
        let found = found.set_matches().map(|s| s.iter().collect::<Vec<_>>());
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
    check("^foo$", Some(&["foo"]));
    check("^(?:a|b)$", Some(&["a", "b"]));
    check("^a|b$", None);
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

#[test]
fn gaps_and_folded_sets_decide_as_the_pattern_does() {
    let check = |pattern: &str, yes: &[&str], no: &[&str]| {
        let m = matcher(pattern);
        assert!(m.pattern.as_ref().is_some_and(|p| p.regex.is_none()), "{pattern} needs no regex");
        for value in yes.iter().chain(no) {
            assert_eq!(m.matches(value), yes.contains(value), "{pattern} on {value:?}");
            // The pattern itself agrees.
            assert_eq!(crate::regex::Regex::new(pattern).unwrap().is_match(value), yes.contains(value), "{pattern}");
        }
    };
    check(".*foo.*", &["foo", "xfoo", "foox", "afoob"], &["", "fo", "oof"]);
    check(".*foo", &["foo", "xfoo", "foofoo"], &["foox", ""]);
    check(".+foo", &["xfoo", "éfoo", "foofoo"], &["foo", "foox"]);
    check("a.*b.*c", &["abc", "axbxc", "abcc"], &["ac", "acb", "ab"]);
    check("a.+b.+c", &["axbxc", "abbcc", "aabbc"], &["abc", "axbc", "abxc"]);
    check("a.*aa", &["aaa", "axaa", "aaaa"], &["aa", "a"]);
    check(".*a.*.+", &["ab", "xab"], &["a", ""]);
    check(".{2,}", &["ab", "éé"], &["é", ""]);
    check("(?i)foo|bar", &["foo", "FOO", "Bar"], &["fo", ""]);
    check("(?i:Task)-1", &["task-1", "TAſK-1", "ta\u{17f}\u{212a}-1"], &["task", "task-2"]);
    check("(?i)a[bc]", &["ab", "AC"], &["a", "ad"]);
}

#[test]
fn what_mixes_cases_needs_the_pattern() {
    for pattern in ["foo(?i)bar.", "(?i)é+"] {
        let m = matcher(pattern);
        assert_eq!(m.set_matches(), None, "{pattern}");
    }
    assert!(matcher("(?i)straße|x").matches("STRAßE") && !matcher("(?i)straße").matches("strasse"));
    assert!(matcher("foo(?i)bar").matches("fooBAR") && !matcher("foo(?i)bar").matches("FOOBAR"));
}
