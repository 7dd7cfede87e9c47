use super::classic::{Bucket, Fix, fraction, quantile};

fn buckets(pairs: &[(f64, f64)]) -> Vec<Bucket> {
    pairs.iter().map(|&(upper, count)| Bucket { upper, count }).collect()
}

#[test]
fn quantiles_are_linear_within_a_bucket() {
    let inf = f64::INFINITY;
    let check = |q: f64, pairs: &[(f64, f64)], expected: f64| {
        let (got, fix) = quantile(q, &mut buckets(pairs));
        assert!(got == expected || got.is_nan() && expected.is_nan(), "{q} of {pairs:?} is {got}, not {expected}");
        assert_eq!(fix, None);
    };
    let plain = [(1.0, 1.0), (2.0, 3.0), (inf, 4.0)];
    check(0.5, &plain, 1.5);
    check(0.0, &plain, 0.0);
    check(1.0, &plain, 2.0);
    check(-1.0, &plain, -inf);
    check(2.0, &plain, inf);
    check(f64::NAN, &plain, f64::NAN);
    check(0.5, &plain[..2], f64::NAN);
    check(0.5, &[(inf, 4.0)], f64::NAN);
    check(0.5, &[(1.0, 0.0), (inf, 0.0)], f64::NAN);
    check(0.1, &[(-1.0, 2.0), (inf, 4.0)], -1.0);
    // Two buckets of the same bound are one.
    check(0.5, &[(1.0, 1.0), (1.0, 1.0), (inf, 4.0)], 1.0);
    // What differs by rounding only is no fall.
    check(0.5, &[(1.0, 4.0), (2.0, 4.0 - 1e-14), (inf, 4.0)], 0.5);
}

#[test]
fn falling_counts_are_lifted_and_reported() {
    let (value, fix) = quantile(1.0, &mut buckets(&[(1.0, 10.0), (2.0, 7.0), (3.0, 9.0), (f64::INFINITY, 10.0)]));
    assert_eq!(value, 1.0);
    assert_eq!(fix, Some(Fix { min_bucket: 2.0, max_bucket: 3.0, max_difference: 3.0 }));
}

#[test]
fn fractions() {
    let check = |lower: f64, upper: f64, expected: f64| {
        let got = fraction(lower, upper, &mut buckets(&[(1.0, 1.0), (2.0, 3.0), (f64::INFINITY, 4.0)]));
        assert_eq!(got, expected, "{lower} to {upper}");
    };
    check(0.0, 1.0, 0.25);
    check(1.0, 1.5, 0.25);
    check(2.0, 1.0, 0.0);
    check(f64::NEG_INFINITY, f64::INFINITY, 1.0);
    check(2.0, f64::INFINITY, 0.25);
}
