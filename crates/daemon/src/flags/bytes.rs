use std::fmt;
use std::str::FromStr;

use super::FlagError;

/// A number of bytes: `250MB`, `1.5GiB`, `512`. All units are powers of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

const UNITS: [(&str, u32); 6] = [("K", 10), ("M", 20), ("G", 30), ("T", 40), ("P", 50), ("E", 60)];

impl FromStr for Bytes {
    type Err = FlagError;

    fn from_str(text: &str) -> Result<Self, FlagError> {
        let invalid = || FlagError(format!("invalid number of bytes {text:?}: write e.g. 250MB or 2GiB"));
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let letter = unit.strip_suffix("iB").or_else(|| unit.strip_suffix('B')).unwrap_or(unit);
        let shift = match letter {
            "" if unit != "iB" => 0,
            letter => UNITS.iter().find(|(name, _)| letter.eq_ignore_ascii_case(name)).ok_or_else(invalid)?.1,
        };
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(1 << shift).map(Self).ok_or_else(invalid);
        }
        let bytes = number.parse::<f64>().map_err(|_| invalid())? * (1_u64 << shift) as f64;
        if bytes >= u64::MAX as f64 { Err(invalid()) } else { Ok(Self(bytes as u64)) }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().rev().find(|(_, shift)| self.0 > 0 && self.0.is_multiple_of(1 << shift));
        match exact {
            Some((unit, shift)) => write!(f, "{}{unit}iB", self.0 >> shift),
            None => write!(f, "{}B", self.0),
        }
    }
}
