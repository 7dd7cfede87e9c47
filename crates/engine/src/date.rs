//! The civil calendar in UTC.

use promql::FunctionId;

const DAY: i64 = 86_400;

/// A day as year, month and day, proleptic Gregorian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: i64,
    day: i64,
}

/// Source: the era-based algorithm of Howard Hinnant's `civil_from_days`.
fn civil(days: i64) -> Civil {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Day and second of Unix seconds. Go counts seconds from a year far before in 64 bits without a sign, so
/// what lies before that year comes round at the other end.
fn wrapped(seconds: i64) -> (i64, i64) {
    /// Seconds from 1 March −292 277 022 400 to the epoch.
    const ORIGIN: i64 = 9_223_371_966_579_724_800 + 62_135_596_800 + 306 * DAY;
    let since = seconds.cast_unsigned().wrapping_add(ORIGIN.cast_unsigned());
    let (days, second) = (since / DAY.cast_unsigned(), since % DAY.cast_unsigned());
    (days.cast_signed() - ORIGIN / DAY, second.cast_signed())
}

/// What a date function gives for Unix seconds; fractions are cut off.
pub(crate) fn part(function: FunctionId, seconds: f64) -> f64 {
    // Go's conversion of what an i64 cannot hold gives the smallest one on amd64.
    let whole =
        if seconds.is_nan() || seconds.abs() >= 9_223_372_036_854_775_808.0 { i64::MIN } else { seconds as i64 };
    let (days, second) = wrapped(whole);
    let date = civil(days);
    let value = match function {
        FunctionId::DaysInMonth => days_in_month(date.year, date.month),
        FunctionId::DayOfMonth => date.day,
        FunctionId::DayOfWeek => (days + 4).rem_euclid(7),
        FunctionId::DayOfYear => (1..date.month).map(|m| days_in_month(date.year, m)).sum::<i64>() + date.day,
        FunctionId::Hour => second / 3600,
        FunctionId::Minute => second % 3600 / 60,
        FunctionId::Month => date.month,
        FunctionId::Year => date.year,
        _ => return f64::NAN,
    };
    value as f64
}

/// `2006-01-02T15:04:05Z` of Unix milliseconds.
pub(crate) fn rfc3339(ms: i64) -> String {
    let seconds = ms / 1000;
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let Civil { year, month, day } = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second % 3600 / 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_dates() {
        let check = |function, seconds: f64, expected: f64| {
            assert_eq!(part(function, seconds), expected, "{function:?} of {seconds}");
        };
        // 2016-02-29T12:34:56Z, a Monday.
        let at = 1_456_749_296.0;
        check(FunctionId::Year, at, 2016.0);
        check(FunctionId::Month, at, 2.0);
        check(FunctionId::DayOfMonth, at, 29.0);
        check(FunctionId::DayOfWeek, at, 1.0);
        check(FunctionId::DayOfYear, at, 60.0);
        check(FunctionId::DaysInMonth, at, 29.0);
        check(FunctionId::Hour, at, 12.0);
        check(FunctionId::Minute, at, 34.0);
        check(FunctionId::Year, -1.0, 1969.0);
        // Beyond 64 bits.
        check(FunctionId::Year, 1e30, 292_277_026_596.0);
        check(FunctionId::Hour, -1e30, 15.0);
        check(FunctionId::DayOfMonth, f64::NAN, 4.0);
        check(FunctionId::DayOfYear, 1_483_228_799.0, 366.0);
    }

    #[test]
    fn times_print_as_rfc3339() {
        assert_eq!(rfc3339(1_456_749_296_123), "2016-02-29T12:34:56Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
    }
}
