use std::sync::Arc;

use engine::testing::Memory;
use engine::{Queryable, Settings};
use model::{FloatHistogram, Labels as ModelLabels, Span};
use request::{CpuPool, InlinePool};

use super::{differ_in_nan_buckets, explain};
use crate::answer::{Answer, Point};
use crate::compare::difference;
use crate::esker;
use crate::exceptions::Case;
use crate::query::{Query, When};
use crate::sides::Sides;

/// `x` is 2, 3 and 4 and `h` a native histogram with a bucket on each side of zero that grows.
fn source() -> Memory {
    let mut memory = Memory::new();
    for i in 2..5 {
        let labels = ModelLabels::from_pairs([("__name__", "x"), ("i", &i.to_string())]);
        memory.add_floats(labels, (0..10).map(|t| (t * 30_000, f64::from(i))));
    }
    let one = |t: i64| FloatHistogram {
        count: 2.0 + t as f64,
        positive_spans: [Span { offset: 0, length: 1 }].into(),
        negative_spans: [Span { offset: 0, length: 1 }].into(),
        positive_buckets: vec![1.0 + t as f64],
        negative_buckets: vec![1.0],
        ..FloatHistogram::default()
    };
    let columns = block::Columns {
        ht: (0..10).map(|t| t * 30_000).collect(),
        h: (0..10).map(one).collect(),
        ..block::Columns::default()
    };
    memory.add(ModelLabels::from_pairs([("__name__", "h")]), columns);
    memory
}

/// The name of the exception that explains what a peer answers that is ours but for `change`, which is told the
/// text of what is asked.
fn explained(text: &str, change: &dyn Fn(&str, &mut Answer)) -> Option<&'static str> {
    let (source, pool) = (source(), Arc::new(InlinePool) as Arc<dyn CpuPool>);
    let own = |query: &Query| esker::answer(query, &source as &dyn Queryable, Settings::default(), &pool);
    let peer = |query: &Query| {
        let mut answer = own(query)?;
        change(&query.text, &mut answer);
        Ok(answer)
    };
    let query =
        Query { text: text.to_owned(), when: When::Over { start_ms: 120_000, end_ms: 240_000, step_ms: 60_000 } };
    let (expected, got) = (peer(&query).expect("an answer"), own(&query).expect("an answer"));
    let difference = difference(&expected, &got, false).expect("the answers differ");
    let case = Case { query: &query, expected: &expected, got: &got, difference: &difference };
    let sides = Sides { peer: &peer, source: &source, settings: Settings::default(), pool: &pool };
    explain(&case, &sides).expect("all parts are answered").map(|exception| exception.name)
}

/// Applies `f` to all floats.
fn each(answer: &mut Answer, f: impl Fn(f64) -> f64) {
    let Answer::Given(given) = answer else { panic!("{answer:?}") };
    for (_, point) in given.series.iter_mut().flat_map(|series| &mut series.points) {
        if let Point::Float(v) = point {
            *v = f(*v);
        }
    }
}

fn next_up(v: f64) -> f64 {
    f64::from_bits(v.to_bits() + 1)
}

#[test]
fn last_digits_are_those_of_the_operands() {
    // The peer's powers are greater by the last bit, and what is made of them follows.
    let powers = |text: &str, answer: &mut Answer| match text {
        "x ^ 2" => each(answer, next_up),
        "x ^ 2 == 9" | "(x ^ 2) == 9" => {
            if let Answer::Given(given) = answer {
                given.series.clear();
            }
        }
        "(x ^ 2) % 4" => {
            each(answer, |v| if v == 1.0 { next_up(9.0) % 4.0 } else { next_up(if v == 0.0 { 4.0 } else { v }) % 4.0 })
        }
        "floor(-(x ^ 2))" => each(answer, |v| v - 1.0),
        "-(x ^ 2)" => each(answer, |v| -next_up(-v)),
        "sum(floor(-(x ^ 2)))" => each(answer, |v| v - 3.0),
        _ => {}
    };
    assert_eq!(explained("x ^ 2 == 9", &powers), Some("last digits"));
    assert_eq!(explained("floor(-(x ^ 2))", &powers), Some("last digits"));
    assert_eq!(explained("sum(floor(-(x ^ 2)))", &powers), Some("last digits"), "the culprit lies further down");
}

