//! The paths of Prometheus' HTTP API, by GET, HEAD and POST.

mod nothing;
mod status;

use api::{ApiError, ErrorType, Notes};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use model::Matcher;

use crate::asked::Asked;
use crate::params::{Evaluation, Lookup};
use crate::querier::Querier;
use crate::respond::{Answer, failure, json, written};
use crate::{page, params};

pub(crate) fn router(querier: &Querier) -> Router {
    let api = Router::new()
        .route("/query", form(query))
        .route("/query_range", form(query_range))
        .route("/query_explain", form(query_explain))
        .route("/query_range_explain", form(query_range_explain))
        .route("/labels", form(labels))
        .route("/label/{name}/values", form(label_values))
        .route("/series", form(series))
        .route("/format_query", form(format_query))
        .route("/parse_query", form(parse_query))
        .route("/stores", get(status::stores))
        .route("/status/active_queries", get(status::active_queries))
        .route("/status/active_queries/{id}", delete(status::end_query))
        .route("/status/buildinfo", get(status::build_info))
        .route("/status/runtimeinfo", get(status::runtime_info))
        .route("/status/config", get(status::config))
        .route("/status/flags", get(status::flags))
        .route("/status/tsdb", get(nothing::tsdb))
        .route("/metadata", get(nothing::metadata))
        .route("/rules", get(nothing::rules))
        .route("/alerts", get(nothing::alerts))
        .route("/alertmanagers", get(nothing::alertmanagers))
        .route("/targets", get(nothing::targets))
        .route("/targets/metadata", get(nothing::list))
        .route("/scrape_pools", get(nothing::scrape_pools))
        .route("/query_exemplars", form(nothing::exemplars))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_so);
    let prefix = querier.settings().route_prefix.as_str();
    let mut router = Router::new()
        .route(&format!("{prefix}/"), get(page::status))
        .route(&format!("{prefix}/explain"), get(page::explain))
        .nest(&format!("{prefix}/api/v1"), api);
    if !prefix.is_empty() {
        router = router.route(prefix, get(page::status)).route("/", get(page::status));
    }
    if querier.settings().cors {
        router = router.layer(middleware::from_fn(cors));
    }
    router.with_state(querier.clone())
}

/// By GET, HEAD and POST.
fn form<H: Handler<T, Querier>, T: 'static>(handler: H) -> MethodRouter<Querier> {
    get(handler.clone()).post(handler)
}

async fn query(State(querier): State<Querier>, request: Request) -> Response {
    answer(request, async |Asked { params, client }| {
        let evaluation = Evaluation::instant(&params, querier.settings(), daemon::now_ms())?;
        querier.evaluate(evaluation, client).await
    })
    .await
}

async fn query_range(State(querier): State<Querier>, request: Request) -> Response {
    answer(request, async |Asked { params, client }| {
        querier.evaluate(Evaluation::range(&params, querier.settings())?, client).await
    })
    .await
}

async fn query_explain(State(querier): State<Querier>, request: Request) -> Response {
    answer(request, async |asked| {
        querier.explain(&Evaluation::instant(&asked.params, querier.settings(), daemon::now_ms())?)
    })
    .await
}

async fn query_range_explain(State(querier): State<Querier>, request: Request) -> Response {
    answer(request, async |asked| querier.explain(&Evaluation::range(&asked.params, querier.settings())?)).await
}

async fn labels(State(querier): State<Querier>, request: Request) -> Response {
    answer(request, async |asked| querier.names(None, lookup(&querier, &asked)?, asked.client).await).await
}

async fn label_values(State(querier): State<Querier>, Path(name): Path<String>, request: Request) -> Response {
    answer(request, async |asked| {
        let name = params::label_name(&name)?;
        querier.names(Some(&name), lookup(&querier, &asked)?, asked.client).await
    })
    .await
}

async fn series(State(querier): State<Querier>, request: Request) -> Response {
    answer(request, async |asked| {
        if asked.params.all("match[]").next().is_none() {
            return Err(ApiError::bad_data("no match[] parameter provided"));
        }
        querier.series(lookup(&querier, &asked)?, asked.client).await
    })
    .await
}

fn lookup(querier: &Querier, asked: &Asked) -> Result<Lookup, ApiError> {
    let matchers: Vec<Vec<Matcher>> =
        asked.params.all("match[]").map(|text| params::selector("match[]", text)).collect::<Result<_, _>>()?;
    Lookup::new(&asked.params, querier.settings(), daemon::now_ms(), matchers)
}

async fn format_query(State(querier): State<Querier>, request: Request) -> Response {
    let features = querier.settings().features;
    answer(request, async |asked| json(&params::parsed(&asked.params, features)?.pretty(), &Notes::default())).await
}

async fn parse_query(State(querier): State<Querier>, request: Request) -> Response {
    let features = querier.settings().features;
    answer(request, async |asked| Ok(written(&api::syntax_tree(&params::parsed(&asked.params, features)?)))).await
}

async fn nothing_here(request: Request) -> Response {
    let message = format!("there is nothing at {}", request.uri().path());
    failure(&ApiError::new(ErrorType::NotFound, message))
}

async fn not_so(request: Request) -> Response {
    let message = format!("{} is not answered by method {}", request.uri().path(), request.method());
    let mut response = failure(&ApiError::bad_data(message));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// Reads the parameters, from the URL and from a form, and answers.
async fn answer(request: Request, handle: impl AsyncFnOnce(Asked) -> Answer) -> Response {
    let asked = match Asked::read(request).await {
        Ok(asked) => asked,
        Err(e) => return failure(&e),
    };
    finish(handle(asked).await)
}

fn finish(answer: Answer) -> Response {
    answer.unwrap_or_else(|e| failure(&e))
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
