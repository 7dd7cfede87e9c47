use super::{write_float, write_time};

fn float(v: f64) -> String {
    let mut out = Vec::new();
    write_float(&mut out, v);
    String::from_utf8(out).expect("ASCII")
}

#[test]
fn values_print_as_prometheus_prints_them() {
    let cases = [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-17.5, "-17.5"),
        (0.1, "0.1"),
        (1e-5, "0.00001"),
        (1.25e-6, "0.00000125"),
        (1e-6, "0.000001"),
        (9.99e-7, "9.99e-07"),
        (1e-10, "1e-10"),
        (5e-324, "5e-324"),
        (1e15, "1000000000000000"),
        (1e16, "10000000000000000"),
        (1.2345e20, "123450000000000000000"),
        (123_456_789_012_345_680_000.0, "123456789012345680000"),
        (1e21, "1e+21"),
        (-1.5e22, "-1.5e+22"),
        (f64::MAX, "1.7976931348623157e+308"),
        (9_007_199_254_740_993.0, "9007199254740992"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
    ];
    for (v, text) in cases {
        assert_eq!(float(v), text, "{v:e}");
    }
}

#[test]
fn printed_values_read_back_bit_for_bit() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..200_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let v = f64::from_bits(state);
        if v.is_finite() {
            assert_eq!(float(v).parse::<f64>().expect("a number").to_bits(), v.to_bits(), "{v:e}");
        }
        let v = (state >> 20) as f64 / 1e7;
        assert_eq!(float(v).parse::<f64>().expect("a number").to_bits(), v.to_bits(), "{v:e}");
        assert_eq!(float(v), format!("{v}"));
    }
}

#[test]
fn times_are_seconds_with_up_to_three_decimals() {
    for (ms, text) in
        [(0, "0"), (1_435_781_451_781, "1435781451.781"), (1_005, "1.005"), (60_000, "60"), (-1_500, "-1.500")]
    {
        let mut out = Vec::new();
        write_time(&mut out, ms);
        assert_eq!(out, text.as_bytes());
    }
}
