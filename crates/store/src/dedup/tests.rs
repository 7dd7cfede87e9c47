use block::{Columns, Spread};
use model::{FloatHistogram, STALE_NAN_BITS, TimeRange, is_stale};
use proptest::prelude::*;

use super::*;

mod sparse;
mod window;

const STALE: f64 = f64::from_bits(STALE_NAN_BITS);

/// Floats at times in seconds.
fn floats(samples: &[(i64, f64)]) -> Columns {
    let (t, v) = samples.iter().map(|&(t, v)| (t * 1000, v)).unzip();
    Columns { t, v, ..Columns::default() }
}

/// One sample every `every` seconds from `from` until before `to`, valued `value`.
fn every(every: i64, from: i64, to: i64, value: f64) -> Vec<(i64, f64)> {
    (from..to).step_by(usize::try_from(every).unwrap()).map(|t| (t, value)).collect()
}

fn run(func: fn(&[Columns], &mut Columns), replicas: &[Vec<(i64, f64)>]) -> Vec<(i64, f64)> {
    let replicas: Vec<_> = replicas.iter().map(|r| floats(r)).collect();
    let mut out = floats(&[(99, 99.0)]);
    func(&replicas, &mut out);
    out.t.iter().map(|t| t / 1000).zip(out.v.iter().map(|&v| if is_stale(v) { -1.0 } else { v })).collect()
}

#[test]
fn a_whole_replica_is_taken_and_the_other_left() {
    let (a, b) = (every(30, 5, 3600, 1.0), every(30, 17, 3600, 2.0));
    assert_eq!(run(stable, &[a.clone(), b.clone()]), a);
    assert_eq!(run(stable, &[b.clone(), a]), b);
}

#[test]
fn the_replica_with_more_samples_is_elected_cell_by_cell() {
    // The first misses ten minutes of the first cell, the second ten of the second.
    let mut a = every(30, 5, 3600, 1.0);
    a.retain(|s| !(600..1200).contains(&s.0));
    let mut b = every(30, 17, 3600, 2.0);
    b.retain(|s| !(2400..3000).contains(&s.0));
    let merged = run(stable, &[a, b]);
    assert!(merged.iter().all(|s| s.1 == if s.0 < 1800 { 2.0 } else { 1.0 }), "{merged:?}");
    assert_eq!(merged.len(), 120);
}

#[test]
fn gaps_are_filled_half_an_interval_away() {
    // Both miss some time of the same cell, the first less.
    let mut a = every(30, 5, 1800, 1.0);
    a.retain(|s| !(600..900).contains(&s.0));
    let mut b = every(30, 17, 1800, 2.0);
    b.retain(|s| !(0..800).contains(&s.0));
    let merged = run(stable, &[a, b]);
    let filled: Vec<_> = merged.iter().filter(|s| s.1 == 2.0).map(|s| s.0).collect();
    assert_eq!(filled, [827, 857, 887]);
    let both: Vec<_> = merged.windows(2).map(|w| w[1].0 - w[0].0).filter(|&d| d != 30).collect();
    assert_eq!(both, [827 - 575, 18], "a gap in both stays, and no sample comes nearer than half an interval");
}

#[test]
fn an_edge_of_a_cell_is_filled() {
    let (a, b) = (every(30, 605, 1800, 1.0), every(30, 17, 600, 2.0));
    let merged = run(stable, &[a, b]);
    assert_eq!((merged[0], merged.len()), ((17, 2.0), 60));
}

