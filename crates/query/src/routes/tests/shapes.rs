//! What Grafana and Prometheus' own tools ask of a data source: all of it answers, in the right shape.

use serde_json::json;

use super::*;

#[tokio::test]
async fn what_no_store_keeps_is_empty_not_unknown() {
    let q = querier(settings());
    let cases = [
        ("metadata?metric=up&limit=5", json!({})),
        ("rules?type=alert", json!({"groups": []})),
        ("alerts", json!({"alerts": []})),
        ("alertmanagers", json!({"activeAlertmanagers": [], "droppedAlertmanagers": []})),
        ("targets?state=active", json!({"activeTargets": [], "droppedTargets": [], "droppedTargetCounts": {}})),
        ("targets/metadata", json!([])),
        ("scrape_pools", json!({"scrapePools": []})),
        ("query_exemplars?query=up&start=0&end=10", json!([])),
        ("status/config", json!({"yaml": ""})),
        ("status/active_queries", json!([])),
    ];
    for (target, data) in cases {
        let (status, json) = get(&q, &format!("/api/v1/{target}")).await;
        assert_eq!((status, &json["status"], &json["data"]), (200, &"success".into(), &data), "{target}");
    }
    let (_, json) = get(&q, "/api/v1/status/tsdb?limit=10").await;
    assert_eq!(
        (&json["data"]["headStats"]["numSeries"], &json["data"]["seriesCountByMetricName"]),
        (&0.into(), &json!([]))
    );
    let wrong =
        ["rules?type=x", "rules?match[]={", "metadata?limit=x", "query_exemplars?query=sum(", "status/tsdb?limit=x"];
    for target in wrong {
        let (status, json) = get(&q, &format!("/api/v1/{target}")).await;
        assert_eq!((status, &json["errorType"]), (400, &"bad_data".into()), "{target}");
    }
}

#[tokio::test]
async fn queries_are_parsed_and_formatted_by_get_and_by_form() {
    let q = querier(settings());
    let (status, tree) = get(&q, "/api/v1/parse_query?query=sum(up)+by+(job)").await;
    assert_eq!(
        (status, &tree["data"]["type"], &tree["data"]["grouping"]),
        (200, &"aggregation".into(), &json!(["job"]))
    );
    let form = |path: &str| {
        Request::post(format!("/api/v1/{path}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from("query=sum(up)by(job)"))
            .expect("a request")
    };
    let (_, _, body) = send(&q, form("parse_query")).await;
    assert_eq!(serde_json::from_slice::<Value>(&body).expect("JSON"), tree);
    let (_, _, body) = send(&q, form("format_query")).await;
    assert_eq!(serde_json::from_slice::<Value>(&body).expect("JSON")["data"], "sum by (job) (up)");
    let (status, json) = get(&q, "/api/v1/parse_query?query=sum(").await;
    assert!(status == 400 && json["error"].as_str().is_some_and(|e| e.starts_with("invalid parameter \"query\": 1:5")));
}

#[tokio::test]
async fn head_answers_as_get_without_a_body_and_other_methods_are_refused() {
    let q = querier(settings());
    for target in ["query?query=up&time=60", "labels", "stores", "rules"] {
        let target = format!("/api/v1/{target}");
        let (status, headers, body) = send(&q, Request::head(&target).body(Body::empty()).expect("a request")).await;
        assert_eq!((status, body.len()), (StatusCode::OK, 0), "{target}");
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
        let (status, _, body) = send(&q, Request::put(&target).body(Body::empty()).expect("a request")).await;
        let json: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((status.as_u16(), &json["status"]), (405, &"error".into()), "{target}");
    }
}

#[tokio::test]
async fn limits_cut_and_say_so() {
    let q = querier(settings());
    let cases = [
        ("labels?limit=1", json!(["__name__"])),
        ("label/replica/values?limit=1", json!(["a"])),
        ("series?match[]=up&limit=1&dedup=false", json!([{"__name__": "up", "job": "x", "replica": "a"}])),
    ];
    for (target, data) in cases {
        let (_, json) = get(&q, &format!("/api/v1/{target}")).await;
        assert_eq!(
            (&json["data"], &json["warnings"][0]),
            (&data, &"results truncated due to limit".into()),
            "{target}"
        );
    }
    let (_, json) = get(&q, "/api/v1/query?query=up&time=60&dedup=false&limit=1").await;
    assert_eq!(json["data"]["result"].as_array().map(Vec::len), Some(1));
    assert_eq!(json["warnings"][0], "results truncated due to limit");
}
