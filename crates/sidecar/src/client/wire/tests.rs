use super::*;

#[test]
fn external_labels_come_from_the_global_section() {
    let yaml =
        "global:\n  scrape_interval: 15s\n  external_labels:\n    cluster: eu\n    replica: \"1\"\n    shard: 2\n";
    assert_eq!(external_labels(yaml).unwrap().to_string(), r#"{cluster="eu", replica="1", shard="2"}"#);
    for none in ["", "global: {}", "global:\n  external_labels:\n"] {
        assert!(external_labels(none).unwrap().is_empty(), "{none:?}");
    }
    let wrong = external_labels("global: {external_labels: [a]}").unwrap_err();
    assert_eq!(wrong.to_string(), "global.external_labels is not a mapping");
}

#[test]
fn the_lowest_timestamp_is_none_on_a_fresh_server() {
    let text = |v: &str| format!("# TYPE x gauge\nprometheus_tsdb_lowest_timestamp_seconds {v}\n");
    assert_eq!(lowest_timestamp_ms(&text("1.7685288e+09")), Some(1_768_528_800_000));
    assert_eq!(lowest_timestamp_ms(&text("9.223372036854776e+15")), None);
    assert_eq!(lowest_timestamp_ms("other 1\n"), None);
}

#[test]
fn times_are_seconds_with_milliseconds() {
    for (ms, want) in [(0, "0.000"), (1_500, "1.500"), (-1, "-0.001"), (i64::MAX, "9223372036.000")] {
        assert_eq!(seconds(ms), want);
    }
}

#[test]
fn matchers_are_quoted_as_promql() {
    let text = |op, n: &str, v: &str| matcher(&Matcher::new(op, n, v).unwrap());
    assert_eq!(text(MatchOp::Equal, "job", "a\"b\\c\n"), r#"job="a\"b\\c\n""#);
    assert_eq!(text(MatchOp::NotRegex, "http.path", "x|y"), r#""http.path"!~"x|y""#);
}

#[test]
fn odd_label_names_are_escaped_in_paths() {
    for (name, want) in [("job", "job"), ("http.path", "U__http_2e_path"), ("U__x", "U__U____x"), ("é_", "U___e9___")]
    {
        assert_eq!(escape_label_name(name), want);
    }
}
