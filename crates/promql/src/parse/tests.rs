use crate::{Kind, Options, ParseErrorKind, ValueType, parse, parse_metric, parse_selector};

fn print(input: &str) -> String {
    parse(input, &Options::default()).expect(input).to_string()
}

fn error(input: &str) -> String {
    parse(input, &Options::default()).expect_err(input).to_string()
}

#[test]
fn operators_bind_as_in_prometheus() {
    // Every operator node in parentheses.
    fn grouped(input: &str) -> String {
        let ast = parse(input, &Options::default()).expect(input);
        let mut texts: Vec<String> = Vec::new();
        for (i, node) in ast.nodes().iter().enumerate() {
            let text = match &node.kind {
                Kind::Binary(b) => format!("({} {} {})", texts[b.lhs.index()], b.op, texts[b.rhs.index()]),
                Kind::Unary(u) => format!("({}{})", u.op, texts[u.expr.index()]),
                _ => ast.print(crate::NodeId::from_index(i)),
            };
            texts.push(text);
        }
        texts[ast.root().index()].clone()
    }
    let check = |input: &str, expected: &str| assert_eq!(grouped(input), expected, "{input}");
    check("a + b * c ^ d", "(a + (b * (c ^ d)))");
    check("a ^ b ^ c", "(a ^ (b ^ c))");
    check("a - b - c", "((a - b) - c)");
    check("-a ^ b", "(-(a ^ b))");
    check("-a * b", "((-a) * b)");
    check("a ^ -b * c", "((a ^ (-b)) * c)");
    check("a or b and c unless d", "(a or ((b and c) unless d))");
    check("a == b > c", "((a == b) > c)");
    check("a </ 1 + 2", "(a </ (1 + 2))");
    check("a atan2 b % c", "((a atan2 b) % c)");
    check("-foo offset 5m", "(-foo offset 5m)");
    check("a offset 5m * 2", "(a offset 5m * 2)");
}

#[test]
fn offsets_take_one_operand() {
    let root = |input: &str| {
        let ast = parse(input, &Options::default()).expect(input);
        matches!(ast.kind(ast.root()), Kind::Binary(_))
    };
    assert!(root("foo offset 5m * 2"));
    assert!(root("foo offset step() * 2"));
    assert!(root("foo offset -(1m) * 2"));
    assert!(!root("foo offset (1m) * 2"));
    assert!(!root("foo offset --1m * 2"));
}

#[test]
fn selectors_stand_alone() {
    let matchers = parse_selector("foo{a=~\"b|c\", \"d\"!=\"e\"}").expect("valid");
    assert_eq!(
        matchers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["a=~\"b|c\"", "d!=\"e\"", "__name__=\"foo\""]
    );
    assert_eq!(parse_selector("{}").expect("matches all"), []);
    assert_eq!(parse_selector("foo[5m]").unwrap_err().to_string(), "1:4: parse error: unexpected \"[\"");
    assert_eq!(parse_selector("").unwrap_err().to_string(), "unknown position: parse error: unexpected end of input");
    assert!(parse_selector("{a=\"\\xff\"}").unwrap_err().to_string().contains("not valid UTF-8"));
}

#[test]
fn metrics_stand_before_values() {
    let check = |input: &str, labels: &str, rest: &str| {
        let (found, end) = parse_metric(input).expect(input);
        assert_eq!((found.to_string().as_str(), &input[end..]), (labels, rest), "{input}");
    };
    check("foo 1 2", "{__name__=\"foo\"}", " 1 2");
    check("sum{a='b',} _x3", "{__name__=\"sum\", a=\"b\"}", " _x3");
    check("{} {{schema:1}}", "{}", " {{schema:1}}");
    check("{\"a.b\", c=\"\"}", "{__name__=\"a.b\"}", "");
    assert_eq!(
        parse_metric("foo{a=b}").unwrap_err().to_string(),
        "1:7: parse error: unexpected identifier \"b\" in label set, expected string"
    );
    assert!(parse_metric("").is_err() && parse_metric("1").is_err() && parse_metric("{a").is_err());
}

#[test]
fn words_are_metrics_where_they_can_be() {
    for text in
        ["sum", "by", "offset", "start + end", "fill + fill", "and and or or unless", "step[5m]", "max_of", "anchored"]
    {
        assert_eq!(print(text), text);
    }
    assert_eq!(print("sum by (by, on, bool, le) (x)"), "sum by (by, on, bool, le) (x)");
    assert_eq!(
        error("sum by (without) (x)"),
        "1:9: parse error: unexpected <without> in grouping opts, expected label"
    );
    assert_eq!(error("bool"), "1:1: parse error: unexpected <bool>");
}

