//! Redis' protocol (RESP 2), as far as a cache needs it: `AUTH`, `SELECT`, `MGET` and `SET`.

use std::io::Result;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::RedisConfig;
use crate::memcached::{line, unexpected};

const VALUE_BYTES_MAX: usize = 512 << 20;

/// Begins a connection.
pub(crate) async fn greet<S: AsyncBufRead + AsyncWrite + Unpin>(stream: &mut S, config: &RedisConfig) -> Result<()> {
    if !config.password.is_empty() {
        let mut words: Vec<&[u8]> = vec![b"AUTH"];
        if !config.username.is_empty() {
            words.push(config.username.as_bytes());
        }
        words.push(config.password.as_bytes());
        command(stream, &words).await?;
        ok(stream).await?;
    }
    if config.db > 0 {
        command(stream, &[b"SELECT", config.db.to_string().as_bytes()]).await?;
        ok(stream).await?;
    }
    Ok(())
}

/// The values of `keys`, in their order.
pub(crate) async fn mget<S: AsyncBufRead + AsyncWrite + Unpin>(
    stream: &mut S,
    prefix: &str,
    keys: &[String],
) -> Result<Vec<Option<Bytes>>> {
    let names: Vec<String> = keys.iter().map(|key| format!("{prefix}{key}")).collect();
    let words: Vec<&[u8]> = std::iter::once(&b"MGET"[..]).chain(names.iter().map(String::as_bytes)).collect();
    command(stream, &words).await?;
    let count = number(stream, b'*').await?;
    if count != keys.len() as i64 {
        return Err(unexpected(&format!("{count} values for {} keys", keys.len())));
    }
    let mut found = Vec::with_capacity(keys.len());
    for _ in keys {
        let len = number(stream, b'$').await?;
        let Ok(len) = usize::try_from(len) else {
            found.push(None);
            continue;
        };
        if len > VALUE_BYTES_MAX {
            return Err(unexpected(&format!("a value of {len} bytes")));
        }
        let mut value = vec![0; len + 2];
        stream.read_exact(&mut value).await?;
        value.truncate(len);
        found.push(Some(value.into()));
    }
    Ok(found)
}

pub(crate) async fn set<S: AsyncBufRead + AsyncWrite + Unpin>(
    stream: &mut S,
    prefix: &str,
    key: &str,
    value: &[u8],
    ttl: Duration,
) -> Result<()> {
    let (name, ms) = (format!("{prefix}{key}"), ttl.as_millis().max(1).to_string());
    command(stream, &[b"SET", name.as_bytes(), value, b"PX", ms.as_bytes()]).await?;
    ok(stream).await
}

async fn command<S: AsyncWrite + Unpin>(stream: &mut S, words: &[&[u8]]) -> Result<()> {
    stream.write_all(format!("*{}\r\n", words.len()).as_bytes()).await?;
    for word in words {
        stream.write_all(format!("${}\r\n", word.len()).as_bytes()).await?;
        stream.write_all(word).await?;
        stream.write_all(b"\r\n").await?;
    }
    stream.flush().await
}

async fn ok<S: AsyncBufRead + Unpin>(stream: &mut S) -> Result<()> {
    let line = line(stream).await?;
    if line.starts_with('+') { Ok(()) } else { Err(unexpected(&line)) }
}

async fn number<S: AsyncBufRead + Unpin>(stream: &mut S, kind: u8) -> Result<i64> {
    let line = line(stream).await?;
    let number = line.strip_prefix(char::from(kind)).and_then(|n| n.parse().ok());
    number.ok_or_else(|| unexpected(&line))
}
