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

fn spread(columns: &Columns, part: &std::ops::Range<usize>) -> Spread {
    let range = TimeRange::new(columns.t[part.start], columns.t[part.end - 1]);
    Spread::of(&columns.t[part.clone()], &columns.v[part.clone()], range)
}

/// What [`lazily`] did.
#[derive(Default)]
struct Lazily {
    out: Columns,
    /// How many chunks of the others were decoded to their ends.
    decoded: usize,
    /// How many were needed beyond what was decoded before.
    unforeseen: usize,
    /// How many samples of the others were decoded.
    samples: usize,
    /// How many stretches were picked from replicas, merged, and merged with more than was thought to be needed.
    picked: usize,
    merged: usize,
    missed: usize,
}

/// How many of the samples of a chunk of another replica are decoded before anything is known of the first's.
#[derive(Clone, Copy, Debug)]
enum Ahead {
    /// By the chunk's number and its samples.
    By(fn(usize, usize) -> usize),
    Foreseen,
}

const NOTHING: Ahead = Ahead::By(|_, _| 0);
/// Whether it is known how the samples of chunks are spread.
const TOLD: bool = true;

/// What is decoded of another replica.
struct Known {
    columns: Columns,
    holes: Vec<Span>,
}

impl Known {
    fn new(other: &Columns, parts: &[std::ops::Range<usize>], decoded: &[usize], told: bool) -> Self {
        let mut some = Self { columns: Columns::default(), holes: Vec::new() };
        for (part, decoded) in parts.iter().zip(decoded) {
            let decoded = part.start..part.start + decoded;
            some.columns.t.extend(&other.t[decoded.clone()]);
            some.columns.v.extend(&other.v[decoded.clone()]);
            if decoded.end < part.end {
                let min = other.t[part.start].max(decoded.clone().last().map_or(i64::MIN, |last| other.t[last] + 1));
                let range = TimeRange::new(min, other.t[part.end - 1]);
                let spread = if told && decoded.is_empty() { spread(other, part) } else { Spread::default() };
                some.holes.push(Span { range, samples: (part.end - decoded.end) as u32, spread });
            }
        }
        some
    }

    fn part(&self) -> Part<'_> {
        Part { columns: &self.columns, floats: 0..self.columns.t.len(), holes: &self.holes }
    }
}

fn span(columns: &Columns, part: &std::ops::Range<usize>) -> Span {
    let range = TimeRange::new(columns.t[part.start], columns.t[part.end - 1]);
    Span { range, samples: part.len() as u32, spread: spread(columns, part) }
}

fn spans_of(columns: &Columns, samples: usize) -> Vec<Span> {
    chunks(columns, samples).iter().map(|part| span(columns, part)).collect()
}

