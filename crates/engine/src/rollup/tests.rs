//! Kernels against a per-window reference that is as naive as can be.

use proptest::prelude::*;

use super::*;
use crate::vector::is_absent;

fn shape(grid: Grid, window_ms: i64, offset_ms: i64) -> Shape {
    Shape { grid, window_ms, offset_ms, at_ms: None, edges: Edges::Open, lookback_ms: 300_000 }
}

fn rolled(rollup: Rollup, shape: &Shape, t: &[i64], v: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; shape.grid.len()];
    let params = vec![0.3; out.len()];
    let params = Params { first: &params, second: &params };
    assert!(roll(rollup, shape, params, t, v, &mut Scratch::default(), &mut out));
    out
}

fn reference(rollup: Rollup, shape: &Shape, t: &[i64], v: &[f64]) -> Vec<f64> {
    (0..shape.grid.len())
        .map(|j| {
            let (end, start) = (shape.end(j), shape.end(j) - shape.window_ms);
            let window: Vec<(i64, f64)> =
                t.iter().copied().zip(v.iter().copied()).filter(|&(t, _)| start < t && t <= end).collect();
            one(rollup, shape, &window, start, end).unwrap_or(ABSENT)
        })
        .collect()
}

fn one(rollup: Rollup, shape: &Shape, w: &[(i64, f64)], start: i64, end: i64) -> Option<f64> {
    let (first, last) = (*w.first()?, *w.last()?);
    let values = || w.iter().map(|&(_, v)| v);
    let best = |better: fn(f64, f64) -> bool| {
        values().fold(first.1, |best, v| if better(v, best) || best.is_nan() { v } else { best })
    };
    Some(match rollup {
        Rollup::Min => best(|a, b| a < b),
        Rollup::Max => best(|a, b| a > b),
        Rollup::Count => w.len() as f64,
        Rollup::First => first.1,
        Rollup::Last => last.1,
        Rollup::Resets => w.windows(2).filter(|p| p[1].1 < p[0].1).count() as f64,
        Rollup::Changes => w.windows(2).filter(|p| p[1].1.to_bits() != p[0].1.to_bits()).count() as f64,
        Rollup::Rate | Rollup::Increase | Rollup::Delta => {
            if w.len() < 2 {
                return None;
            }
            let counter = rollup != Rollup::Delta;
            let mut result = last.1 - first.1;
            if counter {
                for pair in w.windows(2) {
                    if pair[1].1 < pair[0].1 {
                        result += pair[0].1;
                    }
                }
            }
            let mut to_start = (first.0 - start) as f64 / 1000.0;
            let mut to_end = (end - last.0) as f64 / 1000.0;
            let sampled = (last.0 - first.0) as f64 / 1000.0;
            let average = sampled / (w.len() - 1) as f64;
            if to_start >= average * 1.1 {
                to_start = average / 2.0;
            }
            if counter && result > 0.0 && first.1 >= 0.0 {
                let to_zero = sampled * (first.1 / result);
                if to_zero < to_start {
                    to_start = to_zero;
                }
            }
            if to_end >= average * 1.1 {
                to_end = average / 2.0;
            }
            let mut factor = (sampled + to_start + to_end) / sampled;
            if rollup == Rollup::Rate {
                factor /= crate::math::seconds(shape.window_ms);
            }
            result * factor
        }
        _ => unreachable!("no reference"),
    })
}

fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan() && is_absent(*a) == is_absent(*b)))
}

