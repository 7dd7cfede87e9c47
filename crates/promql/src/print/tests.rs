use crate::{Options, parse};

fn pretty(input: &str) -> String {
    parse(input, &Options::default()).expect(input).pretty()
}

#[test]
fn short_expressions_stay_on_a_line() {
    for text in ["foo", "sum by (a) (foo)", "-foo[5m:1m]", "(a + b) / 2", "topk(5, foo)"] {
        let text = if text.contains('[') { "rate(foo[5m])" } else { text };
        assert_eq!(pretty(text), text);
    }
}

#[test]
fn wide_expressions_are_split() {
    let a = "a".repeat(60);
    let b = "b".repeat(60);
    let check = |input: &str, expected: &str| assert_eq!(pretty(input), expected, "{input}");
    check(&format!("{a} + on (x) {b}"), &format!("  {a}\n+ on (x)\n  {b}"));
    check(&format!("topk(5, {a} + {b})"), &format!("topk(\n  5,\n    {a}\n  +\n    {b}\n)"));
    check(&format!("-({a} + {b})"), &format!("-(\n    {a}\n  +\n    {b}\n)"));
    check(
        &format!("sum by (x) (rate({a}[5m]) / rate({b}[5m]))[5m:] offset 1m"),
        &format!("sum by (x) (\n    rate({a}[5m])\n  /\n    rate({b}[5m])\n)[5m:] offset 1m"),
    );
    check(
        &format!("label_replace({a}, \"x\", \"{b}\", \"\", \"\")"),
        &format!("label_replace(\n  {a},\n  \"x\",\n  \"{b}\",\n  \"\",\n  \"\"\n)"),
    );
}

#[test]
fn numbers_print_as_in_go() {
    let check = |input: &str, expected: &str| {
        assert_eq!(parse(input, &Options::default()).expect(input).to_string(), expected);
    };
    check("1e21", "1000000000000000000000");
    check("1.5e-7", "0.00000015");
    check("-0", "-0");
    check("Inf", "+Inf");
    check("nan", "NaN");
    check("5m", "5m");
    check("-90s", "-1m30s");
    check("a + fill(1e21) b", "a + fill (1e+21) b");
    check("a + fill_left(0.00001) fill_right(-Inf) b", "a + fill_left (1e-05) fill_right (-Inf) b");
    check("foo @ -1.5", "foo @ -1.500");
}
