//! Two real Prometheus servers, two sidecars, a bucket, a store and a querier say the same as each
//! Prometheus says of itself.

use std::path::Path;

use e2e::fixture::{self, BLOCKS, History, INTERVAL, PAIR, Prometheus};
use e2e::tier::{self, Component, ask, sidecar_args, without_labels, write_config};
use golden::compare;
use serde_json::Value;

use crate::s3::{BUCKET, S3Server, SECRET_KEY};

#[test]
fn a_tier_over_a_folder_answers_as_each_prometheus_does() {
    let dir = tempfile::tempdir().expect("a folder");
    let bucket = dir.path().join("bucket");
    std::fs::create_dir(&bucket).expect("create the bucket's folder");
    let yaml = format!("type: FILESYSTEM\nconfig:\n  directory: {}\n", bucket.display());
    check_tier(dir.path(), &bucket, &yaml);
}

#[test]
fn a_tier_over_s3_answers_as_each_prometheus_does() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = S3Server::start(&dir.path().join("s3"));
    check_tier(dir.path(), &dir.path().join("s3").join(BUCKET), &server.config(SECRET_KEY, BUCKET));
}

fn check_tier(dir: &Path, bucket: &Path, yaml: &str) {
    let history = History::recent();
    let config = write_config(dir, "bucket.yml", yaml).expect("write the configuration");
    let (mut servers, mut sidecars) = (Vec::new(), Vec::new());
    for replica in PAIR {
        let Some(data) = fixture::write_blocks(dir, history, replica).expect("blocks") else { return };
        let labels = format!("{{cluster: e2e, replica: {}}}", replica.name);
        let server = fixture::start(dir, replica.name, data, &labels, &[]).expect("a Prometheus");
        let Some(server) = server else { return };
        let name = format!("sidecar-{}", replica.name);
        let sidecar = Component::ready("sidecar", &name, dir, &sidecar_args(&server, &config)).expect("a sidecar");
        servers.push(server);
        sidecars.push(sidecar);
    }
    let blocks = PAIR.len() * usize::try_from(BLOCKS).expect("a few");
    let watched: Vec<_> = sidecars.iter().map(|s| &s.process).collect();
    tier::wait_uploaded(bucket, blocks, &watched).expect("uploads");

    let store_args =
        [format!("--objstore.config-file={}", config.display()), format!("--data-dir={}", dir.join("store").display())];
    let store = Component::ready("store", "store", dir, &store_args).expect("a store");
    let all = [sidecars[0].grpc.as_str(), &sidecars[1].grpc, &store.grpc];
    let whole = tier::querier("query", dir, &all).expect("a querier");
    let stored = tier::querier("query-store", dir, &[&store.grpc]).expect("a querier over the store alone");
    // The same with indexes that are read by ranges, and over a thin line.
    let mut ranged_args = store_args;
    ranged_args[1] = format!("--data-dir={}", dir.join("store-ranges").display());
    let ranged_args = [&ranged_args[..], &["--index-cache.whole-max-share=0".to_owned()]].concat();
    let ranged = Component::ready("store", "store-ranges", dir, &ranged_args).expect("a store");
    let snappy = ["--grpc-compression=snappy"];
    let ranged_alone = tier::querier_with("query-ranges", dir, &[&ranged.grpc], &snappy).expect("a querier over it");

    for (server, replica) in servers.iter().zip(PAIR) {
        let compare = Comparison { server, replica: replica.name };
        compare.history(&whole.process.http, history);
        compare.history(&stored.process.http, history);
        compare.history(&ranged_alone.process.http, history);
        compare.present(&whole.process.http);
    }
    check_dedup(&whole.process.http, history);
    check_dedup(&stored.process.http, history);
    check_dedup(&ranged_alone.process.http, history);
}

/// One Prometheus and what a querier says of the same replica.
struct Comparison<'a> {
    server: &'a Prometheus,
    replica: &'a str,
}