proptest! {
    #[test]
    fn kernels_agree_with_the_naive_reference(
        gaps in prop::collection::vec(prop_oneof![8 => 900i64..1100, 1 => 1i64..50, 1 => 5_000i64..90_000], 0..200),
        growth in prop::collection::vec(prop_oneof![6 => 0.0f64..10.0, 1 => -300.0f64..-1.0, 1 => Just(0.0)], 200),
        start in -20_000i64..60_000,
        step in prop_oneof![Just(1_000i64), Just(5_000), 1i64..20_000],
        steps in 1usize..60,
        window in prop_oneof![Just(1_000i64), Just(5_000), Just(25_000), Just(30_000), 1i64..100_000],
        offset in prop_oneof![Just(0i64), -5_000i64..5_000],
    ) {
        let mut now = 0;
        let t: Vec<i64> = gaps.iter().map(|gap| { now += gap; now }).collect();
        let mut value = 5.0f64;
        let v: Vec<f64> = growth[..t.len()].iter().map(|g| { value = (value + g).max(0.0); value }).collect();
        let grid = Grid { start_ms: start, end_ms: start + step * (steps as i64 - 1), step_ms: step };
        let shape = shape(grid, window, offset);
        for rollup in [
            Rollup::Rate, Rollup::Increase, Rollup::Delta, Rollup::Min, Rollup::Max, Rollup::Count,
            Rollup::First, Rollup::Last, Rollup::Resets, Rollup::Changes,
        ] {
            let (got, expected) = (rolled(rollup, &shape, &t, &v), reference(rollup, &shape, &t, &v));
            prop_assert!(same(&got, &expected), "{rollup:?}: {got:?}, not {expected:?}");
        }
    }

    /// As storage mostly has it, where whole runs of steps are found at once.
    #[test]
    fn kernels_agree_over_regular_scrapes(
        offset in -100_000i64..100_000,
        jitter in prop::collection::vec(0i64..9, 300),
        missing in prop::collection::vec(0usize..300, 0..4),
        step in prop_oneof![Just(60_000i64), Just(15_000), Just(120_000), Just(5_000), 1i64..100_000],
        window in prop_oneof![Just(300_000i64), Just(60_000), 1i64..600_000],
        steps in 1usize..100,
    ) {
        let there = (0..300).filter(|i| !missing.contains(i));
        let t: Vec<i64> = there.map(|i| offset + i as i64 * 15_000 + jitter[i]).collect();
        let v: Vec<f64> = (0..t.len()).map(|i| (i % 70) as f64 * 1.3).collect();
        let shape = shape(Grid { start_ms: 0, end_ms: step * (steps as i64 - 1), step_ms: step }, window, 0);
        for rollup in [Rollup::Rate, Rollup::Increase, Rollup::Delta, Rollup::Min, Rollup::Max] {
            let (got, expected) = (rolled(rollup, &shape, &t, &v), reference(rollup, &shape, &t, &v));
            prop_assert!(same(&got, &expected), "{rollup:?}: {got:?}, not {expected:?}");
        }
    }

    #[test]
    fn extremes_pass_over_nan(
        values in prop::collection::vec(prop_oneof![3 => (-3i32..3).prop_map(f64::from), 1 => Just(f64::NAN)], 1..80),
        window in prop_oneof![Just(6_000i64), Just(8_000), Just(8_500)],
    ) {
        let t: Vec<i64> = (0..values.len() as i64).map(|i| i * 700).collect();
        let shape = shape(Grid { start_ms: 0, end_ms: 70_000, step_ms: 1_000 }, window, 0);
        for rollup in [Rollup::Min, Rollup::Max] {
            let (got, expected) = (rolled(rollup, &shape, &t, &values), reference(rollup, &shape, &t, &values));
            prop_assert!(same(&got, &expected), "{rollup:?}: {got:?}, not {expected:?}");
        }
    }
}

#[test]
fn an_instant_ends_at_the_lookback_and_at_a_staleness_marker() {
    let grid = Grid { start_ms: 0, end_ms: 900_000, step_ms: 100_000 };
    let t = [100_000, 200_000, 500_001];
    let v = [1.0, f64::from_bits(model::STALE_NAN_BITS), 3.0];
    let got = rolled(Rollup::Instant, &shape(grid, 300_000, 0), &t, &v);
    let expected = [ABSENT, 1.0, ABSENT, ABSENT, ABSENT, ABSENT, 3.0, 3.0, 3.0, ABSENT];
    assert!(same(&got, &expected), "{got:?}");
}

