//! From a query's text to its value.

use std::sync::Arc;

use api::{ApiError, Notes, PlanTree};
use engine::{Engine, Query};
use model::{Series, Value};
use request::{Context, MemoryLease};
use select::Selector;
use store::Store;

use crate::lookup::partial_response;
use crate::params::{Evaluation, Options};
use crate::respond::{engine_error, interrupted, notes};
use crate::{Settings, analysis};

/// What a query came to.
#[derive(Debug)]
pub(crate) struct Evaluated {
    pub(crate) value: Value,
    pub(crate) notes: Notes,
    /// Where it was asked for.
    pub(crate) analysis: Option<PlanTree>,
    /// Covers the value until it is sent.
    pub(crate) lease: MemoryLease,
}

/// Parses and evaluates over `store`.
pub(crate) async fn evaluate(
    store: Arc<dyn Store>,
    cx: &Context,
    settings: &Settings,
    evaluation: &Evaluation,
) -> Result<Evaluated, ApiError> {
    cx.check().map_err(interrupted)?;
    let options = &evaluation.options;
    let ast = parse(settings, evaluation)?;
    let engine = engine(settings, options);
    let selector = Selector::new(store, selection(options));
    let query = Query { text: &evaluation.query, ast: &ast };
    let (grid, instant) = (evaluation.grid, evaluation.instant);
    let mut analysis = None;
    let value = if evaluation.analyze {
        let analyzed = engine.analyze(cx, query, grid, instant, &selector).await;
        analyzed.map(|(value, explanation)| {
            analysis = Some(analysis::tree(&evaluation.query, &explanation, true));
            value
        })
    } else if instant {
        engine.instant(cx, query, grid.start_ms, &selector).await
    } else {
        engine.range(cx, query, grid, &selector).await
    };
    let mut value = value.map_err(engine_error)?;
    let lease = cx.memory().lease(bytes(&value)).map_err(|e| engine_error(e.into()))?;
    truncate(&mut value, options.limit, cx);
    Ok(Evaluated { value, notes: notes(cx), analysis, lease })
}

/// What would be done for the query.
pub(crate) fn explain(settings: &Settings, evaluation: &Evaluation) -> Result<PlanTree, ApiError> {
    let ast = parse(settings, evaluation)?;
    let query = Query { text: &evaluation.query, ast: &ast };
    let engine = engine(settings, &evaluation.options);
    let explanation = engine.explain(query, evaluation.grid, evaluation.instant).map_err(engine_error)?;
    Ok(analysis::tree(&evaluation.query, &explanation, false))
}

fn parse(settings: &Settings, evaluation: &Evaluation) -> Result<promql::Ast, ApiError> {
    promql::parse(&evaluation.query, &settings.features.parser()).map_err(|e| ApiError::bad_param("query", e))
}

fn engine(settings: &Settings, options: &Options) -> Engine {
    Engine::new(engine::Settings {
        lookback_ms: options.lookback_ms,
        subquery_step_ms: settings.subquery_step_ms,
        max_samples: settings.samples_max,
        ..settings.features.engine()
    })
}

fn selection(options: &Options) -> select::Options {
    select::Options {
        dedup: !options.replica_labels.is_empty(),
        replica_labels: options.replica_labels.clone(),
        func: options.dedup_func,
        partial_response: partial_response(options),
        max_source_resolution_ms: options.resolution_ms,
    }
}

/// About how much memory a value takes.
fn bytes(value: &Value) -> u64 {
    const SERIES_BYTES: usize = 160;
    let of_series = |one: &Series| {
        // Times are often shared; then they count for nothing.
        let times = if Arc::strong_count(&one.t) > 1 { 0 } else { one.t.len() * 8 };
        SERIES_BYTES + times + one.v.len() * 8 + one.h.iter().map(|(_, h)| 24 + h.bytes()).sum::<usize>()
    };
    let all = match value {
        Value::Scalar { .. } => 0,
        Value::String { v, .. } => v.len(),
        Value::Vector(samples) => {
            samples.len() * SERIES_BYTES + samples.iter().flat_map(|s| &s.h).map(|h| h.bytes()).sum::<usize>()
        }
        Value::Matrix(series) => series.iter().map(of_series).sum(),
    };
    all as u64
}

fn truncate(value: &mut Value, limit: u64, cx: &Context) {
    let limit = match usize::try_from(limit) {
        Ok(0) | Err(_) => return,
        Ok(limit) => limit,
    };
    let cut = match value {
        Value::Vector(samples) if samples.len() > limit => {
            samples.truncate(limit);
            true
        }
        Value::Matrix(series) if series.len() > limit => {
            series.truncate(limit);
            true
        }
        _ => false,
    };
    if cut {
        cx.coverage().warn(crate::lookup::TRUNCATED);
    }
}
