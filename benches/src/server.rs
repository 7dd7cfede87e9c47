//! Servers under measurement: started, watched and ended.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use reqwest::Client;

/// A running process that answers the Prometheus HTTP API on `base`.
#[derive(Debug)]
pub struct Server {
    pub name: String,
    pub base: String,
    /// Parameters added to each query, e.g. `dedup=true`.
    pub params: Vec<(String, String)>,
    child: Child,
    watch: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    peak_kib: Arc<AtomicU64>,
}

impl Server {
    /// Starts `program` and waits until `ready_path` answers 200.
    ///
    /// # Errors
    /// When it does not start, or is not ready within a minute.
    pub async fn start(
        client: &Client,
        name: &str,
        program: &Path,
        args: &[String],
        port: u16,
        ready_path: &str,
        log: PathBuf,
    ) -> Result<Self> {
        let log = std::fs::File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let (stop, peak_kib) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let watch = std::thread::spawn({
            let (pid, stop, peak) = (child.id(), stop.clone(), peak_kib.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    peak.fetch_max(unreclaimable_kib(pid).unwrap_or(0), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        });
        let base = format!("http://127.0.0.1:{port}");
        let mut server =
            Self { name: name.to_owned(), base, params: Vec::new(), child, watch: Some(watch), stop, peak_kib };
        server.wait_until_ready(client, ready_path).await?;
        Ok(server)
    }

    async fn wait_until_ready(&mut self, client: &Client, path: &str) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} before it was ready; see its log", self.name);
            }
            let answer = client.get(format!("{}{path}", self.base)).send().await;
            if answer.is_ok_and(|a| a.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("{} was not ready within a minute; see its log", self.name)
    }

    /// User and system CPU seconds so far.
    #[must_use]
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // The name in parentheses may hold spaces; utime and stime are fields 14 and 15, in ticks of 10 ms.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }

    /// The peak since the start or the last call of [`Self::reset_peak`]: RSS without clean file pages.
    #[must_use]
    pub fn peak_mib(&self) -> f64 {
        self.peak_kib.load(Ordering::Relaxed) as f64 / 1024.0
    }

    /// The kernel's own mark of the most that was resident, file pages included.
    #[must_use]
    pub fn high_water_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok()).map_or(f64::NAN, |kib| kib / 1024.0)
    }

    pub fn reset_peak(&self) {
        self.peak_kib.store(0, Ordering::Relaxed);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _dead = self.child.kill();
        let _reaped = self.child.wait();
        if let Some(watch) = self.watch.take() {
            let _joined = watch.join();
        }
    }
}

/// Anonymous and shared memory of a process, which the kernel cannot simply drop.
fn unreclaimable_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find(|l| l.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    Some(field("RssAnon:")? + field("RssShmem:")?)
}

/// What `program --version` says, on one line.
#[must_use]
pub fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|o| [o.stdout, o.stderr].concat()).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().next().unwrap_or("unknown").trim().to_owned()
}
