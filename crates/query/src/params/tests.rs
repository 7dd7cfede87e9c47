use std::time::Duration;

use api::{ApiError, Params};
use engine::Grid;
use store::dedup;

use super::{Evaluation, Lookup, Options, label_name};
use crate::Settings;

fn settings() -> Settings {
    Settings { replica_labels: vec!["replica".to_owned()], ..Settings::default() }
}

fn range(query: &str) -> Result<Evaluation, String> {
    Evaluation::range(&Params::new(query, None), &settings()).map_err(|e| e.message.into_owned())
}

fn options(query: &str) -> Result<Options, ApiError> {
    Evaluation::instant(&Params::new(&format!("query=up&{query}"), None), &settings(), 0).map(|e| e.options)
}

#[test]
fn instant_queries_are_evaluated_now_unless_they_say_when() {
    let at = |query: &str| {
        let params = Params::new(query, None);
        Evaluation::instant(&params, &settings(), 7).map(|e| e.grid).map_err(|e| e.message.into_owned())
    };
    assert_eq!(at("query=up"), Ok(Grid { start_ms: 7, end_ms: 7, step_ms: 1 }));
    assert_eq!(at("query=up&time=1.5"), Ok(Grid { start_ms: 1500, end_ms: 1500, step_ms: 1 }));
    assert!(at("time=1").is_err_and(|e| e.contains("query")));
}

#[test]
fn wrong_ranges_are_refused_in_prometheus_words() {
    let start = "query=up&start=0&end=";
    let step = "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer";
    let cases = [
        (format!("{start}10&step=0"), step),
        (format!("{start}10&step=-5"), step),
        (
            "query=up&start=10&end=0&step=1".to_owned(),
            "invalid parameter \"end\": end timestamp must not be before start time",
        ),
        (
            format!("{start}11001&step=1"),
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        ("query=up&end=0&step=1".to_owned(), "invalid parameter \"start\": cannot parse \"\" to a valid timestamp"),
    ];
    for (query, message) in cases {
        assert_eq!(range(&query).map(|e| e.grid), Err(message.to_owned()), "{query}");
    }
    assert!(range(&format!("{start}11000&step=1")).is_ok());
    assert!(range("query=up&start=-292273086-05-16T16:47:06Z&end=292277025-08-18T07:12:54.999999999Z&step=1").is_err());
}

#[test]
fn a_range_without_step_takes_a_250th() {
    let step = |query: &str| range(query).map(|e| e.grid.step_ms);
    assert_eq!(step("query=up&start=0&end=86400"), Ok(345_000));
    assert_eq!(step("query=up&start=0&end=60"), Ok(1_000));
}

#[test]
fn replicas_are_merged_unless_the_request_says_otherwise() {
    let labels = |query: &str| options(query).map(|o| o.replica_labels).map_err(|e| e.message.into_owned());
    assert_eq!(labels(""), Ok(vec!["replica".to_owned()]));
    assert_eq!(labels("dedup=true"), Ok(vec!["replica".to_owned()]));
    assert_eq!(labels("dedup=false"), Ok(vec![]));
    assert_eq!(labels("replicaLabels[]=a&replicaLabels[]=b"), Ok(vec!["a".to_owned(), "b".to_owned()]));
    assert!(labels("dedup=maybe").is_err());
    assert_eq!(options("").map(|o| o.dedup_func), Ok(dedup::Func::Stable));
    assert_eq!(options("dedup_func=penalty").map(|o| o.dedup_func), Ok(dedup::Func::Penalty));
    assert!(options("dedup_func=best").is_err());
}

#[test]
fn resolutions_times_and_limits_are_read() {
    let resolution =
        |query: &str| range(&format!("query=up&start=0&end=86400&step=300&{query}")).map(|e| e.options.resolution_ms);
    assert_eq!(resolution(""), Ok(0));
    assert_eq!(resolution("max_source_resolution=auto"), Ok(60_000));
    assert_eq!(resolution("max_source_resolution=5m"), Ok(300_000));
    assert_eq!(resolution("max_source_resolution=3600"), Ok(3_600_000));
    assert!(resolution("max_source_resolution=x").is_err());
    assert!(resolution("max_source_resolution=-1").is_err());

    let o = options("timeout=5s&lookback_delta=90&partial_response=0&limit=3").expect("good");
    assert_eq!((o.timeout, o.lookback_ms, o.partial_response, o.limit), (Duration::from_secs(5), 90_000, false, 3));
    assert_eq!(options("timeout=1h").map(|o| o.timeout), Ok(Duration::from_secs(120)));
    let o = options("storeMatch[]={__address__=~\"a.*\"}").expect("good");
    assert_eq!(o.stores.len(), 1);
    assert!(options("storeMatch[]={").is_err());
}

#[test]
fn lookups_reach_over_all_time_unless_told_otherwise() {
    let range = |query: &str, settings: &Settings| {
        Lookup::new(&Params::new(query, None), settings, 1_000_000, vec![]).map(|l| (l.range.min, l.range.max))
    };
    assert_eq!(range("", &settings()), Ok((i64::MIN, i64::MAX)));
    assert_eq!(range("start=1&end=2", &settings()), Ok((1_000, 2_000)));
    assert!(range("start=2&end=1", &settings()).is_err());
    let recent = Settings { metadata_range_ms: 400_000, ..settings() };
    assert_eq!(range("", &recent), Ok((600_000, 1_000_000)));
    assert_eq!(range("end=2000", &recent), Ok((600_000, 2_000_000)));
}

#[test]
fn escaped_label_names_are_unescaped() {
    let cases = [
        ("job", "job"),
        ("U__service_2e_name", "service.name"),
        ("U__a__b", "a_b"),
        ("U__x_zz_", "U__x_zz_"),
        ("jöb", "jöb"),
    ];
    for (text, name) in cases {
        assert_eq!(label_name(text), Ok(name.to_owned()));
    }
    assert!(label_name("").is_err());
}
