use std::collections::BTreeSet;

use model::is_stale;

use super::*;

const DAY: i64 = 24 * 3_600_000;
const NOW: i64 = 1_795_000_000_000;

fn value<'a>(all: &'a [DemoSeries], name: &str, label: (&str, &str)) -> &'a DemoSeries {
    let found = all.iter().find(|s| s.labels.get("__name__") == Some(name) && s.labels.get(label.0) == Some(label.1));
    found.expect("the series is there")
}

#[test]
fn windows_join_without_a_seam() {
    let source = &sources()[0];
    let middle = NOW - DAY + 12_345;
    let whole = source.scrape(NOW - 2 * DAY, NOW);
    let (first, second) = (source.scrape(NOW - 2 * DAY, middle), source.scrape(middle, NOW));
    for s in &whole {
        let part = |all: &[DemoSeries]| all.iter().find(|p| p.labels == s.labels).map_or(vec![], |p| p.t.clone());
        assert_eq!([part(&first), part(&second)].concat(), s.t, "{}", s.labels);
        assert!(s.t.windows(2).all(|w| w[0] < w[1]));
    }
}

#[test]
fn three_weeks_have_outages_resets_and_churn_within_200_series() {
    for source in sources() {
        let all = source.scrape(NOW - 21 * DAY, NOW);
        assert!((100..=200).contains(&all.len()), "{} series", all.len());
        let labels: BTreeSet<_> = all.iter().map(|s| &s.labels).collect();
        assert_eq!(labels.len(), all.len());
        assert!(all.iter().all(|s| s.labels.get("cluster").is_none() && s.labels.get("replica").is_none()));

        let requests = value(&all, "http_requests_total", ("code", "200"));
        let real: Vec<_> = requests.v.iter().filter(|v| !is_stale(**v)).collect();
        let resets = real.windows(2).filter(|w| w[1] < w[0]).count();
        assert!((5..20).contains(&resets), "{resets} resets");
        let gaps = requests.t.windows(2).filter(|w| w[1] - w[0] > 300_000).count();
        assert!(gaps >= 5, "{gaps} gaps");
        assert!(requests.v.iter().any(|v| is_stale(*v)));
        let versions = all.iter().filter(|s| s.labels.get("__name__") == Some("build_info"));
        assert!(versions.filter_map(|s| s.labels.get("version")).collect::<BTreeSet<_>>().len() >= 6);
    }
}

#[test]
fn replicas_scrape_the_same_targets() {
    let [a, b, us] = <[Source; 3]>::try_from(sources()).unwrap();
    let (a, b) = (a.scrape(NOW - DAY, NOW), b.scrape(NOW - DAY, NOW));
    assert_eq!(a.iter().map(|s| &s.labels).collect::<Vec<_>>(), b.iter().map(|s| &s.labels).collect::<Vec<_>>());
    let (a, b) = (value(&a, "http_requests_total", ("path", "/")), value(&b, "http_requests_total", ("path", "/")));
    assert_ne!(a.t[0], b.t[0]);
    assert_ne!(us.scrape(NOW - DAY, NOW)[0].labels, a.labels);
    // Together in the order of time they still only rise, but for real resets.
    let mut both: Vec<_> = a.t.iter().zip(&a.v).chain(b.t.iter().zip(&b.v)).filter(|s| !is_stale(*s.1)).collect();
    both.sort_by_key(|s| s.0);
    let falls = both.windows(2).filter(|w| w[1].1 < w[0].1).count();
    let resets = |s: &DemoSeries| {
        let real: Vec<_> = s.v.iter().filter(|v| !is_stale(**v)).collect();
        real.windows(2).filter(|w| w[1] < w[0]).count()
    };
    assert!(falls <= resets(a).max(resets(b)));
}

#[test]
fn buckets_rise_with_their_bound() {
    let all = sources()[2].scrape(NOW - DAY, NOW);
    let bucket = |le: &str| {
        let first = |s: &&DemoSeries| s.labels.get("instance").is_some_and(|i| i.starts_with("api-0"));
        let mut found = all.iter().filter(|s| s.labels.get("le") == Some(le)).filter(first);
        found.next().expect("the bucket is there").v.clone()
    };
    let bounds: Vec<_> = ["0.01", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"].map(bucket).to_vec();
    for pair in bounds.windows(2) {
        assert!(pair[0].iter().zip(&pair[1]).all(|(a, b)| is_stale(*a) || a <= b));
    }
}

#[test]
fn a_head_conforms() {
    use store::conformance::{Data, END_MS, START_MS, run};
    futures::executor::block_on(run(|data: Data| {
        let head = Head::new("head", data.external, START_MS);
        let series = data.series.into_iter().map(|(labels, samples)| {
            let (t, v) = samples.into_iter().unzip();
            DemoSeries { labels, t, v }
        });
        head.append(END_MS, series.collect());
        std::future::ready(std::sync::Arc::new(head) as std::sync::Arc<dyn store::Store>)
    }));
}

#[test]
fn a_head_moves_on() {
    let source = &sources()[0];
    let head = Head::new("head", source.external.clone(), NOW);
    head.append(NOW + BLOCK_MS, source.scrape(NOW, NOW + BLOCK_MS));
    head.append(NOW + 2 * BLOCK_MS, source.scrape(NOW + BLOCK_MS, NOW + 2 * BLOCK_MS));
    assert_eq!(head.window(NOW + BLOCK_MS, NOW + 2 * BLOCK_MS), source.scrape(NOW + BLOCK_MS, NOW + 2 * BLOCK_MS));
    head.forget(NOW + BLOCK_MS);
    assert!(head.window(NOW, NOW + BLOCK_MS).is_empty());
    assert_eq!(head.end(), NOW + 2 * BLOCK_MS);
}

#[tokio::test]
async fn a_bucket_is_filled_and_filled_on() {
    use std::sync::Arc;
    let (bucket, scratch) = (bucket::Bucket::memory(), tempfile::tempdir().unwrap());
    let sources: Vec<_> = sources().into_iter().map(Arc::new).collect();
    let short: Vec<_> = sources[2..].to_vec();
    let ends = fill(&bucket, &short, scratch.path(), NOW).await.unwrap();
    assert_eq!(ends, [NOW.div_euclid(BLOCK_MS) * BLOCK_MS]);
    let blocks = bucket.list_blocks().await.unwrap();
    assert!((240..=252).contains(&blocks.len()), "{} blocks", blocks.len());
    let meta = bucket.read_meta(blocks[100]).await.unwrap();
    assert_eq!((meta.labels(), meta.compaction.level), (short[0].external.clone(), 1));
    assert!(meta.stats.num_series > 100 && meta.stats.num_samples > 20_000, "{:?}", meta.stats);
    fill(&bucket, &short, scratch.path(), NOW + BLOCK_MS).await.unwrap();
    assert_eq!(bucket.list_blocks().await.unwrap().len(), blocks.len() + 1);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "the scratch folder is empty");
    // Blocks of others are left alone.
    let e = fill(&bucket, &sources[..1], scratch.path(), NOW).await.unwrap_err();
    assert!(e.to_string().contains("is not the demo's"), "{e}");
}
