//! Leaving chunks out changes nothing.

use super::window::{Replica, SPAN_MS, START_MS, cut, with_markers};
use super::*;

/// Cuts a replica into chunks of so many samples, as Prometheus does anew in each block of two hours.
fn chunks(columns: &Columns, samples: usize) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while from < columns.t.len() {
        let block = columns.t[from].div_euclid(4 * CELL_MS);
        let same = columns.t[from..].iter().take(samples).take_while(|t| t.div_euclid(4 * CELL_MS) == block).count();
        found.push(from..from + same);
        from += same;
    }
    found
}

/// What [`lazily`] did.
struct Lazily {
    out: Columns,
    /// How many chunks of the others were decoded.
    decoded: usize,
    /// Whether those were all that it took.
    sufficed: bool,
}

/// Merges as readers do: the first replica's samples, and only where those are not settled what chunks of the
/// others give that are needed.
fn lazily(replicas: &[Columns], samples: usize, range: TimeRange) -> Lazily {
    let (first, others) = replicas.split_first().unwrap();
    let mut survey = Survey::default();
    survey.look(first, 0..first.t.len(), range);
    let parts: Vec<_> = others.iter().map(|other| chunks(other, samples)).collect();
    let span = |c: &Columns, r: &std::ops::Range<usize>| Span {
        range: TimeRange::new(c.t[r.start], c.t[r.end - 1]),
        samples: r.len() as u32,
    };
    let spans: Vec<Vec<_>> =
        others.iter().zip(&parts).map(|(c, parts)| parts.iter().map(|r| span(c, r)).collect()).collect();
    spans.iter().for_each(|spans| survey.weigh(spans));
    survey.settle();
    let mut columns = vec![first.clone()];
    let (mut holes, mut decoded) = (vec![Vec::new()], 0);
    for ((other, parts), spans) in others.iter().zip(&parts).zip(&spans) {
        let mut marks = vec![true];
        survey.needed(spans, &mut marks);
        assert_eq!(marks.len(), spans.len());
        let (mut some, mut left_out) = (Columns::default(), Vec::new());
        for ((part, span), needed) in parts.iter().zip(spans).zip(&marks) {
            if *needed {
                some.t.extend(&other.t[part.clone()]);
                some.v.extend(&other.v[part.clone()]);
                decoded += 1;
            } else {
                left_out.push(span.range);
            }
        }
        columns.push(some);
        holes.push(left_out);
    }
    survey.recount(columns[1..].iter().map(|columns| &columns.t[..]));
    let mut unsettled = vec![Stretch { range: TimeRange::ALL, first: 0..7 }];
    survey.unsettled(|range| spans.iter().flatten().any(|span| span.range.overlaps(range)), &mut unsettled);
    assert!(unsettled.windows(2).all(|w| w[0].range.max < w[1].range.min && w[0].first.end <= w[1].first.start));
    let (mut out, mut cells, mut sufficed) = (Columns::default(), Cells::default(), true);
    let mut from = range.min;
    for Stretch { range: stretch, first: own } in unsettled {
        assert_eq!(first.t[own].to_vec(), cut(first, stretch).t);
        append(&mut out, first, TimeRange::new(from, stretch.min.saturating_sub(1)));
        let parts: Vec<_> = columns
            .iter()
            .zip(&holes)
            .map(|(columns, holes)| Part { columns, floats: 0..columns.t.len(), holes })
            .collect();
        let mark = out.mark();
        if !cells.merge_within(&parts, (0, &survey), stretch, &mut out) {
            out.truncate(mark);
            let parts: Vec<_> =
                replicas.iter().map(|columns| Part { columns, floats: 0..columns.t.len(), holes: &[] }).collect();
            assert!(cells.merge_within(&parts, (0, &survey), stretch, &mut out));
            sufficed = false;
        }
        from = stretch.max.saturating_add(1);
    }
    append(&mut out, first, TimeRange::new(from, range.max));
    Lazily { out, decoded, sufficed }
}

