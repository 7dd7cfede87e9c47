//! A request as it came: its parameters and who sent it.

use std::net::SocketAddr;

use api::{ApiError, Params};
use axum::extract::{ConnectInfo, Request};
use http::request::Parts;
use http::{HeaderMap, Method, header};

/// The largest form that is read.
const FORM_BYTES_MAX: usize = 8 << 20;
/// The longest part of a header that is kept.
const HEADER_CHARS_MAX: usize = 200;

/// What a request says.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) params: Params,
    pub(crate) client: Client,
}

/// Who asks, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The first address of `X-Forwarded-For`, else that of the connection.
    pub(crate) address: String,
    /// Who takes turns with others: the same for all of a client's connections. What Grafana calls the user
    /// where it does (`X-Grafana-User`), else the address without its port.
    pub(crate) queue: String,
    pub(crate) user_agent: String,
    /// The id of the trace (`traceparent`), else `X-Request-Id`.
    pub(crate) request_id: String,
    /// Of Grafana.
    pub(crate) dashboard: String,
    pub(crate) panel: String,
}

impl Asked {
    /// Reads the parameters, from the URL and from a form.
    ///
    /// # Errors
    /// When the form cannot be read.
    pub(crate) async fn read(request: Request) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or("");
        let client = Client::of(&parts);
        let kind = text(&parts.headers, header::CONTENT_TYPE.as_str());
        if parts.method != Method::POST || !kind.starts_with("application/x-www-form-urlencoded") {
            return Ok(Self { params: Params::new(query, None), client });
        }
        let body = axum::body::to_bytes(body, FORM_BYTES_MAX)
            .await
            .map_err(|e| ApiError::bad_data(format!("read the form (at most {FORM_BYTES_MAX} bytes): {e}")))?;
        Ok(Self { params: Params::new(query, Some(&String::from_utf8_lossy(&body))), client })
    }
}

impl Client {
    fn of(parts: &Parts) -> Self {
        let header = |name: &str| text(&parts.headers, name);
        let forwarded = header("x-forwarded-for");
        let connected = || {
            let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
            info.map(|ConnectInfo(address)| address.to_string()).unwrap_or_default()
        };
        let address = match forwarded.split(',').next().map(str::trim) {
            Some(first) if !first.is_empty() => first.to_owned(),
            _ => connected(),
        };
        // version-trace-span-flags
        let trace = header("traceparent").split('-').nth(1).map(str::to_owned);
        Self {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            queue: match header("x-grafana-user") {
                user if user.is_empty() => host(&address),
                user => user,
            },
            address,
            user_agent: header("user-agent"),
            request_id: trace.unwrap_or_else(|| header("x-request-id")),
            dashboard: header("x-dashboard-uid"),
            panel: header("x-panel-id"),
        }
    }
}

/// An address without its port; what is no address stays as it is.
fn host(address: &str) -> String {
    match address.parse::<SocketAddr>() {
        Ok(address) => address.ip().to_canonical().to_string(),
        Err(_) => address.to_owned(),
    }
}

/// A header's text; empty where it is not there or none.
fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("");
    value.chars().take(HEADER_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
