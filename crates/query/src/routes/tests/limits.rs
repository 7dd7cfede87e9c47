//! Queries that end before they are done, and how the operator sees it.

use std::pin::pin;

use futures::poll;

use super::*;

/// A querier over a store that never answers.
fn stuck(settings: Settings) -> (Shell, Querier) {
    let store = ScriptedStore { info: Arc::default(), then: Then::Hang };
    let shell = Shell::new("query", daemon::Settings::default()).expect("a shell");
    let querier = Querier::new(&shell, Arc::new(store), settings);
    (shell, querier)
}

async fn active(querier: &Querier) -> Vec<Value> {
    let (status, json) = get(querier, "/api/v1/status/active_queries").await;
    assert_eq!(status, 200, "{json}");
    json["data"].as_array().expect("a list").clone()
}

/// Asks until it holds; what it waits for happens on other threads.
async fn until(querier: &Querier, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    loop {
        let all = active(querier).await;
        if holds(&all) {
            return all;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_operator_sees_what_runs_and_ends_it() {
    let (shell, q) = stuck(Settings { concurrent_max: 1, ..Settings::default() });
    let request = Request::get("/api/v1/query?query=up%2Bup")
        .header("x-forwarded-for", "10.1.2.3, 10.0.0.1")
        .header("user-agent", "Grafana/12")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .body(Body::empty())
        .expect("a request");
    let mut first = pin!(send(&q, request));
    assert!(poll!(first.as_mut()).is_pending());
    let mut second = pin!(get(&q, "/api/v1/query_range?query=1&start=0&end=10&step=5"));
    assert!(poll!(second.as_mut()).is_pending());

    let all = until(&q, |all| all.len() == 2).await;
    let one = &all[0];
    assert_eq!((&one["query"], &one["endpoint"], &one["waiting"]), (&"up+up".into(), &"query".into(), &false.into()));
    assert_eq!((&one["client"], &one["userAgent"]), (&"10.1.2.3".into(), &"Grafana/12".into()));
    assert_eq!(one["requestId"], "0af7651916cd43dd8448eb211c80319c");
    for number in ["series", "chunks", "samples", "bytes", "memoryBytes", "memoryPeakBytes"] {
        assert!(one[number].is_u64(), "{number}: {one}");
    }
    assert!(one["elapsedSeconds"].is_f64() && one["start"].is_string(), "{one}");
    assert_eq!((&all[1]["endpoint"], &all[1]["waiting"]), (&"query_range".into(), &true.into()));

    let end = |id: String| Request::delete(format!("/api/v1/status/active_queries/{id}")).body(Body::empty());
    let (status, _, body) = send(&q, end(one["id"].to_string()).expect("a request")).await;
    assert_eq!((status, body.is_empty()), (StatusCode::OK, false));
    let (status, _, body) = first.await;
    let json: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((status.as_u16(), json["errorType"].as_str()), (503, Some("canceled")), "{json}");
    assert_eq!(json["error"], "query was ended by an operator");
    // Its turn is the next one's.
    let (status, json) = second.await;
    assert_eq!((status, &json["status"]), (200, &"success".into()), "{json}");
    assert!(active(&q).await.is_empty());
    for id in ["1", "99", "x"] {
        let (status, _, _) = send(&q, end(id.to_owned()).expect("a request")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{id}");
    }
    let text = shell.metrics().text();
    assert!(text.contains("esker_query_ended_total{endpoint=\"query\",outcome=\"canceled\"} 1\n"), "{text}");
    assert!(text.contains("esker_query_refused_total{limit=\"operator\"} 1\n"), "{text}");
    assert!(text.contains("prometheus_engine_queries 0\n"), "{text}");
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_query() {
    let (shell, q) = stuck(Settings { concurrent_max: 1, ..Settings::default() });
    for _ in 0..3 {
        let mut asked = Box::pin(get(&q, "/api/v1/query?query=up"));
        assert!(poll!(asked.as_mut()).is_pending());
        assert_eq!(active(&q).await.len(), 1);
        drop(asked);
        assert!(active(&q).await.is_empty());
    }
    assert_eq!(shell.memory().used(), 0);
    let text = shell.metrics().text();
    assert!(text.contains("esker_query_ended_total{endpoint=\"query\",outcome=\"gone\"} 3\n"), "{text}");
    assert!(text.contains("thanos_query_concurrent_gate_queries_in_flight 0\n"), "{text}");
}

#[tokio::test]
async fn limits_are_named_and_counted() {
    let refused = async |settings: Settings, target: &str, status: u16, kind: &str, words: &str, metric: &str| {
        let (shell, q) = fleet(settings);
        let (got, json) = get(&q, target).await;
        assert_eq!((got, json["errorType"].as_str()), (status, Some(kind)), "{target}: {json}");
        assert!(json["error"].as_str().is_some_and(|e| e.contains(words)), "{json}");
        let text = shell.metrics().text();
        assert!(text.contains(&format!("esker_query_refused_total{{limit=\"{metric}\"}} 1\n")), "{text}");
        assert_eq!(shell.memory().used(), 0, "nothing is kept");
    };
    let range = "/api/v1/query_range?query=up&start=0&end=600&step=1&dedup=false";
    let few = Settings { samples_max: 100, ..Settings::default() };
    refused(few, range, 422, "execution", "too many samples", "samples").await;
    let small = Settings { query_memory_bytes: 1_000, ..Settings::default() };
    refused(small, range, 422, "execution", "the query's memory limit of 1000 bytes", "memory").await;
    let tiny = Settings { query_memory_bytes: 100, ..Settings::default() };
    refused(tiny, "/api/v1/series?match[]=up", 422, "execution", "memory limit of 100 bytes", "memory").await;
}

#[tokio::test]
async fn what_an_answer_holds_is_counted_until_it_is_sent() {
    let (shell, q) = fleet(Settings::default());
    let target = "/api/v1/query_range?query=%7B__name__%21%3D%22%22%7D&start=0&end=600&step=0.06&dedup=false";
    let request = Request::get(target).body(Body::empty()).expect("a request");
    let response = q.router().oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), StatusCode::OK);
    assert!(shell.memory().used() > 100_000, "{}", shell.memory().used());
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    assert!(serde_json::from_slice::<Value>(&body).is_ok_and(|json| json["data"]["result"][0]["values"].is_array()));
    assert_eq!(shell.memory().used(), 0);
}