fn append(out: &mut Columns, from: &Columns, range: TimeRange) {
    let part = cut(from, range);
    out.t.extend(part.t);
    out.v.extend(part.v);
}

fn bits(columns: &Columns) -> Vec<(i64, u64)> {
    columns.t.iter().copied().zip(columns.v.iter().map(|v| v.to_bits())).collect()
}

#[test]
fn whole_cells_need_no_other_replica() {
    let replica = |offset_ms, outages| Replica { interval_ms: 15_000, offset_ms, outages }.columns(&[]);
    let start = 4 * CELL_MS * 236_111 - START_MS + 4 * CELL_MS;
    let (a, b) = (replica(start, vec![]), replica(start + 7_000, vec![]));
    let span = |from, cells| TimeRange::new(START_MS + from, START_MS + from + cells * CELL_MS - 1);
    let plain = lazily(&[a.clone(), b.clone()], 120, span(start, 8));
    assert!(plain.sufficed);
    assert_eq!(bits(&plain.out), bits(&cut(&a, span(start, 8))));
    assert_eq!(plain.decoded, 0);
    let plain = lazily(&[a.clone(), b.clone()], 120, TimeRange::ALL);
    assert_eq!(bits(&plain.out), bits(&a));
    assert!(plain.sufficed && plain.decoded <= 1, "{} chunks: only the last cell is not full", plain.decoded);
    // Ten minutes in the middle of a cell.
    let a = replica(start, vec![(start + CELL_MS / 3, 600_000)]);
    let merged = lazily(&[a.clone(), b.clone()], 120, TimeRange::ALL);
    assert!(merged.sufficed && merged.decoded <= 2, "{} chunks", merged.decoded);
    let mut all = Columns::default();
    stable(&[a, b], &mut all);
    assert_eq!(bits(&merged.out), bits(&all));
}

fn replica() -> impl Strategy<Value = Replica> {
    let outages = prop::collection::vec((0..SPAN_MS, 1_000..3_000_000_i64), 0..5);
    (prop_oneof![3 => Just(15_000_i64), 1 => Just(30_000), 1 => Just(60_000)], 0..30_000_i64, outages)
        .prop_map(|(interval_ms, offset_ms, outages)| Replica { interval_ms, offset_ms, outages })
}

/// Moves each sample by some milliseconds.
fn jittered(columns: &Columns, most: i64) -> Columns {
    let mut out = columns.clone();
    for (i, t) in out.t.iter_mut().enumerate() {
        let noise = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        *t += noise as i64 % (2 * most + 1) - most;
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn leaving_chunks_out_changes_nothing(
        replicas in prop::collection::vec((replica(), any::<bool>(), prop_oneof![Just(0_i64), 1..5_000_i64]), 2..4),
        alike in any::<bool>(),
        samples in prop_oneof![Just(120_usize), 1_usize..150],
        window in prop_oneof![
            Just(None),
            (0..SPAN_MS, 60_000..SPAN_MS).prop_map(|(from, len)| Some(TimeRange::new(START_MS + from, START_MS + from + len))),
            (0..SPAN_MS, 0..SPAN_MS)
                .prop_map(|(from, len)| Some(widen_to_cells(TimeRange::new(START_MS + from, START_MS + from + len)))),
        ],
    ) {
        let interval_ms = replicas[0].0.interval_ms;
        let columns = replicas.iter().map(|(replica, markers, jitter)| {
            let interval_ms = if alike { interval_ms } else { replica.interval_ms };
            let columns = jittered(&Replica { interval_ms, ..replica.clone() }.columns(&[]), *jitter);
            if *markers { with_markers(&columns) } else { columns }
        });
        let columns: Vec<_> = columns.collect();
        let range = window.unwrap_or(TimeRange::ALL);
        let mut all = Columns::default();
        stable(&columns.iter().map(|c| cut(c, range)).collect::<Vec<_>>(), &mut all);
        prop_assert_eq!(bits(&lazily(&columns, samples, range).out), bits(&all));
    }
}
