//! The clients of each store against the least of its protocol: list, get, put and delete, and how it is
//! asked for permission.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use block::meta::{BlockMeta, DeletionMark};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use ulid::Ulid;

use super::*;
use crate::{BlockFile, MetaSync, SyncOptions};

#[derive(Clone, Copy, PartialEq)]
enum Protocol {
    /// XML as of S3, which Google's store speaks too.
    Xml,
    Azure,
}

/// A store in memory, and all requests to it.
#[derive(Clone)]
struct Store {
    protocol: Protocol,
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
    requests: Arc<Mutex<Vec<(Method, Uri, HeaderMap)>>>,
}

const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

async fn answer(
    State(store): State<Store>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    store.requests.lock().push((method.clone(), uri.clone(), headers.clone()));
    let path = decode(uri.path().trim_start_matches('/'));
    // The bucket, and at Azure the account before it, come first.
    let levels = if store.protocol == Protocol::Azure { 2 } else { 1 };
    let key = path.splitn(levels + 1, '/').nth(levels).unwrap_or_default().to_owned();
    let mut objects = store.objects.lock();
    match method {
        Method::HEAD if key.is_empty() => ([("x-amz-bucket-region", "eu-north-7")], "").into_response(),
        Method::GET if key.is_empty() => store.list(&objects, &query).into_response(),
        Method::PUT => {
            let exists =
                headers.contains_key(header::IF_NONE_MATCH) || headers.contains_key("x-goog-if-generation-match");
            if exists && objects.contains_key(&key) {
                return StatusCode::PRECONDITION_FAILED.into_response();
            }
            objects.insert(key, body);
            (StatusCode::CREATED, [("ETag", "\"1\""), ("x-goog-generation", "1"), ("Last-Modified", DATE)])
                .into_response()
        }
        Method::POST => batch(&mut objects, &body).into_response(),
        Method::DELETE => match objects.remove(&key) {
            Some(_) => StatusCode::ACCEPTED.into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        _ => match objects.get(&key) {
            Some(bytes) => ([("ETag", "\"1\""), ("Last-Modified", DATE)], bytes.clone()).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
    }
}

/// Azure's deletions come many in a request, each a request of its own within the body.
fn batch(objects: &mut BTreeMap<String, Bytes>, body: &[u8]) -> impl IntoResponse + use<> {
    let body = String::from_utf8_lossy(body);
    let mut answers = String::new();
    let asked = body.lines().filter_map(|line| line.strip_prefix("DELETE ")?.split([' ', '?']).next());
    for (n, path) in asked.enumerate() {
        let key = decode(path.split_once("thanos/").map_or(path, |(_, key)| key));
        let status = if objects.remove(&key).is_some() { "202 Accepted" } else { "404 Not Found" };
        write!(
            answers,
            "--b\r\nContent-Type: application/http\r\nContent-ID: {n}\r\n\r\nHTTP/1.1 {status}\r\nx-ms-request-id: r\r\n\r\n\r\n"
        )
        .expect("into memory");
    }
    (StatusCode::ACCEPTED, [("Content-Type", "multipart/mixed; boundary=b")], answers + "--b--\r\n")
}

/// `%2F` as `/`, and so on.
fn decode(path: &str) -> String {
    let mut parts = path.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut text, part| {
        let (code, rest) = part.split_at(2);
        text.push(char::from(u8::from_str_radix(code, 16).expect("two digits")));
        text + rest
    })
}

impl Store {
    fn list(&self, objects: &BTreeMap<String, Bytes>, query: &BTreeMap<String, String>) -> String {
        let get = |name: &str| query.get(name).map_or("", String::as_str);
        let (prefix, after) = (get("prefix"), get("start-after"));
        let mut text = String::new();
        for (name, bytes) in objects.iter().filter(|(name, _)| name.starts_with(prefix) && name.as_str() > after) {
            let size = bytes.len();
            let written = match self.protocol {
                Protocol::Xml => write!(
                    text,
                    "<Contents><Key>{name}</Key><LastModified>2023-11-14T22:13:20.000Z</LastModified><ETag>1</ETag>\
                     <Size>{size}</Size></Contents>"
                ),
                Protocol::Azure => write!(
                    text,
                    "<Blob><Name>{name}</Name><Properties><Last-Modified>{DATE}</Last-Modified><Etag>1</Etag>\
                     <Content-Type>x</Content-Type><Content-Length>{size}</Content-Length></Properties></Blob>"
                ),
            };
            written.expect("into memory");
        }
        match self.protocol {
            Protocol::Xml => format!("<ListBucketResult><KeyCount>1</KeyCount>{text}</ListBucketResult>"),
            Protocol::Azure => {
                format!("<EnumerationResults><Blobs>{text}</Blobs><NextMarker/></EnumerationResults>")
            }
        }
    }

    /// Starts serving; ends with the test's runtime.
    async fn start(protocol: Protocol) -> (Self, String) {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let store = Self { protocol, objects: Arc::default(), requests: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address").to_string();
        let router = axum::Router::new().fallback(answer).with_state(store.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            let listener = listener.into_std().expect("a socket");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a socket");
                let _ended = axum::serve(listener, router).await;
            });
        });
        (store, address)
    }

    fn asked(&self, header: &str) -> Vec<String> {
        let requests = self.requests.lock();
        let values = requests.iter().filter_map(|(_, _, headers)| Some(headers.get(header)?.to_str().ok()?.to_owned()));
        values.collect()
    }
}

