use super::{Lexer, Tok, parse_number, unquote};

#[test]
fn numbers_mean_what_go_says() {
    let check = |text: &str, expected: f64| {
        let got = parse_number(text).expect(text);
        assert!(got == expected || (got.is_nan() && expected.is_nan()), "{text}: {got}");
    };
    check("010", 8.0);
    check("08", 8.0);
    check("0x1F", 31.0);
    check("0x_1F", 31.0);
    check("1_000", 1000.0);
    check("0_1", 1.0);
    check("1_000.5", 1000.5);
    check("1e3", 1000.0);
    check(".5", 0.5);
    check("5.", 5.0);
    check("InF", f64::INFINITY);
    check("nan", f64::NAN);
    check("9223372036854775808", 9_223_372_036_854_775_808.0);
    assert!(parse_number("1__0").unwrap_err().ends_with("parsing \"1__0\": invalid syntax"));
    assert!(parse_number("0.5.5").unwrap_err().ends_with("parsing \"0.5.5\": invalid syntax"));
    assert!(parse_number("1e999").unwrap_err().ends_with("parsing \"1e999\": value out of range"));
}

#[test]
fn strings_are_unquoted() {
    let check = |token: &str, expected: &[u8]| {
        assert_eq!(Lexer::new(token).next_token().expect(token).tok, Tok::String, "{token}");
        assert_eq!(&*unquote(token), expected, "{token}");
    };
    check(r#""a\tb""#, b"a\tb");
    check(r#""\xff\377""#, b"\xff\xff");
    check(r#"'it\'s "so"'"#, b"it's \"so\"");
    check("`a\\n`", b"a\\n");
    check(r#""\u00e9\U0001F600é""#, "é😀é".as_bytes());
    check(r#""\u00ff""#, "ÿ".as_bytes());
    check(r#""\\""#, b"\\");
}

#[test]
fn any_text_ends_in_eof_or_an_error() {
    for text in
        ["", "é", "[", "[[", "{a", "\"\\", "\u{fffd}", "1e", "0x", "0x.", "foo[:", "#", "a#b\nc", "!", "1_", "'\\U9"]
    {
        let mut lexer = Lexer::new(text);
        for _ in 0..=text.len() {
            match lexer.next_token() {
                Ok(token) if token.tok == Tok::Eof => break,
                Ok(token) => assert!(token.span.end as usize <= text.len()),
                Err(e) => {
                    assert!(e.start as usize <= text.len());
                    break;
                }
            }
        }
    }
}