#[test]
fn markers_count_only_when_all_replicas_have_lost_the_series() {
    let a = every(30, 5, 1800, 1.0);
    // The other loses its target for a while.
    let mut b = every(30, 17, 1800, 2.0);
    b.retain(|s| !(600..900).contains(&s.0));
    b.push((617, STALE));
    b.sort_by_key(|s| s.0);
    assert_eq!(run(stable, &[a.clone(), b]), a);
    // One failed scrape of the elected replica, while the other goes on.
    let mut c = a;
    c[20].1 = STALE;
    let merged = run(stable, &[c, every(30, 17, 1800, 2.0)]);
    assert!(merged.iter().all(|s| s.1 > 0.0));
    assert!(merged.contains(&(617, 2.0)));
    // Both lose it for good: the series ends, once.
    let mut d = every(30, 5, 600, 1.0);
    d.push((605, STALE));
    let mut e = every(30, 17, 600, 2.0);
    e.push((617, STALE));
    let merged = run(stable, &[d, e]);
    assert_eq!(merged.iter().filter(|s| s.1 < 0.0).map(|s| s.0).collect::<Vec<_>>(), [605]);
    // The one that fills saw it a scrape longer.
    let mut f = every(30, 5, 600, 1.0);
    f.push((605, STALE));
    let mut g = every(30, 17, 660, 2.0);
    g.push((677, STALE));
    let merged = run(stable, &[g[..18].iter().copied().chain(g[20..].iter().copied()).collect(), f]);
    assert_eq!(merged.iter().filter(|s| s.1 < 0.0).map(|s| s.0).collect::<Vec<_>>(), [677]);
}

#[test]
fn a_lone_failed_scrape_ends_the_series_until_the_next() {
    let mut a = every(30, 5, 3600, 1.0);
    a[20].1 = STALE;
    let shown: Vec<_> = a.iter().map(|&(t, v)| (t, if is_stale(v) { -1.0 } else { v })).collect();
    assert_eq!(run(stable, std::slice::from_ref(&a)), shown);
    assert_eq!(run(stable, &[a.clone(), every(30, 1817, 1900, 2.0)]), shown);
}

#[test]
fn a_hole_between_cells_of_different_replicas_is_filled() {
    // The first scrapes just behind the border, the second well behind it; the second is elected later.
    let mut a = every(30, 1, 3600, 1.0);
    a.retain(|s| s.0 < 1800 || s.0 >= 2400);
    let b = every(30, 29, 3600, 2.0);
    let merged = run(stable, &[a, b]);
    let around: Vec<_> = merged.iter().filter(|s| (1760..1860).contains(&s.0)).copied().collect();
    assert_eq!(around, [(1771, 1.0), (1799, 2.0), (1829, 2.0), (1859, 2.0)]);
}

#[test]
fn single_samples_do_not_confuse() {
    assert_eq!(run(stable, &[]), []);
    assert_eq!(run(stable, &[vec![], vec![(7, 1.0)]]), [(7, 1.0)]);
    assert_eq!(run(stable, &[vec![(5, 1.0)], vec![(7, 2.0)]]), [(5, 1.0)]);
    assert_eq!(run(stable, &[vec![(5, 1.0)], vec![(1000, 2.0)]]), [(5, 1.0), (1000, 2.0)]);
}

#[test]
fn penalty_follows_the_iterator_step_by_step() {
    // Worked out by hand from the rules: after a switch, the other side waits twice the last distance.
    let a = vec![(10, 1.0), (20, 1.0), (30, 1.0), (80, 1.0), (90, 1.0), (100, 1.0)];
    let b = vec![(11, 2.0), (21, 2.0), (31, 2.0), (41, 2.0), (51, 2.0), (61, 2.0), (71, 2.0), (81, 2.0), (91, 2.0)];
    let expected = vec![(10, 1.0), (20, 1.0), (30, 1.0), (51, 2.0), (61, 2.0), (71, 2.0), (81, 2.0), (91, 2.0)];
    assert_eq!(run(penalty, &[a.clone(), b]), expected);
    assert_eq!(run(penalty, std::slice::from_ref(&a)), a);
    assert_eq!(run(penalty, &[vec![], a.clone(), vec![]]), a);
}

#[test]
fn union_takes_everything_once() {
    let a = vec![(10, 1.0), (20, 1.0), (30, STALE), (40, 1.0)];
    let b = vec![(5, 2.0), (20, 2.0), (30, 2.0), (50, 2.0), (60, 2.0)];
    let expected = [(5, 2.0), (10, 1.0), (20, 1.0), (30, 2.0), (40, 1.0), (50, 2.0), (60, 2.0)];
    assert_eq!(run(union, &[a, b]), expected);
}

