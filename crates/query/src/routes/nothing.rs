//! What Prometheus' API has and no store below keeps: well-formed answers with nothing in them, as Prometheus
//! without targets and rules gives them, and errors for what cannot be asked.

use api::{ApiError, Notes, Params};
use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};

use super::answer;
use crate::Features;
use crate::asked::Asked;
use crate::params::{parsed, selector};
use crate::respond::{Answer, json as data};

async fn empty(request: Request, shape: Value, check: fn(&Params) -> Result<(), ApiError>) -> Response {
    answer(request, async |Asked { params, .. }| -> Answer {
        check(&params)?;
        data(&shape, &Notes::default())
    })
    .await
}

pub(super) async fn metadata(request: Request) -> Response {
    empty(request, json!({}), |params| {
        params.signed("limit")?;
        params.signed("limit_per_metric").map(drop)
    })
    .await
}

pub(super) async fn rules(request: Request) -> Response {
    empty(request, json!({"groups": []}), |params| {
        for text in params.all("match[]") {
            selector("match[]", text)?;
        }
        match params.get("type") {
            None | Some("alert" | "record") => Ok(()),
            Some(other) => Err(ApiError::bad_param("type", format!("not supported value {}", api::quote(other)))),
        }
    })
    .await
}

pub(super) async fn alerts(request: Request) -> Response {
    empty(request, json!({"alerts": []}), |_| Ok(())).await
}

pub(super) async fn alertmanagers(request: Request) -> Response {
    empty(request, json!({"activeAlertmanagers": [], "droppedAlertmanagers": []}), |_| Ok(())).await
}

pub(super) async fn targets(request: Request) -> Response {
    empty(request, json!({"activeTargets": [], "droppedTargets": [], "droppedTargetCounts": {}}), |_| Ok(())).await
}

pub(super) async fn list(request: Request) -> Response {
    empty(request, json!([]), |_| Ok(())).await
}

pub(super) async fn scrape_pools(request: Request) -> Response {
    empty(request, json!({"scrapePools": []}), |_| Ok(())).await
}

pub(super) async fn exemplars(request: Request) -> Response {
    empty(request, json!([]), |params| {
        let (start, end) = (params.time("start")?, params.time("end")?);
        if let (Some(start), Some(end)) = (start, end)
            && end < start
        {
            return Err(ApiError::bad_param("end", "end timestamp must not be before start timestamp"));
        }
        parsed(params, Features::default()).map(drop)
    })
    .await
}

pub(super) async fn tsdb(request: Request) -> Response {
    let shape = json!({
        "headStats": {"numSeries": 0, "numLabelPairs": 0, "chunkCount": 0, "minTime": 0, "maxTime": 0},
        "seriesCountByMetricName": [],
        "labelValueCountByLabelName": [],
        "memoryInBytesByLabelName": [],
        "seriesCountByLabelValuePair": [],
    });
    empty(request, shape, |params| {
        for text in params.all("match[]") {
            selector("match[]", text)?;
        }
        params.signed("limit").map(drop)
    })
    .await
}
