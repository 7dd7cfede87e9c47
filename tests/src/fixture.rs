//! Two real Prometheus servers with blocks of known history, for the tests of the tier.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use crate::process::{Process, free_port, prometheus};

const TWO_HOURS: i64 = 2 * 3600;
/// Two-hour blocks of history.
pub const BLOCKS: i64 = 4;
/// Seconds between samples of the history.
pub const INTERVAL: i64 = 30;

/// The span of the history in Unix seconds: whole two-hour blocks that have just ended.
#[derive(Clone, Copy, Debug)]
pub struct History {
    pub start: i64,
    /// Exclusive.
    pub end: i64,
}

impl History {
    #[must_use]
    pub fn recent() -> Self {
        let end = now() / TWO_HOURS * TWO_HOURS;
        Self { start: end - BLOCKS * TWO_HOURS, end }
    }
}

/// Unix seconds.
///
/// # Panics
/// Before 1970.
#[must_use]
pub fn now() -> i64 {
    let since = UNIX_EPOCH.elapsed().expect("after 1970");
    i64::try_from(since.as_secs()).expect("before the year 292 billion")
}

/// How one replica of the pair saw the history.
#[derive(Clone, Copy, Debug)]
pub struct Replica {
    pub name: &'static str,
    /// Its scrapes come so many seconds after each multiple of the interval.
    pub offset: i64,
    /// It was down for these seconds of the history.
    pub down: (i64, i64),
}

/// An HA pair: different offsets, each with an outage of its own.
pub const PAIR: [Replica; 2] =
    [Replica { name: "a", offset: 3, down: (5_000, 5_600) }, Replica { name: "b", offset: 17, down: (20_000, 20_900) }];

/// What both replicas scraped, as OpenMetrics: counters with resets, gauges with odd values, labels that
/// need escapes.
#[must_use]
pub fn openmetrics(history: History, replica: Replica) -> String {
    let times: Vec<i64> = (history.start + replica.offset..history.end)
        .step_by(usize::try_from(INTERVAL).unwrap_or(1))
        .filter(|t| !(replica.down.0..replica.down.1).contains(&(t - history.start)))
        .collect();
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, series: &[(String, &dyn Fn(i64) -> String)]| {
        let base = name.trim_end_matches("_total");
        // Writing to a string does not fail.
        let _infallible = writeln!(out, "# TYPE {base} {kind}");
        for (labels, value) in series {
            for &t in &times {
                let _infallible = writeln!(out, "{name}{{{labels}}} {} {t}", value(t - history.start));
            }
        }
    };
    let counter = |speed: i64, reset: i64| move |age: i64| format!("{}", (age % reset) * speed);
    let (fast, slow) = (counter(7, 9_000), counter(1, 25_000));
    family(
        "e2e_requests_total",
        "counter",
        &[
            (r#"code="200",path="/a""#.to_owned(), &fast),
            (r#"code="500",path="/a""#.to_owned(), &slow),
            (r#"code="200",path="/\"b\" \\ ü""#.to_owned(), &slow),
        ],
    );
    let wave = |age: i64| format!("{:?}", (age as f64 / 977.0).sin() * 1e6 / 3.0);
    let odd = |age: i64| match age / INTERVAL % 5 {
        0 => "NaN".to_owned(),
        1 => "+Inf".to_owned(),
        2 => "-Inf".to_owned(),
        3 => "5e-324".to_owned(),
        _ => "-0.1".to_owned(),
    };
    let many: Vec<(String, &dyn Fn(i64) -> String)> =
        (0..20).map(|i| (format!("pod=\"pod-{i}\",zone=\"z{}\"", i % 3), &wave as _)).collect();
    family("e2e_wave", "gauge", &many);
    family("e2e_odd", "gauge", &[(String::new(), &odd)]);
    out.push_str("# EOF\n");
    out
}

/// A running Prometheus with the history in blocks, scraping itself every second.
#[derive(Debug)]
pub struct Prometheus {
    pub process: Process,
    /// Its TSDB.
    pub path: PathBuf,
}

impl Prometheus {
    /// The address for `--prometheus.url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.process.http)
    }
}

/// Writes the history of `replica` as blocks below `<dir>/prometheus-<name>`, with promtool. `None` where
/// Prometheus is not at hand (which is said aloud).
///
/// # Errors
/// When promtool fails.
pub fn write_blocks(dir: &Path, history: History, replica: Replica) -> Result<Option<PathBuf>> {
    let Some(promtool) = prometheus("promtool") else { return Ok(None) };
    let data = dir.join(format!("prometheus-{}", replica.name));
    let text = dir.join(format!("history-{}.txt", replica.name));
    fs::create_dir_all(&data)?;
    fs::write(&text, openmetrics(history, replica))?;
    let out = Command::new(promtool)
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([&text, &data])
        .output()
        .context("run promtool")?;
    ensure!(
        out.status.success(),
        "promtool: {}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    Ok(Some(data))
}

/// The folders of blocks in a TSDB, sorted.
///
/// # Errors
/// When the folder cannot be read.
pub fn blocks(data: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        if path.join("meta.json").is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Starts Prometheus over `data`. `external_labels` is the YAML below that key, empty for none; `flags` come
/// after the usual ones.
///
/// # Errors
/// When it does not start.
pub fn start(
    dir: &Path,
    name: &str,
    data: PathBuf,
    external_labels: &str,
    flags: &[&str],
) -> Result<Option<Prometheus>> {
    let Some(program) = prometheus("prometheus") else { return Ok(None) };
    let http = format!("127.0.0.1:{}", free_port());
    let config = dir.join(format!("prometheus-{name}.yml"));
    let external =
        if external_labels.is_empty() { String::new() } else { format!("  external_labels: {external_labels}\n") };
    fs::write(
        &config,
        format!(
            "global:\n  scrape_interval: 1s\n{external}scrape_configs:\n- job_name: self\n  static_configs:\n  - targets: ['{http}']\n"
        ),
    )?;
    let mut args = vec![
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", data.display()),
        format!("--web.listen-address={http}"),
        "--web.enable-lifecycle".to_owned(),
    ];
    args.extend(flags.iter().map(ToString::to_string));
    if !flags.iter().any(|f| f.starts_with("--storage.tsdb.min-block-duration")) {
        args.extend([
            "--storage.tsdb.min-block-duration=2h".to_owned(),
            "--storage.tsdb.max-block-duration=2h".to_owned(),
        ]);
    }
    let mut process = Process::start(&program, &format!("prometheus-{name}"), dir, http, &args)?;
    process.wait_ready()?;
    Ok(Some(Prometheus { process, path: data }))
}

/// How long tests wait for something that must come.
pub const PATIENCE: Duration = Duration::from_secs(60);
