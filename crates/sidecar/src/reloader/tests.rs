use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::HttpConfig;

/// A server that counts requests for a reload; the first `fail` of them are refused.
async fn prometheus(fail: usize) -> (PrometheusClient, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = [0; 2048];
            let n = socket.read(&mut head).await.unwrap();
            assert!(head[..n].starts_with(b"POST /-/reload "), "{:?}", String::from_utf8_lossy(&head[..n]));
            let status = if count.fetch_add(1, Ordering::Relaxed) < fail { "500 x" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let _installed = rustls::crypto::ring::default_provider().install_default();
    (PrometheusClient::new(&url, HttpConfig::default(), Duration::from_secs(5)).unwrap(), asked)
}

fn settings(dir: &TempDir) -> ReloaderSettings {
    ReloaderSettings {
        config_file: Some(dir.path().join("prometheus.yaml.tmpl")),
        output_file: Some(dir.path().join("prometheus.yaml")),
        rule_dirs: vec![dir.path().join("rules")],
        retry_interval: Duration::from_millis(1),
    }
}

#[tokio::test]
async fn a_change_is_written_out_and_loaded_and_no_change_is_not() {
    let dir = TempDir::new().unwrap();
    let settings = settings(&dir);
    let output = settings.output_file.clone().unwrap();
    std::fs::create_dir(dir.path().join("rules")).unwrap();
    std::fs::write(settings.config_file.as_ref().unwrap(), "path: $(PATH)").unwrap();
    let (client, asked) = prometheus(2).await;
    let shell = Shell::new("test", daemon::Settings::default()).unwrap();
    let mut reloader = Reloader::new(&shell, settings, client);
    reloader.work().await.unwrap();
    assert_eq!(std::fs::read_to_string(&output).unwrap(), format!("path: {}", std::env::var("PATH").unwrap()));
    assert_eq!(asked.load(Ordering::Relaxed), 3, "two were refused");
    reloader.work().await.unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    std::fs::write(dir.path().join("rules/a.yml"), "groups: []").unwrap();
    reloader.work().await.unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn compressed_files_are_read_and_unset_variables_named() {
    let dir = TempDir::new().unwrap();
    let settings = ReloaderSettings { rule_dirs: Vec::new(), ..settings(&dir) };
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(b"a: $(ESKER_TEST_UNSET)").unwrap();
    std::fs::write(settings.config_file.as_ref().unwrap(), gz.finish().unwrap()).unwrap();
    let (client, _) = prometheus(0).await;
    let shell = Shell::new("test", daemon::Settings::default()).unwrap();
    let error = format!("{:#}", Reloader::new(&shell, settings, client).apply().unwrap_err());
    assert!(error.contains(r#"unset environment variable "ESKER_TEST_UNSET""#), "{error}");
}
