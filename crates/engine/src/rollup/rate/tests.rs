use proptest::prelude::*;

use super::*;

proptest! {
    /// What a CPU with fused multiply-add and vectors computes is what any other does.
    #[test]
    fn all_versions_of_the_formula_give_the_same_bits(
        gaps in -1i32..40,
        times in (0i64..100_000, 0i64..100_000, 1i64..600_000),
        first in prop_oneof![0.0f64..1e9, Just(0.0), -10.0f64..0.0, Just(f64::NAN)],
        growth in prop_oneof![0.0f64..1e6, Just(0.0), -1e3f64..0.0, Just(f64::INFINITY)],
        window_ms in prop_oneof![Just(300_000i64), 1i64..10_000_000],
    ) {
        let formula = Formula {
            per: Divisor::new(seconds(window_ms)),
            thousand: Divisor::new(1000.0),
            window_ms,
            end: 0,
            step_ms: 0,
        };
        let window = Window { gaps, to_start: times.0, to_end: times.1, sampled: times.2, first };
        let plain = formula.window_value::<true, false, false>(window, growth);
        let fused = formula.window_value::<true, false, true>(window, growth);
        prop_assert!(plain.to_bits() == fused.to_bits() || plain.is_nan() && fused.is_nan(), "{plain} and {fused}");
        if first.partial_cmp(&(2.0 * growth)) != Some(std::cmp::Ordering::Less) {
            let far = formula.window_value::<false, false, true>(window, growth);
            prop_assert!(plain.to_bits() == far.to_bits() || plain.is_nan() && far.is_nan(), "{plain} and {far}");
            let widest = times.0.max(times.1) as f64;
            if gaps >= 1 && widest * f64::from(gaps) < 1.09 * times.2 as f64 {
                let covered = formula.window_value::<false, true, true>(window, growth);
                prop_assert!(plain.to_bits() == covered.to_bits() || plain.is_nan(), "{plain} and {covered}");
            }
        }
    }
}
