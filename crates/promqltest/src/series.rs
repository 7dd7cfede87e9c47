//! Series notation: `metric{labels} 1 2+3x4 _ stale {{schema:1 count:3}}x2`.

pub(crate) mod show;

use model::{FloatHistogram, Labels, STALE_NAN_BITS};

use crate::histogram;
use crate::number::parse_number;

/// How many values one item may stand for.
const REPEAT_MAX: u64 = 10_000_000;

/// One value of a series, in its place.
#[derive(Clone, Debug, PartialEq)]
pub enum SequenceValue {
    /// `_`: no sample.
    Omitted,
    Float(f64),
    Histogram {
        histogram: Box<FloatHistogram>,
        /// A counter reset hint was written, so it is compared too.
        hint_written: bool,
    },
}

/// Parses a metric and its values.
///
/// # Errors
/// What is wrong, in words.
pub fn parse_series(line: &str) -> Result<(Labels, Vec<SequenceValue>), String> {
    let (labels, end) = promql::parse_metric(line).map_err(|e| e.to_string())?;
    let rest = &line[end..];
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return Err(format!("unexpected {rest:?} behind the metric"));
    }
    let mut values = Vec::new();
    let mut rest = rest.trim_start();
    while !rest.is_empty() {
        let behind = item(rest, &mut values)?;
        if !behind.is_empty() && !behind.starts_with([' ', '\t']) {
            return Err(format!("unexpected {behind:?} in series values"));
        }
        rest = behind.trim_start();
    }
    Ok((labels, values))
}

/// Reads the item that `text` begins with; gives what follows it.
fn item<'a>(text: &'a str, values: &mut Vec<SequenceValue>) -> Result<&'a str, String> {
    if let Some(behind) = text.strip_prefix('_') {
        let (times, behind) = repetition(behind)?;
        values.extend((0..times.unwrap_or(1)).map(|_| SequenceValue::Omitted));
        return Ok(behind);
    }
    if text.starts_with("{{") {
        return histograms(text, values);
    }
    let (first, behind) = number(text)?;
    let (step, behind) = match behind.chars().next() {
        Some('+' | '-') => number(behind).map(|(step, behind)| (Some(step), behind))?,
        _ => (None, behind),
    };
    let (times, behind) = repetition(behind)?;
    if step.is_some() && times.is_none() {
        return Err(format!("a step without a number of times in {text:?}"));
    }
    // The first value stands for time 0, before the repetitions.
    let mut value = first;
    for _ in 0..=times.unwrap_or(0) {
        values.push(SequenceValue::Float(value));
        value += step.unwrap_or(0.0);
    }
    Ok(behind)
}

fn histograms<'a>(text: &'a str, values: &mut Vec<SequenceValue>) -> Result<&'a str, String> {
    let (first, behind) = histogram::parse(text)?;
    let (step, behind) = match behind.as_bytes() {
        [sign @ (b'+' | b'-'), b'{', b'{', ..] => {
            let (step, behind) = histogram::parse(&behind[1..])?;
            (Some((if *sign == b'-' { -1.0 } else { 1.0 }, step)), behind)
        }
        _ => (None, behind),
    };
    let (times, behind) = repetition(behind)?;
    if step.is_some() && times.is_none() {
        return Err(format!("a step without a number of times in {text:?}"));
    }
    let hint_written = step.as_ref().map_or(first.hint_written, |(_, step)| step.hint_written);
    let mut current = first.histogram;
    for n in 0..=times.unwrap_or(0) {
        if let (Some((sign, step)), true) = (&step, n > 0) {
            current = histogram::add(&current, &step.histogram, *sign)?;
        }
        values.push(SequenceValue::Histogram { histogram: Box::new(current.clone()), hint_written });
    }
    Ok(behind)
}

/// A signed number or `stale`, and what follows it.
fn number(text: &str) -> Result<(f64, &str), String> {
    let signed = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign_len = text.len() - signed.len();
    let word = signed.bytes().take_while(|b| b.is_ascii_alphabetic() && *b != b'x').count();
    let len = if word > 0 { word } else { digits(signed) };
    let (token, behind) = text.split_at(sign_len + len);
    if token == "stale" {
        return Ok((f64::from_bits(STALE_NAN_BITS), behind));
    }
    parse_number(token).map(|v| (v, behind)).ok_or_else(|| format!("expected a number or \"stale\", not {token:?}"))
}

/// How long the unsigned decimal number is that `text` begins with.
fn digits(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut len = 0;
    while let Some(b) = bytes.get(len) {
        match b {
            b'0'..=b'9' | b'.' => len += 1,
            b'e' | b'E' => {
                len += 1;
                if matches!(bytes.get(len), Some(b'+' | b'-')) {
                    len += 1;
                }
            }
            _ => break,
        }
    }
    len
}

/// `x5`, if it stands there.
fn repetition(text: &str) -> Result<(Option<u64>, &str), String> {
    let Some(times) = text.strip_prefix('x') else { return Ok((None, text)) };
    let len = times.bytes().take_while(u8::is_ascii_digit).count();
    let n: u64 = times[..len].parse().map_err(|_| format!("invalid repetition in series values: {text:?}"))?;
    if n > REPEAT_MAX {
        return Err(format!("{n} repetitions are more than {REPEAT_MAX}"));
    }
    Ok((Some(n), &times[len..]))
}
