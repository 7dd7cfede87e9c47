//! Against servers that are slow, or say that it is too much.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::response::IntoResponse;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tokio::net::TcpListener;

use super::*;
use crate::{Bucket, ObjstoreConfig};

/// What a server does with its n-th request of a name.
type Plan = Arc<dyn Fn(usize) -> (Duration, StatusCode) + Send + Sync>;

#[derive(Clone)]
struct Server {
    plan: Plan,
    asked: Arc<AtomicUsize>,
    at_once: Arc<(AtomicUsize, AtomicUsize)>,
}

async fn answer(State(server): State<Server>) -> impl IntoResponse {
    let (delay, status) = (server.plan)(server.asked.fetch_add(1, Ordering::SeqCst));
    let now = server.at_once.0.fetch_add(1, Ordering::SeqCst) + 1;
    server.at_once.1.fetch_max(now, Ordering::SeqCst);
    tokio::time::sleep(delay).await;
    server.at_once.0.fetch_sub(1, Ordering::SeqCst);
    let headers = [("ETag", "\"x\""), ("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT")];
    (status, headers, if status.is_success() { "bytes" } else { "" })
}

/// A bucket at a server that follows `plan`, and the server's counts.
async fn bucket(plan: Plan, hedge_budget: f64, extra: &str) -> (Bucket, Server, futures::future::AbortHandle) {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let server = Server { plan, asked: Arc::default(), at_once: Arc::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let router = axum::Router::new().fallback(answer).with_state(server.clone());
    let (serving, stop) = futures::future::abortable(async move { axum::serve(listener, router).await });
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        let _stopped = runtime.block_on(serving);
    });
    let yaml = format!(
        "type: S3\nconfig: {{bucket: b, endpoint: '{address}', region: r, access_key: a, secret_key: s, insecure: true{extra}}}"
    );
    let config = ObjstoreConfig { hedge_budget, ..ObjstoreConfig::parse(&yaml).expect("valid") };
    (config.open().expect("open"), server, stop)
}

async fn read(bucket: &Bucket, n: usize) -> object_store::Result<Bytes> {
    bucket.store().get(&Path::from(format!("object-{n}"))).await?.bytes().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_read_is_asked_again_within_the_budget() {
    // Every tenth request takes for ever, compared with the others.
    let plan: Plan =
        Arc::new(|n| (if n % 10 == 9 { Duration::from_secs(3600) } else { Duration::ZERO }, StatusCode::OK));
    let quick: Plan = Arc::new(|_| (Duration::ZERO, StatusCode::OK));
    let turn = Arc::new(AtomicUsize::new(0));
    let (first, then) = (Arc::clone(&turn), plan);
    let both: Plan = Arc::new(move |n| if first.load(Ordering::SeqCst) == 0 { quick(n) } else { then(n) });
    let (bucket, server, stop) = bucket(both, 1.0, "").await;
    for n in 0..100 {
        read(&bucket, n).await.expect("read");
    }
    let link = bucket.link().expect("a link");
    assert!(link.gap().is_none(), "bodies were too small to tell the rate");
    turn.store(1, Ordering::SeqCst);
    let before = server.asked.load(Ordering::SeqCst);
    for n in 0..40 {
        assert_eq!(read(&bucket, n).await.expect("read"), "bytes");
    }
    let asked = server.asked.load(Ordering::SeqCst) - before;
    assert!(asked > 40, "{asked} requests for 40 reads");
    let (hedged, won) = (link.hedged.get(), link.hedges_won.get());
    assert!(won >= 4 && hedged >= won, "{won} of {hedged}");
    stop.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_slows_the_client_down_and_passes() {
    let storm: Plan = Arc::new(|n| {
        let status = if (40..80).contains(&n) { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        (Duration::from_millis(1), status)
    });
    let (bucket, server, stop) = bucket(storm, 0.0, ", http_config: {max_conns_per_host: 32}").await;
    let link = bucket.link().expect("a link");
    let reads = (0..200).map(|n| read(&bucket, n));
    for read in futures::future::join_all(reads).await {
        assert_eq!(read.expect("tried again until it went"), "bytes");
    }
    assert_eq!(link.throttled.get(), 40);
    assert_eq!(server.asked.load(Ordering::SeqCst), 240, "each refusal is tried again once");
    assert!(server.at_once.1.load(Ordering::SeqCst) <= 32);
    assert!(link.limit.gauge().get() < 32, "not all of it has grown back");
    stop.abort();
}

/// Answers a range of `content`, but sends at most `piece` bytes of it before it hangs up.
async fn hanging_up(listener: TcpListener, content: &[u8], piece: usize, asked: &AtomicUsize) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    loop {
        let (mut connection, _) = listener.accept().await.expect("accept");
        let mut request = vec![0; 8192];
        let n = connection.read(&mut request).await.expect("read");
        let request = String::from_utf8_lossy(&request[..n]).to_ascii_lowercase();
        asked.fetch_add(1, Ordering::SeqCst);
        let range = request.split("range: bytes=").nth(1).and_then(|rest| rest.lines().next()?.split_once('-'));
        let start: usize = range.map_or(0, |(start, _)| start.trim().parse().expect("a number"));
        let end = range.and_then(|(_, end)| end.trim().parse::<usize>().ok()).map_or(content.len(), |end| end + 1);
        let (status, total) = (if range.is_some() { "206 Partial Content" } else { "200 OK" }, content.len());
        let head = format!(
            "HTTP/1.1 {status}\r\nETag: \"x\"\r\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\nContent-Range: bytes \
             {start}-{}/{total}\r\nContent-Length: {}\r\n\r\n",
            end - 1,
            end - start
        );
        connection.write_all(head.as_bytes()).await.expect("write");
        connection.write_all(&content[start..end.min(start + piece)]).await.expect("write");
        connection.shutdown().await.expect("hang up");
    }
}

#[tokio::test]
async fn a_body_cut_short_goes_on_where_it_stopped() {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let content: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
    let check = async |piece: usize| {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let yaml = format!(
            "type: S3\nconfig: {{bucket: b, endpoint: '{}', region: r, access_key: a, secret_key: s, insecure: true, max_retries: 3}}",
            listener.local_addr().expect("address")
        );
        let bucket = ObjstoreConfig::parse(&yaml).expect("valid").open().expect("open");
        let asked = AtomicUsize::new(0);
        let block = ulid::Ulid::from_parts(1, 1);
        let read = tokio::select! {
            read = bucket.read_range(block, crate::BlockFile::Chunks(1), 10_000..90_000) => read,
            () = hanging_up(listener, &content, piece, &asked) => unreachable!("serves for ever"),
        };
        (read, asked.load(Ordering::SeqCst))
    };
    let (read, asked) = check(30_000).await;
    assert_eq!(&read.expect("whole")[..], &content[10_000..90_000]);
    assert_eq!(asked, 3);
    // Nothing ever comes: an error that names the object, not a short answer.
    let message = check(0).await.0.expect_err("nothing came").to_string();
    assert!(message.contains("00000000010000000000000001/chunks/000001"), "{message}");
}
