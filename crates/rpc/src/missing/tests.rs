use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn comes_back_whatever_it_holds(
        labels in prop::collection::btree_map("[a-z]{1,5}", ".{0,8}", 0..3),
        times in any::<(i64, i64)>(),
        store in ".{0,12}",
        cause in "(.|; missing=\\{\"){0,12}",
        tail in "( [a-z]{3}|\\))?",
    ) {
        let missing = Missing { labels: labels.into_iter().collect(), min_time: times.0, max_time: times.1, store, cause };
        let warning = to_warning(&missing) + &tail;
        prop_assert_eq!(from_warning(&warning, "peer", 1, 2), missing);
    }
}

#[test]
fn any_other_warning_is_its_own_cause() {
    let missing = from_warning("receive series from 1.2.3.4: gone; missing={\"x", "peer", 1, 2);
    assert_eq!((missing.store.as_str(), missing.min_time, missing.max_time), ("peer", 1, 2));
    assert!(missing.cause.starts_with("receive series"));
}
