//! A server that speaks S3 with SigV4 and path style over a folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

pub(crate) const ACCESS_KEY: &str = "esker-access";
pub(crate) const SECRET_KEY: &str = "esker-secret";
pub(crate) const BUCKET: &str = "esker-test";

/// The server, until it is dropped.
pub(crate) struct S3Server {
    /// `host:port`.
    pub(crate) address: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl S3Server {
    /// Serves one empty bucket whose objects lie in `<dir>/esker-test`.
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_slow(dir, Duration::ZERO)
    }

    /// As [`S3Server::start`]; each request waits for `delay` first.
    pub(crate) fn start_slow(dir: &Path, delay: Duration) -> Self {
        std::fs::create_dir_all(dir.join(BUCKET)).expect("create the bucket's folder");
        let (stop, stopped) = oneshot::channel();
        let (send_address, address) = std::sync::mpsc::channel();
        let dir: PathBuf = dir.to_owned();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
                send_address.send(listener.local_addr().expect("bound").to_string()).expect("somebody waits");
                tokio::select! {
                    () = serve(listener, &dir, delay) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_timeout(Duration::from_secs(1));
        });
        Self { address: address.recv().expect("the server starts"), stop: Some(stop), thread: Some(thread) }
    }

    /// A bucket configuration as users write it.
    pub(crate) fn config(&self, secret_key: &str, bucket: &str) -> String {
        format!(
            "type: S3\nconfig:\n  bucket: {bucket}\n  endpoint: {}\n  region: us-east-1\n  access_key: {ACCESS_KEY}\n  \
             secret_key: {secret_key}\n  insecure: true\n  bucket_lookup_type: path\n",
            self.address
        )
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, dir: &Path, delay: Duration) {
    let files = FileSystem::new(dir).expect("the folder is there");
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    let service = service.build();
    let mut connections = JoinSet::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let service = service.clone();
        connections.spawn(async move {
            let http = Builder::new(TokioExecutor::new());
            let slow = service_fn(move |request| {
                let service = service.clone();
                async move {
                    tokio::time::sleep(delay).await;
                    Service::call(&service, request).await
                }
            });
            // A client that goes away is not the server's business.
            let _ended = http.serve_connection(TokioIo::new(socket), slow).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

#[test]
fn the_server_refuses_who_does_not_sign() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = S3Server::start(dir.path());
    let answer = e2e::http::get(&server.address, &format!("/{BUCKET}"), &[("list-type", "2")]).expect("an answer");
    assert_eq!(answer.status, 403, "{}", String::from_utf8_lossy(&answer.body));
}
