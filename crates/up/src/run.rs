use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bucket::Bucket;
use daemon::{Shell, now_ms};
use gateway::Gateway;
use query::Querier;
use store::{Endpoints, ProxyOptions, Store};
use tokio::net::TcpListener;

use crate::demo::{self, Grow, Head};
use crate::{Args, attach, parts};

/// Runs the tier until the shutdown.
///
/// # Errors
/// As [`start`].
pub async fn run(args: Args, shell: Shell) -> anyhow::Result<()> {
    let shutdown = shell.shutdown().clone();
    tokio::select! {
        started = start(&args, &shell) => {
            started?;
            shutdown.cancelled().await;
            Ok(())
        }
        () = shutdown.cancelled() => Ok(()),
    }
}

/// Brings the tier up; it runs in tasks of the shell from then on. Gives the address of the query API.
///
/// # Errors
/// When the flags contradict one another, the address is taken, the bucket cannot be read, a Prometheus
/// cannot be attached, or `--demo` meets a bucket of others.
pub async fn start(args: &Args, shell: &Shell) -> anyhow::Result<SocketAddr> {
    args.sources()?;
    // Bound first, so that a taken address is known at once; who connects now is answered when there is
    // something to answer.
    let listener = daemon::listen(&args.http_address).await?;
    let address = listener.local_addr().context("read the address of a socket")?;
    let bucket = open_bucket(args, shell).await?;
    bucket.check().await.context("look into the bucket")?;

    let demo = if args.demo { Some(Demo::fill(args, &bucket).await?) } else { None };
    let gateway = parts::gateway(shell, &bucket, &args.data_dir).await?;
    let mut stores: Vec<Arc<dyn Store>> = vec![gateway.clone()];
    if let Some(demo) = demo {
        stores.extend(demo.start(shell, &bucket, &gateway).await?);
    }
    let endpoints = Arc::new(Endpoints::new(stores.clone()));
    serve(args, shell, listener, &endpoints);
    tracing::info!(bucket = bucket.name(), "answering queries: open http://{address}/");
    if !args.compact_disable {
        parts::keep_compacted(shell, &bucket, &args.data_dir, args.delete_delay.as_duration(), &gateway);
    }
    // Prometheus may take its time; what the bucket has is served meanwhile.
    stores.extend(attach::attach(args, shell, &bucket).await?);
    endpoints.set(stores);
    shell.probe().set_ready(true);
    Ok(address)
}

async fn open_bucket(args: &Args, shell: &Shell) -> anyhow::Result<Bucket> {
    let bucket = args.bucket().await?;
    Ok(shell.metrics().register(|r| bucket.instrumented(r, now_ms)))
}

/// Serves the query API, probes and metrics in a task of the shell.
fn serve(args: &Args, shell: &Shell, listener: TcpListener, endpoints: &Arc<Endpoints>) {
    let options = ProxyOptions { name: "up".to_owned(), ..ProxyOptions::default() };
    let querier = Querier::within(shell, endpoints.clone(), options, args.query());
    let grace = args.http_grace_period.as_duration();
    shell.extend_grace(grace + Duration::from_secs(1));
    let serving = daemon::http::serve(shell.clone(), listener, querier.router(), grace);
    shell.tasks().spawn_fallible("HTTP server", serving);
}

/// The demo's sources, their blocks in the bucket.
struct Demo {
    scratch: PathBuf,
    sources: Vec<Arc<demo::Source>>,
    /// Where the blocks end, for each source.
    cut: Vec<i64>,
}

impl Demo {
    /// Fills the bucket up to the present.
    async fn fill(args: &Args, bucket: &Bucket) -> anyhow::Result<Self> {
        let scratch = args.data_dir.join("demo");
        std::fs::create_dir_all(&scratch).with_context(|| format!("create {}", scratch.display()))?;
        let sources: Vec<_> = demo::sources().into_iter().map(Arc::new).collect();
        let cut = demo::fill(bucket, &sources, &scratch, now_ms()).await?;
        Ok(Self { scratch, sources, cut })
    }

    /// Brings the heads up to the present and lets them grow. Gives the heads.
    async fn start(
        self,
        shell: &Shell,
        bucket: &Bucket,
        gateway: &Arc<Gateway>,
    ) -> anyhow::Result<Vec<Arc<dyn Store>>> {
        let Self { scratch, sources, cut } = self;
        let head = |source: &demo::Source, from: i64| {
            let name = format!("demo head {}", source.external);
            Arc::new(Head::new(&name, source.external.clone(), from))
        };
        let sources: Vec<_> = sources.into_iter().zip(&cut).map(|(s, &from)| (s.clone(), head(&s, from))).collect();
        let heads = sources.iter().map(|(_, head)| head.clone() as Arc<dyn Store>).collect();
        let grow = Grow { bucket: bucket.clone(), gateway: gateway.clone(), scratch, sources, cut };
        grow.scrape(now_ms()).await?;
        grow.spawn(shell);
        Ok(heads)
    }
}

#[cfg(test)]
mod tests;
