//! Snappy on gRPC as Thanos' peers speak it (`grpc-encoding: snappy`, each message a snappy stream). tonic knows
//! no codec but its own, so messages are packed and unpacked between it and the connection.

use std::io::{Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame};
use tonic::Status;
use tonic::body::Body;
use tonic::transport::{Channel, Error};
use tower::{Layer, Service};

const NAME: HeaderValue = HeaderValue::from_static("snappy");
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPTED: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Before each message: whether it is packed, and its length in four bytes.
const HEADER_BYTES: usize = 5;
/// No message is longer, packed or not.
const MESSAGE_BYTES_MAX: u64 = i32::MAX as u64;

/// A connection that packs what it sends and asks for packed answers, if it is told to.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) channel: Channel,
    pub(crate) snappy: bool,
}

impl Service<Request<Body>> for Line {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.channel.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if self.snappy {
            request.headers_mut().insert(ENCODING, NAME);
            request.headers_mut().insert(ACCEPTED, NAME);
            request = request.map(|body| Recoded::body(body, Way::Pack));
        }
        let answer = self.channel.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            if take_encoding(answer.headers_mut()) {
                answer = answer.map(|body| Recoded::body(body, Way::Unpack));
            }
            Ok(answer)
        })
    }
}

/// Lets a server read packed requests, and pack the answers to those, as Thanos' servers do: who only says that
/// it could read packed answers gets plain ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SnappyLayer;

impl<S> Layer<S> for SnappyLayer {
    type Service = Snappy<S>;

    fn layer(&self, inner: S) -> Snappy<S> {
        Snappy { inner }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Snappy<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Snappy<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let packed = take_encoding(request.headers_mut());
        let packs = packed && accepts(request.headers());
        if packed {
            request = request.map(|body| Recoded::body(body, Way::Unpack));
        }
        if packs {
            // The answer is packed here, and nowhere else.
            request.headers_mut().remove(ACCEPTED);
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            // Where an encoding is refused, those that are read are named.
            if answer.headers().contains_key(ACCEPTED) {
                answer.headers_mut().append(ACCEPTED, NAME);
            }
            // A failure has no messages.
            if packs && !answer.headers().contains_key(STATUS) {
                answer.headers_mut().insert(ENCODING, NAME);
                answer = answer.map(|body| Recoded::body(body, Way::Pack));
            }
            Ok(answer)
        })
    }
}

/// Whether the messages are packed; the header that says so is taken.
fn take_encoding(headers: &mut HeaderMap) -> bool {
    let packed = headers.get(ENCODING).is_some_and(|name| name == NAME);
    if packed {
        headers.remove(ENCODING);
    }
    packed
}

/// Whether whoever sends packed messages reads them too: unless it names others only.
fn accepts(headers: &HeaderMap) -> bool {
    let mut named = headers.get_all(ACCEPTED).iter().filter_map(|list| list.to_str().ok()).peekable();
    named.peek().is_none() || named.any(|list| list.split(',').any(|name| name.trim() == "snappy"))
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Pack,
    Unpack,
}

/// A body whose messages are packed or unpacked on their way.
struct Recoded {
    inner: Body,
    way: Way,
    /// What came of messages that are not whole yet.
    pending: BytesMut,
}

impl Recoded {
    fn body(inner: Body, way: Way) -> Body {
        Body::new(Self { inner, way, pending: BytesMut::new() })
    }

    /// Fails once if the body has ended within a message.
    fn whole(&mut self) -> Result<(), Status> {
        if std::mem::take(&mut self.pending).is_empty() {
            return Ok(());
        }
        Err(Status::internal("the body ends within a message"))
    }

    /// The next message with its header, if it is there whole.
    fn message(&mut self) -> Result<Option<Bytes>, Status> {
        let Some(header) = self.pending.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let packed = header[0] == 1;
        let len = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
        if u64::from(len) > MESSAGE_BYTES_MAX {
            return Err(too_long());
        }
        let end = HEADER_BYTES + len as usize;
        if self.pending.len() < end {
            self.pending.reserve(end - self.pending.len());
            return Ok(None);
        }
        let message = self.pending.split_to(end).freeze();
        let recoded = match self.way {
            Way::Unpack if packed => unpack(&message[HEADER_BYTES..])?,
            Way::Pack if !packed => pack(&message[HEADER_BYTES..])?,
            Way::Unpack | Way::Pack => None,
        };
        Ok(Some(recoded.unwrap_or(message)))
    }
}

impl HttpBody for Recoded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if let Some(message) = self.message().transpose() {
                return Poll::Ready(Some(message.map(Frame::data)));
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.pending.extend_from_slice(&data),
                    Err(trailers) => {
                        // What a failure breaks off it says itself.
                        let failed = trailers.trailers_ref().and_then(|t| t.get(STATUS)).is_some_and(|s| s != "0");
                        let whole = self.whole();
                        return Poll::Ready(Some(if failed { Ok(trailers) } else { whole.map(|()| trailers) }));
                    }
                },
                Some(Err(e)) => return Poll::Ready(Some(Err(e))),
                None => return Poll::Ready(self.whole().err().map(Err)),
            }
        }
    }
}

/// The packed message with its header; `None` where packing saves nothing.
fn pack(message: &[u8]) -> Result<Option<Bytes>, Status> {
    let mut out = Vec::with_capacity(HEADER_BYTES + message.len() / 2);
    out.extend_from_slice(&[0; HEADER_BYTES]);
    let mut encoder = snap::write::FrameEncoder::new(out);
    let packed = encoder.write_all(message).and_then(|()| encoder.into_inner().map_err(|e| e.into_error()));
    let out = packed.map_err(|e| Status::internal(format!("cannot pack a message: {e}")))?;
    let saves = out.len() < HEADER_BYTES + message.len();
    saves.then(|| framed(true, out)).transpose()
}

fn unpack(message: &[u8]) -> Result<Option<Bytes>, Status> {
    let mut out = Vec::with_capacity(HEADER_BYTES + message.len() * 2);
    out.extend_from_slice(&[0; HEADER_BYTES]);
    let mut decoder = snap::read::FrameDecoder::new(message).take(MESSAGE_BYTES_MAX + 1);
    decoder.read_to_end(&mut out).map_err(|e| Status::internal(format!("a message is not snappy: {e}")))?;
    framed(false, out).map(Some)
}

/// Fills in the header, for which room was left.
fn framed(packed: bool, mut message: Vec<u8>) -> Result<Bytes, Status> {
    let len = u32::try_from(message.len() - HEADER_BYTES).ok().filter(|&len| u64::from(len) <= MESSAGE_BYTES_MAX);
    message[0] = packed.into();
    message[1..HEADER_BYTES].copy_from_slice(&len.ok_or_else(too_long)?.to_be_bytes());
    Ok(message.into())
}

fn too_long() -> Status {
    Status::resource_exhausted(format!("a message of more than {MESSAGE_BYTES_MAX} bytes"))
}

#[cfg(test)]
mod tests;
