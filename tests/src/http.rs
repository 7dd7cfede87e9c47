//! A blocking HTTP/1.0 client: one request a connection, so an answer ends where the connection ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// An answer: status and body.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    /// # Errors
    /// When the body is not JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("status {}, not JSON: {}", self.status, String::from_utf8_lossy(&self.body)))
    }
}

/// Gets `path` with `params` from `address` (`host:port`).
///
/// # Errors
/// When there is no server or no answer within two minutes.
pub fn get<K: AsRef<str>, V: AsRef<str>>(address: &str, path: &str, params: &[(K, V)]) -> Result<Answer> {
    let target = if params.is_empty() { path.to_owned() } else { format!("{path}?{}", form(params)) };
    send(address, &format!("GET {target} HTTP/1.0\r\nHost: {address}\r\n\r\n"))
}

/// Posts `params` as a form.
///
/// # Errors
/// As [`get`].
pub fn post<K: AsRef<str>, V: AsRef<str>>(address: &str, path: &str, params: &[(K, V)]) -> Result<Answer> {
    let body = form(params);
    let length = body.len();
    let kind = "application/x-www-form-urlencoded";
    send(
        address,
        &format!(
            "POST {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    )
}

fn send(address: &str, request: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        bail!("no HTTP answer from {address}: {:?}", String::from_utf8_lossy(&bytes));
    };
    let head = std::str::from_utf8(&bytes[..end])?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok(Answer { status, body: bytes.split_off(end + 4) })
}

/// `a=b&c=d`, percent-encoded.
pub fn form<K: AsRef<str>, V: AsRef<str>>(params: &[(K, V)]) -> String {
    let pairs: Vec<_> = params.iter().map(|(k, v)| format!("{}={}", encode(k.as_ref()), encode(v.as_ref()))).collect();
    pairs.join("&")
}

fn encode(text: &str) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}
