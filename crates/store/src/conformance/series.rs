use futures::StreamExt;

use super::*;

/// Series with samples in the range are there with all of these; others only if a chunk overlaps.
fn check(found: &[Found], expected: &[(Labels, Vec<(i64, f64)>)], range: TimeRange, what: &str) {
    for (labels, samples) in expected {
        let inside = |s: &&(i64, f64)| range.contains(s.0);
        let wanted: Vec<_> = samples.iter().filter(inside).copied().collect();
        match found.iter().find(|f| f.labels == *labels) {
            Some(f) => {
                assert_eq!(f.samples.iter().filter(inside).copied().collect::<Vec<_>>(), wanted, "{what}: {labels}");
                assert!(f.samples.iter().all(|s| samples.contains(s)), "{what}: samples of {labels} are its own");
            }
            None => assert!(wanted.is_empty(), "{what}: {labels} is missing"),
        }
    }
    for f in found {
        assert!(expected.iter().any(|(l, _)| *l == f.labels), "{what}: {} does not belong there", f.labels);
    }
}

pub(super) async fn selects_by_matchers_and_time(store: &dyn Store, data: &Data) {
    use MatchOp::{Equal, NotEqual, NotRegex, Regex};
    let sets: &[&[(MatchOp, &str, &str)]] = &[
        &[(NotEqual, "__name__", "")],
        &[(Equal, "__name__", "up")],
        &[(Equal, "__name__", "http_requests_total"), (Regex, "code", "2..|5..")],
        &[(Regex, "__name__", "http.*"), (NotEqual, "code", "200"), (NotRegex, "instance", "a.*|b.*")],
        &[(Equal, "__name__", "métrique"), (Equal, "étage", "4ᵉ")],
        &[(Equal, "path", "/a\\b\n")],
        &[(Regex, "pod", ".+")],
        &[(NotEqual, "__name__", ""), (Equal, "pod", "")],
        &[(NotEqual, "__name__", ""), (Regex, "code", "|404")],
        &[(Equal, "__name__", "up"), (Equal, "cluster", "eu")],
        &[(Equal, "__name__", "up"), (Regex, "replica", "a|b"), (NotEqual, "cluster", "us")],
        &[(Equal, "__name__", "up"), (Equal, "cluster", "us")],
        &[(Equal, "__name__", "up"), (NotRegex, "replica", "a|b")],
        &[(Equal, "__name__", "nothing")],
        &[(Equal, "__name__", "up"), (Equal, "instance", "z:9090")],
    ];
    let ranges = [(0, 7_199_999), (3_100_000, 3_500_000), (1_800_000, 1_800_000), (6_000_000, 9_000_000), (-9, -1)];
    let all = data.complete(&[]);
    for set in sets {
        let matchers: Vec<_> = set.iter().map(|(op, name, value)| matcher(*op, name, value)).collect();
        let holds = |l: &Labels| matchers.iter().all(|m| m.matches(l.get(&m.name).unwrap_or("")));
        let expected: Vec<_> = all.iter().filter(|(l, _)| holds(l)).cloned().collect();
        for (from, to) in ranges {
            let range = TimeRange::new(START_MS + from, START_MS + to);
            let mut request = SeriesRequest::new(range, matchers.clone());
            request.batch_size = 1 + expected.len() / 2;
            let what = format!("{matchers:?} in {from}..{to}");
            check(&ask(store, request).await, &expected, range, &what);
        }
    }
}

pub(super) async fn gives_labels_alone(store: &dyn Store, data: &Data) {
    let found = ask(store, SeriesRequest { skip_chunks: true, ..everything() }).await;
    assert!(found.iter().all(|f| f.chunks.is_empty()), "no chunks are wanted");
    let labels: Vec<_> = found.into_iter().map(|f| f.labels).collect();
    assert_eq!(labels, data.complete(&[]).into_iter().map(|s| s.0).collect::<Vec<_>>());
}

pub(super) async fn removes_labels_and_merges(store: &dyn Store, data: &Data) {
    for without in [&["replica"][..], &["replica", "pod"], &["instance", "nothing"]] {
        let mut request = everything();
        request.without_replica_labels = without.iter().map(|&l| l.to_owned()).collect();
        request.batch_size = 2;
        if without.contains(&"instance") {
            // Series that fall together here have samples of the same times; only the labels are compared.
            let labels: Vec<_> = ask(store, request).await.into_iter().map(|f| f.labels).collect();
            assert_eq!(labels, data.complete(without).into_iter().map(|s| s.0).collect::<Vec<_>>(), "{without:?}");
            continue;
        }
        let range = request.range;
        check(&ask(store, request).await, &data.complete(without), range, &format!("without {without:?}"));
    }
}

pub(super) async fn limits_and_shards(store: &dyn Store, data: &Data) {
    let all = ask(store, everything()).await;
    assert_eq!(all.len(), data.series.len());
    let some = ask(store, SeriesRequest { limit: 5, ..everything() }).await;
    assert_eq!(some, all[..5], "a limit keeps the first");
    if !store.info().supports_sharding {
        return;
    }
    for (by, labels) in [(true, vec!["instance"]), (false, vec!["code", "replica"])] {
        let mut shards = Vec::new();
        for index in 0..3 {
            let labels = labels.iter().map(|&l| l.to_owned()).collect();
            let shard = Some(Shard { index, total: 3, by, labels });
            let part = ask(store, SeriesRequest { shard: shard.clone(), ..everything() }).await;
            let mut scratch = Vec::new();
            for f in &part {
                assert!(shard.as_ref().is_some_and(|s| s.holds(&f.labels, &mut scratch)), "{} in {shard:?}", f.labels);
            }
            shards.extend(part);
        }
        shards.sort_by(|a, b| a.labels.cmp(&b.labels));
        assert_eq!(shards, all, "shards are all series, each once");
    }
}

pub(super) async fn stops_and_gives_back(store: &dyn Store) {
    let cx = Context::inline(END_MS);
    drop(store.series(&cx, everything()));
    assert_eq!(cx.memory().used(), 0, "a stream that was never polled holds nothing");
    let mut stream = store.series(&cx, SeriesRequest { batch_size: 1, ..everything() });
    assert!(stream.next().await.is_some_and(|f| f.is_ok()), "the first frame comes");
    drop(stream);
    assert_eq!(cx.memory().used(), 0, "a stream dropped in the middle gives everything back");

    let cx = Context::inline(END_MS);
    cx.cancel().cancel();
    let outcome = batches(store.series(&cx, everything())).await.map(|_| ());
    assert!(matches!(outcome, Err(Error::Interrupted(_))), "a cancelled request ends as such: {outcome:?}");
}
