//! What a request asks for: the parameters with the settings for those not given.

use std::time::Duration;

use api::{ApiError, Params};
use engine::Grid;
use model::{Matcher, TimeRange};
use store::dedup;

use crate::{Features, Settings};

/// The most steps of a range query, as in Prometheus.
const STEPS_MAX: i64 = 11_000;

/// What any request that reads data can say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    /// Empty where replicas stay apart.
    pub(crate) replica_labels: Vec<String>,
    pub(crate) dedup_func: dedup::Func,
    pub(crate) partial_response: bool,
    pub(crate) timeout: Duration,
    pub(crate) lookback_ms: i64,
    /// The coarsest resolution to read; 0 is raw.
    pub(crate) resolution_ms: i64,
    /// Only stores whose address matches one of these sets; empty is all.
    pub(crate) stores: Vec<Vec<Matcher>>,
    /// At most so many results; 0 is no limit.
    pub(crate) limit: u64,
}

/// `query` and `query_range`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Evaluation {
    pub(crate) query: String,
    /// One step for an instant query.
    pub(crate) grid: Grid,
    pub(crate) instant: bool,
    /// Say what each part of the query took.
    pub(crate) analyze: bool,
    /// Say how long it took and how many samples were read.
    pub(crate) stats: bool,
    /// Plans as text instead of JSON.
    pub(crate) as_text: bool,
    pub(crate) options: Options,
}

/// `labels`, `label/…/values` and `series`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lookup {
    /// Each must hold as a whole; what any of them selects is in the answer. Empty selects all.
    pub(crate) matchers: Vec<Vec<Matcher>>,
    pub(crate) range: TimeRange,
    pub(crate) options: Options,
}

impl Evaluation {
    pub(crate) fn instant(params: &Params, settings: &Settings, now_ms: i64) -> Result<Self, ApiError> {
        let time = params.time("time")?.unwrap_or(now_ms);
        let grid = Grid { start_ms: time, end_ms: time, step_ms: 1 };
        let options = Options::new(params, settings, settings.instant_resolution_ms)?;
        Self::new(params, grid, true, options)
    }

    pub(crate) fn range(params: &Params, settings: &Settings) -> Result<Self, ApiError> {
        let required = |name| {
            params.time(name)?.ok_or_else(|| ApiError::bad_param(name, "cannot parse \"\" to a valid timestamp"))
        };
        let (start_ms, end_ms) = (required("start")?, required("end")?);
        if end_ms < start_ms {
            return Err(ApiError::bad_param("end", "end timestamp must not be before start time"));
        }
        // Ranges beyond all of time do not fit; they have too many steps anyway.
        let span_ms = end_ms.saturating_sub(start_ms);
        let step_ms = match params.duration("step")? {
            Some(step) => step,
            // The web page asks so; whole seconds.
            None => (span_ms / 1000 / 250 * 1000).max(settings.default_step_ms),
        };
        if step_ms <= 0 {
            let why = "zero or negative query resolution step widths are not accepted. Try a positive integer";
            return Err(ApiError::bad_param("step", why));
        }
        if span_ms / step_ms > STEPS_MAX {
            let why = "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)";
            return Err(ApiError::bad_data(why));
        }
        let auto = params.get("max_source_resolution") == Some("auto") || settings.auto_downsampling;
        let options = Options::new(params, settings, if auto { step_ms / 5 } else { 0 })?;
        let grid = Grid { start_ms, end_ms, step_ms };
        Self::new(params, grid, false, options)
    }

    fn new(params: &Params, grid: Grid, instant: bool, options: Options) -> Result<Self, ApiError> {
        let as_text = match params.get("format") {
            None | Some("json") => false,
            Some("text") => true,
            Some(_) => return Err(ApiError::bad_param("format", "must be json or text")),
        };
        Ok(Self {
            query: query(params)?,
            grid,
            instant,
            analyze: params.flag("analyze")?.unwrap_or(false),
            stats: params.get("stats").is_some(),
            as_text,
            options,
        })
    }
}

