use thiserror::Error;
use tonic::{Code, Status};

/// Why a server or a client could not be set up.
#[derive(Debug, Error)]
pub enum Error {
    /// A file with a certificate or key cannot be read. Correct the path.
    #[error("cannot read {path}: {source}")]
    File { path: String, source: std::io::Error },
    /// The address is not one. Correct it.
    #[error("invalid address {0:?}")]
    Address(String),
    /// The address cannot be listened on; the text says why. Correct it, or free it.
    #[error("{0}")]
    Listen(String),
    /// What the server says of its services cannot be read: the committed descriptors are not what they were.
    #[error("descriptors of the gRPC services: {0}")]
    Descriptors(#[from] tonic_reflection::server::Error),
    /// Certificates or keys do not fit, or the transport failed.
    #[error("gRPC transport: {}", causes(.0))]
    Transport(#[from] tonic::transport::Error),
}

/// A store's error as a gRPC status.
pub(crate) fn to_status(e: store::Error) -> Status {
    use request::Interrupted;
    let code = match &e {
        store::Error::BadRequest(_) => Code::InvalidArgument,
        store::Error::Exhausted(_) => Code::ResourceExhausted,
        store::Error::Unavailable(_) => Code::Unavailable,
        store::Error::Corrupt(_) => Code::DataLoss,
        store::Error::Interrupted(Interrupted::Canceled) => Code::Cancelled,
        store::Error::Interrupted(Interrupted::TimedOut) => Code::DeadlineExceeded,
        store::Error::Interrupted(Interrupted::Panicked) => Code::Internal,
    };
    Status::new(code, e.to_string())
}

/// A peer's status as a store's error; `peer` is named in it.
pub(crate) fn from_status(peer: &str, status: &Status) -> store::Error {
    let text = match status.message() {
        "" => format!("{peer}: {:?}", status.code()),
        message => format!("{peer}: {message}"),
    };
    match status.code() {
        Code::InvalidArgument => store::Error::BadRequest(text),
        Code::ResourceExhausted => store::Error::Exhausted(text),
        _ => match std::error::Error::source(status) {
            Some(source) => store::Error::Unavailable(format!("{text}: {}", causes(source))),
            None => store::Error::Unavailable(text),
        },
    }
}

/// An error with all that caused it, each cause once.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
