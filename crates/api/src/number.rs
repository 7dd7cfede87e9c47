/// Appends a sample value as Prometheus prints it (without quotes): the shortest decimal that reads
/// back the same, without exponent from 1e-6 up to 1e21, with Go's exponent (`1e-07`, `5e+22`)
/// outside; `NaN`, `+Inf`, `-Inf`. Source: `jsonutil.MarshalFloat`.
pub fn write_float(out: &mut Vec<u8>, v: f64) {
    /// Integers up to here are exact, and their decimal digits are the shortest form.
    const EXACT: f64 = 9_007_199_254_740_992.0;

    if v.is_nan() {
        out.extend_from_slice(b"NaN");
        return;
    }
    if v.is_infinite() {
        out.extend_from_slice(if v > 0.0 { b"+Inf" } else { b"-Inf" });
        return;
    }
    if v.trunc() == v && v.abs() < EXACT && (v != 0.0 || v.is_sign_positive()) {
        // Exact: the value is an integer within ±2^53.
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        let integer = v as i64;
        out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
        return;
    }
    let mut buffer = ryu::Buffer::new();
    let shortest = buffer.format_finite(v);
    // Ryu prints from 1e-5 up to 1e16 without exponent; only an integer has ".0" there.
    if !shortest.as_bytes().contains(&b'e') {
        out.extend_from_slice(shortest.strip_suffix(".0").unwrap_or(shortest).as_bytes());
        return;
    }
    write_scientific(out, shortest, v.abs());
}

/// Turns Ryu's `d.ddde±x` into the form that the magnitude asks for.
fn write_scientific(out: &mut Vec<u8>, shortest: &str, abs: f64) {
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    out.extend_from_slice(sign.as_bytes());
    if !(1e-6..1e21).contains(&abs) {
        out.extend_from_slice(mantissa.as_bytes());
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        if exponent.abs() < 10 {
            out.push(b'0');
        }
        out.extend_from_slice(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
        return;
    }
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (digits, shift) = (fraction.len(), usize::try_from(exponent.unsigned_abs()).unwrap_or(0));
    if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + shift - 1, b'0');
        out.extend_from_slice(whole.as_bytes());
        out.extend_from_slice(fraction.as_bytes());
    } else {
        // From 1e16 on all digits stand before the point.
        out.extend_from_slice(whole.as_bytes());
        out.extend_from_slice(fraction.as_bytes());
        out.resize(out.len() + shift.saturating_sub(digits), b'0');
    }
}

/// Appends Unix milliseconds as seconds with up to three decimals, as Prometheus does.
pub fn write_time(out: &mut Vec<u8>, ms: i64) {
    if ms < 0 {
        out.push(b'-');
    }
    let abs = ms.unsigned_abs();
    out.extend_from_slice(itoa::Buffer::new().format(abs / 1000).as_bytes());
    let fraction = abs % 1000;
    if fraction != 0 {
        let digit = |n: u64| b'0' + u8::try_from(n % 10).unwrap_or(0);
        out.extend_from_slice(&[b'.', digit(fraction / 100), digit(fraction / 10), digit(fraction)]);
    }
}

#[cfg(test)]
mod tests;
