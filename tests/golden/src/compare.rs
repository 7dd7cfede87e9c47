//! Whether an answer of the query API says the same as a recorded or another one.
//!
//! Compared are the status, on an error its type, on success the type of the result, the set of series,
//! every timestamp and every value. The order of series counts only where the query sorts.

use std::collections::BTreeMap;

use serde_json::Value;

/// Relative difference up to which two values are the same.
pub const TOLERANCE: f64 = 1e-9;

/// What differs by more than [`TOLERANCE`], in words; `None` where nothing does. `query` and `instant` say what
/// was asked.
#[must_use]
pub fn answers(query: &str, instant: bool, want: &Value, got: &Value) -> Option<String> {
    answers_within(TOLERANCE, query, instant, want, got)
}

/// As [`answers`], with values the same up to a relative difference of `tolerance`.
#[must_use]
pub fn answers_within(tolerance: f64, query: &str, instant: bool, want: &Value, got: &Value) -> Option<String> {
    if want["status"] != got["status"] {
        return Some(format!("status {}, want {}: {}", got["status"], want["status"], got["error"]));
    }
    if want["status"] == "error" {
        return differ("errorType", &got["errorType"], &want["errorType"]);
    }
    let (want, got) = (&want["data"], &got["data"]);
    if let Some(list) = want.as_array() {
        return differ("list", &Value::Array(sorted(got)), &Value::Array(sorted(&Value::Array(list.clone()))));
    }
    if want["resultType"] != got["resultType"] {
        return differ("resultType", &got["resultType"], &want["resultType"]);
    }
    if want["resultType"] == "scalar" || want["resultType"] == "string" {
        return point(tolerance, "result", &want["result"], &got["result"]);
    }
    let (a, b) = (by_metric(&want["result"]), by_metric(&got["result"]));
    if b.len() != got["result"].as_array().map_or(0, Vec::len) {
        return Some("the same series twice".to_owned());
    }
    if !a.keys().eq(b.keys()) {
        let missing: Vec<_> = a.keys().filter(|k| !b.contains_key(*k)).take(2).collect();
        let extra: Vec<_> = b.keys().filter(|k| !a.contains_key(*k)).take(2).collect();
        return Some(format!("series differ: missing {missing:?}, extra {extra:?} ({} for {})", b.len(), a.len()));
    }
    if instant && query.contains("sort") {
        let order = |v: &Value| v["result"].as_array().into_iter().flatten().map(|s| s["metric"].clone()).collect();
        let (x, y): (Vec<Value>, Vec<Value>) = (order(want), order(got));
        if x != y {
            return Some("order differs".to_owned());
        }
    }
    a.iter().find_map(|(metric, w)| series(tolerance, metric, w, b[metric]))
}

fn series(tolerance: f64, metric: &str, want: &Value, got: &Value) -> Option<String> {
    for field in ["value", "histogram"] {
        if want.get(field).is_some() != got.get(field).is_some() {
            return Some(format!("{metric}: {field} is there: {}", got.get(field).is_some()));
        }
        if let (Some(w), Some(g)) = (want.get(field), got.get(field))
            && let Some(e) = point(tolerance, metric, w, g)
        {
            return Some(e);
        }
    }
    for field in ["values", "histograms"] {
        let none = Vec::new();
        let points = |v: &'_ Value| v.get(field).and_then(Value::as_array).map_or_else(|| none.clone(), Clone::clone);
        let (w, g) = (points(want), points(got));
        if w.len() != g.len() {
            return Some(format!("{metric} {field}: {} points, want {}", g.len(), w.len()));
        }
        if let Some(e) = w.iter().zip(&g).find_map(|(w, g)| point(tolerance, metric, w, g)) {
            return Some(e);
        }
    }
    None
}

/// Compares `[time, value]` pairs.
fn point(tolerance: f64, what: &str, want: &Value, got: &Value) -> Option<String> {
    let time = |v: &Value| v[0].as_f64().unwrap_or(f64::NAN);
    if (time(want) - time(got)).abs() > 5e-4 {
        return Some(format!("{what}: at {}, want {}", got[0], want[0]));
    }
    (!same(tolerance, &want[1], &got[1])).then(|| format!("{what}: at {}: {}, want {}", want[0], got[1], want[1]))
}

/// Compares values: numbers as text to the tolerance, everything else exactly.
fn same(tolerance: f64, want: &Value, got: &Value) -> bool {
    match (want, got) {
        (Value::String(a), Value::String(b)) => match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(x), Ok(y)) => close_within(tolerance, x, y),
            _ => a == b,
        },
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(tolerance, v, w)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| same(tolerance, x, y)),
        _ => want == got,
    }
}

/// Equal to [`TOLERANCE`]; NaN equals NaN.
#[must_use]
pub fn close(a: f64, b: f64) -> bool {
    close_within(TOLERANCE, a, b)
}

fn close_within(tolerance: f64, a: f64, b: f64) -> bool {
    if a.is_nan() || b.is_nan() {
        return a.is_nan() && b.is_nan();
    }
    a == b || (a.is_finite() && b.is_finite() && (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1e-12))
}

fn by_metric(result: &Value) -> BTreeMap<String, &Value> {
    // serde_json keeps the keys of objects sorted, so equal metrics print the same.
    result.as_array().into_iter().flatten().map(|s| (s["metric"].to_string(), s)).collect()
}

fn sorted(list: &Value) -> Vec<Value> {
    let mut all = list.as_array().cloned().unwrap_or_default();
    all.sort_by_key(ToString::to_string);
    all
}

fn differ(what: &str, got: &Value, want: &Value) -> Option<String> {
    (got != want).then(|| {
        let short = |v: &Value| v.to_string().chars().take(300).collect::<String>();
        format!("{what}: {}, want {}", short(got), short(want))
    })
}

#[cfg(test)]
mod tests;
