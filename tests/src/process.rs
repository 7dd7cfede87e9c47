//! Processes on free ports, stopped when the test ends however it ends.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::http;

/// A running process with its output in a file.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    /// `host:port` of its HTTP server.
    pub http: String,
}

impl Process {
    /// Starts `program` with `args`, its output going to `<dir>/<name>.log`; `http` is where it will
    /// answer.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Path, name: &str, dir: &Path, http: String, args: &[String]) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        Ok(Self { name: name.to_owned(), child, log, http })
    }

    /// Waits until `/-/ready` says 200.
    ///
    /// # Errors
    /// When the process ends or is not ready within a minute; its output is in the message.
    pub fn wait_ready(&mut self) -> Result<()> {
        let address = self.http.clone();
        self.wait("ready", |_| http::get::<&str, &str>(&address, "/-/ready", &[]).is_ok_and(|a| a.status == 200))
    }

    /// Waits until `done` says so, looking often; `what` names it.
    ///
    /// # Errors
    /// When the process ends first or it takes over a minute.
    pub fn wait(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) -> Result<()> {
        let start = Instant::now();
        while !done(self) {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} before it was {what}:\n{}", self.name, self.output());
            }
            if start.elapsed() > Duration::from_secs(60) {
                bail!("{} was not {what} within a minute:\n{}", self.name, self.output());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Waits for its end and gives the exit code; `None` when a signal ended it.
    ///
    /// # Errors
    /// When it does not end within a minute.
    pub fn wait_end(&mut self) -> Result<Option<i32>> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            if start.elapsed() > Duration::from_secs(60) {
                bail!("{} did not end within a minute:\n{}", self.name, self.output());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// All it has written so far.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks it to end (SIGTERM) and waits.
    ///
    /// # Errors
    /// As [`Process::wait_end`].
    pub fn terminate(mut self) -> Result<Option<i32>> {
        let _asked = Command::new("kill").arg(self.child.id().to_string()).status()?;
        self.wait_end()
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that was free a moment ago.
///
/// # Panics
/// When the system has none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("bound").port()
}

/// The `esker` binary of this build, built now if it is not up to date.
///
/// # Panics
/// When it does not build.
pub fn esker() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("ESKER_BIN") {
            return path.into();
        }
        // target/<profile>/deps/<test>
        let test = std::env::current_exe().expect("the test's own path");
        let folder = test.ancestors().nth(2).expect("the profile's folder").to_owned();
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // The whole workspace's features, as other builds have them, so that nothing is built twice.
        cargo.args(["build", "--quiet", "--workspace", "--bin", "esker", "--manifest-path"]);
        cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("run cargo").success(), "the esker binary does not build");
        folder.join("esker")
    })
}

/// A Prometheus binary (`prometheus` or `promtool`): from the folder `ESKER_PROMETHEUS` names, or as
/// `tests/run` unpacks it. Without it the test says aloud that it is skipped.
#[must_use]
pub fn prometheus(binary: &str) -> Option<PathBuf> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/usr/bin");
    let folder = std::env::var_os("ESKER_PROMETHEUS").map_or(unpacked, PathBuf::from);
    let folder = if folder.is_file() { folder.parent()?.to_owned() } else { folder };
    let path = folder.join(binary);
    if path.is_file() {
        return Some(path);
    }
    say(&format!("SKIPPED: no {binary} at {}; tests/run unpacks it, ESKER_PROMETHEUS names another", path.display()));
    None
}

/// Prints even under the test harness' capture of standard output.
pub fn say(text: &str) {
    use std::io::Write;
    let _written = writeln!(std::io::stderr(), "{text}");
}
