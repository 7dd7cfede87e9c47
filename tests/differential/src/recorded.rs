//! Queries with the answers that Prometheus gave, as lines of JSON, compressed.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value as Json, json};

use crate::answer::Answer;
use crate::query::{Query, When};

/// A query and its answer; the data follow from the seed.
#[derive(Clone, Debug)]
pub struct Record {
    pub seed: u64,
    pub query: Query,
    pub answer: Answer,
}

/// A record as a line; `body` is the answer as it came.
#[must_use]
pub fn line(seed: u64, query: &Query, body: &Json) -> String {
    let mut body = body.clone();
    if let Some(data) = body.get_mut("data").and_then(Json::as_object_mut) {
        data.remove("stats");
    }
    let when = match query.when {
        When::At(t) => json!([t]),
        When::Over { start_ms, end_ms, step_ms } => json!([start_ms, end_ms, step_ms]),
    };
    json!({"seed": seed, "query": query.text, "when": when, "answer": body}).to_string()
}

/// Writes lines, compressed.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, lines: &[String]) -> Result<()> {
    let packed = zstd::bulk::compress((lines.join("\n") + "\n").as_bytes(), 19)?;
    std::fs::write(path, packed).with_context(|| format!("write {}", path.display()))
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// When the file cannot be read or is not of that form.
pub fn read(path: &Path) -> Result<Vec<Record>> {
    let packed = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let text = String::from_utf8(zstd::stream::decode_all(&packed[..])?)?;
    text.lines().map(|line| record(&serde_json::from_str(line)?)).collect()
}

fn record(json: &Json) -> Result<Record> {
    let number = |i: usize| json["when"][i].as_i64();
    let when = match (number(0), number(1), number(2)) {
        (Some(start_ms), Some(end_ms), Some(step_ms)) => When::Over { start_ms, end_ms, step_ms },
        (Some(t), _, _) => When::At(t),
        _ => anyhow::bail!("a record without times"),
    };
    let text = json["query"].as_str().context("a record without a query")?.to_owned();
    let seed = json["seed"].as_u64().context("a record without a seed")?;
    Ok(Record { seed, query: Query { text, when }, answer: Answer::parse(&json["answer"])? })
}
