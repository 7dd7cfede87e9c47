use super::*;

fn spans(list: &[(i32, u32)]) -> Arc<[Span]> {
    list.iter().map(|&(offset, length)| Span { offset, length }).collect()
}

#[test]
fn integer_buckets_become_absolute_float_counts() {
    let h = Histogram { positive_spans: spans(&[(0, 3)]), positive_buckets: vec![2, 1, -3], ..Default::default() };
    assert_eq!(h.to_float().positive_buckets, [2.0, 3.0, 0.0]);
}

#[test]
fn reducing_resolution_merges_neighbours() {
    // Schema 1 to 0: bucket i goes to ceil(i / 2).
    let mut h = FloatHistogram {
        schema: 1,
        positive_spans: spans(&[(-1, 3), (1, 2)]),
        positive_buckets: vec![1.0, 2.0, 4.0, 8.0, 16.0],
        ..Default::default()
    };
    assert!(h.reduce_resolution(0));
    // Indices −1 0 1 3 4 become 0 0 1 2 2.
    assert_eq!(h.positive_spans, spans(&[(0, 3)]));
    assert_eq!(h.positive_buckets, [3.0, 4.0, 24.0]);
    assert_eq!(h.schema, 0);
}

#[test]
fn integer_and_float_reduction_agree() {
    let mut h = Histogram {
        schema: 3,
        positive_spans: spans(&[(-7, 4), (9, 2), (40, 1)]),
        positive_buckets: vec![5, -2, 4, 0, -7, 3, 20],
        negative_spans: spans(&[(2, 1)]),
        negative_buckets: vec![9],
        ..Default::default()
    };
    let mut f = h.to_float();
    assert!(h.reduce_resolution(0));
    assert!(f.reduce_resolution(0));
    assert_eq!(h.to_float(), f);
}

#[test]
fn spans_that_do_not_fit_are_refused() {
    let h = FloatHistogram { schema: 2, positive_spans: spans(&[(0, 2)]), ..Default::default() };
    for buckets in [vec![1.0], vec![1.0, 2.0, 3.0]] {
        let mut h = FloatHistogram { positive_buckets: buckets, ..h.clone() };
        assert!(!h.reduce_resolution(0));
    }
    let mut custom = FloatHistogram { schema: CUSTOM_BUCKETS_SCHEMA, ..Default::default() };
    assert!(!custom.reduce_resolution(-60));
}