/// Merges as readers do: the first replica's samples, and only where those are not settled what chunks of the
/// others give that are needed.
fn lazily(replicas: &[Columns], samples: usize, range: TimeRange, (ahead, told): (Ahead, bool)) -> Lazily {
    let (first, others) = replicas.split_first().unwrap();
    let mut survey = Survey::default();
    let parts: Vec<_> = others.iter().map(|other| chunks(other, samples)).collect();
    let of = |columns: &Columns| match spans_of(columns, samples) {
        spans if told => spans,
        spans => spans.into_iter().map(|span| Span { spread: Spread::default(), ..span }).collect(),
    };
    survey.look(first, 0..first.t.len(), &of(first), range);
    let spans: Vec<Vec<_>> = others.iter().map(of).collect();
    spans.iter().for_each(|spans| survey.weigh(spans));
    let mut foresight = Foresight::default();
    foresight.look(&of(first), range);
    let foreseen = |spans: &Vec<Span>| match ahead {
        Ahead::By(ahead) => spans.iter().enumerate().map(|(i, span)| ahead(i, span.samples as usize)).collect(),
        Ahead::Foreseen => {
            let mut limits = vec![7];
            foresight.limits(spans, &mut limits);
            limits[1..].iter().map(|&limit| limit as usize).collect()
        }
    };
    let mut decoded: Vec<Vec<usize>> = spans.iter().map(foreseen).collect();
    let all = |decoded: &[Vec<usize>]| -> Vec<Known> {
        others.iter().zip(&parts).zip(decoded).map(|((other, parts), n)| Known::new(other, parts, n, told)).collect()
    };
    let some = all(&decoded);
    survey.recount(some.iter().map(|some| (&some.columns.t[..], &some.holes[..])));
    survey.settle();
    let mut done = Lazily::default();
    for ((parts, spans), decoded) in parts.iter().zip(&spans).zip(&mut decoded) {
        let mut marks = vec![true];
        survey.needed(first, spans, &mut marks);
        assert_eq!(marks.len(), spans.len());
        for ((part, needed), decoded) in parts.iter().zip(&marks).zip(decoded) {
            done.unforeseen += usize::from(*needed && *decoded < part.len());
            *decoded = if *needed { part.len() } else { *decoded };
        }
    }
    let some = all(&decoded);
    if survey.recount(some.iter().map(|some| (&some.columns.t[..], &some.holes[..]))) {
        survey.settle();
    }
    let mut unsettled = vec![Stretch { range: TimeRange::ALL, first: 0..7 }];
    survey.unsettled(|range| spans.iter().flatten().any(|span| span.range.overlaps(range)), &mut unsettled);
    assert!(unsettled.windows(2).all(|w| w[0].range.max < w[1].range.min && w[0].first.end <= w[1].first.start));
    let ends = |(parts, decoded): (&Vec<std::ops::Range<usize>>, &Vec<usize>)| {
        parts.iter().zip(decoded).filter(|(part, decoded)| part.len() == **decoded).count()
    };
    done.decoded = parts.iter().zip(&decoded).map(ends).sum();
    done.samples = decoded.iter().flatten().sum();
    let (mut cells, mut picker) = (Cells::default(), Picker::default());
    let mut from = range.min;
    for stretch in unsettled {
        assert_eq!(first.t[stretch.first.clone()].to_vec(), cut(first, stretch.range).t);
        append(&mut done.out, first, TimeRange::new(from, stretch.range.min.saturating_sub(1)));
        let own = Part { columns: first, floats: stretch.first.clone(), holes: &[] };
        let parts: Vec<_> = [own].into_iter().chain(some.iter().map(Known::part)).collect();
        let mark = done.out.mark();
        let whole: Vec<_> = replicas.iter().map(|c| Part { columns: c, floats: 0..c.t.len(), holes: &[] }).collect();
        if let Some(taken) = picker.pick(&parts, &survey, &stretch) {
            done.picked += 1;
            for Taken { part, floats } in taken {
                done.out.t.extend(&parts[*part].columns.t[floats.clone()]);
                done.out.v.extend(&parts[*part].columns.v[floats.clone()]);
            }
            // So does the other way.
            let mut merged = Columns::default();
            assert!(cells.merge_within(&whole, (0, &survey), stretch.range, &mut merged));
            assert_eq!(bits(&merged), bits(&cut(&done.out, stretch.range)));
        } else if cells.merge_within(&parts, (0, &survey), stretch.range, &mut done.out) {
            done.merged += 1;
        } else {
            done.out.truncate(mark);
            assert!(cells.merge_within(&whole, (0, &survey), stretch.range, &mut done.out));
            done.missed += 1;
        }
        from = stretch.range.max.saturating_add(1);
    }
    append(&mut done.out, first, TimeRange::new(from, range.max));
    done
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
    let plain = lazily(&[a.clone(), b.clone()], 120, span(start, 8), (NOTHING, TOLD));
    assert_eq!(plain.missed, 0);
    assert_eq!(bits(&plain.out), bits(&cut(&a, span(start, 8))));
    assert_eq!(plain.decoded, 0);
    let plain = lazily(&[a.clone(), b.clone()], 120, TimeRange::ALL, (NOTHING, TOLD));
    assert_eq!(bits(&plain.out), bits(&a));
    assert!(plain.missed == 0 && plain.decoded <= 1, "{} chunks: only the last cell is not full", plain.decoded);
    // Ten minutes in the middle of a cell.
    let a = replica(start, vec![(start + CELL_MS / 3, 600_000)]);
    let merged = lazily(&[a.clone(), b.clone()], 120, TimeRange::ALL, (NOTHING, TOLD));
    assert!(merged.missed == 0 && merged.decoded <= 2, "{} chunks", merged.decoded);
    assert_eq!((merged.picked, merged.merged), (1, 1), "the last cell has a gap in both replicas");
    let mut all = Columns::default();
    stable(&[a, b], &mut all);
    assert_eq!(bits(&merged.out), bits(&all));
}

