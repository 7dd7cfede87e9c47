//! Answers compressed as the client accepts it, piece by piece on the CPU pool while they are sent.
//!
//! With gzip the pieces are compressed side by side: each ends at a byte's border and refers to nothing
//! before it, so they make one stream one after the other (as `pigz` does it). With zstd they go through one
//! encoder, which is fast enough alone.

use std::io::{self, Write};
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use futures::channel::oneshot;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use http::{HeaderMap, HeaderValue, header};
use request::CpuPool;

use crate::Shell;

/// Shorter answers are sent as they are.
const BYTES_MIN: u64 = 1024;
const ZSTD_LEVEL: i32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Zstd,
}

/// Compresses the answer, where the client accepts it and it is worth it.
pub(super) async fn compress(State(shell): State<Shell>, request: Request, next: Next) -> Response {
    let coding = accepted(request.headers());
    let mut response = next.run(request).await;
    if !is_text(response.headers()) {
        return response;
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    let long = response.body().size_hint().upper().is_none_or(|bytes| bytes >= BYTES_MIN);
    let Some(coding) = coding.filter(|_| long && !response.headers().contains_key(header::CONTENT_ENCODING)) else {
        return response;
    };
    let (mut parts, body) = response.into_parts();
    let pool = Arc::clone(shell.pool());
    let name = match coding {
        Coding::Gzip => "gzip",
        Coding::Zstd => "zstd",
    };
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    parts.headers.remove(header::CONTENT_LENGTH);
    let pieces = body.into_data_stream().map_err(io::Error::other);
    let body = match coding {
        Coding::Gzip => Body::from_stream(gzip(pool, pieces)),
        Coding::Zstd => Body::from_stream(zstd(pool, pieces)),
    };
    Response::from_parts(parts, body)
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    kind.starts_with("text/")
        || kind.starts_with("application/json")
        || kind.starts_with("application/openmetrics-text")
}

/// The coding that the client likes best; zstd where it likes both the same.
fn accepted(headers: &HeaderMap) -> Option<Coding> {
    let (mut gzip, mut zstd, mut any) = (None, None, None);
    let values = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|v| v.to_str().ok());
    for item in values.flat_map(|v| v.split(',')) {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let weight = parameters.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok()).unwrap_or(1.0);
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(weight),
            "zstd" => zstd = Some(weight),
            "*" => any = Some(weight),
            _ => {}
        }
    }
    // Who takes anything most likely means gzip.
    let (gzip, zstd) = (gzip.or(any).unwrap_or(0.0), zstd.unwrap_or(0.0));
    match (gzip > 0.0, zstd > 0.0) {
        (_, true) if zstd >= gzip => Some(Coding::Zstd),
        (true, _) => Some(Coding::Gzip),
        _ => None,
    }
}

/// Runs `job` on the pool.
async fn on<T: Send + 'static>(pool: Arc<dyn CpuPool>, job: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (sender, receiver) = oneshot::channel();
    pool.execute(Box::new(move || {
        // The receiver is gone when the client is.
        if !sender.is_canceled() {
            let _unwanted = sender.send(job());
        }
    }));
    receiver.await.map_err(|_| io::Error::other("compressing the answer panicked"))
}

fn gzip(
    pool: Arc<dyn CpuPool>,
    pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static {
    // Deflate, no flags, no time, unknown system.
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let ahead = pool.threads() + 1;
    let compressed = pieces.map(move |piece| {
        let pool = Arc::clone(&pool);
        async move {
            let piece = piece?;
            on(pool, move || deflate(&piece)).await?
        }
    });
    let compressed = compressed.buffered(ahead).map(Some).chain(stream::iter([None]));
    let body = compressed.scan(Crc::new(), |all, piece| {
        let out = match piece {
            Some(Ok((bytes, crc))) => {
                all.combine(&crc);
                Ok(bytes)
            }
            Some(Err(e)) => Err(e),
            // An empty last block, then what the reader checks.
            None => Ok([&[3, 0][..], &all.sum().to_le_bytes(), &all.amount().to_le_bytes()].concat()),
        };
        std::future::ready(Some(out))
    });
    stream::iter([Ok(HEADER.to_vec())]).chain(body)
}

/// One piece, ended at a byte's border; and its checksum.
fn deflate(piece: &[u8]) -> io::Result<(Vec<u8>, Crc)> {
    let mut crc = Crc::new();
    crc.update(piece);
    let mut deflater = Compress::new(Compression::fast(), false);
    let mut out = Vec::with_capacity(piece.len() / 4 + 64);
    loop {
        let from = usize::try_from(deflater.total_in()).unwrap_or(usize::MAX).min(piece.len());
        let status = deflater.compress_vec(&piece[from..], &mut out, FlushCompress::Sync).map_err(io::Error::other)?;
        let done = deflater.total_in() == piece.len() as u64 && out.len() < out.capacity();
        if done || status == Status::StreamEnd {
            return Ok((out, crc));
        }
        out.reserve(out.capacity().max(64));
    }
}

fn zstd(
    pool: Arc<dyn CpuPool>,
    pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static {
    let encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL);
    let state = encoder.map(|encoder| (pieces.boxed(), encoder));
    stream::once(std::future::ready(state))
        .and_then(move |(pieces, encoder)| {
            let pool = Arc::clone(&pool);
            let written = stream::try_unfold(Some((pieces, encoder)), move |state| {
                let pool = Arc::clone(&pool);
                async move {
                    let Some((mut pieces, mut encoder)) = state else { return Ok(None) };
                    let Some(piece) = pieces.try_next().await? else {
                        return Ok(Some((on(pool, move || encoder.finish()).await??, None)));
                    };
                    let job = move || -> io::Result<_> {
                        encoder.write_all(&piece)?;
                        encoder.flush()?;
                        Ok((std::mem::take(encoder.get_mut()), encoder))
                    };
                    let (out, encoder) = on(pool, job).await??;
                    Ok(Some((out, Some((pieces, encoder)))))
                }
            });
            std::future::ready(Ok(written))
        })
        .try_flatten()
}

#[cfg(test)]
mod tests;
