//! Prometheus' JSON and text forms, as far as a sidecar reads them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use model::{Labels, MatchOp, Matcher};
use serde::Deserialize;
use serde_yaml::Value;

/// The envelope of every answer.
#[derive(Debug, Deserialize)]
pub(super) struct Answer<T> {
    pub(super) data: Option<T>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Config {
    pub(super) yaml: String,
}

pub(super) type Flags = BTreeMap<String, String>;

/// `global.external_labels` of a configuration; the empty set where there are none.
pub(super) fn external_labels(yaml: &str) -> Result<Labels> {
    let config: Value = serde_yaml::from_str(yaml).context("not valid YAML")?;
    let labels = match config.get("global").and_then(|g| g.get("external_labels")) {
        None | Some(Value::Null) => return Ok(Labels::empty()),
        Some(Value::Mapping(labels)) => labels,
        Some(_) => bail!("global.external_labels is not a mapping"),
    };
    let mut pairs = Vec::with_capacity(labels.len());
    for (name, value) in labels {
        let name = name.as_str().context("a name in global.external_labels is not a string")?;
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(bool) => bool.to_string(),
            _ => bail!("global.external_labels: the value of {name:?} is not a string"),
        };
        pairs.push((name.to_owned(), value));
    }
    Ok(Labels::from_pairs(pairs))
}

/// The gauge `prometheus_tsdb_lowest_timestamp_seconds` in a text exposition, in milliseconds. A fresh
/// server exposes the largest time there is, which means that it holds nothing.
pub(super) fn lowest_timestamp_ms(text: &str) -> Option<i64> {
    let line = text.lines().find_map(|l| l.strip_prefix("prometheus_tsdb_lowest_timestamp_seconds "))?;
    let seconds: f64 = line.split_whitespace().next()?.parse().ok()?;
    // The year 2500 and beyond stands for "none".
    (seconds.is_finite() && (0.0..16_725_225_600.0).contains(&seconds)).then_some((seconds * 1000.0) as i64)
}

/// Unix milliseconds as the decimal seconds that Prometheus reads, clamped to what it accepts.
pub(super) fn seconds(ms: i64) -> String {
    // Prometheus rejects times outside of what its nanosecond clock holds.
    let ms = ms.clamp(-9_223_372_036_000, 9_223_372_036_000);
    format!("{}{}.{:03}", if ms < 0 { "-" } else { "" }, ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000)
}

/// A matcher as PromQL, the name quoted so that any UTF-8 name works, where it must be.
pub(super) fn matcher(matcher: &Matcher) -> String {
    let name: &str = &matcher.name;
    let plain = !name.is_empty()
        && name.bytes().enumerate().all(|(i, b)| b == b'_' || b.is_ascii_alphabetic() || (i > 0 && b.is_ascii_digit()));
    let name = if plain { name.to_owned() } else { quote(name) };
    let op = match matcher.op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    };
    format!("{name}{op}{}", quote(&matcher.value))
}

/// A PromQL string literal.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A label name in a path: legacy names as they are, others in Prometheus' `U__` escaping.
pub(super) fn escape_label_name(name: &str) -> String {
    let plain = |c: char| c == '_' || c.is_ascii_alphanumeric();
    if name.chars().all(plain) && !name.starts_with("U__") {
        return name.to_owned();
    }
    let mut out = String::from("U__");
    for c in name.chars() {
        match c {
            '_' => out.push_str("__"),
            c if plain(c) => out.push(c),
            c => out.push_str(&format!("_{:x}_", c as u32)),
        }
    }
    out
}

#[cfg(test)]
mod tests;