/// Everything a tier asks of a bucket.
async fn round_trip(bucket: &Bucket, store: &Store, prefix: &str) {
    bucket.check().await.expect("readable");
    let dir = tempfile::tempdir().expect("temp dir");
    std::fs::create_dir(dir.path().join("chunks")).expect("create");
    std::fs::write(dir.path().join("chunks/000001"), b"chunks").expect("write");
    std::fs::write(dir.path().join("index"), b"the index").expect("write");
    let id = Ulid::from_parts(1_700_000_000_000, 7);
    bucket.upload_block(dir.path(), &BlockMeta::new(id, 0, 10)).await.expect("upload");
    assert!(store.objects.lock().contains_key(&format!("{prefix}{id}/meta.json")));
    store.objects.lock().insert(format!("{prefix}zz/foreign"), Bytes::new());

    let sync = MetaSync::new(bucket.clone(), SyncOptions::default());
    let snapshot = sync.sync(1_700_000_000_000, model::TimeRange::ALL).await.expect("sync");
    assert_eq!(snapshot.blocks.keys().copied().collect::<Vec<_>>(), [id]);
    assert_eq!(snapshot.blocks[&id].size(BlockFile::Index), Some(9));
    assert_eq!(bucket.read(id, BlockFile::Index).await.expect("read"), "the index");
    assert!(bucket.read(id, BlockFile::NoCompactMark).await.expect_err("absent").is_not_found());
    assert!(sync.write_index(1_700_000_000_000).await.expect("write"));
    let tail = bucket.list_from(Ulid::from_parts(1_700_000_000_000, 8)).await.expect("list");
    assert!(tail.is_empty(), "{tail:?}");

    assert!(bucket.mark_for_deletion(&DeletionMark::new(id, 1, "x")).await.expect("mark"));
    assert!(!bucket.mark_for_deletion(&DeletionMark::new(id, 2, "y")).await.expect("the first mark stays"));
    bucket.delete_block(id).await.expect("delete");
    let left: Vec<String> = store.objects.lock().keys().cloned().collect();
    assert_eq!(left, [format!("{prefix}esker/bucket-index"), format!("{prefix}zz/foreign")]);
}

async fn connect(yaml: &str) -> Bucket {
    ObjstoreConfig::parse(yaml).expect("valid").connect().await.expect("connect")
}

