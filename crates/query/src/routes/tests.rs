use std::sync::Arc;

use axum::body::Body;
use daemon::Shell;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use model::{Labels, TimeRange};
use serde_json::Value;
use store::testing::{MemoryStore, ScriptedStore, Then};
use store::{Endpoints, ProxyOptions};
use tower::ServiceExt;

use crate::{Querier, Settings};

/// Two replicas of `up`, one sample every 15 s for ten minutes, alternating 0 and 1.
fn store() -> Arc<MemoryStore> {
    let mut store = MemoryStore::new("memory").extent(Labels::empty(), TimeRange::new(0, 600_000));
    let t: Vec<i64> = (0..40).map(|i| i * 15_000).collect();
    let v: Vec<f64> = (0..40).map(|i| f64::from(i % 2)).collect();
    for replica in ["a", "b"] {
        let labels = Labels::from_pairs([("__name__", "up"), ("job", "x"), ("replica", replica)]);
        store.add(labels, block::chunk::encode_floats(&t, &v, 120));
    }
    Arc::new(store)
}

fn querier(settings: Settings) -> Querier {
    let shell = Shell::new("query", daemon::Settings::default()).expect("a shell");
    Querier::new(&shell, store(), settings)
}

/// The same store behind a proxy, as in `up`.
fn fleet(settings: Settings) -> (Shell, Querier) {
    let shell = Shell::new("query", daemon::Settings::default()).expect("a shell");
    let stores = Arc::new(Endpoints::new(vec![store()]));
    let querier = Querier::within(&shell, stores, ProxyOptions::default(), settings);
    (shell, querier)
}

fn settings() -> Settings {
    Settings { replica_labels: vec!["replica".to_owned()], ..Settings::default() }
}

async fn send(querier: &Querier, request: Request<Body>) -> (StatusCode, http::HeaderMap, Vec<u8>) {
    let response = querier.router().oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, body.collect().await.expect("a whole body").to_bytes().to_vec())
}

async fn get(querier: &Querier, target: &str) -> (u16, Value) {
    let request = Request::get(target).body(Body::empty()).expect("a request");
    let (status, _, body) = send(querier, request).await;
    (status.as_u16(), serde_json::from_slice(&body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn labels_and_series_are_listed() {
    let q = querier(settings());
    let (status, json) = get(&q, "/api/v1/labels").await;
    assert_eq!((status, &json["data"]), (200, &serde_json::json!(["__name__", "job", "replica"])));
    assert_eq!(json["coverage"]["complete"], true);
    let (_, json) = get(&q, "/api/v1/label/replica/values?match[]=up").await;
    assert_eq!(json["data"], serde_json::json!(["a", "b"]));
    let (_, json) = get(&q, "/api/v1/series?match[]=up").await;
    assert_eq!(json["data"], serde_json::json!([{"__name__": "up", "job": "x"}]));
    let (status, json) = get(&q, "/api/v1/series").await;
    assert_eq!((status, &json["error"]), (400, &Value::from("no match[] parameter provided")));
}

#[tokio::test]
async fn queries_are_answered_by_get_and_by_form() {
    let q = querier(settings());
    let (status, json) = get(&q, "/api/v1/query?query=up&time=300").await;
    assert_eq!(status, 200, "{json}");
    assert_eq!(
        json["data"]["result"],
        serde_json::json!([{"metric": {"__name__": "up", "job": "x"}, "value": [300, "0"]}])
    );
    assert_eq!(json["coverage"], serde_json::json!({"complete": true, "resolutions_ms": [0], "missing": []}));

    let form = "query=sum%28up%29&start=0&end=60&step=15&dedup=false";
    let request = Request::post("/api/v1/query_range")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form))
        .expect("a request");
    let (status, headers, body) = send(&q, request).await;
    let json: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(status, 200, "{json}");
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    let values = serde_json::json!([[0, "0"], [15, "2"], [30, "0"], [45, "2"], [60, "0"]]);
    assert_eq!(json["data"]["result"], serde_json::json!([{"metric": {}, "values": values}]));
}

#[tokio::test]
async fn wrong_requests_say_what_is_wrong() {
    let q = querier(settings());
    let cases = [
        ("query?query=sum(", 400, "bad_data", "1:5: parse error: unclosed left parenthesis"),
        ("query?query=up&time=x", 400, "bad_data", "invalid parameter \"time\""),
        (
            "query_range?query=up&start=0&end=60&step=0",
            400,
            "bad_data",
            "zero or negative query resolution step widths",
        ),
        (
            "query_range?query=up&start=0&end=100000&step=1",
            400,
            "bad_data",
            "exceeded maximum resolution of 11,000 points",
        ),
        ("query?query=up&dedup=maybe", 400, "bad_data", "invalid parameter \"dedup\""),
        ("series?match[]={", 400, "bad_data", "invalid parameter \"match[]\""),
        ("nothing", 404, "not_found", "there is nothing at"),
        ("query?query=up%2Bon()up&dedup=false&time=60", 422, "execution", "many-to-many matching not allowed"),
    ];
    for (target, status, kind, message) in cases {
        let (got, json) = get(&q, &format!("/api/v1/{target}")).await;
        assert_eq!((got, json["errorType"].as_str()), (status, Some(kind)), "{target}: {json}");
        assert!(json["error"].as_str().is_some_and(|e| e.contains(message)), "{target}: {json}");
    }
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_timed_out() {
    let store = ScriptedStore { info: Arc::default(), then: Then::Hang };
    let shell = Shell::new("query", daemon::Settings::default()).expect("a shell");
    let q = Querier::new(&shell, Arc::new(store), Settings::default());
    for path in ["query?query=up", "labels?", "series?match[]=up"] {
        let (status, json) = get(&q, &format!("/api/v1/{path}&timeout=0.02")).await;
        assert_eq!((status, json["errorType"].as_str()), (503, Some("timeout")), "{json}");
    }
}

#[tokio::test]
async fn what_data_sources_probe_is_there() {
    let q = querier(Settings { route_prefix: "/esker".to_owned(), cors: false, ..settings() });
    for path in
        ["status/buildinfo", "status/runtimeinfo", "status/flags", "metadata", "stores", "format_query?query=up"]
    {
        let (status, json) = get(&q, &format!("/esker/api/v1/{path}")).await;
        assert_eq!((status, json["status"].as_str()), (200, Some("success")), "{path}");
    }
    let (_, json) = get(&q, "/esker/api/v1/stores").await;
    assert_eq!(json["data"]["store"][0]["name"], "memory");
    for path in ["/", "/esker", "/esker/"] {
        let (status, _, body) = send(&q, Request::get(path).body(Body::empty()).expect("a request")).await;
        assert!(status.is_success() && String::from_utf8_lossy(&body).contains("Esker"), "{path}");
    }
    let options = Request::options("/esker/api/v1/query").body(Body::empty()).expect("a request");
    let (_, headers, _) = send(&q, options).await;
    assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    let q = querier(settings());
    let options = Request::options("/api/v1/query").body(Body::empty()).expect("a request");
    let (status, headers, _) = send(&q, options).await;
    assert_eq!(
        (status, headers[header::ACCESS_CONTROL_ALLOW_METHODS].as_bytes()),
        (StatusCode::NO_CONTENT, &b"GET, POST, OPTIONS"[..])
    );
}

mod analysis;
mod limits;
mod shapes;