#[test]
fn histograms_follow_the_same_rules_and_lose_their_hints_at_a_switch() {
    let histograms = |samples: Vec<(i64, f64)>| {
        let mut columns = Columns::default();
        for (t, v) in samples {
            let hint = model::histogram::CounterResetHint::NotCounterReset;
            columns.ht.push(t * 1000);
            columns.h.push(FloatHistogram { sum: v, count: v, counter_reset_hint: hint, ..FloatHistogram::default() });
        }
        columns
    };
    let mut a = every(30, 5, 1800, 1.0);
    a.retain(|s| !(600..900).contains(&s.0));
    let b: Vec<_> = every(30, 17, 1800, 2.0).into_iter().filter(|s| s.0 >= 800).collect();
    let mut out = Columns::default();
    stable(&[histograms(a.clone()), histograms(b.clone())], &mut out);
    let times: Vec<_> = out.ht.iter().map(|t| t / 1000).collect();
    assert_eq!(times, run(stable, &[a.clone(), b.clone()]).iter().map(|s| s.0).collect::<Vec<_>>());
    let unknown = |h: &FloatHistogram| h.counter_reset_hint == model::histogram::CounterResetHint::Unknown;
    let switches: Vec<_> = times.iter().zip(&out.h).filter(|(_, h)| unknown(h)).map(|(t, _)| *t).collect();
    assert_eq!(switches, [5, 827, 905]);
    // A series that turns from floats to histograms.
    stable(&[floats(&a), histograms(b)], &mut out);
    assert_eq!((out.ht.iter().map(|t| t / 1000).collect::<Vec<_>>(), out.t.len()), (vec![827, 857, 887], a.len()));
}

#[test]
fn start_timestamps_stay_with_their_samples() {
    let with = |samples: &[(i64, f64)], st: i64| {
        let st = vec![st; samples.len()];
        Columns { st, ..floats(samples) }
    };
    let mut a = every(30, 5, 1800, 1.0);
    a.retain(|s| !(600..900).contains(&s.0));
    let b = every(30, 17, 1800, 2.0);
    for func in [stable, penalty, union] {
        let mut out = with(&[(7, 7.0)], 7);
        func(&[with(&a, 1), with(&b, 2)], &mut out);
        assert_eq!(out.st, out.v.iter().map(|v| *v as i64).collect::<Vec<_>>());
        // Of replicas of which one knows none.
        func(&[floats(&a), with(&b, 2)], &mut out);
        let expected: Vec<_> = out.v.iter().map(|v| if *v == 2.0 { 2 } else { 0 }).collect();
        assert!(out.st == expected || (out.st.is_empty() && !expected.contains(&2)));
    }
}

#[test]
fn cells_widen_both_ways_and_saturate() {
    let inner = TimeRange::new(CELL_MS + EDGE_MS, 2 * CELL_MS - EDGE_MS - 1);
    assert_eq!(widen_to_cells(inner), TimeRange::new(CELL_MS, 2 * CELL_MS - 1));
    assert_eq!(widen_to_cells(TimeRange::new(-1, CELL_MS - EDGE_MS)), TimeRange::new(-CELL_MS, 2 * CELL_MS - 1));
    let all = widen_to_cells(TimeRange::ALL);
    assert!(all.min <= i64::MIN + CELL_MS && all.max >= i64::MAX - CELL_MS);
}

#[test]
fn lanes_are_dealt_first_fit() {
    let mut lanes = Lanes::default();
    split_lanes([(0, 9), (5, 14), (10, 19), (12, 13), (15, 20)].map(|(a, b)| TimeRange::new(a, b)), &mut lanes);
    assert_eq!(lanes, Lanes { of: vec![0, 1, 0, 2, 1], count: 3 });
}

#[test]
fn the_middle_distance_is_found_by_counting_or_sorting() {
    let mut state = 7_u64;
    for case in 0..2_000 {
        let mut below = |n: u64| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 33) % n
        };
        let spread = [1, 8, 64, 65, 1_000_000][case % 5];
        let mut distances: Vec<_> = (0..below(130)).map(|_| 15_000 + below(spread) as i64).collect();
        if case % 7 == 0 {
            distances.extend([1, i64::MAX, i64::MAX - 1]);
        }
        let mut sorted = distances.clone();
        sorted.sort_unstable();
        let expected = sorted.len().checked_sub(1).map(|last| sorted[last / 2]);
        assert_eq!(cells::middle(&mut distances), expected, "{sorted:?}");
    }
}
