use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::FlagError;

/// A duration as Go writes it: `300ms`, `1.5h`, `2h45m`; units up to hours, no days. Nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration(i64);

const GO_UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

impl GoDuration {
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds * 1_000_000_000)
    }

    /// Milliseconds, rounded towards zero.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0 / 1_000_000
    }

    /// Negative durations become zero.
    #[must_use]
    pub fn as_duration(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

impl FromStr for GoDuration {
    type Err = FlagError;

    fn from_str(text: &str) -> Result<Self, FlagError> {
        let invalid = || FlagError(format!("invalid duration {text:?}: write e.g. 300ms, 1.5h or 2h45m"));
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total = 0.0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(invalid)?;
            let number: f64 = rest[..digits].parse().map_err(|_| invalid())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
            let (unit, after) = rest.split_at(letters);
            total += number * GO_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(invalid)?.1;
            rest = after;
        }
        if total >= i64::MAX as f64 {
            return Err(invalid());
        }
        let ns = total.round() as i64;
        Ok(Self(if negative { -ns } else { ns }))
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 1_000_000 {
            0 => f.write_str(&model::duration::format(self.ms())),
            _ => write!(f, "{}ns", self.0),
        }
    }
}

/// A duration as Prometheus writes it: `15d`, `1h30m`, `500ms`. Milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelDuration(i64);

impl ModelDuration {
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }

    #[must_use]
    pub fn as_duration(self) -> Duration {
        Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }
}

impl FromStr for ModelDuration {
    type Err = FlagError;

    fn from_str(text: &str) -> Result<Self, FlagError> {
        model::duration::parse(text).map(Self).map_err(|e| FlagError(e.to_string()))
    }
}

impl fmt::Display for ModelDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&model::duration::format(self.0))
    }
}
