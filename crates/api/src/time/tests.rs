use super::{format_rfc3339, parse_duration, parse_time};

#[test]
fn times_are_seconds_or_rfc3339() {
    let cases = [
        ("0", Some(0)),
        ("1768478400", Some(1_768_478_400_000)),
        ("1768478400.1234", Some(1_768_478_400_123)),
        ("-1.5", Some(-1_500)),
        ("1e3", Some(1_000_000)),
        ("1970-01-01T00:00:00Z", Some(0)),
        ("2026-01-15T12:00:00Z", Some(1_768_478_400_000)),
        ("2026-01-15T12:00:00.25Z", Some(1_768_478_400_250)),
        ("2026-01-15T14:00:00+02:00", Some(1_768_478_400_000)),
        ("2026-01-15T06:30:00.000000001-05:30", Some(1_768_478_400_000)),
        ("2024-02-29T00:00:00Z", Some(1_709_164_800_000)),
        ("2023-02-29T00:00:00Z", None),
        ("2026-01-15", None),
        ("2026-01-15T12:00:00", None),
        ("notatime", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        ("2026-13-15T12:00:00Z", None),
        ("2026-01-15T12:00:0é", None),
    ];
    for (text, ms) in cases {
        assert_eq!(parse_time(text), ms, "{text}");
    }
    assert!(parse_time("-292273086-05-16T16:47:06Z").is_some_and(|t| t < -9_000_000_000_000_000));
}

#[test]
fn durations_are_seconds_or_prometheus_durations() {
    let cases = [
        ("15", Some(15_000)),
        ("0.5", Some(500)),
        ("0", Some(0)),
        ("-3", Some(-3_000)),
        ("5m", Some(300_000)),
        ("1h30m", Some(5_400_000)),
        ("1e30", None),
        ("x", None),
    ];
    for (text, ms) in cases {
        assert_eq!(parse_duration(text), ms, "{text}");
    }
}

#[test]
fn printed_instants_read_back() {
    for days in (-200_000..400_000).step_by(97) {
        let ms = days * 86_400_000 + 45_296_789;
        let text = format_rfc3339(ms);
        if text.len() == 24 {
            assert_eq!(parse_time(&text), Some(ms), "{text}");
        }
    }
    assert_eq!(format_rfc3339(1_768_478_400_000), "2026-01-15T12:00:00Z");
}
