use std::time::Duration;

use clap::{Args as _, Command, FromArgMatches};
use daemon::flags::{COMMON_INERT, accept_inert, parse};
use store::dedup;

use crate::Features;

use super::{Args, INERT, route_prefix, shown_flags};

fn args(line: &str) -> Args {
    let matches = matches(line);
    Args::from_arg_matches(&matches).expect("good flags")
}

fn command() -> Command {
    accept_inert(accept_inert(Args::augment_args(Command::new("query")), INERT), COMMON_INERT)
}

fn matches(line: &str) -> clap::ArgMatches {
    parse(command(), format!("query {line}").split_whitespace().map(Into::into)).expect("good flags")
}

#[test]
fn flags_become_settings() {
    let s = args(
        "--endpoint=a:1 --store b:2 --query.replica-label=replica,rule_replica --query.replica-label=x \
                  --query.timeout=5m --no-query.partial-response --deduplication.func=chain --query.lookback-delta=1m",
    )
    .settings();
    assert_eq!(s.replica_labels, ["replica", "rule_replica", "x"]);
    assert_eq!((s.timeout, s.partial_response, s.lookback_ms), (Duration::from_secs(300), false, 60_000));
    assert_eq!(s.dedup_func, dedup::Func::Chain);
    assert_eq!(args("--endpoint=a:1 --store b:2").endpoint, ["a:1", "b:2"]);

    let on = args("--enable-feature=promql-delayed-name-removal,use-start-timestamps --enable-feature=x").settings();
    let features = Features { delayed_name_removal: true, start_timestamps: true, ..Features::default() };
    assert_eq!(on.features, features);
    let engine = on.features.engine();
    assert!(engine.delayed_name_removal && engine.start_timestamps && !engine.type_and_unit_labels);
    let typed = args("--enable-feature=type-and-unit-labels --query.promql-disable-experimental").settings().features;
    assert_eq!(typed, Features { type_and_unit_labels: true, experimental: false, ..Features::default() });
    assert_eq!(typed.parser(), promql::Options::stable());

    let s = args("").settings();
    assert_eq!((s.features, s.features.parser()), (Features::default(), promql::Options::default()));
    assert!(!s.features.engine().start_timestamps && !s.features.engine().delayed_name_removal);
    assert_eq!((s.concurrent_max, s.lookback_ms, s.default_step_ms, s.subquery_step_ms), (20, 300_000, 1_000, 60_000));
    assert!(s.partial_response && s.cors && s.dedup_func == dedup::Func::Stable);
}

#[test]
fn flags_of_thanos_are_taken() {
    let _taken = matches(
        "--query.auto-downsampling --query.promql-engine=thanos --query.mode=local --query.max-concurrent-select=4 \
         --store.sd-dns-interval=10s --store.sd-interval=5m --grpc-compression=none --query.conn-metric.label=ip_port \
         --web.prefix-header=X --query.telemetry.request-duration-seconds-quantiles=0.1 --enable-feature=x \
         --http-grace-period=2m --endpoint-strict=a:1 --selector-label=a=\"b\" --no-query.dynamic-lookback-delta",
    );
}

#[test]
fn prefixes_have_one_leading_slash() {
    let cases = [
        ("", ""),
        ("/", ""),
        ("a", "/a"),
        ("/a/b/", "/a/b"),
        ("https://example.com/thanos/", "/thanos"),
        ("https://example.com", ""),
    ];
    for (given, prefix) in cases {
        assert_eq!(route_prefix(given), prefix);
    }
}

#[test]
fn flags_are_shown_with_their_values() {
    let shown = shown_flags(&command(), &matches("--query.replica-label=a,b --endpoint=x:1"));
    assert_eq!(shown.get("query.timeout").map(String::as_str), Some("2m"), "{shown:?}");
    assert_eq!(shown.get("endpoint").map(String::as_str), Some("x:1"));
}
