use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::*;

fn cache(yaml: &str) -> (Cache, Worker) {
    Cache::new(&Config::parse(yaml).unwrap()).unwrap()
}

fn keys(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("key:{i}")).collect()
}

#[tokio::test]
async fn memory_keeps_what_fits() {
    let (cache, _) = cache("type: IN-MEMORY\nconfig:\n  max_size: 64KB\n  max_item_size: 1KB\n");
    cache.put("large".to_owned(), vec![0; 1025].into(), Duration::from_secs(1));
    cache.put("small".to_owned(), Bytes::from_static(b"x"), Duration::from_secs(1));
    let found = cache.get(&["large".to_owned(), "small".to_owned()]).await;
    assert_eq!(found, [None, Some(Bytes::from_static(b"x"))]);
    for i in 0..1000 {
        cache.put(format!("{i}"), vec![0; 500].into(), Duration::from_secs(1));
    }
    let (items, bytes) = cache.held().unwrap();
    assert!(bytes <= 64 << 10 && items > 10, "{items} items, {bytes} bytes");
}

#[test]
fn configurations_are_thanos() {
    let check = |yaml: &str, kind: &str| assert_eq!(cache(yaml).0.kind(), kind, "{yaml}");
    check("type: in-memory", "in-memory");
    check("type: IN-MEMORY\nconfig:\n  max_size: 0\n  max_item_size: 0\nenabled_items: []\nttl: 0s\n", "in-memory");
    check(
        "type: MEMCACHED\nconfig:\n  addresses: ['localhost:1', 'dns+localhost:2']\n  timeout: 200ms\n  max_idle_connections: 10\n  \
         max_item_size: 1MiB\n  dns_provider_update_interval: 10s\n  set_async_circuit_breaker_config:\n    enabled: true\nchunk_subrange_size: 16000\n",
        "memcached",
    );
    check(
        "type: REDIS\nconfig:\n  addr: localhost:1\n  db: 3\n  read_timeout: 3s\n  tls_config:\n    ca_file: ''\n",
        "redis",
    );
    for (yaml, text) in [
        ("type: DISK", "unknown type DISK"),
        ("type: MEMCACHED", "addresses"),
        ("type: REDIS\nconfig: {}", "addr"),
        ("type: REDIS\nconfig: {addr: 'a:1', tls_enabled: true}", "tls_enabled"),
        ("type: IN-MEMORY\nconfig:\n  max_size: lots", "lots"),
    ] {
        let e = Config::parse(yaml).unwrap_err().to_string();
        assert!(e.contains(text), "{yaml}: {e}");
    }
}

/// A server of a Debian package, ended with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _dead = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Where the program is, or why the test is skipped.
fn program(variable: &str, name: &str) -> Option<String> {
    let given = std::env::var(variable).ok();
    let unpacked = format!("{}/../../target/peers/usr/bin/{name}", env!("CARGO_MANIFEST_DIR"));
    let found = given.into_iter().chain([unpacked]).find(|path| std::path::Path::new(path).exists());
    if found.is_none() {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("SKIPPED: there is no {name}; set {variable}");
        }
    }
    found
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start(program: &str, args: &[&str], port: u16) -> Server {
    // An unpacked package brings its libraries along.
    let libraries = std::path::Path::new(program).parent().and_then(|bin| bin.parent()).map(|usr| usr.join("lib"));
    let folders = libraries.iter().flat_map(|lib| std::fs::read_dir(lib).into_iter().flatten().flatten());
    let path: Vec<_> = folders.map(|entry| entry.path().display().to_string()).collect();
    let mut command = Command::new(program);
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    if !program.starts_with("/usr/") {
        command.env("LD_LIBRARY_PATH", path.join(":"));
    }
    let child = command.spawn().unwrap();
    for _ in 0..500 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Server(child)
}

/// Values come back, a server that is killed in the middle costs time within the limit and no error, and one
/// that comes back is used again.
async fn exercise(yaml: &str, start: impl Fn() -> Server) {
    let server = start();
    let (cache, worker) = cache(yaml);
    let test = async {
        let keys = keys(600);
        assert_eq!(cache.get(&keys).await, vec![None; 600]);
        let value = |i: usize| Bytes::from(vec![(i % 251) as u8; i * 7]);
        for (i, key) in keys.iter().enumerate() {
            cache.put(key.clone(), value(i), Duration::from_secs(60));
        }
        let mut found = Vec::new();
        for _ in 0..200 {
            found = cache.get(&keys).await;
            if found.iter().all(Option::is_some) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(found.iter().enumerate().all(|(i, found)| *found == Some(value(i))));
        assert_eq!(cache.get(&[String::new(), "with a space".to_owned()]).await, [None, None]);
        drop(server);
        for _ in 0..5 {
            let before = Instant::now();
            assert_eq!(cache.get(&keys).await, vec![None; 600]);
            assert!(before.elapsed() < Duration::from_secs(5), "took {:?}", before.elapsed());
        }
        assert!(cache.counts().2 > 0);
        let _again = start();
        for _ in 0..1000 {
            cache.put("again".to_owned(), Bytes::from_static(b"there"), Duration::from_secs(60));
            if cache.get(&["again".to_owned()]).await[0].is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the server is not used again");
    };
    tokio::select! {
        () = worker.run() => panic!("the worker ended"),
        () = test => {}
    }
}

#[tokio::test]
async fn a_real_memcached_serves_and_may_die() {
    let Some(program) = program("ESKER_MEMCACHED", "memcached") else { return };
    let port = free_port();
    let yaml = format!("type: MEMCACHED\nconfig:\n  addresses: ['127.0.0.1:{port}']\n  timeout: 1s\n");
    let number = port.to_string();
    let args = ["-l", "127.0.0.1", "-p", number.as_str(), "-U", "0", "-m", "64", "-u", "root"];
    exercise(&yaml, || start(&program, &args, port)).await;
}

#[tokio::test]
async fn a_real_redis_serves_and_may_die() {
    let Some(program) = program("ESKER_REDIS", "redis-server") else { return };
    let port = free_port();
    let yaml = format!(
        "type: REDIS\nconfig:\n  addr: 127.0.0.1:{port}\n  prefix: 'p:'\n  db: 2\n  password: secret\n  read_timeout: 1s\n"
    );
    let number = port.to_string();
    let args = ["--port", number.as_str(), "--bind", "127.0.0.1", "--save", "", "--requirepass", "secret"];
    exercise(&yaml, || start(&program, &args, port)).await;
}

#[tokio::test]
async fn a_server_that_is_silent_costs_the_timeout() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    for yaml in [
        format!("type: MEMCACHED\nconfig:\n  addresses: ['127.0.0.1:{port}']\n  timeout: 50ms\n"),
        format!("type: REDIS\nconfig:\n  addr: 127.0.0.1:{port}\n  read_timeout: 50ms\n"),
    ] {
        let (cache, _worker) = cache(&yaml);
        for _ in 0..5 {
            assert_eq!(cache.get(&keys(3)).await, [None, None, None]);
        }
        // After three failures it rests.
        assert_eq!(cache.counts().2, 3, "{yaml}");
    }
}
