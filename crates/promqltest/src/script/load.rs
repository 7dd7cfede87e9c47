use model::Labels;

use super::{Lines, ScriptError};
use crate::series::{SequenceValue, parse_series};

/// `load <gap>` and the series below it.
#[derive(Clone, Debug)]
pub struct Load {
    /// Milliseconds between values.
    pub gap_ms: i64,
    /// Classic histograms are loaded as native ones with custom buckets, too.
    pub with_nhcb: bool,
    pub series: Vec<LoadSeries>,
}

/// One series of a `load`, the first value at time 0.
#[derive(Clone, Debug)]
pub struct LoadSeries {
    pub labels: Labels,
    pub values: Vec<SequenceValue>,
    /// Start timestamps in milliseconds relative to each sample's time, as long as `values`; empty where
    /// no `@st` line came before.
    pub starts: Vec<Option<i64>>,
}

/// A `@st` line: its place, the metric and the start timestamps.
type StartLine = (usize, Labels, Vec<Option<i64>>);

pub(super) fn parse(at: usize, line: &str, lines: &mut Lines<'_>) -> Result<Load, ScriptError> {
    let wrong = || ScriptError::new(at, "invalid load command. (load[_with_nhcb] <step:duration>)");
    let (word, gap) = line.split_once([' ', '\t']).ok_or_else(wrong)?;
    let with_nhcb = match word {
        "load" => false,
        "load_with_nhcb" => true,
        _ => return Err(wrong()),
    };
    let gap_ms = model::duration::parse(gap.trim())
        .map_err(|e| ScriptError::new(at, format!("invalid step definition {gap:?}: {e}")))?;
    let mut load = Load { gap_ms, with_nhcb, series: Vec::new() };
    let mut pending: Option<StartLine> = None;
    while let Some((at, line)) = lines.next_of_command() {
        if let Some((metric, starts)) = start_line(line) {
            if let Some((at, ..)) = pending {
                return Err(ScriptError::new(at, "@st line has no following sample line"));
            }
            let (labels, _) = parse_series(metric).map_err(|e| ScriptError::new(at, e))?;
            pending = Some((at, labels, parse_starts(starts).map_err(|e| ScriptError::new(at, e))?));
            continue;
        }
        let (labels, values) = parse_series(line).map_err(|e| ScriptError::new(at, e))?;
        let mut starts = Vec::new();
        if let Some((at, metric, found)) = pending.take() {
            if metric != labels {
                return Err(ScriptError::new(at, "@st metric does not match the following sample line metric"));
            }
            if found.len() != values.len() {
                let message = format!("@st line has {} values but sample line has {}", found.len(), values.len());
                return Err(ScriptError::new(at, message));
            }
            starts = found;
        }
        // Of two lines for the same series the last counts.
        load.series.retain(|known| known.labels != labels);
        load.series.push(LoadSeries { labels, values, starts });
    }
    match pending {
        Some((at, ..)) => Err(ScriptError::new(at, "@st line has no following sample line")),
        None => Ok(load),
    }
}

/// `metric{labels}@st <starts>`: the metric and the starts.
fn start_line(line: &str) -> Option<(&str, &str)> {
    let (metric, starts) = line.split_once([' ', '\t'])?;
    Some((metric.strip_suffix("@st")?, starts))
}

/// `_`, `_x3`, `-1m`, `-1mx3`, `-1m+5sx3`, separated by spaces.
fn parse_starts(text: &str) -> Result<Vec<Option<i64>>, String> {
    let mut starts = Vec::new();
    for item in text.split_whitespace() {
        let wrong = |what: &str| format!("invalid @st sequence: invalid ST item {item:?}: {what}");
        let count = |text: &str| text.parse::<usize>().map_err(|_| wrong("invalid repeat count"));
        if let Some(rest) = item.strip_prefix('_') {
            let times = match rest.strip_prefix('x') {
                Some(times) => count(times)?,
                None if rest.is_empty() => 1,
                None => return Err(wrong("unexpected text behind _")),
            };
            starts.extend((0..times).map(|_| None));
            continue;
        }
        let (mut value, rest) = duration(item).ok_or_else(|| wrong("expected a duration"))?;
        let (step, rest) = match rest.chars().next() {
            Some('+' | '-') => duration(rest).ok_or_else(|| wrong("invalid step duration"))?,
            _ => (0, rest),
        };
        let times = match rest.strip_prefix('x') {
            Some(times) => count(times)?,
            None if rest.is_empty() && step == 0 => 0,
            None => return Err(wrong("expected 'x<count>' after step duration")),
        };
        for _ in 0..=times {
            starts.push(Some(value));
            value += step;
        }
    }
    Ok(starts)
}

/// A signed duration of one unit, and what follows it.
fn duration(text: &str) -> Option<(i64, &str)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let unit = unsigned[digits..].bytes().take_while(|b| b.is_ascii_alphabetic() && *b != b'x').count();
    let ms = model::duration::parse(&unsigned[..digits + unit]).ok()?;
    Some((if text.starts_with('-') { -ms } else { ms }, &unsigned[digits + unit..]))
}
