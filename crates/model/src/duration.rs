//! Prometheus' durations: `1h30m`, `15d`, `500ms`, `1y`. A day has 24 h, a week 7 d, a year 365 d.

use std::fmt::Write as _;

use thiserror::Error;

/// Why a text is not a duration; worded as Prometheus words it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DurationError {
    #[error("empty duration string")]
    Empty,
    #[error("not a valid duration string: {}", crate::quote::go_quote(.0.as_bytes()))]
    Invalid(String),
    #[error("unknown unit {} in duration {}", crate::quote::go_quote(.unit.as_bytes()), crate::quote::go_quote(.text.as_bytes()))]
    UnknownUnit { unit: String, text: String },
    /// More than about 292 years, which does not fit Prometheus' nanoseconds.
    #[error("duration out of range")]
    OutOfRange,
}

/// Units from the largest to the smallest: name, milliseconds, and whether [`format()`] uses it only
/// where nothing remains (90d is easier to read than 12w6d).
const UNITS: [(&str, i64, bool); 7] = [
    ("y", 365 * 86_400_000, true),
    ("w", 7 * 86_400_000, true),
    ("d", 86_400_000, false),
    ("h", 3_600_000, false),
    ("m", 60_000, false),
    ("s", 1000, false),
    ("ms", 1, false),
];

/// The longest duration: Prometheus counts nanoseconds in 64 bits.
const MAX_MS: i64 = i64::MAX / 1_000_000;

/// The milliseconds of a duration such as `1h30m`. Units go from large to small, each at most once;
/// a bare `0` is fine, a sign is not (see [`parse_signed`]).
///
/// # Errors
/// When the text is not such a duration or is longer than about 292 years.
pub fn parse(text: &str) -> Result<i64, DurationError> {
    match text {
        "0" => return Ok(0),
        "" => return Err(DurationError::Empty),
        _ => {}
    }
    let invalid = || DurationError::Invalid(text.to_owned());
    let (mut rest, mut total, mut next_unit) = (text, 0_i64, 0);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let value: u64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(|b| !b.is_ascii_digit()).count();
        if letters == 0 {
            return Err(invalid());
        }
        let unit = &rest[..letters];
        rest = &rest[letters..];
        let Some(at) = UNITS.iter().position(|(name, ..)| *name == unit) else {
            return Err(DurationError::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() });
        };
        if at < next_unit {
            return Err(invalid());
        }
        next_unit = at + 1;
        total = i64::try_from(value)
            .ok()
            .and_then(|v| v.checked_mul(UNITS[at].1))
            .and_then(|ms| total.checked_add(ms))
            .filter(|&ms| ms <= MAX_MS)
            .ok_or(DurationError::OutOfRange)?;
    }
    Ok(total)
}

/// Like [`parse`], with an optional leading `-`.
///
/// # Errors
/// As [`parse`].
pub fn parse_signed(text: &str) -> Result<i64, DurationError> {
    text.strip_prefix('-').map_or_else(|| parse(text), |positive| parse(positive).map(|ms| -ms))
}

/// The canonical text of a number of milliseconds: `90m` becomes `1h30m`, 0 becomes `0s`.
#[must_use]
pub fn format(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    if ms < 0 {
        text.push('-');
    }
    let mut rest = ms.unsigned_abs();
    for (name, unit_ms, exact) in UNITS {
        let unit_ms = unit_ms.unsigned_abs();
        let count = rest / unit_ms;
        if count > 0 && (!exact || rest.is_multiple_of(unit_ms)) {
            let _infallible = write!(text, "{count}{name}");
            rest -= count * unit_ms;
        }
    }
    text
}

#[cfg(test)]
mod tests;
