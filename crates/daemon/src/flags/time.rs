use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::FlagError;

/// Thanos' "for ever", which lies beyond what `jiff` reads: text and Unix milliseconds.
const FOR_EVER: (&str, i64) = ("9999-12-31T23:59:59Z", 253_402_300_799_000);

/// A point in time: fixed (`2026-01-31T00:00:00Z`) or relative to now (`-2w`, `1d`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeOrDuration {
    /// Unix milliseconds.
    Time(i64),
    /// Milliseconds to add to now.
    Duration(i64),
}

impl TimeOrDuration {
    /// Unix milliseconds; relative ones move with `now_ms`.
    #[must_use]
    pub const fn at(self, now_ms: i64) -> i64 {
        match self {
            Self::Time(ms) => ms,
            Self::Duration(ms) => now_ms.saturating_add(ms),
        }
    }
}

impl FromStr for TimeOrDuration {
    type Err = FlagError;

    fn from_str(text: &str) -> Result<Self, FlagError> {
        if text == FOR_EVER.0 {
            return Ok(Self::Time(FOR_EVER.1));
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(Self::Time(time.as_millisecond()));
        }
        model::duration::parse_signed(text).map(Self::Duration).map_err(|_| {
            FlagError(format!("{text:?} is neither a time such as 2026-01-31T00:00:00Z nor a duration such as -2w"))
        })
    }
}

impl fmt::Display for TimeOrDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Duration(ms) => f.write_str(&model::duration::format(ms)),
            Self::Time(ms) => match Timestamp::from_millisecond(ms) {
                Ok(time) => time.fmt(f),
                Err(_) if ms == FOR_EVER.1 => f.write_str(FOR_EVER.0),
                Err(_) => write!(f, "{ms}"),
            },
        }
    }
}
