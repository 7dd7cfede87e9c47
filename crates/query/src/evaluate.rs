//! From a query's text to its value.

use std::sync::Arc;

use api::{ApiError, Notes};
use engine::{Engine, Query};
use model::Value;
use request::Context;
use select::Selector;
use store::Store;

use crate::Settings;
use crate::lookup::partial_response;
use crate::params::{Evaluation, Options};
use crate::respond::{engine_error, interrupted, notes};

/// How many values a query may hold at once; memory is what limits it before.
const SAMPLES_MAX: u64 = i32::MAX as u64;

/// Parses and evaluates over `store`.
pub(crate) async fn evaluate(
    store: Arc<dyn Store>,
    cx: &Context,
    settings: &Settings,
    evaluation: &Evaluation,
) -> Result<(Value, Notes), ApiError> {
    cx.check().map_err(interrupted)?;
    let options = &evaluation.options;
    let ast =
        promql::parse(&evaluation.query, &settings.features.parser()).map_err(|e| ApiError::bad_param("query", e))?;
    let engine = Engine::new(engine::Settings {
        lookback_ms: options.lookback_ms,
        subquery_step_ms: settings.subquery_step_ms,
        max_samples: SAMPLES_MAX,
        ..settings.features.engine()
    });
    let selector = Selector::new(store, selection(options));
    let query = Query { text: &evaluation.query, ast: &ast };
    let value = if evaluation.instant {
        engine.instant(cx, query, evaluation.grid.start_ms, &selector).await
    } else {
        engine.range(cx, query, evaluation.grid, &selector).await
    };
    let mut value = value.map_err(engine_error)?;
    truncate(&mut value, options.limit, cx);
    Ok((value, notes(cx)))
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

fn truncate(value: &mut Value, limit: u64, cx: &Context) {
    let limit = match usize::try_from(limit) {
        Ok(0) => return,
        Ok(limit) => limit,
        Err(_) => return,
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
