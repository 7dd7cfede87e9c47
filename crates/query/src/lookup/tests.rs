use api::Params;
use futures::FutureExt;
use model::{Labels, Matcher, TimeRange};
use request::Context;
use store::testing::MemoryStore;

use super::{Which, names, series};
use crate::Settings;
use crate::params::Lookup;

/// Two replicas of one series, and another one of another metric.
fn store() -> MemoryStore {
    let mut store = MemoryStore::new("memory");
    for labels in [
        [("__name__", "up"), ("job", "a"), ("replica", "1")],
        [("__name__", "up"), ("job", "a"), ("replica", "2")],
        [("__name__", "down"), ("job", "b"), ("replica", "1")],
    ] {
        store.add(Labels::from_pairs(labels), block::chunk::encode_floats(&[1_000, 2_000], &[1.0, 2.0], 120));
    }
    store.extent(Labels::empty(), TimeRange::ALL)
}

fn lookup(query: &str, matchers: &[&[(&str, &str)]]) -> Lookup {
    let settings = Settings { replica_labels: vec!["replica".to_owned()], ..Settings::default() };
    let sets = matchers.iter().map(|set| set.iter().map(|(n, v)| Matcher::equal(*n, *v)).collect()).collect();
    Lookup::new(&Params::new(query, None), &settings, 0, sets).expect("good parameters")
}

#[test]
fn names_are_those_of_what_any_set_selects() {
    let cx = Context::inline(0);
    let ask = |which, lookup: &Lookup| {
        names(&store(), &cx, which, lookup).now_or_never().expect("at once").expect("an answer").0
    };
    assert_eq!(ask(Which::Names, &lookup("", &[])), ["__name__", "job", "replica"]);
    assert_eq!(ask(Which::ValuesOf("job"), &lookup("", &[])), ["a", "b"]);
    assert_eq!(ask(Which::ValuesOf("job"), &lookup("", &[&[("__name__", "up")]])), ["a"]);
    let both: [&[(&str, &str)]; 2] = [&[("__name__", "up")], &[("__name__", "down")]];
    assert_eq!(ask(Which::ValuesOf("job"), &lookup("", &both)), ["a", "b"]);
    assert!(ask(Which::ValuesOf("nope"), &lookup("", &[])).is_empty());
    assert!(ask(Which::Names, &lookup("start=100&end=200", &[])).is_empty());
}

#[test]
fn series_are_listed_without_replicas_unless_dedup_is_off() {
    let cx = Context::inline(0);
    let ask = |query: &str| {
        let lookup = lookup(query, &[&[("__name__", "up")]]);
        let (sets, _, _) = series(&store(), &cx, &lookup).now_or_never().expect("at once").expect("an answer");
        sets.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(ask(""), ["{__name__=\"up\", job=\"a\"}"]);
    assert_eq!(
        ask("dedup=false"),
        ["{__name__=\"up\", job=\"a\", replica=\"1\"}", "{__name__=\"up\", job=\"a\", replica=\"2\"}"]
    );
}

#[test]
fn a_limit_cuts_and_says_so() {
    let cx = Context::inline(0);
    let lookup = lookup("limit=2", &[]);
    let (names, notes) =
        names(&store(), &cx, Which::Names, &lookup).now_or_never().expect("at once").expect("an answer");
    assert_eq!(names, ["__name__", "job"]);
    assert_eq!(notes.warnings, ["results truncated due to limit"]);
}
