use super::Literals;
use crate::matcher::Shape;
use crate::regex;

/// What the parser makes of the pattern.
fn parsed(pattern: &str) -> Option<Literals> {
    let (hir, _names) = regex::parse(pattern, false).ok()?;
    Shape::of(&regex::without_anchors(hir)).set
}

#[test]
fn plain_alternations_need_no_parser() {
    let check = |pattern: &str, expected: &[&str]| {
        let found = Literals::of_pattern(pattern).unwrap_or_else(|| panic!("{pattern} is plain"));
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{pattern}");
        assert_eq!(parsed(pattern), Some(found), "{pattern}");
    };
    check("", &[""]);
    check("a", &["a"]);
    check("b|a|b", &["a", "b"]);
    check("a|", &["", "a"]);
    check("|", &[""]);
    check("longer than eight|longer than seven|long", &["long", "longer than eight", "longer than seven"]);
    check("é|\n|a\0|a", &["\n", "a", "a\0", "é"]);
    check("^a$", &["a"]);
    check("(a|b)", &["a", "b"]);
    check("^(?:a|b)$", &["a", "b"]);
    check(r"10\.0\.0\.1:9100|\(x\)|a\-b\_", &["(x)", "10.0.0.1:9100", "a-b_"]);
    check(r"(a\||\\)", &["\\", "a|"]);
}

#[test]
fn everything_else_is_left_to_the_parser() {
    let patterns = [
        "a.", "a+", "^a|b$", "^a|b", "a|b$", "(a)(b)", "(a)|b", "(a|b", "a|b)", "(?i)a", "(?i:a)", "[ab]", r"\d",
        r"\n", r"\Qa\E", r"a\", r"a\$$|b", "a{2}", "(a)?", "((a))", r"(a\)", "^", "$", "^^a", "a$$", "()", r"\é",
        r"^a\$",
    ];
    for pattern in patterns {
        let Some(found) = Literals::of_pattern(pattern) else { continue };
        assert_eq!(parsed(pattern), Some(found), "{pattern}");
    }
    for pattern in ["a.", "^a|b$", "(a)|b", "(?i)a", r"\d", r"\Qa\E", "(a)(b)", r"(a\)"] {
        assert_eq!(Literals::of_pattern(pattern), None, "{pattern}");
    }
}

#[test]
fn strings_are_found() {
    let values: Vec<String> = (0..1000).rev().map(|i| format!("value-{:03}", i * 2)).collect();
    let literals = Literals::new(&values);
    assert!(literals.iter().is_sorted() && literals.len() == 1000);
    assert!(values.iter().all(|v| literals.contains(v)));
    assert!(!literals.contains("value-001") && !literals.contains("") && !literals.contains("w"));
}
