//! What a store lacks, as a warning on the wire: readable, passed on by Thanos' queriers as it is, and parsed
//! back by ours (contract C5). The form: `<store>: <cause>; missing={"labels":{…},…}`.

use std::collections::BTreeMap;

use request::Missing;
use serde_json::{Value, json};

const MARK: &str = "; missing={\"";

/// The warning that stands for `missing`.
#[must_use]
pub fn to_warning(missing: &Missing) -> String {
    let labels: BTreeMap<_, _> = missing.labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let record = json!({
        "labels": labels,
        "min_time": missing.min_time,
        "max_time": missing.max_time,
        "store": missing.store,
        "cause": missing.cause,
    });
    format!("{}: {}; missing={record}", missing.store, missing.cause)
}

/// What a warning stands for: what [`to_warning`] made, or, of any other text, something of unknown labels
/// in the range of the request, with the text as its cause.
#[must_use]
pub fn from_warning(warning: &str, peer: &str, min_time: i64, max_time: i64) -> Missing {
    parse(warning).unwrap_or_else(|| Missing {
        labels: Vec::new(),
        min_time,
        max_time,
        store: peer.to_owned(),
        cause: warning.to_owned(),
    })
}

fn parse(warning: &str) -> Option<Missing> {
    let at = warning.rfind(MARK)? + MARK.len() - 2;
    // Whoever passed the warning on may have added to its end.
    let record: Value = serde_json::Deserializer::from_str(&warning[at..]).into_iter().next()?.ok()?;
    let text = |key: &str| record.get(key)?.as_str().map(str::to_owned);
    let pairs = record.get("labels")?.as_object()?;
    Some(Missing {
        labels: pairs.iter().map(|(n, v)| Some((n.clone(), v.as_str()?.to_owned()))).collect::<Option<_>>()?,
        min_time: record.get("min_time")?.as_i64()?,
        max_time: record.get("max_time")?.as_i64()?,
        store: text("store")?,
        cause: text("cause")?,
    })
}

#[cfg(test)]
mod tests;
