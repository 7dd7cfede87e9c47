use super::*;

async fn names(store: &dyn Store, request: LabelsRequest) -> Vec<String> {
    let answer = store.label_names(&Context::inline(END_MS), request).await.expect("label names");
    assert_eq!(answer.missing, []);
    answer.names
}

async fn values(store: &dyn Store, request: LabelsRequest) -> Vec<String> {
    let answer = store.label_values(&Context::inline(END_MS), request).await.expect("label values");
    assert_eq!(answer.missing, []);
    answer.names
}

pub(super) async fn lists_names_and_values(store: &dyn Store, data: &Data) {
    let within = TimeRange::new(START_MS, END_MS - 1);
    let request = |label: &str, matchers: &[(&str, &str)]| {
        let matchers = matchers.iter().map(|(n, v)| matcher(MatchOp::Equal, n, v)).collect();
        LabelsRequest { range: within, ..labels_request(label, matchers) }
    };
    let sets: &[&[(&str, &str)]] = &[
        &[],
        &[("__name__", "http_requests_total")],
        &[("pod", "old"), ("cluster", "eu")],
        &[("cluster", "us")],
        &[("__name__", "nothing")],
    ];
    for set in sets {
        let matching: Vec<_> = data
            .complete(&[])
            .into_iter()
            .map(|(l, _)| l)
            .filter(|l| set.iter().all(|(n, v)| l.get(n) == Some(v)))
            .collect();
        let expected: BTreeSet<_> = matching.iter().flat_map(|l| l.iter().map(|(n, _)| n)).collect();
        assert_eq!(names(store, request("", set)).await, expected.into_iter().collect::<Vec<_>>(), "names for {set:?}");
        for label in ["__name__", "instance", "code", "étage", "cluster", "replica", "nothing"] {
            let expected: BTreeSet<_> = matching.iter().filter_map(|l| l.get(label)).collect();
            let expected: Vec<_> = expected.into_iter().collect();
            assert_eq!(values(store, request(label, set)).await, expected, "values of {label} for {set:?}");
        }
    }
    let before = TimeRange::new(START_MS - 7_200_000, START_MS - 3_600_000);
    let early = LabelsRequest { range: before, ..request("instance", &[]) };
    assert!(values(store, early.clone()).await.is_empty() && names(store, early).await.is_empty(), "before the data");

    let some = LabelsRequest { limit: 2, ..request("instance", &[]) };
    assert_eq!(values(store, some).await, ["a:9090", "b:9090"]);
    let without = LabelsRequest { without_replica_labels: vec!["replica".to_owned()], ..request("", &[]) };
    assert!(!names(store, without).await.contains(&"replica".to_owned()), "a removed label is not listed");
}
