use serde_json::Value;

use super::Regex;
use crate::{MatchOp, Matcher};

/// Patterns on which Go and Esker differ, and why.
const EXCEPTIONS: &[(&str, &str)] = &[(r"\x{D800}", SURROGATE), (r"[\x{D800}]", SURROGATE)];
const SURROGATE: &str = "Go turns a surrogate into U+FFFD when it prints the pattern; here it matches nothing";

/// `testdata/re2.jsonl` holds what Go's `regexp` says of each pattern and input, anchored and with `(?s)`:
/// the first line the inputs, then one line a pattern.
#[test]
fn patterns_mean_what_go_says() {
    let lines: Vec<Value> = include_str!("../../testdata/re2.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    let inputs: Vec<&str> = lines[0]["inputs"].as_array().expect("inputs").iter().filter_map(Value::as_str).collect();
    let mut failures = Vec::new();
    for row in &lines[1..] {
        let pattern = row["pattern"].as_str().expect("a pattern");
        if EXCEPTIONS.iter().any(|(p, _)| *p == pattern) {
            continue;
        }
        let regex = match (Regex::new(pattern), row["error"].as_str()) {
            (Ok(regex), None) => regex,
            (Err(e), Some(error)) if e.to_string() == error => continue,
            (found, error) => {
                failures
                    .push(format!("{pattern:?}: {:?}, not {error:?}", found.map(|_| ()).map_err(|e| e.to_string())));
                continue;
            }
        };
        let matcher = Matcher::new(MatchOp::Regex, "l", pattern).expect(pattern);
        let wanted: Vec<u64> = row["matches"].as_array().expect("matches").iter().filter_map(Value::as_u64).collect();
        for (i, input) in inputs.iter().enumerate() {
            let wanted = wanted.contains(&(i as u64));
            let (regex, matcher) = (regex.is_match(input), matcher.matches(input));
            if (regex, matcher) != (wanted, wanted) {
                failures.push(format!("{pattern:?} on {input:?}: {regex} and {matcher}, not {wanted}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(lines.len() > 250);
}

#[test]
fn templates_are_expanded_as_in_go() {
    let check = |pattern: &str, text: &str, template: &str, expected: Option<&str>| {
        let found = Regex::new(pattern).expect(pattern).expand(text, template);
        assert_eq!(found.as_deref(), expected, "{pattern} {template}");
    };
    check("(.*)-(.*)", "a-b", "$2-$1", Some("b-a"));
    check("(.*)-(.*)", "a-b", "$1x", Some(""));
    check("(.*)-(.*)", "a-b", "${1}x$0", Some("axa-b"));
    check("(.*)-(.*)", "a-b", "$3|${4}|$01|$", Some("|||$"));
    check("(.*)", "a", "$$1 ${ $-", Some("$1 ${ $-"));
    check("(?P<x>a)?(?P<x>b)", "b", "$x${x}", Some("bb"));
    check("(a)|b", "b", "[$1]", Some("[]"));
    check("(a)", "b", "$1", None);
    check("(?:a)(b)", "ab", "$1", Some("b"));
    check("a", "ab", "x", None);
}

#[test]
fn large_patterns_are_refused() {
    let check = |pattern: &str, reason: &str| {
        assert_eq!(Regex::new(pattern).expect_err("too large").reason, reason);
    };
    check(&format!("{}a{}", "(".repeat(2000), ")".repeat(2000)), "expression nests too deeply");
    check(r"(\pL{30}x){33}", "expression too large");
    let e = Matcher::new(MatchOp::Regex, "l", "a**").unwrap_err();
    assert_eq!(e.to_string(), "error parsing regexp: invalid nested repetition operator: `**`");
}
