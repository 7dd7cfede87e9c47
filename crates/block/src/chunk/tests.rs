use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Values that formats get wrong: signed zeros, denormals, infinities, NaNs with payloads.
fn value() -> impl Strategy<Value = f64> {
    let odd = [
        0.0,
        -0.0,
        1.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
        f64::from_bits(1),
        f64::MAX,
        f64::from_bits(model::STALE_NAN_BITS),
        f64::from_bits(0x7ff8_0000_0000_0001),
        f64::from_bits(u64::MAX),
    ];
    prop_oneof![
        3 => (0u32..2000).prop_map(f64::from),
        2 => any::<u64>().prop_map(f64::from_bits),
        2 => proptest::sample::select(odd.to_vec()),
        3 => Just(7.0),
    ]
}

/// Steps whose deltas of deltas lie at the edges of every width.
fn step() -> impl Strategy<Value = i64> {
    let edges = |n: u32| {
        let half = 1i64 << (n - 1);
        proptest::sample::select(vec![half - 1, half, half + 1, -half - 1, -half, -half + 1, -half + 2])
    };
    prop_oneof![
        6 => Just(0),
        6 => -20i64..20,
        1 => edges(13), 1 => edges(14), 1 => edges(17), 1 => edges(20), 1 => edges(25),
        1 => any::<i64>(),
    ]
}

/// Times by their deltas of deltas, values, and now and then a start timestamp.
fn series(n: std::ops::Range<usize>) -> impl Strategy<Value = Vec<(i64, i64, f64)>> {
    let start = prop_oneof![8 => Just(0i64), 1 => Just(1_000), 1 => any::<i64>()];
    (any::<i64>(), vec((step(), value(), start), n)).prop_map(|(first, steps)| {
        let (mut t, mut delta) = (first, 30_000i64);
        let next = |(dod, v, st): (i64, f64, i64)| {
            delta = delta.wrapping_add(dod);
            t = t.wrapping_add(delta);
            (st, t, v)
        };
        steps.into_iter().map(next).collect()
    })
}

fn floats(samples: &[(i64, i64, f64)]) -> EncodedChunk {
    let mut encoder = XorEncoder::new();
    for &(_, t, v) in samples {
        assert!(encoder.append(t, v));
    }
    encoder.finish_chunk()
}

fn bits(v: &[f64]) -> Vec<u64> {
    v.iter().map(|v| v.to_bits()).collect()
}

