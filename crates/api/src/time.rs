use model::duration;

/// An instant as Unix milliseconds: seconds with decimals, or RFC 3339. `None` where it is neither.
/// Prometheus' own bounds (year ±292 277 022) are accepted as its clients send them.
#[must_use]
pub fn parse_time(text: &str) -> Option<i64> {
    if let Some(seconds) = parse_number(text) {
        return to_ms(seconds);
    }
    match text {
        "-292273086-05-16T16:47:06Z" => Some(i64::MIN / 1000 / 1000 * 1000),
        "292277025-08-18T07:12:54.999999999Z" => Some(i64::MAX / 1000 / 1000 * 1000),
        _ => parse_rfc3339(text),
    }
}

/// A duration in milliseconds: seconds with decimals, or `1h30m`. `None` where it is neither or does
/// not fit.
#[must_use]
pub fn parse_duration(text: &str) -> Option<i64> {
    match parse_number(text) {
        // The range of Go's time.Duration.
        Some(seconds) if seconds.abs() <= 9_223_372_036.0 => to_ms(seconds),
        Some(_) => None,
        None => duration::parse(text).ok(),
    }
}

fn parse_number(text: &str) -> Option<f64> {
    // Unlike Go, Rust has no hexadecimal or underscored floats; nobody sends them.
    text.parse::<f64>().ok()
}

fn to_ms(seconds: f64) -> Option<i64> {
    let ms = (seconds * 1000.0).round();
    #[expect(clippy::cast_possible_truncation, reason = "within ±2^63, checked here")]
    (ms.is_finite() && ms.abs() < 9.2e18).then_some(ms as i64)
}

/// `2006-01-02T15:04:05[.999…](Z|±07:00)`; below a millisecond it is cut off.
fn parse_rfc3339(text: &str) -> Option<i64> {
    let b = text.as_bytes();
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = b.get(range)?;
        digits.iter().all(u8::is_ascii_digit).then(|| digits.iter().fold(0, |n, d| n * 10 + i64::from(d - b'0')))
    };
    let is = |at: usize, c: &[u8]| b.get(at).is_some_and(|x| c.contains(x));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let fits = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !fits {
        return None;
    }
    let mut at = 19;
    let mut ms = 0;
    if is(at, b".,") {
        let digits = b[at + 1..].iter().take_while(|c| c.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        for place in 0..3 {
            ms = ms * 10 + if place < digits { i64::from(b[at + 1 + place] - b'0') } else { 0 };
        }
        at += 1 + digits;
    }
    let offset_minutes = match b.get(at)? {
        b'Z' | b'z' if b.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if b.len() == at + 6 && is(at + 3, b":") => {
            let (h, m) = (number(at + 1..at + 3)?, number(at + 4..at + 6)?);
            if h >= 24 || m >= 60 {
                return None;
            }
            (h * 60 + m) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_minutes * 60;
    Some(seconds * 1000 + ms)
}

/// Unix milliseconds as RFC 3339 in UTC, with milliseconds where there are any.
#[must_use]
pub fn format_rfc3339(ms: i64) -> String {
    let (days, rest) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    let fraction = if rest % 1000 == 0 { String::new() } else { format!(".{:03}", rest % 1000) };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counting years from March so that the
/// leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests;
