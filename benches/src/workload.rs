//! The queries Q1–Q7 and how their answers are compared and timed.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use reqwest::Client;
use serde_json::Value;

use crate::fleet::Profile;
use crate::server::Server;

/// One query over the fleet.
#[derive(Clone, Debug)]
pub struct Query {
    pub name: &'static str,
    pub expr: &'static str,
    /// Hours back from the end of the data; 0 for an instant query.
    hours: i64,
    step_s: i64,
}

/// Q1–Q7 as in `benches/README.md`.
pub const QUERIES: [Query; 7] = [
    Query { name: "Q1", expr: r#"process_resident_memory_bytes{instance="10.0.0.7:8080"}"#, hours: 24, step_s: 60 },
    Query { name: "Q2", expr: "sum(rate(http_requests_total[5m]))", hours: 1, step_s: 15 },
    Query { name: "Q3", expr: "sum by (code) (rate(http_requests_total[5m]))", hours: 24, step_s: 60 },
    Query {
        name: "Q4",
        expr: "histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
        hours: 24,
        step_s: 120,
    },
    Query { name: "Q5", expr: "topk(10, container_memory_working_set_bytes)", hours: 6, step_s: 60 },
    Query { name: "Q6", expr: "max(max_over_time(container_memory_working_set_bytes[1h]))", hours: 24, step_s: 300 },
    Query { name: "Q7", expr: r#"count({__name__=~"http.*"})"#, hours: 0, step_s: 0 },
];

impl Query {
    /// First and last step and the distance of steps, in milliseconds; one step for an instant query.
    #[must_use]
    pub fn grid(&self, profile: &Profile) -> (i64, i64, i64) {
        // Half an hour before the end, so that no server sees the edge of the data.
        let end = profile.end_ms() - 1_800_000;
        if self.hours == 0 {
            return (end, end, 1);
        }
        let start = (end - self.hours * 3_600_000).max(profile.start_ms + 1_800_000);
        (start, end, self.step_s * 1000)
    }

    fn request(&self, profile: &Profile) -> (&'static str, Vec<(String, String)>) {
        let (start, end, _) = self.grid(profile);
        let (start, end) = (start / 1000, end / 1000);
        let mut params = vec![("query".to_owned(), self.expr.to_owned())];
        if self.hours == 0 {
            params.push(("time".into(), end.to_string()));
            return ("/api/v1/query", params);
        }
        params.push(("start".into(), start.to_string()));
        params.push(("end".into(), end.to_string()));
        params.push(("step".into(), self.step_s.to_string()));
        ("/api/v1/query_range", params)
    }

    /// Runs the query once: the wall time in milliseconds, to the last byte, and the answer.
    ///
    /// # Errors
    /// When the server does not answer 200.
    pub async fn run(&self, client: &Client, server: &Server, profile: &Profile) -> Result<(f64, Vec<u8>)> {
        let (path, mut params) = self.request(profile);
        params.extend(server.params.iter().cloned());
        let body = params.iter().map(|(k, v)| format!("{k}={}", escape(v))).collect::<Vec<_>>().join("&");
        let start = Instant::now();
        let answer = client.get(format!("{}{path}?{body}", server.base)).send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        let ms = start.elapsed().as_secs_f64() * 1e3;
        if !status.is_success() {
            bail!("{} {}: {status}: {}", server.name, self.name, String::from_utf8_lossy(&bytes));
        }
        Ok((ms, bytes.to_vec()))
    }
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

type Points = BTreeMap<(String, i64), f64>;

/// Every value of an answer by series and time.
fn points(answer: &[u8]) -> Result<Points> {
    let json: Value = serde_json::from_slice(answer)?;
    let series = json["data"]["result"].as_array().context("an answer has data.result")?;
    let mut all = Points::new();
    for one in series {
        let name = one["metric"].to_string();
        let single = one.get("value").map(std::slice::from_ref);
        for point in one["values"].as_array().map(Vec::as_slice).or(single).unwrap_or_default() {
            let at = point[0].as_f64().context("a time")?;
            let value = point[1].as_str().context("a value")?.parse().context("a number")?;
            all.insert((name.clone(), (at * 1e3).round() as i64), value);
        }
    }
    Ok(all)
}

/// The largest relative difference between two answers, or what only one of them has.
///
/// # Errors
/// When an answer is not JSON of the expected form.
pub fn difference(a: &[u8], b: &[u8]) -> Result<String> {
    let (a, b) = (points(a)?, points(b)?);
    let lonely = a.keys().filter(|k| !b.contains_key(*k)).count() + b.keys().filter(|k| !a.contains_key(*k)).count();
    let worst = a
        .iter()
        .filter_map(|(k, x)| {
            b.get(k).map(|y| if x == y { 0.0 } else { (x - y).abs() / x.abs().max(y.abs()).max(1e-12) })
        })
        .fold(0.0_f64, f64::max);
    let lonely = if lonely == 0 { String::new() } else { format!(", {lonely} points in one only") };
    Ok(format!("{} points, worst {worst:.1e}{lonely}", a.len()))
}

/// The middle value; of an even number the lower of the two in the middle.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}
