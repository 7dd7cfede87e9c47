//! The binary as an operator meets it: exit codes, logs, probes, signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

fn esker(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esker"));
    command.args(args).stdin(Stdio::null());
    command
}

fn finish(args: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = esker(args).output().expect("esker starts");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

/// A process that is killed when the test is over.
struct Running(Child, BufReader<ChildStderr>);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Running {
    fn start(args: &[&str]) -> Self {
        let mut child = esker(args).stderr(Stdio::piped()).spawn().expect("esker starts");
        let stderr = child.stderr.take().expect("piped");
        Self(child, BufReader::new(stderr))
    }

    /// Reads the log up to the line that has `text` in it.
    fn line_with(&mut self, text: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            let read = self.1.read_line(&mut line).expect("read the log");
            assert!(read > 0, "the log ended without {text:?}:\n{seen}");
            if line.contains(text) {
                return line;
            }
            seen.push_str(&line);
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().expect("kill runs").success());
    }
}

fn get(address: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("connect");
    write!(socket, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("send");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("receive");
    answer
}

#[test]
fn mistakes_on_the_command_line_exit_with_2_and_point_to_the_help() {
    for args in [&["compact", "--nonsense"][..], &["store", "--http-grace-period=soon"], &["nobody"], &[]] {
        let (code, text) = finish(args);
        assert_eq!(code, Some(2), "{args:?}: {text}");
        assert!(text.contains("--help"), "{args:?}: {text}");
    }
    let (code, text) = finish(&["--version"]);
    assert_eq!((code, text.starts_with("esker ")), (Some(0), true), "{text}");
}

#[test]
fn a_start_that_fails_exits_with_1_and_says_why() {
    let (code, text) = finish(&["store"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("level=error") && text.contains("objstore.config"), "{text}");
    let (code, text) = finish(&["store", "--http.config=web.yaml", "--log.format=json"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("--http.config cannot be honoured") && text.contains(r#""level":"error""#), "{text}");
}

#[test]
fn runs_until_a_signal_and_ends_with_0() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let bucket = folder.path().join("bucket");
    std::fs::create_dir_all(&bucket).expect("create a folder");
    let objstore = format!("--objstore.config={{type: FILESYSTEM, config: {{directory: {:?}}}}}", bucket);
    let data = format!("--data-dir={}", data.display());
    for signal in ["-TERM", "-INT"] {
        let args = [
            "store",
            &objstore,
            &data,
            "--http-address=127.0.0.1:0",
            "--grpc-address=127.0.0.1:0",
            "--enable-auto-gomemlimit",
        ];
        let mut store = Running::start(&args);
        let warning = store.line_with("this flag has no effect");
        assert!(warning.contains("--enable-auto-gomemlimit"), "{warning}");
        let line = store.line_with("listening for HTTP requests");
        let address = line.split_once("address=").expect("the address is logged").1;
        let address = address.split_whitespace().next().expect("an address").to_owned();
        assert!(get(&address, "/-/healthy").starts_with("HTTP/1.1 200"));
        assert!(get(&address, "/metrics").contains("thanos_build_info"));
        store.signal(signal);
        let mut rest = String::new();
        store.1.read_to_string(&mut rest).expect("read the log");
        let status = store.0.wait().expect("the process ends");
        assert_eq!(status.code(), Some(0), "{rest}");
    }
}