#[test]
fn the_start_of_a_window_is_outside_it_and_its_end_inside() {
    let grid = Grid { start_ms: 10_000, end_ms: 10_000, step_ms: 1 };
    let got = rolled(Rollup::Count, &shape(grid, 5_000, 0), &[5_000, 5_001, 10_000, 10_001], &[1.0; 4]);
    assert_eq!(got, [2.0]);
}

#[test]
fn a_pinned_window_is_the_same_for_every_step() {
    let grid = Grid { start_ms: 0, end_ms: 4_000, step_ms: 1_000 };
    let shape = Shape { at_ms: Some(3_000), ..shape(grid, 2_000, 1_000) };
    assert_eq!(rolled(Rollup::Sum, &shape, &[1, 1_000, 2_000], &[1.0, 2.0, 4.0]), [7.0; 5]);
}

#[test]
fn over_time_functions() {
    let grid = Grid { start_ms: 4_000, end_ms: 4_000, step_ms: 1 };
    let check = |rollup, expected: f64| {
        let got = rolled(rollup, &shape(grid, 4_000, 0), &[1_000, 2_000, 3_000, 4_000], &[1.0, 4.0, 2.0, 5.0]);
        assert!((got[0] - expected).abs() < 1e-12, "{rollup:?}: {got:?}, not {expected}");
    };
    check(Rollup::Sum, 12.0);
    check(Rollup::Avg, 3.0);
    check(Rollup::Stdvar, 2.5);
    check(Rollup::Stddev, 2.5f64.sqrt());
    check(Rollup::Quantile, 1.9);
    check(Rollup::Mad, 1.5);
    check(Rollup::Deriv, 1.0);
    check(Rollup::PredictLinear, 4.8);
    check(Rollup::Irate, 3.0);
    check(Rollup::Idelta, 3.0);
    check(Rollup::TsOfMax, 4.0);
    check(Rollup::TsOfMin, 1.0);
    check(Rollup::TsOfFirst, 1.0);
    check(Rollup::TsOfLast, 4.0);
    check(Rollup::Present, 1.0);
    check(Rollup::Timestamp, 4.0);
}

#[test]
fn a_mean_does_not_overflow() {
    let grid = Grid { start_ms: 4_000, end_ms: 4_000, step_ms: 1 };
    let got = rolled(Rollup::Avg, &shape(grid, 4_000, 0), &[1_000, 2_000, 3_000], &[f64::MAX, f64::MAX, f64::MAX]);
    assert!((got[0] / f64::MAX - 1.0).abs() < 1e-15, "{got:?}");
}

#[test]
fn staleness_markers_are_found_wherever_they_stand() {
    let t: Vec<i64> = (0..200).map(|i| i * 15_000).collect();
    let shape = shape(Grid { start_ms: 0, end_ms: 3_000_000, step_ms: 60_000 }, 300_000, 0);
    for at in [0, 1, 63, 64, 65, 198, 199] {
        let mut v: Vec<f64> = (0..200).map(f64::from).collect();
        v[at] = ABSENT;
        for (rollup, sees) in [
            (Rollup::Rate, false),
            (Rollup::Increase, false),
            (Rollup::Delta, false),
            (Rollup::Max, false),
            (Rollup::Instant, true),
            (Rollup::Timestamp, true),
        ] {
            let mut out = vec![0.0; shape.grid.len()];
            let rolled = roll(rollup, &shape, Params::default(), &t, &v, &mut Scratch::default(), &mut out);
            assert_eq!(rolled, sees, "{rollup:?} with a marker at {at}");
        }
    }
    let v = [ABSENT];
    assert!(!roll(Rollup::Rate, &shape, Params::default(), &t[..1], &v, &mut Scratch::default(), &mut [0.0; 51]));
}
