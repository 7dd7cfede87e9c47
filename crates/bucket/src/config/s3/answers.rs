//! What users see when the store says no, over real HTTP.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A store that gives every request the same answer.
async fn message(status: &str, body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let server = async {
        loop {
            let (mut connection, _) = listener.accept().await.expect("accept");
            let mut request = [0; 4096];
            let _read = connection.read(&mut request).await.expect("read");
            connection.write_all(answer.as_bytes()).await.expect("write");
        }
    };
    let bucket = bucket(&format!("http://{address}"));
    tokio::select! {
        checked = bucket.check() => checked.expect_err("the store said no").to_string(),
        () = server => unreachable!("serves for ever"),
    }
}

fn bucket(endpoint: &str) -> Bucket {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let config = S3Config {
        bucket: "thanos".to_owned(),
        endpoint: endpoint.to_owned(),
        access_key: "minio".to_owned(),
        secret_key: "wrong".to_owned(),
        max_retries: 1,
        ..S3Config::default()
    };
    config.open("", 0.0).expect("open")
}

fn error(code: &str, message: &str) -> String {
    format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>")
}

#[tokio::test]
async fn messages_say_what_to_check() {
    let check = |message: String, parts: &[&str]| {
        for part in parts {
            assert!(message.contains(part), "{message:?} does not say {part:?}");
        }
    };
    let body = error("SignatureDoesNotMatch", "The request signature does not match.");
    check(message("403 Forbidden", &body).await, &["bucket thanos", "SignatureDoesNotMatch", "check secret_key"]);
    let body = error("InvalidAccessKeyId", "The key does not exist.");
    check(message("403 Forbidden", &body).await, &["The key does not exist", "check access_key"]);
    let body = error("AccessDenied", "Access Denied.");
    check(message("403 Forbidden", &body).await, &["AccessDenied", "check the permissions of this access key"]);
    let body = error("NoSuchBucket", "The specified bucket does not exist");
    check(message("404 Not Found", &body).await, &["NoSuchBucket", "check bucket and endpoint"]);
    let body = error("AuthorizationHeaderMalformed", "the region is wrong");
    check(message("400 Bad Request", &body).await, &["check region"]);
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    drop(listener);
    let message = bucket(&format!("http://{address}")).check().await.expect_err("refused").to_string();
    assert!(message.contains("check endpoint and insecure: nothing answers there"), "{message}");
}
