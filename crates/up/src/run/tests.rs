use clap::Parser;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    up: Args,
}

fn args(data_dir: &std::path::Path, more: &[&str]) -> Args {
    let dir = data_dir.to_str().expect("a path in UTF-8");
    let given = ["up", "--http-address=127.0.0.1:0", "--data-dir", dir];
    Cli::parse_from(given.iter().chain(more)).up
}

/// The status and the body of a GET.
async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn query(address: SocketAddr, path: &str) -> Value {
    let (status, body) = get(address, path).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Shuts a tier down and waits for its tasks.
async fn stop(shell: Shell) {
    shell.shutdown().cancel();
    shell.tasks().wait(Duration::from_secs(30)).await.unwrap();
    assert_eq!(shell.tasks().fatal(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_is_one_deduplicated_answer_and_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let shell = || Shell::new("up", daemon::Settings::default()).unwrap();
    let first = shell();
    let address = start(&args(dir.path(), &["--demo"]), &first).await.unwrap();
    assert_eq!(get(address, "/-/ready").await.0, 200);

    let up = |dedup: bool| async move {
        let answer = query(address, &format!("/api/v1/query?query=count(up)&dedup={dedup}")).await;
        answer["data"]["result"][0]["value"][1].as_str().unwrap().to_owned()
    };
    // The single server may be out at this time, or one of the pair, but never both of those.
    assert!(["8", "16"].contains(&up(true).await.as_str()));
    assert!(["8", "16", "24"].contains(&up(false).await.as_str()));

    let end = now_ms() / 1000 - 3 * 3600;
    let start_s = end - 20 * 86_400;
    let rates = format!(
        "/api/v1/query_range?query=sum%20by%20(cluster)(rate(http_requests_total[5m]))&start={start_s}&end={end}&step=600"
    );
    let before = query(address, &rates).await;
    let points = |answer: &Value, i: usize| answer["data"]["result"][i]["values"].as_array().unwrap().len();
    // One of the pair is always there; the single server has gaps.
    assert_eq!(points(&before, 0), 20 * 144 + 1);
    assert!(points(&before, 1) < points(&before, 0));
    let single = query(address, &format!("{rates}&dedup=false")).await;
    let total = |answer: &Value| -> f64 {
        let values = answer["data"]["result"][0]["values"].as_array().unwrap();
        values.iter().map(|v| v[1].as_str().unwrap().parse::<f64>().unwrap()).sum()
    };
    assert!(total(&single) > 1.5 * total(&before), "without deduplication the pair counts twice");
    let stores = query(address, "/api/v1/stores").await;
    assert_eq!(stores["data"]["sidecar"].as_array().unwrap().len(), 3, "{stores}");
    stop(first).await;

    let second = shell();
    let address = start(&args(dir.path(), &["--demo"]), &second).await.unwrap();
    assert_eq!(query(address, &rates).await["data"], before["data"], "compacted or not, started anew or not");
    stop(second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_flags_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let shell = Shell::new("up", daemon::Settings::default()).unwrap();
    let e = start(&args(dir.path(), &["--prometheus.url=http://localhost:1"]), &shell).await.unwrap_err();
    assert!(e.to_string().contains("each --prometheus.url needs its --tsdb.path"), "{e}");
    let taken = daemon::listen("127.0.0.1:0").await.unwrap();
    let mut args = args(dir.path(), &[]);
    args.http_address = taken.local_addr().unwrap().to_string();
    let e = format!("{:#}", start(&args, &shell).await.unwrap_err());
    assert!(e.contains(&args.http_address) && e.contains("in use"), "{e}");
}
