use block::Columns;
use block::chunk::{decode, encode_floats};

use super::*;

/// A chunk of the input with these samples.
fn part(source: usize, samples: &[(i64, f64)]) -> Part {
    let (t, v): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
    let chunk = encode_floats(&t, &v, 1000).remove(0);
    Part {
        min_time: chunk.min_time,
        max_time: chunk.max_time,
        encoding: chunk.encoding,
        payload: chunk.bytes.into(),
        source,
    }
}

fn id(source: usize) -> Ulid {
    Ulid::from_parts(0, source as u128)
}

/// Weaves the parts; gives the chunks as samples.
fn check(mut parts: Vec<Part>, expected: &[&[(i64, f64)]], woven: Woven) {
    assert_eq!(weave(&mut parts, EncodeOptions::default(), &id).expect("weaves"), woven);
    let chunks: Vec<Vec<(i64, f64)>> = parts
        .iter()
        .map(|p| {
            let mut columns = Columns::new();
            decode(p.encoding, &p.payload, &mut columns).expect("decodes");
            assert_eq!((columns.t.first(), columns.t.last()), (Some(&p.min_time), Some(&p.max_time)));
            columns.t.into_iter().zip(columns.v).collect()
        })
        .collect();
    assert_eq!(chunks, expected);
}

const COPIED: Woven = Woven { encoded: false, duplicates: 0 };
const ENCODED: Woven = Woven { encoded: true, duplicates: 0 };

#[test]
fn ascending_chunks_are_left_alone() {
    check(vec![], &[], COPIED);
    check(vec![part(0, &[(1, 1.0), (2, 2.0)]), part(1, &[(3, 3.0)])], &[&[(1, 1.0), (2, 2.0)], &[(3, 3.0)]], COPIED);
}

#[test]
fn chunks_out_of_order_are_sorted() {
    let parts = vec![part(0, &[(5, 5.0)]), part(0, &[(1, 1.0), (2, 2.0)]), part(1, &[(3, 3.0)])];
    check(parts, &[&[(1, 1.0), (2, 2.0)], &[(3, 3.0)], &[(5, 5.0)]], COPIED);
}

#[test]
fn copies_are_dropped() {
    let chunk: &[(i64, f64)] = &[(1, 1.0), (2, 2.0)];
    check(vec![part(0, chunk), part(1, chunk), part(2, chunk)], &[chunk], Woven { encoded: false, duplicates: 2 });
}

#[test]
fn overlapping_chunks_merge() {
    // The earlier input wins at 2; the chunk at 9 is not part of it.
    let parts = vec![part(0, &[(2, 0.0), (4, 0.0)]), part(0, &[(9, 0.0)]), part(1, &[(1, 1.0), (2, 1.0), (5, 1.0)])];
    check(parts, &[&[(1, 1.0), (2, 0.0), (4, 0.0), (5, 1.0)], &[(9, 0.0)]], ENCODED);
    // A long chunk holds two short ones together.
    let parts = vec![part(0, &[(1, 0.0), (10, 0.0)]), part(1, &[(2, 1.0)]), part(1, &[(9, 1.0)])];
    check(parts, &[&[(1, 0.0), (2, 1.0), (9, 1.0), (10, 0.0)]], ENCODED);
}

#[test]
fn long_runs_are_cut_at_120() {
    let even: Vec<(i64, f64)> = (0..100).map(|i| (2 * i, 0.0)).collect();
    let odd: Vec<(i64, f64)> = (0..100).map(|i| (2 * i + 1, 1.0)).collect();
    let all: Vec<(i64, f64)> = (0..200).map(|t| (t, (t % 2) as f64)).collect();
    check(vec![part(0, &even), part(1, &odd)], &[&all[..120], &all[120..]], ENCODED);
}

#[test]
fn aggregates_cannot_be_woven() {
    let mut parts = vec![part(0, &[(1, 0.0), (3, 0.0)]), part(1, &[(2, 0.0)])];
    for part in &mut parts {
        part.encoding = Encoding::Aggregates;
    }
    assert!(matches!(weave(&mut parts, EncodeOptions::default(), &id), Err(Error::Overlap { .. })));
}

#[test]
fn damage_names_the_input() {
    let mut parts = vec![part(0, &[(1, 0.0), (3, 0.0)]), part(1, &[(2, 0.0), (4, 1.0)])];
    parts[1].payload = parts[1].payload.slice(..5);
    let error = weave(&mut parts, EncodeOptions::default(), &id).expect_err("damaged");
    assert!(matches!(error, Error::Corrupt { block, .. } if block == id(1)), "{error}");
}

#[test]
fn floats_are_encoded_as_asked() {
    for (xor2, encoding) in [(false, Encoding::Xor), (true, Encoding::Xor2)] {
        let mut parts = vec![part(0, &[(1, 1.0), (3, 3.0)]), part(1, &[(2, 2.0)]), part(1, &[(4, 4.0)])];
        let options = EncodeOptions { xor2, ..EncodeOptions::default() };
        assert_eq!(weave(&mut parts, options, &id).expect("weaves"), ENCODED);
        let encodings: Vec<Encoding> = parts.iter().map(|p| p.encoding).collect();
        // What does not overlap is copied.
        assert_eq!(encodings, [encoding, Encoding::Xor]);
        let mut columns = Columns::new();
        parts.iter().for_each(|p| decode(p.encoding, &p.payload, &mut columns).expect("decodes"));
        assert_eq!((columns.t, columns.v), (vec![1, 2, 3, 4], vec![1.0, 2.0, 3.0, 4.0]));
    }
}
