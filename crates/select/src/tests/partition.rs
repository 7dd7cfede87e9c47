use std::collections::BTreeSet;

use super::*;
use crate::replicas::{partition, tuples};

fn shown(sets: &[&str]) -> Vec<String> {
    let labels = ["r", "s"].map(str::to_owned);
    let tuples: BTreeSet<Vec<String>> = sets.iter().map(|s| s.split(',').map(str::to_owned).collect()).collect();
    let text = |ms: Vec<Matcher>| ms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    partition(&tuples, &labels).into_iter().map(text).collect()
}

#[test]
fn one_part_for_each_tuple() {
    assert_eq!(shown(&["a,", "b,"]), [r#"r="a""#, r#"r="b""#]);
    assert_eq!(shown(&["a,", ","]), [r#"r!="a""#, r#"r="a""#]);
    assert_eq!(shown(&[",", "a.1,", "b,"]), [r#"r!~"a\\.1|b""#, r#"r="a.1""#, r#"r="b""#]);
    assert_eq!(shown(&["a,", ",x", ",y"]), [r#"r!="a" s="x""#, r#"r!="a" s="y""#, r#"r="a""#]);
}

#[test]
fn tuples_are_those_of_extents_that_may_match() {
    let extent = |text: &str, min, max| store::Extent { labels: labels(text), range: TimeRange::new(min, max) };
    let info = StoreInfo {
        extents: vec![
            extent("c=1,r=a", 0, 10),
            extent("c=1,r=b", 0, 10),
            extent("c=1,r=c", 20, 30),
            extent("c=2,r=d", 0, 10),
            extent("c=1", 0, 10),
        ],
        ..StoreInfo::default()
    };
    let found = tuples(&info, TimeRange::new(5, 6), &[Matcher::equal("c", "1")], &["r".to_owned()]);
    assert_eq!(found.into_iter().flatten().collect::<Vec<_>>(), ["", "a", "b"]);
}
