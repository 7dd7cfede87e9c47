//! What users get wrong, and the message that tells them.

use std::path::Path;

use e2e::fixture::{self, History, PAIR, Prometheus};
use e2e::process::{esker, free_port};
use e2e::tier::{self, Component, sidecar_args, write_config};

use crate::s3::{BUCKET, S3Server, SECRET_KEY};

/// Runs `esker` until it fails with code 1 and checks that its output holds all of `parts`.
fn fails(dir: &Path, name: &str, args: &[String], parts: &[&str]) {
    let http = format!("127.0.0.1:{}", free_port());
    let mut all = vec![args[0].clone(), format!("--http-address={http}"), "--grpc-address=127.0.0.1:0".to_owned()];
    all.extend_from_slice(&args[1..]);
    let mut process = e2e::process::Process::start(esker(), name, dir, http, &all).expect("start esker");
    let code = process.wait_end().expect("it ends");
    let output = process.output();
    assert_eq!(code, Some(1), "{args:?}: {output}");
    for part in parts {
        assert!(output.contains(part), "{args:?}: {part:?} is not in: {output}");
    }
}

fn store_args(dir: &Path, config: &Path) -> Vec<String> {
    let data = dir.join("store-data");
    vec![
        "store".to_owned(),
        format!("--objstore.config-file={}", config.display()),
        format!("--data-dir={}", data.display()),
    ]
}

fn bucket_folder(dir: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let bucket = dir.join("bucket");
    std::fs::create_dir_all(&bucket).expect("create the bucket's folder");
    let yaml = format!("type: FILESYSTEM\nconfig:\n  directory: {}\n", bucket.display());
    (bucket, write_config(dir, "bucket.yml", &yaml).expect("write the configuration"))
}

#[test]
fn wrong_bucket_configurations_name_what_is_wrong() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = S3Server::start(&dir.path().join("s3"));
    let good = server.config(SECRET_KEY, BUCKET);
    let cases = [
        ("unknown-key", good.replace("endpoint:", "end_point:"), &["unknown field `end_point`"][..]),
        ("secret", server.config("wrong", BUCKET), &["SignatureDoesNotMatch", "check secret_key"]),
        ("bucket", server.config(SECRET_KEY, "no-such-bucket"), &["NoSuchBucket", "there is no such bucket"]),
    ];
    for (name, yaml, parts) in cases {
        let config = write_config(dir.path(), &format!("{name}.yml"), &yaml).expect("write the configuration");
        fails(dir.path(), name, &store_args(dir.path(), &config), parts);
    }
}

#[test]
fn a_prometheus_that_is_down_is_waited_for_and_then_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let (_, config) = bucket_folder(dir.path());
    let url = format!("http://127.0.0.1:{}", free_port());
    let args = [
        "sidecar".to_owned(),
        format!("--prometheus.url={url}"),
        "--prometheus.ready_timeout=1s".to_owned(),
        format!("--tsdb.path={}", dir.path().display()),
        format!("--objstore.config-file={}", config.display()),
    ];
    fails(dir.path(), "down", &args, &["Prometheus did not answer within --prometheus.ready_timeout", &url]);
}

fn sidecar(prometheus: &Prometheus, config: &Path) -> Vec<String> {
    std::iter::once("sidecar".to_owned()).chain(sidecar_args(prometheus, config)).collect()
}

#[test]
fn a_prometheus_that_cannot_be_shipped_from_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let (_, config) = bucket_folder(dir.path());
    let data = |name: &str| dir.path().join(name);
    let Some(bare) = fixture::start(dir.path(), "bare", data("bare"), "", &[]).expect("a Prometheus") else { return };
    fails(dir.path(), "no-labels", &sidecar(&bare, &config), &["external labels"]);
    drop(bare);

    let flags = ["--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=6h"];
    let compacting = fixture::start(dir.path(), "compacting", data("compacting"), "{a: b}", &flags);
    let Some(compacting) = compacting.expect("a Prometheus") else { return };
    let parts = ["min and max block durations differ (2h and 6h)", "--storage.tsdb.max-block-duration=2h"];
    fails(dir.path(), "durations", &sidecar(&compacting, &config), &parts);
}

/// Two servers that call themselves the same cannot be told apart. What they upload is kept; what they
/// say of the present is merged, and the querier goes on.
#[test]
fn two_servers_with_the_same_labels_are_answered_as_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let (_, config) = bucket_folder(dir.path());
    let mut running = Vec::new();
    for name in ["one", "two"] {
        let server = fixture::start(dir.path(), name, dir.path().join(name), "{cluster: same}", &[]);
        let Some(server) = server.expect("a Prometheus") else { return };
        let args = sidecar_args(&server, &config);
        let sidecar = Component::ready("sidecar", &format!("sidecar-{name}"), dir.path(), &args).expect("a sidecar");
        running.push((server, sidecar));
    }
    let endpoints: Vec<&str> = running.iter().map(|(_, s)| s.grpc.as_str()).collect();
    let mut querier = tier::querier("query", dir.path(), &endpoints).expect("a querier");
    let address = querier.process.http.clone();
    // Each scrapes itself under its own address, soon after its start.
    let both = |_: &mut e2e::process::Process| {
        let answer = tier::ask(&address, "/api/v1/query", &[("query", "count(up)")]).expect("an answer");
        answer["data"]["result"][0]["value"][1] == "2"
    };
    querier.process.wait("answering for both", both).expect("both servers in one answer");
}

