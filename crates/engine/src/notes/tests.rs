use super::*;

#[test]
fn numbers_print_as_in_go() {
    for (v, expected) in [
        (0.5, "0.5"),
        (1e20, "1e+20"),
        (1e6, "1e+06"),
        (999_999.5, "999999.5"),
        (1e-5, "1e-05"),
        (0.0001, "0.0001"),
        (f64::INFINITY, "+Inf"),
        (123_456_789.0, "1.23456789e+08"),
    ] {
        assert_eq!(format_g(v), expected);
    }
    for (v, expected) in [(0.5, "0.5"), (12.34, "12"), (123.0, "1.2e+02"), (5.0, "5"), (10.0, "10"), (0.0123, "0.012")]
    {
        assert_eq!(text::format_g2(v), expected);
    }
    assert_eq!(format_open_metrics(1.0), "1.0");
    assert_eq!(format_open_metrics(0.99), "0.99");
    assert_eq!(format_plain(1e22), "10000000000000000000000");
}

#[test]
fn positions_count_lines_and_bytes_from_one() {
    assert_eq!(position("abc", 1), "1:2");
    assert_eq!(position("a\nbc", 3), "2:2");
    assert_eq!(position("", 0), "unknown position");
    assert_eq!(position("a", 5), "invalid position");
}

#[test]
fn one_note_of_each_wording() {
    let mut notes = Notes::default();
    notes.possible_non_counter("up", Span::new(5, 8));
    notes.possible_non_counter("up", Span::new(15, 18));
    let forced =
        |t| Forced { min_time: t, max_time: t, min_bucket: 1.0, max_bucket: 2.0, max_difference: 3.0, samples: 1 };
    notes.forced_monotonicity("", forced(0), Span::new(0, 1));
    notes.forced_monotonicity("", forced(60_000), Span::new(0, 1));
    let coverage = Coverage::default();
    notes.report("rate(up[5m])+rate(up[5m])", &coverage);
    assert_eq!(coverage.warnings(), Vec::<String>::new());
    assert_eq!(
        coverage.infos(),
        [
            "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"up\" (1:16)",
            "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see \
             https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from buckets 1 to \
             2, with a max diff of 3, over 2 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z (1:1)",
        ]
    );
}
