use super::{format, parse};

#[test]
fn durations_read_as_prometheus_reads_them() {
    let good = [
        ("0", 0),
        ("0s", 0),
        ("324ms", 324),
        ("3s", 3_000),
        ("5m", 300_000),
        ("1h", 3_600_000),
        ("4d", 345_600_000),
        ("4d1h", 349_200_000),
        ("14d", 1_209_600_000),
        ("3w", 1_814_400_000),
        ("3w2d1h", 1_814_400_000 + 2 * 86_400_000 + 3_600_000),
        ("10y", 315_360_000_000),
    ];
    for (text, ms) in good {
        assert_eq!(parse(text), Some(ms), "{text}");
    }
    for text in
        ["", "1", "1y1m1d", "-1w", "1.5d", "d", "294y", "200y10400w", "107675d", "2584200h", "1m1m", "5 m", "µs"]
    {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn durations_print_as_prometheus_prints_them() {
    let cases = [
        (0, "0s"),
        (1_209_600_000, "2w"),
        (4 * 86_400_000 + 3_600_000, "4d1h"),
        (5_400_000, "1h30m"),
        (1_500, "1s500ms"),
        (315_360_000_000, "10y"),
        (-300_000, "-5m"),
    ];
    for (ms, text) in cases {
        assert_eq!(format(ms), text);
        assert_eq!(parse(text.trim_start_matches('-')), Some(ms.abs()));
    }
}
