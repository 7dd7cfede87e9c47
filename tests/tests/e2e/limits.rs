//! Limits of queries and features of the language, as flags of the whole tier in one process.

use e2e::http;
use e2e::process::{Process, esker, free_port};
use e2e::tier::write_config;
use serde_json::Value;

/// Within the recorded fleet.
const START: i64 = 1_768_471_200;
const END: i64 = START + 3600;

#[test]
fn limits_and_features_of_queries_are_flags_of_up() {
    let Some(bucket) = golden::bucket("fleet/bucket") else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let yaml = format!("type: FILESYSTEM\nconfig:\n  directory: {}\n", bucket.display());
    let config = write_config(dir.path(), "bucket.yml", &yaml).expect("write the configuration");
    let address = format!("127.0.0.1:{}", free_port());
    let args = [
        "up".to_owned(),
        format!("--http-address={address}"),
        format!("--objstore.config-file={}", config.display()),
        format!("--data-dir={}", dir.path().join("data").display()),
        "--compact.disable".to_owned(),
        "--query.max-samples=2000".to_owned(),
        "--query.max-memory=1MiB".to_owned(),
        "--query.log-queries-longer-than=-1s".to_owned(),
        "--enable-feature=promql-delayed-name-removal".to_owned(),
    ];
    let mut up = Process::start(esker(), "up", dir.path(), address, &args).expect("it starts");
    up.wait_ready().expect("it is ready");
    let ask = |query: &str, step: i64| -> (u16, Value) {
        let (start, end, step) = (START.to_string(), END.to_string(), step.to_string());
        let params = [("query", query), ("start", &start), ("end", &end), ("step", &step)];
        let answer = http::get(&up.http, "/api/v1/query_range", &params).expect("an answer");
        (answer.status, answer.json().expect("JSON"))
    };

    let (status, json) = ask("up", 300);
    assert!(status == 200 && json["data"]["result"].as_array().is_some_and(|all| !all.is_empty()), "{json}");
    // Without the feature the name is gone before it could be looked at.
    let (status, json) = ask(r#"label_replace(rate(up[5m]), "was", "$1", "__name__", "(.*)")"#, 300);
    assert_eq!((status, &json["data"]["result"][0]["metric"]["was"]), (200, &"up".into()), "{json}");
    assert!(json["data"]["result"][0]["metric"].get("__name__").is_none(), "{json}");

    let (status, json) = ask("up", 1);
    assert_eq!((status, json["errorType"].as_str()), (422, Some("execution")), "{json}");
    assert!(json["error"].as_str().is_some_and(|text| text.contains("too many samples")), "{json}");
    // Groups are no samples until they are an answer, but they are memory.
    let (status, json) = ask(r#"count by (__name__, cluster, instance, job, code, path, le) ({__name__=~".+"})"#, 1);
    assert_eq!((status, json["errorType"].as_str()), (422, Some("execution")), "{json}");
    assert!(json["error"].as_str().is_some_and(|text| text.contains("limit of 1048576 bytes")), "{json}");

    let metrics = http::get::<&str, &str>(&up.http, "/metrics", &[]).expect("metrics");
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    for limit in ["samples", "memory"] {
        assert!(metrics.contains(&format!("esker_query_refused_total{{limit=\"{limit}\"}} 1\n")), "{limit}: {metrics}");
    }
    assert!(up.output().contains("slow query detected"), "{}", up.output());
    assert_eq!(up.terminate().expect("it ends"), Some(0));
}
