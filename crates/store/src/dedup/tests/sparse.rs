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

/// Merges with as few chunks of the second replica as are needed; how many that are, and whether it worked out.
fn merged_sparsely(a: &Columns, b: &Columns, samples: usize, range: TimeRange) -> (Columns, usize, bool) {
    let parts = chunks(b, samples);
    let span = |r: &std::ops::Range<usize>| Span {
        range: TimeRange::new(b.t[r.start], b.t[r.end - 1]),
        samples: r.len() as u32,
    };
    let spans: Vec<_> = parts.iter().map(span).collect();
    let mut marks = vec![true];
    let mut known = Known::default();
    known.survey.look(a, range);
    needed(&mut known.survey, &spans, &mut marks);
    assert_eq!(marks.len(), spans.len());
    let (mut some, mut holes) = (Columns::default(), Vec::new());
    for ((part, span), needed) in parts.iter().zip(&spans).zip(&marks) {
        if *needed {
            some.t.extend(&b.t[part.clone()]);
            some.v.extend(&b.v[part.clone()]);
        } else {
            holes.push(span.range);
        }
    }
    let mut out = Columns::default();
    known.holes = vec![Vec::new(), holes];
    let sufficed = stable_within(&[a.clone(), some], &known, range, &mut out);
    (out, marks.iter().filter(|needed| **needed).count(), sufficed)
}

fn bits(columns: &Columns) -> Vec<(i64, u64)> {
    columns.t.iter().copied().zip(columns.v.iter().map(|v| v.to_bits())).collect()
}

#[test]
fn whole_cells_need_no_other_replica() {
    let replica = |offset_ms, outages| Replica { interval_ms: 15_000, offset_ms, outages }.columns(&[]);
    let start = 4 * CELL_MS * 236_111 - START_MS + 4 * CELL_MS;
    let (a, b) = (replica(start, vec![]), replica(start + 7_000, vec![]));
    let (out, decoded, sufficed) = merged_sparsely(&a, &b, 120, TimeRange::ALL);
    assert!(sufficed);
    assert_eq!(bits(&out), bits(&a));
    assert!(decoded <= 1, "{decoded} chunks: only the last cell is not full");
    // Ten minutes in the middle of a cell.
    let a = replica(start, vec![(start + CELL_MS / 3, 600_000)]);
    let (out, decoded, sufficed) = merged_sparsely(&a, &b, 120, TimeRange::ALL);
    assert!(sufficed && decoded <= 2, "{decoded} chunks");
    let mut all = Columns::default();
    stable(&[a, b], &mut all);
    assert_eq!(bits(&out), bits(&all));
}

fn replica() -> impl Strategy<Value = Replica> {
    let outages = prop::collection::vec((0..SPAN_MS, 1_000..3_000_000_i64), 0..5);
    (prop_oneof![3 => Just(15_000_i64), 1 => Just(30_000), 1 => Just(60_000)], 0..30_000_i64, outages)
        .prop_map(|(interval_ms, offset_ms, outages)| Replica { interval_ms, offset_ms, outages })
}

proptest! {
    #[test]
    fn leaving_chunks_out_changes_nothing(
        a in replica(),
        b in replica(),
        samples in prop_oneof![Just(120_usize), 7_usize..150],
        markers in any::<(bool, bool)>(),
        window in prop_oneof![Just(None), (0..SPAN_MS, 60_000..SPAN_MS).prop_map(Some)],
    ) {
        let (a, b) = (a.columns(&[]), b.columns(&[]));
        let a = if markers.0 { with_markers(&a) } else { a };
        let b = if markers.1 { with_markers(&b) } else { b };
        let range = window.map_or(TimeRange::ALL, |(from, len)| TimeRange::new(START_MS + from, START_MS + from + len));
        let mut all = Columns::default();
        stable(&[cut(&a, range), cut(&b, range)], &mut all);
        let (some, _, sufficed) = merged_sparsely(&a, &b, samples, range);
        if sufficed {
            prop_assert_eq!(bits(&some), bits(&all));
        }
    }
}
