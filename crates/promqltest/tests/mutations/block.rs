//! A command of a script, and the ways to change one expectation in it.

use super::line::{self, Series};

/// All kinds of changes that the scripts have occasion for.
pub(crate) const KINDS: &[&str] = &[
    "none",
    "value",
    "omitted value",
    "one more value",
    "label",
    "missing series",
    "extra series",
    "order",
    "scalar",
    "string",
    "histogram count",
    "histogram sum",
    "histogram schema",
    "histogram zero bucket",
    "histogram zero threshold",
    "histogram bucket",
    "histogram bucket offset",
    "histogram custom bounds",
    "histogram reset hint",
    "histogram for float",
    "float for histogram",
    "no failure",
    "failure",
    "failure message",
    "failure pattern",
    "warn",
    "no_warn",
    "info",
    "no_info",
    "warn message",
    "warn pattern",
    "info message",
    "info pattern",
    "range vector start",
    "range vector end",
    "range vector step",
];

/// The commands of a script with their first line, counted from 0; comments left out.
pub(crate) fn blocks(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut blocks: Vec<(usize, Vec<String>)> = Vec::new();
    let mut open = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            open = false;
        } else if open {
            if let Some((_, block)) = blocks.last_mut() {
                block.push(line.to_owned());
            }
        } else {
            blocks.push((at, vec![line.to_owned()]));
            // What follows `clear` is another command, with or without an empty line between.
            open = line != "clear";
        }
    }
    blocks
}

/// The block with one expectation changed, in every way that it has room for, and first as it is but for its
/// values being written out.
pub(crate) fn mutants(block: &[String]) -> Vec<(&'static str, Vec<String>)> {
    let mut found = vec![("none", written_out(block))];
    let expects_failure = block[0].starts_with("eval_fail") || block.iter().any(|l| l.starts_with("expect fail"));
    for (i, text) in block.iter().enumerate().skip(1) {
        let mut replaced = |kind, lines: Vec<String>| {
            let mut mutant = block.to_vec();
            mutant.splice(i..=i, lines);
            found.push((kind, mutant));
        };
        if text.starts_with("expect range vector") && block.len() == 2 {
            // Nothing is expected at those times.
            continue;
        }
        if text.starts_with("expect ") {
            for (kind, line) in line::expect(text, expects_failure) {
                replaced(kind, line.into_iter().collect());
            }
        } else if let Some(scalar) = line::scalar(text) {
            replaced("scalar", vec![line::other(scalar).to_string()]);
        } else if let Some(series) = Series::parse(text) {
            replaced("missing series", Vec::new());
            for (kind, series) in series.changed(block[0].contains("instant") && !has_range(block)) {
                replaced(kind, vec![series.to_string()]);
            }
        }
    }
    if block[0].starts_with("eval_fail") {
        let mut mutant = block.to_vec();
        mutant[0] = block[0].replacen("eval_fail", "eval", 1);
        found.push(("no failure", mutant));
    }
    if !expects_failure {
        let mut more = |kind, line: &str| {
            let mut mutant = block.to_vec();
            mutant.insert(1, line.to_owned());
            found.push((kind, mutant));
        };
        more("failure", "expect fail");
        // A scalar or a string has no series beside it that would count.
        if !block.iter().skip(1).any(|l| line::scalar(l).is_some() || l.starts_with("expect string")) {
            more("extra series", "{changed=\"extra\"} 1");
        }
    }
    found.extend(swapped(block));
    found
}

fn has_range(block: &[String]) -> bool {
    block.iter().any(|l| l.starts_with("expect range vector"))
}

fn written_out(block: &[String]) -> Vec<String> {
    let line = |(i, text): (usize, &String)| {
        let plain = i == 0 || text.starts_with("expect") || line::scalar(text).is_some();
        match if plain { None } else { Series::parse(text) } {
            Some(series) => series.to_string(),
            None => text.clone(),
        }
    };
    block.iter().enumerate().map(line).collect()
}

/// The first two series of an ordered result the other way round.
fn swapped(block: &[String]) -> Option<(&'static str, Vec<String>)> {
    if !block.iter().any(|l| l == "expect ordered") {
        return None;
    }
    let mut series = (1..block.len()).filter(|&i| !block[i].starts_with("expect"));
    let (first, second) = (series.next()?, series.next()?);
    let mut mutant = block.to_vec();
    mutant.swap(first, second);
    Some(("order", mutant))
}