impl Lookup {
    /// `matchers` are the parsed `match[]`.
    pub(crate) fn new(
        params: &Params,
        settings: &Settings,
        now_ms: i64,
        matchers: Vec<Vec<Matcher>>,
    ) -> Result<Self, ApiError> {
        let default = match settings.metadata_range_ms {
            0 => TimeRange::ALL,
            range => TimeRange::new(now_ms.saturating_sub(range), now_ms),
        };
        let range =
            TimeRange::new(params.time("start")?.unwrap_or(default.min), params.time("end")?.unwrap_or(default.max));
        if range.is_empty() {
            return Err(ApiError::bad_param("end", "end timestamp must not be before start time"));
        }
        Ok(Self { matchers, range, options: Options::new(params, settings, 0)? })
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let set = |matchers: &Vec<Matcher>| {
            let matchers: Vec<String> = matchers.iter().map(ToString::to_string).collect();
            format!("{{{}}}", matchers.join(","))
        };
        self.matchers.iter().map(set).collect::<Vec<_>>().join(" ")
    }
}

impl Options {
    /// `resolution_ms` is for requests that name none.
    fn new(params: &Params, settings: &Settings, resolution_ms: i64) -> Result<Self, ApiError> {
        let mut replica_labels: Vec<String> = params.all("replicaLabels[]").map(str::to_owned).collect();
        if replica_labels.is_empty() {
            replica_labels.clone_from(&settings.replica_labels);
        }
        if params.flag("dedup")? == Some(false) {
            replica_labels.clear();
        }
        let dedup_func = match params.get("dedup_func") {
            Some(name) => name.parse().map_err(|e: String| ApiError::bad_param("dedup_func", e))?,
            None => settings.dedup_func,
        };
        let resolution_ms = match params.get("max_source_resolution") {
            None | Some("auto") => resolution_ms,
            Some(_) => params.duration("max_source_resolution")?.unwrap_or(resolution_ms),
        };
        if resolution_ms < 0 {
            return Err(ApiError::bad_param("max_source_resolution", "must not be negative"));
        }
        let timeout = match params.duration("timeout")? {
            // A request may ask for less time than the process gives, not for more.
            Some(ms) => settings.timeout.min(Duration::from_millis(u64::try_from(ms).unwrap_or(0))),
            None => settings.timeout,
        };
        let lookback_ms = match params.duration("lookback_delta")? {
            Some(ms) if ms < 0 => return Err(ApiError::bad_param("lookback_delta", "must not be negative")),
            None | Some(0) => settings.lookback_ms,
            Some(ms) => ms,
        };
        let stores = params.all("storeMatch[]").map(|text| selector("storeMatch[]", text)).collect::<Result<_, _>>()?;
        Ok(Self {
            replica_labels,
            dedup_func,
            partial_response: params.flag("partial_response")?.unwrap_or(settings.partial_response),
            timeout,
            lookback_ms,
            resolution_ms,
            stores,
            limit: params.count("limit")?,
        })
    }
}

fn query(params: &Params) -> Result<String, ApiError> {
    params
        .get("query")
        .map(str::to_owned)
        .ok_or_else(|| ApiError::bad_param("query", "unknown position: parse error: no expression found in input"))
}

/// One series selector of parameter `name`.
pub(crate) fn selector(name: &str, text: &str) -> Result<Vec<Matcher>, ApiError> {
    promql::parse_selector(text).map_err(|e| ApiError::bad_param(name, e))
}

/// The parameter `query`, parsed.
pub(crate) fn parsed(params: &Params, features: Features) -> Result<promql::Ast, ApiError> {
    promql::parse(&query(params)?, &features.parser()).map_err(|e| ApiError::bad_param("query", e))
}

/// A label's name in a path: as it is, or escaped with `U__` as Prometheus escapes UTF-8 names.
pub(crate) fn label_name(text: &str) -> Result<String, ApiError> {
    let name = text.strip_prefix("U__").and_then(unescape).unwrap_or_else(|| text.to_owned());
    if name.is_empty() { Err(ApiError::bad_data("invalid label name: \"\"")) } else { Ok(name) }
}

/// Undoes `__` for `_` and `_1F600_` for a character; `None` where the escapes are not sound.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('_') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('_') {
            out.push('_');
            rest = after;
        } else {
            let (hex, after) = after.split_once('_')?;
            out.push(char::from_u32(u32::from_str_radix(hex, 16).ok()?)?);
            rest = after;
        }
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests;
