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
