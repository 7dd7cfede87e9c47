use proptest::prelude::*;

use super::*;

/// What was found: places, and the samples on either side.
type All = (Vec<u32>, Vec<(i64, u64)>, Vec<(i64, u64)>);

fn all(n: usize, walk: impl FnOnce(&mut [u32], &mut Samples, &mut Samples)) -> All {
    let (mut place, mut behind, mut upto) = (vec![0; n], Samples::default(), Samples::default());
    behind.resize(n);
    upto.resize(n);
    walk(&mut place, &mut behind, &mut upto);
    let pairs = |s: Samples| s.t.into_iter().zip(s.v.into_iter().map(f64::to_bits)).collect();
    (place, pairs(behind), pairs(upto))
}

proptest! {
    /// What is found eight steps at a time, by vectors where the CPU has them, is what a search for each step finds.
    #[test]
    fn steps_found_together_are_those_found_one_by_one(
        gaps in prop::collection::vec(prop_oneof![20 => 99_i64..=101, 1 => 1_i64..2_000], 1..400),
        first in -3_000_i64..30_000,
        step in prop_oneof![Just(0_i64), Just(100), Just(400), 1_i64..2_000],
        n in 0_usize..80,
    ) {
        let t: Vec<i64> = gaps.iter().scan(0, |t, gap| { *t += gap; Some(*t) }).collect();
        let v: Vec<f64> = (0..t.len()).map(|i| i as f64).collect();
        let at = |j: usize| t.partition_point(|&t| t <= first + j as i64 * step);
        let sample = |i: usize| (t[i], v[i].to_bits());
        let expected: All = (
            (0..n).map(|j| at(j) as u32).collect(),
            (0..n).map(|j| sample(at(j).min(t.len() - 1))).collect(),
            (0..n).map(|j| sample(at(j).saturating_sub(1))).collect(),
        );
        let widest = all(n, |p, b, u| walk::<true, true>(&t, &v, (first, step), p, b, u, 0));
        prop_assert_eq!(&widest, &expected);
        let plain = all(n, |p, b, u| {
            walk_by::<true, true>(&t, &v, (first, step), p, b, u, 0, abreast::<true, true>);
        });
        prop_assert_eq!(&plain, &expected);
    }
}
