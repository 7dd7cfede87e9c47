//! Input as long and as deep as anybody may send, on a stack too small for any recursion over it.

use promql::{Options, ParseErrorKind, parse};

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(128 << 10).spawn(work).expect("a thread").join().expect("it returns");
}

#[test]
fn a_chain_of_100_000_operands_is_parsed_printed_and_dropped() {
    on_a_small_stack(|| {
        let text = vec!["a"; 100_000].join(" + ");
        let ast = parse(&text, &Options::default()).expect("a long chain");
        assert_eq!(ast.to_string(), text);
        assert!(ast.pretty().len() > text.len());
        drop(ast.clone());
        drop(ast);
    });
}

#[test]
fn nesting_of_100_000_levels_is_refused_with_a_position() {
    on_a_small_stack(|| {
        let deep = 100_000;
        let around = |open: &str, close: &str| open.repeat(deep) + "a" + &close.repeat(deep);
        for input in [
            around("(", ")"),
            around("-", ""),
            around("sum(", ")"),
            around("abs(", ")"),
            around("1 ^ ", ""),
            around("", "[5m:1m]"),
            around("max_over_time(", "[5m:1m])"),
        ] {
            let error = parse(&input, &Options::default()).expect_err(&input[..20]);
            assert!(error.position.is_some(), "{error}");
            let deepest = matches!(error.kind, ParseErrorKind::Limit);
            // Subqueries stand one behind the other; that a subquery has none is found first.
            assert!(deepest || input.starts_with("a["), "{error}");
        }
    });
}
