//! What the querier says of itself.

use std::collections::BTreeMap;

use api::{ApiError, BuildInfo, ErrorType, Notes, RuntimeInfo};
use axum::extract::{Path, State};
use axum::response::Response;

use super::finish;
use crate::querier::Querier;
use crate::respond::json;

pub(super) async fn stores(State(querier): State<Querier>) -> Response {
    finish(json(&api::stores(querier.upstreams().statuses()), &Notes::default()))
}

pub(super) async fn active_queries(State(querier): State<Querier>) -> Response {
    finish(json(&querier.active().all(), &Notes::default()))
}

/// Ends a query; its client gets an error that says so.
pub(super) async fn end_query(State(querier): State<Querier>, Path(id): Path<String>) -> Response {
    finish(match id.parse().ok().and_then(|id| querier.active().end(id)) {
        Some(ended) => {
            tracing::warn!(id = ended.id, query = ended.query, client = ended.client, "a query was ended on request");
            json(&ended, &Notes::default())
        }
        None => Err(ApiError::new(ErrorType::NotFound, format!("no query of id {id} waits or runs"))),
    })
}

pub(super) async fn build_info() -> Response {
    let info = BuildInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: option_env!("ESKER_REVISION").unwrap_or("unknown").to_owned(),
        branch: "main".to_owned(),
        go_version: "none; Rust".to_owned(),
        ..BuildInfo::default()
    };
    finish(json(&info, &Notes::default()))
}

pub(super) async fn runtime_info(State(querier): State<Querier>) -> Response {
    let info = RuntimeInfo {
        start_time: api::format_rfc3339(querier.started_ms()),
        working_directory: std::env::current_dir().map(|d| d.display().to_string()).unwrap_or_default(),
        tasks: querier.shell().tasks().names().len(),
        threads: querier.shell().pool().threads(),
        memory_limit_bytes: querier.shell().memory().limit(),
        ..RuntimeInfo::default()
    };
    finish(json(&info, &Notes::default()))
}

/// There is no configuration file; the flags are all there is.
pub(super) async fn config() -> Response {
    finish(json(&BTreeMap::from([("yaml", "")]), &Notes::default()))
}

pub(super) async fn flags(State(querier): State<Querier>) -> Response {
    finish(json(&querier.settings().flags, &Notes::default()))
}
