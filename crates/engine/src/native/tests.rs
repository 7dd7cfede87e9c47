use super::*;

/// One bucket after the other from `first`, observations as counted.
fn histogram(schema: i32, first: i32, counts: &[f64], zero: (f64, f64)) -> FloatHistogram {
    FloatHistogram {
        schema,
        zero_threshold: zero.0,
        zero_count: zero.1,
        count: counts.iter().sum::<f64>() + zero.1,
        sum: 10.0,
        positive_spans: Arc::from([Span { offset: first, length: counts.len() as u32 }]),
        positive_buckets: counts.to_vec(),
        ..FloatHistogram::default()
    }
}

#[test]
fn a_sum_has_the_coarser_schema_and_the_wider_zero_bucket() {
    let fine = histogram(1, 1, &[1.0, 2.0, 3.0, 4.0], (0.0, 0.0));
    let coarse = histogram(0, 1, &[10.0], (0.5, 5.0));
    let mut sum = Native::from(&fine);
    assert_eq!(sum.add(&coarse, false), Ok(Added::default()));
    let sum = sum.finish();
    assert_eq!((sum.schema, sum.zero_threshold, sum.zero_count, sum.count), (0, 0.5, 5.0, 25.0));
    assert_eq!(sum.positive_buckets, [13.0, 7.0]);
    let mut rest = Native::from(&sum);
    assert_eq!(rest.subtract(&coarse), Ok(Added::default()));
    assert_eq!(rest.finish().positive_buckets, [3.0, 7.0]);
}

#[test]
fn custom_bounds_that_differ_leave_the_common_ones() {
    let custom = |bounds: &[f64], counts: &[f64]| FloatHistogram {
        schema: model::histogram::CUSTOM_BUCKETS_SCHEMA,
        count: counts.iter().sum(),
        positive_spans: Arc::from([Span { offset: 0, length: counts.len() as u32 }]),
        positive_buckets: counts.to_vec(),
        custom_values: Arc::from(bounds),
        ..FloatHistogram::default()
    };
    let mut sum = Native::from(&custom(&[1.0, 2.0, 4.0], &[1.0, 2.0, 3.0, 4.0]));
    let added = sum.add(&custom(&[1.0, 4.0], &[10.0, 20.0, 30.0]), true);
    assert_eq!(added, Ok(Added { collision: false, reconciled: true }));
    let sum = sum.finish();
    assert_eq!((&*sum.custom_values, &*sum.positive_buckets), (&[1.0, 4.0][..], &[11.0, 25.0, 34.0][..]));
    assert_eq!(Native::from(&sum).add(&histogram(0, 0, &[1.0], (0.0, 0.0)), false), Err(Incompatible));
}

#[test]
fn resets_show_in_any_bucket() {
    let before = histogram(0, 1, &[1.0, 2.0], (0.0, 0.0));
    let check = |now: FloatHistogram, expected: bool| assert_eq!(is_reset(&now, &before), expected, "{now:?}");
    check(histogram(0, 1, &[1.0, 2.0], (0.0, 0.0)), false);
    check(histogram(0, 1, &[1.0, 2.0, 9.0], (0.0, 0.0)), false);
    check(histogram(0, 1, &[0.0, 9.0], (0.0, 0.0)), true);
    check(histogram(1, 1, &[9.0, 9.0, 9.0, 9.0], (0.0, 0.0)), true);
    check(histogram(-1, 1, &[9.0], (0.0, 0.0)), false);
    check(FloatHistogram { counter_reset_hint: CounterResetHint::CounterReset, ..before.clone() }, true);
}

#[test]
fn quantiles_and_fractions() {
    let h = histogram(0, 1, &[2.0, 2.0], (0.0, 0.0));
    assert_eq!(quantile(0.5, &h).0, 2.0);
    assert!((quantile(0.25, &h).0 - 2f64.sqrt()).abs() < 1e-12);
    assert_eq!(quantile(1.0, &h).0, 4.0);
    assert_eq!(fraction(0.0, 2.0, &h).0, 0.5);
    assert!(quantile(f64::NAN, &h).0.is_nan());
    assert_eq!(trim(&h, 2.0, true).positive_buckets, [2.0]);
    assert_eq!(trim(&h, 100.0, true), h);
}

#[test]
fn a_histogram_is_described_with_all_that_it_holds() {
    let h = FloatHistogram {
        count: -6.0,
        sum: -7.5,
        zero_threshold: 1.5,
        zero_count: -2.0,
        positive_spans: [Span { offset: 1, length: 2 }].into(),
        positive_buckets: vec![-4.0, 0.0],
        ..FloatHistogram::default()
    };
    // The zero bucket lacks something, and does not push bounds aside.
    assert_eq!(describe(&h), "{count:-6, sum:-7.5, [-1.5,1.5]:-2, (1,2]:-4}");
    assert_eq!(h.buckets().first().map(|bucket| bucket.lower), Some(1.5));
}