#[test]
fn a_real_difference_beside_last_digits_is_found() {
    // The powers differ in the last bit, but the peer's comparison comes out as no power of its own would.
    let wrong = |text: &str, answer: &mut Answer| match text {
        "x ^ 2" => each(answer, next_up),
        "x ^ 2 > 3" => each(answer, |v| v * 2.0),
        _ => {}
    };
    assert_eq!(explained("x ^ 2 > 3", &wrong), None);
    // Everything below is the same to the last bit.
    let alone = |text: &str, answer: &mut Answer| {
        if text == "floor(x ^ 2)" {
            each(answer, |v| v + 1.0);
        }
    };
    assert_eq!(explained("floor(x ^ 2)", &alone), None);
    assert_eq!(explained("sqrt(x)", &|_, answer| each(answer, |v| v * 1.001)), None);
    // One of two culprits is explained, the other is not.
    let both = |text: &str, answer: &mut Answer| match text {
        "x ^ 2" => each(answer, next_up),
        "floor(-(x ^ 2))" => each(answer, |v| v - 1.0),
        "-(x ^ 2)" => each(answer, |v| -next_up(-v)),
        "abs(x)" => each(answer, |v| v + 5.0),
        "floor(-(x ^ 2)) + abs(x)" => each(answer, |v| v + 4.0),
        _ => {}
    };
    assert_eq!(explained("floor(-(x ^ 2)) + abs(x)", &both), None);
}

#[test]
fn empty_buckets_times_nan_are_no_difference() {
    let nan = f64::NAN;
    let few = [nan, nan, 0.0, 1.0, 2.0, nan];
    let more = [nan, nan, 0.0, 0.5, 1.0, nan, 0.0, 1.0, 2.0, nan];
    assert!(differ_in_nan_buckets(&few, &more) && differ_in_nan_buckets(&more, &few));
    // Another count, sum or bucket is one.
    assert!(!differ_in_nan_buckets(&few, &[1.0, nan, 0.0, 1.0, 2.0, nan]));
    assert!(!differ_in_nan_buckets(&few, &[nan, nan, 0.0, 1.0, 2.0, nan, 0.0, 2.0, 4.0, 7.0]));
    assert!(!differ_in_nan_buckets(&[nan, nan, 0.0, 1.0, 2.0, 3.0], &[nan, nan, 0.0, 1.0, 2.0, 4.0]));
}

#[test]
fn the_layout_of_histograms_is_seen_only_where_there_are_histograms() {
    let more = |text: &str, answer: &mut Answer| {
        if text.starts_with("changes") || text.starts_with("histogram_quantile") || text.starts_with("sum(changes") {
            each(answer, |v| v + 1.0);
        }
    };
    assert_eq!(explained("changes(h[2m])", &more), Some("layout of histograms"));
    assert_eq!(explained("sum(changes(h[2m]))", &more), Some("layout of histograms"));
    assert_eq!(explained("histogram_quantile(0.5, h)", &more), Some("layout of histograms"));
    assert_eq!(explained("changes(x[2m])", &more), None, "no histogram");
    assert_eq!(explained(r#"changes({__name__=~"x|h"}[2m])"#, &more), None, "not all of them are histograms");
    let none = |text: &str, answer: &mut Answer| {
        if let (true, Answer::Given(given)) = (text.contains("=="), answer) {
            given.series.clear();
        }
    };
    assert_eq!(explained("h == h", &none), Some("layout of histograms"));
    assert_eq!(explained("x == x", &none), None);
    assert_eq!(
        explained("h + h", &|text, answer| {
            if let (true, Answer::Given(given)) = (text.contains('+'), answer) {
                given.series.clear();
            }
        }),
        None
    );
}

#[test]
fn notes_may_differ_in_the_last_digits_of_values_only() {
    let note = |value: &'static str| {
        move |_: &str, answer: &mut Answer| {
            if let Answer::Given(given) = answer
                && let Some(text) = given.warnings.first_mut()
            {
                let (before, after) = text.split_once(", got 1.5").expect("a value is named");
                *text = format!("{before}, got {value}{after}");
            }
        }
    };
    let query = "quantile(1.5, x)";
    let (near, far) = (note("1.5000000000000002"), note("1.6"));
    let asked = |change: &dyn Fn(&str, &mut Answer)| explained(query, change);
    assert_eq!((asked(&near), asked(&far)), (Some("last digits of a note"), None));
}
