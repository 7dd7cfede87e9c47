//! Numbers as Go prints them.

use std::fmt::Write as _;

/// `FormatFloat(v, 'f', -1, 64)`: the shortest decimal digits that read back, never an exponent.
pub(crate) fn format_float(out: &mut String, value: f64) {
    if value.is_finite() {
        let _infallible = write!(out, "{value}");
    } else {
        out.push_str(special(value));
    }
}

/// `%f`: six digits behind the point.
pub(crate) fn format_fixed(value: f64) -> String {
    if value.is_finite() { format!("{value:.6}") } else { special(value).to_owned() }
}

/// `%v`: the shortest digits that read back, with an exponent below 1e-4 and from 1e21 on.
pub(crate) fn format_general(value: f64) -> String {
    if !value.is_finite() {
        return special(value).to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or_default() {
        exponent @ -4..21 => {
            let _plain = exponent;
            format!("{value}")
        }
        exponent => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
    }
}

fn special(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
}
