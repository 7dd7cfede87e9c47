//! Plans, with and without what they took.

use super::*;

/// A matrix over all series, as clients of Thanos ask for it.
const QUERY: &str = "query=sum%20by%20(job)(rate(up%5B1m%5D))&start=60&end=600&step=60";

#[tokio::test]
async fn plans_are_shown_as_thanos_shows_them_and_as_text() {
    let q = querier(settings());
    let (status, json) = get(&q, &format!("/api/v1/query_range_explain?{QUERY}")).await;
    assert_eq!(status, 200, "{json}");
    assert_eq!(json["data"]["name"], "sum by (job), as series come");
    assert_eq!(json["data"]["rewrites"], serde_json::json!(["fuse", "hint"]));
    let child = &json["data"]["children"][0];
    assert_eq!(
        (&child["name"], &child["expr"], &child["steps"]),
        (&"rate(up[1m])".into(), &"up[1m]".into(), &10.into())
    );
    assert!(child.get("executionTime").is_none(), "it has not run: {child}");

    let request = Request::get("/api/v1/query_explain?query=-up&format=text").body(Body::empty()).expect("a request");
    let (status, headers, body) = send(&q, request).await;
    assert_eq!((status, headers[header::CONTENT_TYPE].as_bytes()), (StatusCode::OK, &b"text/plain; charset=utf-8"[..]));
    assert_eq!(body, b"select: up, then negate  [1 steps]\nrewrites: fuse\n");
    let cases =
        [("query_explain?query=sum(", "unclosed"), ("query_range_explain?query=up[5m]&start=0&end=1&step=1", "range")];
    for (target, words) in cases {
        let (status, json) = get(&q, &format!("/api/v1/{target}")).await;
        assert!(status == 400 && json["error"].as_str().is_some_and(|e| e.contains(words)), "{json}");
    }
}

#[tokio::test]
async fn an_analysis_goes_down_to_the_stores_and_changes_nothing() {
    let (_shell, q) = fleet(settings());
    let target = format!("/api/v1/query_range?{QUERY}");
    let (_, plain) = get(&q, &target).await;
    assert_eq!(plain["data"]["analysis"], serde_json::json!({}));
    assert!(plain["data"].get("stats").is_none());
    let (status, json) = get(&q, &format!("{target}&analyze=true&stats=all")).await;
    assert_eq!((status, &json["data"]["result"]), (200, &plain["data"]["result"]));
    let sum = &json["data"]["analysis"];
    let rate = &sum["children"][0];
    assert!(sum["executionTime"].is_string() && sum["seriesGiven"] == 1, "{sum}");
    // Both replicas side by side are one series.
    assert_eq!((&rate["series"], &sum["totalSamples"]), (&1.into(), &rate["samples"]), "{sum}");
    let fanout = rate["fanout"].as_array().expect("the stores");
    assert_eq!(fanout.len(), 1, "{rate}");
    assert_eq!((&fanout[0]["endpointAddr"], &fanout[0]["series"]), (&"memory".into(), &1.into()));
    assert!(fanout[0]["bytesProcessed"].as_u64() > Some(0) && fanout[0]["duration"].is_string());
    assert_eq!(json["data"]["stats"]["samples"]["totalQueryableSamples"], rate["samples"]);
    assert!(json["data"]["stats"]["timings"]["execTotalTime"].is_f64());

    let request = Request::get(format!("{target}&analyze=true&format=text")).body(Body::empty()).expect("a request");
    let (_, _, body) = send(&q, request).await;
    let text = String::from_utf8(body).expect("text");
    assert!(
        text.starts_with("aggregate: sum by (job), as series come  [") && text.contains("from memory  ["),
        "{text}"
    );
}

#[tokio::test]
async fn the_page_shows_a_plan_and_what_it_took() {
    let (_shell, q) = fleet(settings());
    let page = async |target: &str| {
        let request = Request::get(target).body(Body::empty()).expect("a request");
        let (status, headers, body) = send(&q, request).await;
        assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
        (status.as_u16(), String::from_utf8(body).expect("text"))
    };
    let (status, empty) = page("/explain").await;
    assert!(status == 200 && empty.contains("<form>") && !empty.contains("<table>"), "{empty}");
    let (status, plan) = page(&format!("/explain?{QUERY}")).await;
    assert!(status == 200 && plan.contains("<code>rate(up[1m])</code>") && plan.contains("fuse, hint"), "{plan}");
    assert!(plan.contains(r#"value="sum by (job)(rate(up[1m]))""#) && !plan.contains("Samples"), "{plan}");
    let (status, analysis) = page(&format!("/explain?{QUERY}&analyze=true")).await;
    let parts = ["<p>A matrix of 1 series in ", "stores: 1", "<code>memory</code>", "class=bar", ">Samples<"];
    for part in parts {
        assert!(status == 200 && analysis.contains(part), "{part}: {analysis}");
    }
    // What is typed is shown, never taken for HTML; empty fields are not given.
    let (status, wrong) = page("/explain?query=%3Cscript%3E&start=&end=&step=").await;
    assert!(status == 400 && wrong.contains("class=w") && wrong.contains("&lt;script&gt;"), "{wrong}");
    assert!(!wrong.contains("<script>"), "{wrong}");
}
