//! From results to HTTP responses.

use std::sync::Arc;

use api::{ApiError, Coverage, ErrorType, Limit, MissingPart, Notes, Pieces, Write};
use axum::body::Body;
use axum::response::Response;
use futures::channel::oneshot;
use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderValue, StatusCode, header};
use request::{Context, CpuPool, Interrupted, Missing};
use serde::Serialize;

/// What a handler gives back.
pub(crate) type Answer = Result<Response, ApiError>;

/// An answer for data that are small or already a tree.
pub(crate) fn json(data: &impl Serialize, notes: &Notes) -> Answer {
    match api::answer(data, notes) {
        Ok(bytes) => Ok(success(Body::from(bytes), notes)),
        Err(e) => Err(ApiError::new(ErrorType::Internal, format!("write the answer: {e}"))),
    }
}

/// An answer whose data are JSON already.
pub(crate) fn written(data: &[u8]) -> Response {
    let body = [br#"{"status":"success","data":"#, data, b"}"].concat();
    success(Body::from(body), &Notes::default())
}

/// An answer for people.
pub(crate) fn text(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// An answer whose pieces are written on the CPU pool, some side by side, while it is sent: no more of them
/// than the pool has threads, and one, wait to be sent. `keep` is dropped when the last one is written or
/// the client has gone.
pub(crate) async fn pieces(
    pool: &Arc<dyn CpuPool>,
    notes: &Notes,
    pieces: Pieces,
    keep: impl Send + 'static,
) -> Answer {
    let mut pieces = pieces;
    let (first, second) = (pieces.next(), pieces.next());
    let first = match first {
        // Nobody can help with the only one.
        Some(only) if second.is_none() && pool.is_here() => return Ok(success(Body::from(only()), notes)),
        first => first,
    };
    let pieces = first.into_iter().chain(second).chain(pieces);
    let (ahead, pool) = (pool.threads() + 1, Arc::clone(pool));
    let written = stream::iter(pieces).map(move |write| run(Arc::clone(&pool), write));
    let mut written = written.buffered(ahead).boxed();
    let fail = |_| ApiError::new(ErrorType::Internal, "writing the answer panicked");
    let first = written.try_next().await.map_err(fail)?.unwrap_or_default();
    let Some(second) = written.try_next().await.map_err(fail)? else {
        return Ok(success(Body::from(first), notes));
    };
    let head = stream::iter([first, second].map(Ok::<_, Interrupted>));
    let all = head.chain(written).map(move |piece| {
        let _kept = &keep;
        piece
    });
    Ok(success(Body::from_stream(all), notes))
}

/// Writes one piece on the pool.
async fn run(pool: Arc<dyn CpuPool>, write: Write) -> Result<Vec<u8>, Interrupted> {
    let (sender, receiver) = oneshot::channel();
    pool.execute(Box::new(move || {
        // The receiver is gone when the client is.
        if !sender.is_canceled() {
            let _unwanted = sender.send(write());
        }
    }));
    receiver.await.map_err(|_| Interrupted::Panicked)
}

fn success(body: Body, notes: &Notes) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(api::CONTENT_TYPE));
    if notes.coverage.as_ref().is_some_and(|c| !c.complete) {
        // Caches in front of us must not keep what lacks something.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The response for a failure.
pub(crate) fn failure(e: &ApiError) -> Response {
    let mut response = Response::new(Body::from(e.to_json()));
    *response.status_mut() = StatusCode::from_u16(e.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(api::CONTENT_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What the request's context has gathered.
pub(crate) fn notes(cx: &Context) -> Notes {
    let coverage = cx.coverage();
    let missing = coverage.missing();
    let mut warnings = coverage.warnings();
    for part in &missing {
        let text = warning(part);
        if !warnings.contains(&text) {
            warnings.push(text);
        }
    }
    let parts = missing.into_iter().map(|m| MissingPart {
        labels: m.labels.into_iter().collect(),
        min_time: m.min_time,
        max_time: m.max_time,
        store: m.store,
        cause: m.cause,
    });
    let parts: Vec<_> = parts.collect();
    Notes {
        warnings,
        infos: coverage.infos(),
        coverage: Some(Coverage {
            complete: parts.is_empty(),
            resolutions_ms: coverage.resolutions_ms(),
            missing: parts,
        }),
    }
}

/// What is missing, for people.
fn warning(m: &Missing) -> String {
    let labels: Vec<String> = m.labels.iter().map(|(n, v)| format!("{n}={v:?}")).collect();
    format!("no data from {} {{{}}}: {}", m.store, labels.join(", "), m.cause)
}

pub(crate) fn interrupted(e: Interrupted) -> ApiError {
    match e {
        Interrupted::Canceled => ApiError::new(ErrorType::Canceled, "query was canceled in query execution"),
        Interrupted::TimedOut => {
            ApiError::new(ErrorType::Timeout, "query timed out in query execution").for_limit(Limit::Time)
        }
        Interrupted::Panicked => ApiError::new(ErrorType::Internal, e.to_string()),
    }
}

pub(crate) fn store_error(e: store::Error) -> ApiError {
    match e {
        store::Error::BadRequest(text) => ApiError::bad_data(text),
        store::Error::Exhausted(text) => ApiError::new(ErrorType::Execution, text).for_limit(Limit::Store),
        store::Error::Unavailable(text) => ApiError::new(ErrorType::Internal, text),
        store::Error::Corrupt(e) => ApiError::new(ErrorType::Internal, e.to_string()),
        store::Error::Interrupted(e) => interrupted(e),
    }
}

pub(crate) fn engine_error(e: engine::Error) -> ApiError {
    match e {
        engine::Error::BadQuery(text) => ApiError::bad_data(text),
        engine::Error::Execution(text) => ApiError::new(ErrorType::Execution, text),
        engine::Error::Memory(e) => ApiError::new(ErrorType::Execution, e.to_string()).for_limit(Limit::Memory),
        engine::Error::Samples(text) => ApiError::new(ErrorType::Execution, text).for_limit(Limit::Samples),
        engine::Error::Exhausted(text) => ApiError::new(ErrorType::Execution, text).for_limit(Limit::Store),
        engine::Error::Storage(text) => ApiError::new(ErrorType::Internal, text),
        engine::Error::Corrupt(e) => ApiError::new(ErrorType::Internal, e.to_string()),
        engine::Error::Interrupted(e) => interrupted(e),
    }
}
