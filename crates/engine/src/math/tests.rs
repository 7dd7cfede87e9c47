use proptest::prelude::*;

use super::*;

#[test]
fn kahan_keeps_what_plain_addition_loses_and_lets_infinities_be() {
    let sum = |values: &[f64]| {
        let (s, c) = values.iter().fold((0.0, 0.0), |(s, c), &v| kahan_add(v, s, c));
        s + c
    };
    assert_eq!(sum(&[1e100, 1.0, -1e100, 1.0]), 2.0);
    assert_eq!(sum(&[f64::INFINITY, 1.0]), f64::INFINITY);
    assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
}

#[test]
fn extremes_follow_go() {
    assert_eq!(go_max(f64::NAN, f64::INFINITY), f64::INFINITY);
    assert!(go_max(f64::NAN, 1.0).is_nan());
    assert!(go_max(-0.0, 0.0).is_sign_positive());
    assert!(go_min(-0.0, 0.0).is_sign_negative());
    assert_eq!(go_min(f64::NEG_INFINITY, f64::NAN), f64::NEG_INFINITY);
}

#[test]
fn quantiles_interpolate_and_have_edges() {
    let check = |q: f64, mut values: Vec<f64>, expected: f64| {
        let got = quantile(q, &mut values);
        assert!(got == expected || got.is_nan() && expected.is_nan(), "quantile({q}) = {got}, not {expected}");
    };
    check(0.5, vec![3.0, 1.0, 2.0], 2.0);
    check(0.25, vec![1.0, 2.0], 1.25);
    check(-0.1, vec![1.0], f64::NEG_INFINITY);
    check(1.1, vec![1.0], f64::INFINITY);
    check(f64::NAN, vec![1.0], f64::NAN);
    check(0.5, vec![], f64::NAN);
    check(0.0, vec![1.0, f64::NAN], f64::NAN);
    check(1.0, vec![1.0, f64::NAN], 1.0);
}

#[test]
fn seconds_are_exact_for_whole_ones() {
    assert_eq!(seconds(300_000), 300.0);
    assert_eq!(seconds(1500), 1.5);
}

proptest! {
    #[test]
    fn division_by_multiplication_gives_the_same_bits(
        ms in prop_oneof![0i64..100_000, any::<i64>().prop_map(|n| n >> 10), any::<i64>().prop_map(|n| n >> 30)],
        by_ms in prop_oneof![1i64..10_000_000, (1i64..1_000_000).prop_map(|s| s * 1000)],
        ratio in 0.9f64..10.0,
    ) {
        let check = |x: f64, by: f64| {
            let got = Divisor::new(by).divide::<true>(x);
            prop_assert_eq!(got.to_bits(), (x / by).to_bits(), "{} / {}", x, by);
            Ok(())
        };
        check(ms as f64, 1000.0)?;
        check(ratio, seconds(by_ms))?;
        check(ratio, 1.0)?;
    }
}
