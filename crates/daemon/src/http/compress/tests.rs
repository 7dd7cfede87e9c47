use std::io::Read;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, Request, header};
use tower::ServiceExt;

use super::{Coding, accepted};
use crate::{Settings, Shell, http::frame};

fn shell() -> Shell {
    Shell::new("test", Settings { cpu_threads: 2, ..Settings::default() }).expect("a shell")
}

/// The answer of a server that sends `body` as JSON, to who accepts `coding`.
async fn answer(shell: &Shell, body: fn() -> Body, coding: &str) -> axum::response::Response {
    let handler = move || async move { ([(header::CONTENT_TYPE, "application/json")], body()) };
    let router = frame(shell, Router::new().route("/x", get(handler)));
    let request = Request::get("/x").header(header::ACCEPT_ENCODING, coding).body(Body::empty()).expect("a request");
    router.oneshot(request).await.expect("infallible")
}

fn unpacked(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match coding {
        "gzip" => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).map(drop).expect("one member of gzip"),
        "zstd" => out = zstd::stream::decode_all(bytes).expect("zstd"),
        _ => out = bytes.to_vec(),
    }
    out
}

/// Pieces of many sizes, one of them empty and one that does not compress.
fn pieces() -> Vec<Vec<u8>> {
    let mut noise = 1_u64;
    let mut next = move || {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (noise >> 56) as u8
    };
    let text = |n: usize| (0..n).flat_map(|i| format!("[{i},\"1.5\"],").into_bytes()).collect::<Vec<u8>>();
    vec![text(1), text(20_000), Vec::new(), (0..300_000).map(|_| next()).collect(), text(50_000), text(3)]
}

#[tokio::test]
async fn answers_are_compressed_as_the_client_accepts_it() {
    let shell = shell();
    let whole = pieces().concat();
    let streamed = || Body::from_stream(futures::stream::iter(pieces().into_iter().map(Ok::<_, std::io::Error>)));
    for coding in ["gzip", "zstd", ""] {
        for body in [streamed, || Body::from(pieces().concat())] {
            let response = answer(&shell, body, coding).await;
            let got =
                response.headers().get(header::CONTENT_ENCODING).map_or("", |v| v.to_str().expect("text")).to_owned();
            assert_eq!(
                (got.as_str(), &response.headers()[header::VARY]),
                (coding, &"accept-encoding".parse().expect("a value"))
            );
            let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
            assert!(coding.is_empty() || bytes.len() < whole.len() * 2 / 3, "{coding}: {}", bytes.len());
            assert!(unpacked(coding, &bytes) == whole, "{coding}");
        }
    }
    let short = answer(&shell, || Body::from("{}"), "gzip").await;
    assert!(!short.headers().contains_key(header::CONTENT_ENCODING));
}

#[tokio::test]
async fn a_piece_is_sent_before_the_next_one_is_there() {
    let shell = shell();
    for coding in ["gzip", "zstd"] {
        let (mut sender, receiver) = mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
        let receiver = std::sync::Mutex::new(Some(receiver));
        let handler = move || {
            let receiver = receiver.lock().expect("not poisoned").take().expect("one request");
            async move { ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(receiver)) }
        };
        let handler = std::sync::Arc::new(handler);
        let router = frame(&shell, Router::new().route("/x", get(move || handler())));
        let request =
            Request::get("/x").header(header::ACCEPT_ENCODING, coding).body(Body::empty()).expect("a request");
        let response = router.oneshot(request).await.expect("infallible");
        let mut body = response.into_body().into_data_stream();
        let first = vec![b'a'; 100_000];
        sender.send(Ok(first.clone())).await.expect("somebody listens");
        // All of the first piece can be read though the second does not exist yet.
        let mut sent = Vec::new();
        let mut read = Vec::new();
        while read.len() < first.len() {
            sent.extend(body.next().await.expect("more").expect("bytes"));
            read.clear();
            let _unfinished = match coding {
                "gzip" => flate2::read::GzDecoder::new(&*sent).read_to_end(&mut read),
                _ => zstd::stream::read::Decoder::new(&*sent).expect("a decoder").read_to_end(&mut read),
            };
        }
        assert!(read == first);
    }
}

#[test]
fn the_best_liked_coding_is_taken() {
    let cases = [
        ("", None),
        ("identity", None),
        ("gzip", Some(Coding::Gzip)),
        ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
        ("GZIP;q=1.0, zstd;q=0.5", Some(Coding::Gzip)),
        ("zstd;q=0, gzip;q=0", None),
        ("*", Some(Coding::Gzip)),
        ("snappy, *;q=0.1", Some(Coding::Gzip)),
    ];
    for (text, coding) in cases {
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, text.parse().expect("a value"))]);
        assert_eq!(accepted(&headers), coding, "{text}");
    }
    assert_eq!(accepted(&HeaderMap::new()), None);
}