fn check_decoded(chunk: &EncodedChunk, samples: &[(i64, i64, f64)]) {
    let mut out = Columns::new();
    decode(chunk.encoding, &chunk.bytes, &mut out).expect("decodes");
    assert_eq!(out.t, samples.iter().map(|s| s.1).collect::<Vec<_>>());
    assert_eq!(bits(&out.v), samples.iter().map(|s| s.2.to_bits()).collect::<Vec<_>>());
    let starts: Vec<_> = samples.iter().map(|s| s.0).collect();
    if chunk.encoding == Encoding::Xor2 && starts.iter().any(|&st| st != 0) {
        assert_eq!(out.st, starts);
    } else {
        assert!(out.st.iter().all(|&st| st == 0));
    }
    let mut cursor = Cursor::new(chunk.encoding, &chunk.bytes).expect("a header");
    for &(st, t, v) in samples {
        assert!(cursor.advance().expect("a sample"));
        assert_eq!(cursor.time(), t);
        if chunk.encoding == Encoding::Xor2 {
            assert_eq!(cursor.start_time(), st);
        }
        let Sample::Float(x) = cursor.sample().expect("a value") else { panic!("not a float") };
        assert_eq!(x.to_bits(), v.to_bits());
    }
    assert!(!cursor.advance().expect("the end"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn floats_come_back_bit_by_bit(samples in series(0..300)) {
        check_decoded(&floats(&samples), &samples);
    }

    #[test]
    fn xor2_comes_back_with_start_timestamps(samples in series(0..300)) {
        let mut encoder = Xor2Encoder::new();
        for &(st, t, v) in &samples {
            assert!(encoder.append(st, t, v));
        }
        check_decoded(&encoder.finish_chunk(), &samples);
        // The encoder is as new.
        for &(_, t, v) in &samples {
            assert!(encoder.append(0, t, v));
        }
        let without: Vec<_> = samples.iter().map(|&(_, t, v)| (0, t, v)).collect();
        check_decoded(&encoder.finish_chunk(), &without);
    }

    #[test]
    fn many_chunks_at_once_are_the_same_as_one_by_one(lists in vec(series(0..140), 0..40)) {
        let chunks: Vec<_> = lists.iter().map(|s| floats(s)).collect();
        let refs: Vec<_> = chunks.iter().map(|c| (c.encoding, &c.bytes[..])).collect();
        let mut out = Columns::new();
        decode_many(&refs, &mut out).expect("decodes");
        for kernel in [Kernel::Scalar, Kernel::Portable] {
            let mut same = Columns::new();
            decode_many_with(kernel, &refs, &mut same).expect("decodes");
            assert_eq!((&same.t, bits(&same.v)), (&out.t, bits(&out.v)));
        }
        let all: Vec<_> = lists.concat();
        assert!(out.st.is_empty());
        // Start timestamps come up late and end early; the column has a place for every sample.
        let mut encoder = Xor2Encoder::new();
        encoder.append(5, 10, 1.0);
        let late = encoder.finish_chunk();
        let xor2 = (late.encoding, &late.bytes[..]);
        let mixed: Vec<_> = refs.iter().copied().chain([xor2]).chain(refs.iter().copied()).collect();
        let mut with = Columns::new();
        decode_many(&mixed, &mut with).expect("decodes");
        let mut expected = vec![0; with.t.len()];
        expected[all.len()] = 5;
        assert_eq!(with.st, expected);
        assert_eq!(out.t, all.iter().map(|s| s.1).collect::<Vec<_>>());
        assert_eq!(bits(&out.v), all.iter().map(|s| s.2.to_bits()).collect::<Vec<_>>());
    }

    #[test]
    fn first_samples_are_those_of_the_whole_chunk(
        lists in vec((series(0..140), 0..150_u32, prop_oneof![3 => Just(0_u32), 1 => 0..20_u32]), 0..40),
    ) {
        let chunks: Vec<_> = lists.iter().map(|(s, ..)| floats(s)).collect();
        let both = chunks.iter().zip(&lists);
        let fronts: Vec<_> =
            both.map(|(c, &(_, samples, room))| Front { payload: &c.bytes, samples, room }).collect();
        let mut out = Columns::new();
        decode_fronts_ahead(&fronts, &[], &mut out).expect("decodes");
        let mut wanted = Vec::new();
        for (samples, most, room) in &lists {
            wanted.extend((0..*room).map(|_| (0, 0)));
            wanted.extend(samples.iter().take(*most as usize).map(|s| (s.1, s.2.to_bits())));
        }
        assert_eq!(out.t, wanted.iter().map(|s| s.0).collect::<Vec<_>>());
        assert_eq!(bits(&out.v), wanted.iter().map(|s| s.1).collect::<Vec<_>>());
    }

    #[test]
    fn damaged_chunks_neither_panic_nor_leave_anything(
        samples in series(0..130),
        flips in vec((any::<proptest::sample::Index>(), 0u8..8), 0..8),
        cut in any::<proptest::sample::Index>(),
        lists in vec(series(100..130), 8..18),
    ) {
        let mut bytes = floats(&samples).bytes;
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        let cut = cut.index(bytes.len() + 1);
        for payload in [&bytes[..], &bytes[..cut]] {
            for byte in 1..=6 {
                same_both_ways(Encoding::from_byte(byte).expect("known"), payload);
            }
            // Damaged beside sound ones, in the same lanes.
            let sound: Vec<_> = lists.iter().map(|s| floats(s)).collect();
            let mut refs: Vec<_> = sound.iter().map(|c| (c.encoding, &c.bytes[..])).collect();
            refs.insert(cut % refs.len(), (Encoding::Xor, payload));
            let mut single = Columns::new();
            let expected = refs.iter().try_for_each(|(e, p)| decode(*e, p, &mut single));
            for kernel in [Kernel::Scalar, Kernel::Portable, Kernel::widest()] {
                let mut many = Columns::new();
                let result = decode_many_with(kernel, &refs, &mut many);
                assert_eq!(result, expected);
                if result.is_ok() {
                    assert_eq!((&many.t, bits(&many.v)), (&single.t, bits(&single.v)));
                } else {
                    assert!(many.is_empty());
                }
            }
        }
    }

    #[test]
    fn any_bytes_end(payload in vec(any::<u8>(), 0..400), byte in 1u8..=6) {
        same_both_ways(Encoding::from_byte(byte).expect("known"), &payload);
        let _split = Aggregates::split(&payload);
    }
}

/// Decoding in bulk and by cursor agree, in what they give and in whether they fail.
fn same_both_ways(encoding: Encoding, payload: &[u8]) {
    let mut out = Columns::new();
    let result = decode(encoding, payload, &mut out);
    let mut times = Vec::new();
    let by_cursor = Cursor::new(encoding, payload).and_then(|mut cursor| {
        while cursor.advance()? {
            cursor.sample()?;
            times.push(cursor.time());
        }
        Ok(())
    });
    assert_eq!(result, by_cursor);
    match result {
        Ok(()) if encoding.is_float() => assert_eq!(out.t, times),
        Ok(()) => assert_eq!(out.ht, times),
        Err(_) => assert!(out.is_empty()),
    }
}

#[test]
fn seeking_stops_at_the_first_sample_not_before() {
    let chunk = floats(&[(0, 10, 1.0), (0, 20, 2.0), (0, 30, 3.0)]);
    let mut cursor = Cursor::new(chunk.encoding, &chunk.bytes).expect("a header");
    for (t, found) in [(i64::MIN, Some(10)), (10, Some(10)), (11, Some(20)), (5, Some(20)), (30, Some(30)), (31, None)]
    {
        let there = cursor.seek(t).expect("sound");
        assert_eq!(there.then(|| cursor.time()), found, "{t}");
    }
}

#[test]
fn a_second_chunk_is_appended() {
    let chunk = floats(&[(0, 10, 1.0), (0, 20, 2.0)]);
    let mut out = Columns::new();
    for _ in 0..2 {
        decode(chunk.encoding, &chunk.bytes, &mut out).expect("decodes");
    }
    assert_eq!(out.t, [10, 20, 10, 20]);
}

#[test]
fn more_samples_than_bits_are_refused_before_memory_is_taken() {
    let e = decode(Encoding::Xor, &[0xff, 0xff, 0, 0], &mut Columns::new()).expect_err("too short");
    assert!(e.what.contains("65535 samples"), "{e}");
}

#[test]
fn a_full_chunk_takes_no_more() {
    let mut encoder = XorEncoder::new();
    for t in 0..65_535 {
        assert!(encoder.append(t, 1.0));
    }
    assert!(!encoder.append(65_535, 1.0));
    let chunk = encoder.finish_chunk();
    let mut out = Columns::new();
    decode(chunk.encoding, &chunk.bytes, &mut out).expect("decodes");
    assert_eq!((out.t.len(), out.t[65_534]), (65_535, 65_534));
}

#[test]
fn unknown_encodings_and_nested_aggregates_are_corrupt() {
    for byte in [0, 7, 254] {
        assert!(Encoding::from_byte(byte).is_err());
    }
    for byte in (1..=6).chain([255]) {
        assert_eq!(Encoding::from_byte(byte).map(Encoding::to_byte), Ok(byte));
    }
    assert!(decode(Encoding::Aggregates, &[0; 5], &mut Columns::new()).is_err());
    assert!(Aggregates::split(&[1, 0xff, 0, 0, 0, 0, 0]).is_err());
    assert_eq!(Aggregates::split(&[0; 5]), Ok(Aggregates::default()));
    assert!(Aggregates::split(&[0; 6]).is_err());
    assert!(Aggregates::split(&[200, 1, 0, 0, 0]).is_err());
}
