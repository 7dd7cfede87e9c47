//! memcached's text protocol: `get` of many keys, and `set`.

use std::io::{Error, Result};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest value that is taken: no server sends more than it was given.
const VALUE_BYTES_MAX: usize = 1 << 30;
const LINE_BYTES_MAX: u64 = 4096;
/// Longer lives are taken for a point in time.
const TTL_SECONDS_MAX: u64 = 60 * 60 * 24 * 30;

/// Whether memcached takes it for a key.
pub(crate) fn is_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= 250 && key.bytes().all(|b| b > b' ' && b != 0x7f)
}

/// What is there of `keys`, in their order.
pub(crate) async fn get<'k, S: AsyncBufRead + AsyncWrite + Unpin>(
    stream: &mut S,
    keys: impl Iterator<Item = &'k str>,
) -> Result<Vec<(String, Bytes)>> {
    let mut request = b"get".to_vec();
    for key in keys {
        request.push(b' ');
        request.extend_from_slice(key.as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await?;
    stream.flush().await?;
    let mut found = Vec::new();
    loop {
        let line = line(stream).await?;
        if line == "END" {
            return Ok(found);
        }
        let mut fields = line.split(' ');
        let (Some("VALUE"), Some(key), Some(_flags), Some(len)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(unexpected(&line));
        };
        let len: usize = len.parse().ok().filter(|&n| n <= VALUE_BYTES_MAX).ok_or_else(|| unexpected(&line))?;
        let mut value = vec![0; len + 2];
        stream.read_exact(&mut value).await?;
        if !value.ends_with(b"\r\n") {
            return Err(unexpected("a value without an end"));
        }
        value.truncate(len);
        found.push((key.to_owned(), value.into()));
    }
}

/// Whether the server kept it.
pub(crate) async fn set<S: AsyncBufRead + AsyncWrite + Unpin>(
    stream: &mut S,
    key: &str,
    value: &[u8],
    ttl: Duration,
) -> Result<bool> {
    let seconds = ttl.as_secs().clamp(1, TTL_SECONDS_MAX);
    stream.write_all(format!("set {key} 0 {seconds} {}\r\n", value.len()).as_bytes()).await?;
    stream.write_all(value).await?;
    stream.write_all(b"\r\n").await?;
    stream.flush().await?;
    let line = line(stream).await?;
    match line.as_str() {
        "STORED" => Ok(true),
        "NOT_STORED" => Ok(false),
        // The server has read the value, so that the connection is still good.
        _ if line.starts_with("SERVER_ERROR") => Ok(false),
        _ => Err(unexpected(&line)),
    }
}

pub(crate) async fn line<S: AsyncBufRead + Unpin>(stream: &mut S) -> Result<String> {
    let mut line = Vec::new();
    stream.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
    if !line.ends_with(b"\r\n") {
        return Err(unexpected("an answer without an end"));
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).map_err(|_| unexpected("an answer that is not text"))
}

pub(crate) fn unexpected(what: &str) -> Error {
    Error::other(format!("unexpected answer: {}", what.chars().take(100).collect::<String>()))
}
