//! The paths of Prometheus' HTTP API, by GET and by POST.

use api::{ApiError, BuildInfo, ErrorType, Notes, Params, RuntimeInfo};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use model::Matcher;

use crate::params::{Evaluation, Lookup};
use crate::querier::Querier;
use crate::respond::{Answer, failure, json};
use crate::{page, params};

/// The largest form that is read.
const FORM_BYTES_MAX: usize = 8 << 20;

pub(crate) fn router(querier: &Querier) -> Router {
    let api = Router::new()
        .route("/query", any(query))
        .route("/query_range", any(query_range))
        .route("/labels", any(labels))
        .route("/label/{name}/values", any(label_values))
        .route("/series", any(series))
        .route("/format_query", any(format_query))
        .route("/stores", get(stores))
        .route("/metadata", get(metadata))
        .route("/status/buildinfo", get(build_info))
        .route("/status/runtimeinfo", get(runtime_info))
        .route("/status/flags", get(flags))
        .fallback(nothing_here);
    let prefix = querier.settings().route_prefix.as_str();
    let mut router =
        Router::new().route(&format!("{prefix}/"), get(page::status)).nest(&format!("{prefix}/api/v1"), api);
    if !prefix.is_empty() {
        router = router.route(prefix, get(page::status)).route("/", get(page::status));
    }
    if querier.settings().cors {
        router = router.layer(middleware::from_fn(cors));
    }
    router.with_state(querier.clone())
}

async fn query(State(querier): State<Querier>, request: Request) -> Response {
    answer(request, async |params| {
        let evaluation = Evaluation::instant(&params, querier.settings(), daemon::now_ms())?;
        querier.evaluate(evaluation).await
    })
    .await
}

async fn query_range(State(querier): State<Querier>, request: Request) -> Response {
    answer(request, async |params| querier.evaluate(Evaluation::range(&params, querier.settings())?).await).await
}

async fn labels(State(querier): State<Querier>, request: Request) -> Response {
    answer(request, async |params| querier.names(None, lookup(&querier, &params)?).await).await
}

async fn label_values(State(querier): State<Querier>, Path(name): Path<String>, request: Request) -> Response {
    answer(request, async |params| {
        let name = params::label_name(&name)?;
        querier.names(Some(&name), lookup(&querier, &params)?).await
    })
    .await
}

async fn series(State(querier): State<Querier>, request: Request) -> Response {
    answer(request, async |params| {
        if params.all("match[]").next().is_none() {
            return Err(ApiError::bad_data("no match[] parameter provided"));
        }
        querier.series(lookup(&querier, &params)?).await
    })
    .await
}

fn lookup(querier: &Querier, params: &Params) -> Result<Lookup, ApiError> {
    let matchers: Vec<Vec<Matcher>> =
        params.all("match[]").map(|text| params::selector("match[]", text)).collect::<Result<_, _>>()?;
    Lookup::new(params, querier.settings(), daemon::now_ms(), matchers)
}

async fn format_query(State(querier): State<Querier>, request: Request) -> Response {
    let features = querier.settings().features;
    answer(request, async |params| json(&params::formatted(&params, features)?, &Notes::default())).await
}

async fn stores(State(querier): State<Querier>) -> Response {
    finish(json(&api::stores(querier.upstreams().statuses()), &Notes::default()))
}

/// Nobody below keeps metadata of metrics; like Prometheus without targets, there is none.
async fn metadata() -> Response {
    finish(json(&std::collections::BTreeMap::<String, String>::new(), &Notes::default()))
}

async fn build_info() -> Response {
    let info = BuildInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: option_env!("ESKER_REVISION").unwrap_or("unknown").to_owned(),
        branch: "main".to_owned(),
        go_version: "none; Rust".to_owned(),
        ..BuildInfo::default()
    };
    finish(json(&info, &Notes::default()))
}

async fn runtime_info(State(querier): State<Querier>) -> Response {
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

async fn flags(State(querier): State<Querier>) -> Response {
    finish(json(&querier.settings().flags, &Notes::default()))
}

async fn nothing_here(request: Request) -> Response {
    let message = format!("there is nothing at {}", request.uri().path());
    failure(&ApiError::new(ErrorType::NotFound, message))
}

/// Reads the parameters, from the URL and from a form, and answers.
async fn answer(request: Request, handle: impl AsyncFnOnce(Params) -> Answer) -> Response {
    let params = match read(request).await {
        Ok(params) => params,
        Err(e) => return failure(&e),
    };
    finish(handle(params).await)
}

fn finish(answer: Answer) -> Response {
    answer.unwrap_or_else(|e| failure(&e))
}

async fn read(request: Request) -> Result<Params, ApiError> {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or("");
    if parts.method == Method::GET {
        return Ok(Params::new(query, None));
    }
    if parts.method != Method::POST {
        return Err(ApiError::bad_data(format!("method {} is not allowed: use GET or POST", parts.method)));
    }
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Ok(Params::new(query, None));
    }
    let body = axum::body::to_bytes(body, FORM_BYTES_MAX)
        .await
        .map_err(|e| ApiError::bad_data(format!("read the form (at most {FORM_BYTES_MAX} bytes): {e}")))?;
    Ok(Params::new(query, Some(&String::from_utf8_lossy(&body))))
}

/// Lets pages of other origins read answers, as Thanos does.
async fn cors(request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Accept-Encoding, Authorization, Content-Type, Origin"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
    ];
    let mut response = match request.method() {
        &Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