#[test]
fn chunks_tell_where_others_matter() {
    let replica = |offset_ms, outages| jittered(&Replica { interval_ms: 15_000, offset_ms, outages }.columns(&[]), 4);
    let start = 4 * CELL_MS * 236_111 - START_MS + 4 * CELL_MS;
    let out = |cell: i64| vec![(start + cell * CELL_MS + CELL_MS / 3, 600_000)];
    let (a, b) = (replica(start + 20, out(2)), replica(start + 7_000, out(5)));
    let span = |from, cells| {
        let from = START_MS + start + from * CELL_MS;
        TimeRange::new(from, from + cells * CELL_MS - 1)
    };
    let doubt = |range, samples| doubtful(&spans_of(&a, samples), [&spans_of(&b, samples)[..]].into_iter(), range);
    // The first is out in cell 2; of its chunk there, what reaches into cell 3 is steady again.
    for (from, cells, doubt_from, doubt_cells) in [(0, 3, 1, 2), (1, 5, 1, 3), (2, 1, 2, 1), (0, 6, 1, 3)] {
        assert_eq!(doubt(span(from, cells), 120), Some(span(doubt_from, doubt_cells)), "{from} {cells}");
    }
    for (from, cells) in [(0, 2), (4, 2), (5, 1), (7, 1)] {
        assert_eq!(doubt(span(from, cells), 120), None, "{from} {cells}");
    }
    // Of three cells each.
    assert_eq!((doubt(span(4, 3), 360), doubt(span(1, 1), 360)), (None, Some(span(1, 1))));
    // Behind all samples there is nothing to tell, and at their end there is a gap.
    assert_eq!(doubt(span(100, 2), 120), Some(span(100, 2)));
    assert_eq!(doubt(TimeRange::ALL, 120).map(|doubt| doubt.max), Some(i64::MAX));
}

#[test]
fn what_is_needed_is_foreseen() {
    let scraped = |offset_ms, outages: &[i64]| {
        let outages = outages.iter().map(|&from| (from, 600_000)).collect();
        jittered(&Replica { interval_ms: 15_000, offset_ms, outages }.columns(&[]), 4)
    };
    // Of a block; the span of these replicas begins somewhere in one.
    let start = 4 * CELL_MS * 236_111 - START_MS + 4 * CELL_MS;
    let range = TimeRange::new(START_MS + start, START_MS + start + 8 * CELL_MS - 1);
    // The first is out in the middle of a cell, over a border, and from one border on, each in a chunk or between two.
    let first = [start + CELL_MS / 3, start + 3 * CELL_MS - 200_000, start + 5 * CELL_MS];
    for offset in [start + 1_900, start + 8_500, start + 12_000] {
        let (a, b) = (scraped(start + 1_000, &first), scraped(offset, &[start + 6 * CELL_MS + 20_000]));
        let mut all = Columns::default();
        stable(&[cut(&a, range), cut(&b, range)], &mut all);
        let done = lazily(&[a.clone(), b.clone()], 120, range, (Ahead::Foreseen, TOLD));
        assert_eq!(bits(&done.out), bits(&all));
        assert_eq!((done.unforeseen, done.missed, done.merged), (0, 0, 0), "{offset}");
        assert!(done.picked >= 1 && done.samples <= 9 * 120, "{} samples of {}", done.samples, b.t.len());
    }
    // Chunks of which only the count up to a border matters are not decoded to their ends.
    let (a, b) = (scraped(start + 1_000, &[]), scraped(start + 5_000, &[start + CELL_MS]));
    let told = lazily(&[a.clone(), b.clone()], 120, range, (Ahead::Foreseen, TOLD));
    assert_eq!((bits(&told.out), told.unforeseen, told.samples), (bits(&cut(&a, range)), 0, 0));
    let done = lazily(&[a.clone(), b.clone()], 120, range, (Ahead::Foreseen, !TOLD));
    assert_eq!((bits(&done.out), done.unforeseen, done.decoded), (bits(&cut(&a, range)), 0, 0));
    assert!((160..170).contains(&done.samples), "{} samples: two thirds of two chunks", done.samples);
    let late = lazily(&[a.clone(), b], 120, range, (NOTHING, !TOLD));
    assert_eq!((bits(&late.out), late.unforeseen, late.samples), (bits(&cut(&a, range)), 3, 320));
}

