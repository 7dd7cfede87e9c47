use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::Settings;

async fn get(address: SocketAddr, path: &str) -> String {
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn serves_probes_metrics_and_routes_until_the_shutdown() {
    let shell = Shell::new("test", Settings { memory_limit: 1, cpu_threads: 1 }).unwrap();
    let router = Router::new().route("/hello/{name}", axum::routing::get(|| async { "hi" })).route(
        "/panic",
        axum::routing::get(|| async {
            if true {
                panic!("bug")
            }
        }),
    );
    let args = HttpArgs { http_address: "127.0.0.1:0".into(), ..HttpArgs::default() };
    let address = spawn(&shell, &args, router).await.unwrap();

    assert!(get(address, "/-/healthy").await.starts_with("HTTP/1.1 200"));
    let answer = get(address, "/-/ready").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with("NOT OK"), "{answer}");
    shell.probe().set_ready(true);
    assert!(get(address, "/-/ready").await.starts_with("HTTP/1.1 200"));
    assert!(get(address, "/hello/you").await.ends_with("hi"));
    assert!(get(address, "/panic").await.starts_with("HTTP/1.1 500"));
    assert!(get(address, "/hello/you").await.ends_with("hi"), "goes on after a panic");

    let metrics = get(address, "/metrics").await;
    for line in [
        "http_requests_total{code=\"200\",handler=\"/hello/{name}\",method=\"get\"} 2",
        "http_requests_total{code=\"500\",handler=\"/panic\",method=\"get\"} 1",
        "thanos_status{check=\"ready\",component=\"test\"} 1",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "thanos_build_info{version=",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    shell.shutdown().cancel();
    shell.tasks().wait(Duration::from_secs(10)).await.unwrap();
}
