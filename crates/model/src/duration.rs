//! Prometheus' durations: `1h30m`, `15d`, `500ms`; units y (365 d), w, d, h, m, s, ms, each at most
//! once and from large to small. Source: `model.ParseDuration` of prometheus/common.

use std::fmt::Write;

/// The units from large to small, in milliseconds.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The milliseconds that `text` stands for; `None` where it is not a duration or over 292 years
/// (the range of Go's `time.Duration`). A plain `0` is allowed.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    if text.is_empty() {
        return None;
    }
    let (mut rest, mut total, mut next) = (text, 0_i64, 0);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_lowercase).count();
        let unit = next + UNITS[next..].iter().position(|(name, _)| *name == &rest[..letters])?;
        total = total.checked_add(number.checked_mul(UNITS[unit].1)?)?;
        (rest, next) = (&rest[letters..], unit + 1);
    }
    (total <= i64::MAX / 1_000_000).then_some(total)
}

/// The shortest form that [`parse`] reads back, as Prometheus prints it: weeks and years only where
/// they are the whole, `0s` for zero, a leading `-` for negative ones.
#[must_use]
pub fn format(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    if ms < 0 {
        out.push('-');
    }
    let mut rest = ms.unsigned_abs();
    for (i, (name, unit)) in UNITS.iter().enumerate() {
        let unit = unit.unsigned_abs();
        let whole_only = i < 2;
        if (whole_only && !rest.is_multiple_of(unit)) || rest < unit {
            continue;
        }
        let _infallible = write!(out, "{}{name}", rest / unit);
        rest %= unit;
    }
    out
}

#[cfg(test)]
mod tests;