/// A sample that is put in at one border of a cell does not change its scrape interval, which decides at the next border.
#[test]
fn a_filled_cell_keeps_its_interval() {
    let replica = |offset_ms, outages| Replica { interval_ms: 15_000, offset_ms, outages }.columns(&[]);
    let (a, b) = (replica(26_399, vec![(6_281_400, 60_000)]), jittered(&replica(6_316, vec![]), 1_979));
    let mut all = Columns::default();
    stable(&[a.clone(), b.clone()], &mut all);
    // Over the first border of the cell that is the second's are 24 s, over the other 21 s.
    let near = |from, to| all.t.iter().map(|t| t - START_MS).filter(|t| (from..to).contains(t)).collect::<Vec<_>>();
    assert_eq!(near(6_260_000, 6_300_000).len(), 3);
    assert_eq!(near(8_050_000, 8_085_000), [8_060_250, 8_081_399]);
    assert_eq!(bits(&lazily(&[a, b], 120, TimeRange::ALL, (Ahead::Foreseen, TOLD)).out), bits(&all));
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
        ahead in prop_oneof![
            Just(NOTHING),
            Just(Ahead::Foreseen),
            Just(Ahead::By(|_, samples| samples)),
            Just(Ahead::By(|chunk, samples| samples * (chunk * 7 % 5) / 4)),
        ],
        told in any::<bool>(),
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
        prop_assert_eq!(bits(&lazily(&columns, samples, range, (ahead, told)).out), bits(&all));
    }

    #[test]
    fn where_the_others_cannot_matter_stable_takes_the_first_replica(
        replicas in prop::collection::vec((replica(), prop_oneof![Just(4_i64), 1..3_000_i64]), 2..4),
        markers in prop::bool::weighted(0.2),
        samples in prop_oneof![Just(120_usize), 20_usize..250],
        cells in (-1..13_i64, 1..14_i64),
    ) {
        let columns = replicas.iter().map(|(replica, jitter)| jittered(&replica.columns(&[]), *jitter));
        let columns: Vec<_> = columns.map(|columns| if markers { with_markers(&columns) } else { columns }).collect();
        let spans: Vec<_> = columns.iter().map(|columns| spans_of(columns, samples)).collect();
        let others = spans[1..].iter().map(|spans| &spans[..]);
        let first = START_MS.div_euclid(CELL_MS) + cells.0;
        let range = TimeRange::new(first * CELL_MS, (first + cells.1) * CELL_MS - 1);
        let stable_in = |range| {
            let mut all = Columns::default();
            stable(&columns.iter().map(|c| cut(c, range)).collect::<Vec<_>>(), &mut all);
            all
        };
        let doubt = doubtful(&spans[0], others.clone(), range);
        let mut put_together = Columns::default();
        if let Some(doubt) = doubt {
            append(&mut put_together, &columns[0], TimeRange::new(range.min, doubt.min - 1));
            append(&mut put_together, &stable_in(doubt), doubt);
            append(&mut put_together, &columns[0], TimeRange::new(doubt.max + 1, range.max));
        } else {
            append(&mut put_together, &columns[0], range);
        }
        prop_assert_eq!(bits(&put_together), bits(&stable_in(range)));
    }
}
