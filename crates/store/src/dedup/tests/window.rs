//! The properties of contract C1, over replicas that scrape the same targets.

use super::*;

/// A counter seen by one replica: scraped every `interval_ms` from `offset_ms`, but for the outages.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    pub(super) interval_ms: i64,
    pub(super) offset_ms: i64,
    pub(super) outages: Vec<(i64, i64)>,
}

pub(super) const SPAN_MS: i64 = 6 * 3600 * 1000;
pub(super) const START_MS: i64 = 1_700_000_123_456;

impl Replica {
    pub(super) fn columns(&self, resets: &[i64]) -> Columns {
        let mut out = Columns::default();
        let mut t = START_MS + self.offset_ms;
        while t < START_MS + SPAN_MS {
            if !self.outages.iter().any(|&(from, len)| (from..from + len).contains(&(t - START_MS))) {
                let since = resets.iter().copied().filter(|r| START_MS + r <= t).max().unwrap_or(-1_000_000);
                out.t.push(t);
                out.v.push((t - START_MS - since) as f64);
            }
            t += self.interval_ms;
        }
        out
    }
}

/// The same with a staleness marker where a gap begins.
pub(super) fn with_markers(columns: &Columns) -> Columns {
    let mut out = Columns::default();
    for (i, (&t, &v)) in columns.t.iter().zip(&columns.v).enumerate() {
        out.t.push(t);
        out.v.push(v);
        if columns.t.get(i + 1).is_none_or(|next| next - t > 60_000) {
            out.t.push(t + 30_000);
            out.v.push(STALE);
        }
    }
    out
}

fn replica() -> impl Strategy<Value = Replica> {
    let outages = prop::collection::vec((0..SPAN_MS, 1_000..3_000_000_i64), 0..6);
    (0..30_000_i64, outages).prop_map(|(offset_ms, outages)| Replica { interval_ms: 30_000, offset_ms, outages })
}

fn resets() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(0..SPAN_MS, 0..4)
}

pub(super) fn cut(columns: &Columns, range: TimeRange) -> Columns {
    let keep = |t: &i64| range.contains(*t);
    let (t, v) = columns.t.iter().zip(&columns.v).filter(|(t, _)| keep(t)).map(|(&t, &v)| (t, v)).unzip();
    Columns { t, v, ..Columns::default() }
}

fn merged(replicas: &[Columns]) -> Columns {
    let mut out = Columns::default();
    stable(replicas, &mut out);
    out
}

/// `increase` over `range` as Prometheus extrapolates it.
fn increase(columns: &Columns, range: TimeRange) -> f64 {
    let cut = cut(columns, range);
    let (Some(first), Some(last)) = (cut.t.first(), cut.t.last()) else { return 0.0 };
    if cut.t.len() < 2 {
        return 0.0;
    }
    let growth: f64 = cut.v.windows(2).map(|w| if w[1] < w[0] { w[1] } else { w[1] - w[0] }).sum();
    let sampled = (last - first) as f64;
    let distance = sampled / (cut.t.len() - 1) as f64;
    let edge = |ms: i64| if ms as f64 >= distance * 1.1 { distance / 2.0 } else { ms as f64 };
    let before = edge(first - range.min).min(if growth > 0.0 { sampled * cut.v[0] / growth } else { f64::MAX });
    growth * (sampled + before + edge(range.max - last)) / sampled
}