impl Comparison<'_> {
    /// Compares one answer; `MINE` in the query stands for the replica's external labels.
    fn check(&self, querier: &str, path: &str, query: &str, times: &[(&str, String)]) {
        let ask_for = |address: &str, mine: &str| -> Value {
            let query = query.replace("MINE", mine);
            let mut params = vec![("query", query.as_str()), ("dedup", "false")];
            params.extend(times.iter().map(|(n, v)| (*n, v.as_str())));
            ask(address, path, &params).expect("an answer")
        };
        let want = ask_for(&self.server.process.http, "");
        assert!(want["data"]["result"].as_array().is_some_and(|r| !r.is_empty()), "nothing to compare: {query}");
        let got = ask_for(querier, &format!("cluster=\"e2e\",replica=\"{}\"", self.replica));
        assert_eq!(got["coverage"]["complete"], Value::Bool(true), "{query}: {}", got["coverage"]);
        let got = without_labels(got, &["cluster", "replica"]);
        let differs = compare::answers(query, path.ends_with("/query"), &want, &got);
        assert_eq!(differs, None, "{query} {times:?} of replica {}", self.replica);
    }

    /// What lies in blocks. Debian's Prometheus has closed windows, so no window begins at a sample.
    fn history(&self, querier: &str, history: History) {
        let instants = (1..=BLOCKS).map(|block| history.start + block * 7200 - 20);
        for time in instants {
            let time = [("time", time.to_string())];
            for query in QUERIES {
                self.check(querier, "/api/v1/query", query, &time);
            }
            // Sample by sample: all that the last two hours hold.
            for query in ["e2e_wave{MINE}[2h]", "e2e_odd{MINE}[2h]", "{__name__=~\"e2e_.*\",MINE}[2h]"] {
                self.check(querier, "/api/v1/query", query, &time);
            }
        }
        let range = [
            ("start", (history.start + 10).to_string()),
            ("end", (history.end - 20).to_string()),
            ("step", (5 * INTERVAL).to_string()),
        ];
        for query in QUERIES {
            self.check(querier, "/api/v1/query_range", query, &range);
        }
    }

    /// What lies in the head of Prometheus: its scrapes of itself.
    fn present(&self, querier: &str) {
        // The first scrapes come some time after the start; one lies before the time that is asked for.
        let values = (0..600)
            .find_map(|_| {
                let up = ask(&self.server.process.http, "/api/v1/query", &[("query", "up[1m]")]).expect("an answer");
                let values = up["data"]["result"][0]["values"].as_array().filter(|v| v.len() > 1).cloned();
                if values.is_none() {
                    std::thread::sleep(std::time::Duration::from_millis(100));
                }
                values
            })
            .expect("Prometheus scrapes itself within a minute");
        let newest = values.last().and_then(|p| p[0].as_f64()).expect("a sample");
        // Half a second off every scrape.
        let time = [("time", format!("{:.3}", newest - 0.5))];
        for query in ["up{MINE}", "up{MINE}[1m]", "{job=\"self\",MINE}[1m]", "sum by (job) (go_goroutines{MINE})"] {
            self.check(querier, "/api/v1/query", query, &time);
        }
    }
}

const QUERIES: [&str; 12] = [
    "e2e_wave{MINE}",
    "e2e_odd{MINE}",
    "e2e_requests_total{MINE}",
    "e2e_requests_total{path!=\"/a\",MINE}",
    "{__name__=~\"e2e_.*\",zone=\"\",MINE}",
    "e2e_wave{pod=~\"pod-1.*\",MINE} offset 10m",
    "sum(e2e_wave{MINE})",
    "sum by (zone) (e2e_wave{MINE})",
    "avg without (pod) (e2e_wave{MINE})",
    "min(e2e_wave{MINE})",
    "max by (code) (e2e_requests_total{MINE})",
    "count by (zone) (e2e_wave{MINE})",
];

/// Both replicas were down, but never together: together they have no gap, and each sample is one of
/// theirs.
fn check_dedup(querier: &str, history: History) {
    let (start, end) = ((history.start + 2 * INTERVAL).to_string(), (history.end - 20).to_string());
    let params = [("query", "count(e2e_wave)"), ("start", &start), ("end", &end), ("step", "60")];
    let answer = ask(querier, "/api/v1/query_range", &params).expect("an answer");
    let values = answer["data"]["result"][0]["values"].as_array().expect("one series").clone();
    let steps = (history.end - 20 - history.start - 2 * INTERVAL) / 60 + 1;
    assert_eq!(i64::try_from(values.len()), Ok(steps));
    assert!(values.iter().all(|p| p[1] == "20"), "{values:?}");

    let time = (history.start + 7200 - 20).to_string();
    let samples = |dedup: &str| {
        let params = [("query", "e2e_wave{pod=\"pod-1\"}[2h]"), ("time", time.as_str()), ("dedup", dedup)];
        let answer = ask(querier, "/api/v1/query", &params).expect("an answer");
        let series = answer["data"]["result"].as_array().expect("a list").clone();
        series.iter().map(|s| s["values"].as_array().expect("points").clone()).collect::<Vec<_>>()
    };
    let (one, each) = (samples("true"), samples("false"));
    assert_eq!((one.len(), each.len()), (1, 2));
    assert!(one[0].iter().all(|p| each[0].contains(p) || each[1].contains(p)));
    assert!(one[0].len() >= each[0].len(), "{} samples of {} and {}", one[0].len(), each[0].len(), each[1].len());
    let time_of = |p: &Value| p[0].as_f64().expect("a time");
    assert!(one[0].windows(2).all(|w| time_of(&w[1]) - time_of(&w[0]) <= 2.0 * INTERVAL as f64));
}
