use super::{DurationError, format, parse, parse_signed};

#[test]
fn parses_and_formats() {
    let check = |text: &str, ms: i64, canonical: &str| {
        assert_eq!(parse(text), Ok(ms), "{text}");
        assert_eq!(format(ms), canonical, "{text}");
        assert_eq!(parse(canonical), Ok(ms), "{canonical}");
    };
    check("0", 0, "0s");
    check("0w", 0, "0s");
    check("324ms", 324, "324ms");
    check("90m", 5_400_000, "1h30m");
    check("4h1m1s2ms", 14_461_002, "4h1m1s2ms");
    check("14d", 1_209_600_000, "2w");
    check("15d", 1_296_000_000, "15d");
    check("1y", 31_536_000_000, "1y");
    check("53w", 32_054_400_000, "53w");
    check("2y1d", 63_158_400_000, "731d");
    assert_eq!(parse_signed("-1h"), Ok(-3_600_000));
    assert_eq!(format(-90_000), "-1m30s");
    assert_eq!(format(i64::MIN), "-106751991167d7h12m55s808ms");
}

#[test]
fn refuses() {
    let check = |text: &str, message: &str| assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
    check("", "empty duration string");
    check("1", "not a valid duration string: \"1\"");
    check("m", "not a valid duration string: \"m\"");
    check("-1m", "not a valid duration string: \"-1m\"");
    check("1m1h", "not a valid duration string: \"1m1h\"");
    check("1m1m", "not a valid duration string: \"1m1m\"");
    check("5y1hs", "unknown unit \"hs\" in duration \"5y1hs\"");
    check("1.5h", "unknown unit \".\" in duration \"1.5h\"");
    check("300y", "duration out of range");
    check("1µs", "unknown unit \"µs\" in duration \"1µs\"");
    assert_eq!(parse("99999999999999999y"), Err(DurationError::OutOfRange));
    assert!(matches!(parse("999999999999999999999y"), Err(DurationError::Invalid(_))));
}
