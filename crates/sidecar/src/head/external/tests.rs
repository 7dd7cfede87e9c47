use super::*;

fn external() -> Labels {
    Labels::from_pairs([("cluster", "eu"), ("replica", "a")])
}

fn texts(selected: &[Matcher]) -> Vec<String> {
    selected.iter().map(ToString::to_string).collect()
}

#[test]
fn matchers_on_external_labels_are_answered_here() {
    let matchers = [Matcher::equal("cluster", "eu"), Matcher::equal("job", "api")];
    let selected = select(&external(), &matchers, TimeRange::ALL).unwrap();
    assert_eq!(texts(&selected.matchers), [r#"job="api""#]);
    assert!(select(&external(), &[Matcher::equal("cluster", "us")], TimeRange::ALL).is_none());
    assert!(select(&external(), &[Matcher::equal("replica", "")], TimeRange::ALL).is_none());
}

#[test]
fn prometheus_always_gets_a_matcher_it_accepts() {
    let selected = select(&external(), &[Matcher::equal("cluster", "eu")], TimeRange::ALL).unwrap();
    assert_eq!(texts(&selected.matchers), [r#"__name__!="""#]);
    assert!(selected.given().is_empty());
}

#[test]
fn external_labels_win_and_replica_labels_go() {
    let series = [("__name__", "up"), ("cluster", "other"), ("z", "1")];
    let mut out = Vec::new();
    let external = external();
    final_labels(series.into_iter(), &external, &["replica".to_owned()], &mut out);
    assert_eq!(out, [("__name__", "up"), ("cluster", "eu"), ("z", "1")]);
}