/// Whether a replica has samples all over `range`.
fn covers(columns: &Columns, range: TimeRange) -> bool {
    let cut = cut(columns, range);
    let near = |d: i64| d <= 31_000;
    cut.t.first().is_some_and(|t| near(t - range.min))
        && cut.t.last().is_some_and(|t| near(range.max - t))
        && cut.t.windows(2).all(|w| near(w[1] - w[0]))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// C1.1: what is fetched around a window does not change what is in it.
    #[test]
    fn any_window_gives_the_same_samples(
        replicas in prop::collection::vec(replica(), 1..4),
        resets in resets(),
        from in 0..SPAN_MS,
        len in 0..SPAN_MS,
        more in 0..4_000_000_i64,
        markers in any::<bool>(),
    ) {
        let mut all: Vec<_> = replicas.iter().map(|r| r.columns(&resets)).collect();
        if markers {
            all.iter_mut().for_each(|c| *c = with_markers(c));
        }
        let range = TimeRange::new(START_MS + from, START_MS + from + len);
        let wide = widen_to_cells(range);
        let fetched: Vec<_> = all.iter().map(|c| cut(c, wide)).collect();
        let further: Vec<_> =
            all.iter().map(|c| cut(c, widen_to_cells(TimeRange::new(range.min - more, range.max + more)))).collect();
        let whole = cut(&merged(&all), range);
        for part in [cut(&merged(&fetched), range), cut(&merged(&further), range)] {
            prop_assert_eq!(&part.t, &whole.t);
            let bits = |c: &Columns| c.v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&part), bits(&whole));
        }
    }

    /// C1.1: any number of stores: parts of one replica are put together first.
    #[test]
    fn any_split_into_stores_gives_the_same_samples(
        pair in (replica(), replica()),
        resets in resets(),
        from in 0..SPAN_MS,
        overlap in 0..SPAN_MS,
    ) {
        let all = [pair.0.columns(&resets), pair.1.columns(&resets)];
        let old = TimeRange::new(START_MS, START_MS + from + overlap);
        let new = TimeRange::new(START_MS + from, i64::MAX);
        let joined = all.clone().map(|c| {
            let mut out = Columns::default();
            union(&[cut(&c, old), cut(&c, new)], &mut out);
            out
        });
        prop_assert_eq!(&joined[0].t, &all[0].t);
        prop_assert_eq!(merged(&joined).v, merged(&all).v);
    }

    /// C1.2: growth stays within that of the replicas, give or take one scrape.
    #[test]
    fn increase_stays_within_the_replicas(
        replicas in prop::collection::vec(replica(), 2..4),
        resets in resets(),
        windows in prop::collection::vec((0..SPAN_MS, 300_000..7_200_000_i64), 20),
    ) {
        let all: Vec<_> = replicas.iter().map(|r| r.columns(&resets)).collect();
        let merged = merged(&all);
        for (from, len) in windows {
            let range = TimeRange::new(START_MS + from, START_MS + from + len);
            if !all.iter().any(|c| covers(c, range)) {
                continue;
            }
            let each: Vec<_> = all.iter().filter(|c| covers(c, range)).map(|c| increase(c, range)).collect();
            let (least, most) = all.iter().map(|c| increase(c, range)).fold((f64::MAX, 0.0_f64), |(a, b), v| (a.min(v), b.max(v)));
            let got = increase(&merged, range);
            // A scrape is 30 s; what a reset swallows depends on where the scrapes lie, one each.
            let scrape = 30_000.0 * (1 + resets.iter().filter(|r| range.contains(START_MS + **r)).count()) as f64;
            prop_assert!(got >= least - scrape && got <= most + scrape, "{got} outside {least}..{most}: {each:?}");
        }
    }

    /// C1.3: where a replica has samples the merged series has some; and none are invented or doubled.
    #[test]
    fn gaps_are_filled_and_nothing_is_invented(replicas in prop::collection::vec(replica(), 2..4)) {
        let all: Vec<_> = replicas.iter().map(|r| r.columns(&[])).collect();
        let merged = merged(&all);
        prop_assert!(merged.t.windows(2).all(|w| w[0] < w[1]));
        for (t, v) in merged.t.iter().zip(&merged.v) {
            prop_assert!(all.iter().any(|c| c.t.binary_search(t).is_ok_and(|i| c.v[i] == *v)));
        }
        for c in &all {
            for t in &c.t {
                let i = merged.t.partition_point(|m| m < t);
                let near = merged.t.get(i).is_some_and(|m| m - t <= 45_000)
                    || i.checked_sub(1).is_some_and(|i| t - merged.t[i] <= 45_000);
                prop_assert!(near, "nothing near {t}");
            }
        }
    }
}
