use std::borrow::Cow;

use thiserror::Error;

/// What kind of failure an answer reports, as Prometheus names and numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// The request is wrong. 400.
    BadData,
    /// The query is fine, its evaluation on these data is not. 422.
    Execution,
    /// The client or an operator ended it. 503.
    Canceled,
    /// The deadline passed. 503.
    Timeout,
    /// A fault of ours. 500.
    Internal,
    /// There is nothing at this path or of this name. 404.
    NotFound,
    /// Overloaded or not ready. 503.
    Unavailable,
}

impl ErrorType {
    /// As it stands in `errorType`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
            Self::NotFound => "not_found",
            Self::Unavailable => "unavailable",
        }
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadData => 400,
            Self::Execution => 422,
            Self::Canceled | Self::Timeout | Self::Unavailable => 503,
            Self::Internal => 500,
            Self::NotFound => 404,
        }
    }
}

/// A failed request; the caller sends [`ApiError::to_json`] with the status of its type.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message}")]
pub struct ApiError {
    pub kind: ErrorType,
    pub message: Cow<'static, str>,
    /// The limit that it names, where it is one; not part of the answer.
    pub limit: Option<Limit>,
}

/// What there would be too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Bytes that the request, or the process, holds.
    Memory,
    /// Values that the query holds.
    Samples,
    /// What a store sets a limit to: series, chunks, its own memory.
    Store,
    Time,
    /// Queries at the same time.
    Concurrency,
    /// An operator ended it.
    Operator,
}

impl ApiError {
    pub fn new(kind: ErrorType, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), limit: None }
    }

    /// The same error, with the limit that it names.
    #[must_use]
    pub fn for_limit(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// A wrong request.
    pub fn bad_data(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorType::BadData, message)
    }

    /// A wrong value of parameter `name`, as Prometheus words it.
    #[must_use]
    pub fn bad_param(name: &str, why: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {why}"))
    }

    /// The envelope.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = br#"{"status":"error","errorType":""#.to_vec();
        out.extend_from_slice(self.kind.as_str().as_bytes());
        out.extend_from_slice(br#"","error":"#);
        crate::text::write_str(&mut out, &self.message);
        out.push(b'}');
        out
    }
}