#[tokio::test]
async fn google() {
    let (store, address) = Store::start(Protocol::Xml).await;
    let key = format!(
        r#"{{"private_key": "p", "private_key_id": "i", "client_email": "e", "disable_oauth": true, "gcs_base_url": "http://{address}"}}"#
    );
    let bucket =
        connect(&format!("type: GCS\nprefix: a/b\nconfig:\n  bucket: thanos\n  service_account: '{key}'\n")).await;
    round_trip(&bucket, &store, "a/b/").await;
    let first = store.requests.lock()[0].1.to_string();
    assert!(first.starts_with("/thanos?list-type=2"), "{first}");
}

#[tokio::test]
async fn azure() {
    let (store, address) = Store::start(Protocol::Azure).await;
    let bucket = connect(&format!(
        "type: AZURE\nprefix: x\nconfig:\n  storage_account: acc\n  container: thanos\n  storage_connection_string: \
         'AccountName=acc;AccountKey=a2V5;BlobEndpoint=http://{address}/acc'\n"
    ))
    .await;
    round_trip(&bucket, &store, "x/").await;
    let signed = store.asked("authorization");
    assert!(signed.len() > 10 && signed.iter().all(|s| s.starts_with("SharedKey acc:")), "{signed:?}");
}

#[tokio::test]
async fn amazon() {
    let (store, address) = Store::start(Protocol::Xml).await;
    let yaml = format!(
        "type: S3\nprefix: p\nconfig:\n  bucket: thanos\n  endpoint: http://{address}\n  access_key: AK\n  secret_key: SK\n  \
         session_token: TOKEN\n  put_user_metadata: {{X-Amz-Storage-Class: STANDARD_IA, Team: x}}\n  sse_config: {{type: SSE-KMS, kms_key_id: K}}\n"
    );
    let bucket = connect(&yaml).await;
    round_trip(&bucket, &store, "p/").await;
    // The bucket says where it lies, and requests are signed for there.
    let signed = store.asked("authorization");
    assert!(!signed.is_empty() && signed.iter().all(|s| s.contains("/eu-north-7/s3/aws4_request")), "{signed:?}");
    assert!(store.asked("x-amz-security-token").iter().all(|token| token == "TOKEN"));
    let requests = store.requests.lock().clone();
    let puts: Vec<_> = requests.iter().filter(|(method, ..)| *method == Method::PUT).collect();
    assert!(!puts.is_empty());
    for (_, uri, headers) in puts {
        let get = |name: &str| headers.get(name).map_or("", |value| value.to_str().expect("text"));
        assert_eq!(get("x-amz-server-side-encryption"), "aws:kms", "{uri}");
        assert_eq!(get("x-amz-server-side-encryption-aws-kms-key-id"), "K", "{uri}");
        assert_eq!((get("x-amz-storage-class"), get("x-amz-meta-team")), ("STANDARD_IA", "x"), "{uri}");
    }
}

#[tokio::test]
async fn a_region_that_is_given_is_not_asked_for() {
    let (store, address) = Store::start(Protocol::Xml).await;
    let yaml = format!(
        "type: S3\nconfig: {{bucket: b, endpoint: '{address}', insecure: true, region: given, access_key: a, secret_key: s}}"
    );
    connect(&yaml).await.check().await.expect("readable");
    assert!(store.requests.lock().iter().all(|(method, ..)| *method == Method::GET));
    assert!(store.asked("authorization").iter().all(|s| s.contains("/given/s3/")));
}

/// The customer's own key goes with each request, and with reads too.
#[tokio::test]
async fn keys_of_the_customer() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("key");
    std::fs::write(&path, [7; 32]).expect("write");
    let (store, address) = Store::start(Protocol::Xml).await;
    let yaml = format!(
        "type: S3\nconfig: {{bucket: b, endpoint: '{address}', insecure: true, region: r, access_key: a, secret_key: s, \
         sse_config: {{type: SSE-C, encryption_key: {}}}}}",
        path.display()
    );
    round_trip(&connect(&yaml).await, &store, "").await;
    let objects =
        store.requests.lock().iter().filter(|(m, uri, _)| *m != Method::DELETE && uri.query().is_none()).count();
    assert_eq!(store.asked("x-amz-server-side-encryption-customer-algorithm").len(), objects);
}