#[test]
fn errors_name_the_innermost_place() {
    let check = |input: &str, expected: &str| assert_eq!(error(input), expected, "{input}");
    check("sum(foo bar)", "1:9: parse error: unexpected identifier \"bar\" in aggregation");
    check("sum(abs(foo bar))", "1:13: parse error: unexpected identifier \"bar\" in aggregation");
    check("a + on (b) group_left ^ c", "1:23: parse error: unexpected <op:^> in grouping opts, expected \"(\"");
    check("abs(sum(foo) bar)", "1:14: parse error: unexpected identifier \"bar\"");
    check("sum by (a) foo", "1:12: parse error: unexpected identifier \"foo\" in aggregation");
    check(
        "foo offset (5m foo)",
        "1:16: parse error: unexpected identifier \"foo\" in offset, expected number, duration, step(), or range()",
    );
    check("foo @ start(5)", "1:13: parse error: unexpected number \"5\" in @, expected timestamp");
    check("foo[5m:1m:", "1:10: parse error: unexpected colon ':'");
    check("foo[5m", "1:7: parse error: unclosed left bracket");
    check(
        "foo[(5m]",
        "1:8: parse error: unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()",
    );
    check("a\n  + \n\"x\"", "3:1: parse error: binary expression must contain only scalar and instant vector types");
    check("\"a very long string\" 1", "1:22: parse error: unexpected number \"1\"");
    check("1 \"a very long string\"", "1:3: parse error: unexpected string \"\\\"a very lo\"...");
}

#[test]
fn long_chains_and_many_arguments_are_fine() {
    let chain = vec!["a"; 100_000].join("+");
    let ast = parse(&chain, &Options::default()).expect("a long chain");
    assert_eq!(ast.to_string().len(), 100_000 + 99_999 * 3);
    assert_eq!(ast.value_type(ast.root()), ValueType::Vector);
    assert_eq!(ast.preorder(ast.root()).count(), 199_999);
    assert!(ast.pretty().len() > 300_000);
    drop(ast);
    let args = vec!["\"x\""; 50_000].join(",");
    assert!(parse(&format!("label_join(foo, {args})"), &Options::default()).is_ok());
    let labels: Vec<String> = (0..100_000).map(|i| format!("l{i}")).collect();
    let labels = labels.join(",");
    assert!(parse(&format!("a + on ({labels}) group_left (x{labels}) b"), &Options::default()).is_err());
}

#[test]
fn deep_nesting_is_refused() {
    let deep = 100_000;
    for input in [
        "(".repeat(deep) + "1" + &")".repeat(deep),
        "-".repeat(deep) + "a",
        "abs(".repeat(deep) + "a" + &")".repeat(deep),
        "sum(".repeat(deep) + "a" + &")".repeat(deep),
        vec!["a"; deep].join("^"),
        format!("foo[{}1{}]", "(".repeat(deep), ")".repeat(deep)),
        format!("foo[{}1]", "-".repeat(deep)),
        format!("foo offset {}1,1{}", "max_of(".repeat(deep), ")".repeat(deep)),
    ] {
        let e = parse(&input, &Options::default()).expect_err("too deep");
        assert_eq!(e.kind, ParseErrorKind::Limit, "{e}");
        assert!(e.position.is_some());
        assert!(e.message.ends_with("is nested deeper than the limit of 1000 levels"), "{e}");
    }
    let options = Options { max_bytes: 3, ..Options::default() };
    assert_eq!(
        parse("a + b", &options).unwrap_err().to_string(),
        "1:1: parse error: expression of 5 bytes is longer than the limit of 3"
    );
}

#[test]
fn children_come_before_parents() {
    for input in ["foo offset (1m + 2m)", "rate(foo[5m] offset (1m + 2m) @ 5)", "abs(a)[5m:1m] offset step()"] {
        let ast = parse(input, &Options::default()).expect(input);
        for (i, node) in ast.nodes().iter().enumerate() {
            let id = crate::NodeId::from_index(i);
            assert!(ast.children(id).all(|c| c < id), "{input}");
            let modifiers = match &node.kind {
                Kind::Vector(v) => v.modifiers,
                Kind::Subquery(s) => s.modifiers,
                _ => continue,
            };
            assert!(modifiers.offset_expr.is_none_or(|e| e < id), "{input}");
        }
        assert_eq!(
            parse(&ast.to_string(), &Options::default()).expect("prints what parses").to_string(),
            ast.to_string()
        );
    }
}
