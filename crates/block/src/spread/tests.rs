use model::STALE_NAN_BITS;

use super::*;

const START_MS: i64 = 1_000 * CELL_MS;

/// So many samples every 15 s from so long after the begin of a cell.
fn times(since: i64, samples: i64) -> Vec<i64> {
    (0..samples).map(|i| START_MS + since + i * 15_000 + i % 3).collect()
}

fn range(times: &[i64]) -> TimeRange {
    TimeRange::new(times[0], times[times.len() - 1])
}

fn of(times: &[i64]) -> Spread {
    Spread::of(times, &vec![1.0; times.len()], range(times))
}

/// What is told of a chunk is what is counted, in every cell that it reaches into; and so it is once it was noted.
#[test]
fn samples_are_counted_cell_by_cell() {
    for since in [0, 7, 600_000, CELL_MS - 1] {
        for samples in [1, 2, 60, 119, 120, 121, 200, 240, 255] {
            let times = times(since, samples);
            let (own, samples) = (range(&times), samples as u32);
            let spread = of(&times);
            let noted = Spread::from_noted(spread.steady(), spread.numbers(), borders(own), samples);
            for cell in cell_of(own.min)..=cell_of(own.max) {
                let start = cell * CELL_MS;
                let count = times.iter().filter(|&&t| cell_of(t) == cell).count() as u32;
                for spread in [spread, noted] {
                    let (most, is_exact) = spread.in_cell(start, own, samples);
                    assert!(most == count || (most > count && !is_exact), "{since} {samples}: {most} of {count}");
                    assert!(is_exact || borders(own) > 2, "{since} {samples}");
                }
                assert_eq!(Spread::default().in_cell(start, own, samples), (samples, borders(own) == 0));
            }
        }
    }
    assert_eq!(borders(TimeRange::new(-1, 0)), 1);
    assert_eq!(borders(TimeRange::new(START_MS, START_MS + CELL_MS - 1)), 0);
}

#[test]
fn what_is_too_many_for_a_note_is_not_counted() {
    let dense: Vec<i64> = (0..700).map(|i| START_MS + i * 4_000).collect();
    let spread = of(&dense);
    assert!(spread.is_steady());
    assert_eq!(spread.in_cell(START_MS, range(&dense), 700), (700, false));
}

#[test]
fn steady_samples_have_no_gap_and_no_marker() {
    let even = times(20, 120);
    assert!(of(&even).is_steady());
    let (least, most) = of(&even).distances(START_MS, range(&even), 120).expect("is steady");
    assert!(even.windows(2).all(|w| (least..=most).contains(&(w[1] - w[0]))));
    for (i, shift) in [(60, 4_000), (60, -4_000), (1, 15_000)] {
        let mut uneven = even.clone();
        uneven[i..].iter_mut().for_each(|t| *t += shift);
        assert!(!of(&uneven).is_steady(), "{shift} at {i}");
    }
    // Ten minutes in the first cell: only what lies in the second is steady.
    let mut late = even.clone();
    late[60..].iter_mut().for_each(|t| *t += 600_000);
    let (own, spread) = (range(&late), of(&late));
    assert_eq!((spread.steady(), spread.distances(START_MS, own, 120)), (Steady::Last, None));
    let (least, most) = spread.distances(START_MS + CELL_MS, own, 120).expect("is steady there");
    let behind: Vec<_> = late.iter().copied().filter(|&t| t >= START_MS + CELL_MS).collect();
    assert!(behind[0] - START_MS - CELL_MS <= most);
    assert!(behind.windows(2).all(|w| (least..=most).contains(&(w[1] - w[0]))));
    // And in that again, or too few of them.
    late[115..].iter_mut().for_each(|t| *t += 60_000);
    assert_eq!((of(&late).steady(), of(&late[..84]).steady()), (Steady::Unknown, Steady::Unknown));
    let mut values = vec![1.0; 120];
    values[119] = f64::from_bits(STALE_NAN_BITS);
    assert!(!Spread::of(&even, &values, range(&even)).is_steady());
    // One sample, several at a time, and a range that is not theirs.
    assert!(!of(&even[..1]).is_steady() && !of(&[START_MS; 7]).is_steady());
    assert!(!Spread::of(&even, &[1.0; 120], TimeRange::new(START_MS, even[119])).is_steady());
}