#[test]
fn damaged_blocks_are_named_in_the_answer_and_stop_no_other() {
    let dir = tempfile::tempdir().expect("a folder");
    let (bucket, config) = bucket_folder(dir.path());
    let history = History::recent();
    let Some(data) = fixture::write_blocks(dir.path(), history, PAIR[0]).expect("blocks") else { return };
    let labels = "{cluster: e2e, replica: a}";
    let Some(server) = fixture::start(dir.path(), "a", data, labels, &[]).expect("a Prometheus") else { return };
    let sidecar =
        Component::ready("sidecar", "sidecar", dir.path(), &sidecar_args(&server, &config)).expect("a sidecar");
    let blocks = usize::try_from(fixture::BLOCKS).expect("a few");
    tier::wait_uploaded(&bucket, blocks, &[&sidecar.process]).expect("uploads");
    drop((sidecar, server));

    // The first block loses the end of its index; in the second a byte of every chunk is flipped.
    let uploaded: Vec<_> = tier::uploaded(&bucket).expect("the bucket").into_iter().collect();
    let index = bucket.join(&uploaded[0]).join("index");
    let bytes = std::fs::read(&index).expect("an index");
    std::fs::write(&index, &bytes[..bytes.len() / 2]).expect("truncate the index");
    let chunks = bucket.join(&uploaded[1]).join("chunks/000001");
    let mut bytes = std::fs::read(&chunks).expect("chunks");
    for byte in bytes[8..].iter_mut().step_by(40) {
        *byte ^= 0x40;
    }
    std::fs::write(&chunks, bytes).expect("flip bytes");

    let store = Component::ready("store", "store", dir.path(), &store_args(dir.path(), &config)[1..]).expect("a store");
    let querier = tier::querier("query", dir.path(), &[&store.grpc]).expect("a querier");
    let address = &querier.process.http;
    let at = |block: i64| (history.start + block * 7200 + 3600).to_string();
    let ask = |block: i64| {
        e2e::http::get(address, "/api/v1/query", &[("query", "sum(e2e_wave)"), ("time", &at(block))])
            .and_then(|a| Ok((a.status, a.json()?)))
            .expect("an answer")
    };
    // Whole blocks answer as ever, and completely.
    for block in 2..fixture::BLOCKS {
        let (status, json) = ask(block);
        assert_eq!((status, &json["coverage"]["complete"]), (200, &serde_json::Value::Bool(true)), "{json}");
        assert_eq!(json["data"]["result"].as_array().map(Vec::len), Some(1), "{json}");
    }
    // The truncated one is missing, by name.
    let (status, json) = ask(0);
    assert_eq!((status, &json["coverage"]["complete"]), (200, &serde_json::Value::Bool(false)), "{json}");
    let text = json.to_string();
    assert!(text.contains(&uploaded[0]) && text.contains("index"), "{text}");
    // Flipped bytes are an error or missing, never another value.
    let (status, json) = ask(1);
    let text = json.to_string();
    assert!(status != 200 || json["coverage"]["complete"] == false, "{text}");
    assert!(text.contains("chunk") || text.contains(&uploaded[1]), "{text}");
}

#[test]
fn wrong_queries_are_refused_with_their_fault() {
    let dir = tempfile::tempdir().expect("a folder");
    let querier = Component::ready("query", "query", dir.path(), &[]).expect("a querier");
    let cases = [
        ("query", &[("query", "sum(rate(up[5m])")][..], "1:17: parse error: unclosed left parenthesis"),
        (
            "query_range",
            &[("query", "up"), ("start", "0"), ("end", "60"), ("step", "0")],
            "zero or negative query resolution step widths are not accepted",
        ),
        (
            "query_range",
            &[("query", "up"), ("start", "0"), ("end", "11001"), ("step", "1")],
            "exceeded maximum resolution of 11,000 points per timeseries",
        ),
    ];
    for (path, params, message) in cases {
        let answer = e2e::http::get(&querier.process.http, &format!("/api/v1/{path}"), params).expect("an answer");
        let json = answer.json().expect("JSON");
        assert_eq!((answer.status, json["errorType"].as_str()), (400, Some("bad_data")), "{json}");
        assert!(json["error"].as_str().is_some_and(|e| e.contains(message)), "{json}");
    }
    assert_eq!(querier.process.terminate().expect("it ends"), Some(0));
}
