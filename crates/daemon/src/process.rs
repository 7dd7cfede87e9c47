//! From parsed flags to an exit code: logs, runtime, signals, the service, the shutdown.

use std::future::Future;
use std::panic;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::signal::unix::{SignalKind, signal};

use crate::flags::ProcessArgs;
use crate::{Settings, Shell, heap, log};

/// Runs `service` with a shell until it returns, a signal comes or a task fails, then gives it and all tasks
/// the grace period to end. 0 after a graceful end, 1 after any failure.
pub fn run<F>(name: &str, args: &ProcessArgs, service: impl FnOnce(Shell) -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    log::init(args.log_level, args.log_format, &args.debug_name);
    log_panics();
    heap::keep_freed_memory();
    // One crypto provider for all; an embedding program may have installed its own.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    match start(name, args, service) {
        Ok(()) => {
            tracing::info!("exiting");
            ExitCode::SUCCESS
        }
        Err(e) => {
            tracing::error!(err = format!("{e:#}"), "{name} command failed");
            ExitCode::FAILURE
        }
    }
}

fn start<F>(name: &str, args: &ProcessArgs, service: impl FnOnce(Shell) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    let settings = Settings { memory_limit: args.memory_limit.map_or(0, |b| b.0), cpu_threads: args.cpu_threads };
    let result = runtime.block_on(async {
        let shell = Shell::new(name, settings).context("start the CPU pool")?;
        watch_signals(&shell)?;
        supervise(&shell, service(shell.clone())).await
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn supervise(shell: &Shell, service: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let overdue = async {
        shell.shutdown().cancelled().await;
        tokio::time::sleep(shell.grace()).await;
    };
    let result = tokio::select! {
        result = service => result,
        () = overdue => Err(anyhow!("{} did not end within the grace period", shell.name())),
    };
    shell.shutdown().cancel();
    let pending = shell.tasks().wait(shell.grace()).await;
    if let Some(reason) = shell.tasks().fatal() {
        return Err(anyhow!(reason));
    }
    result.and(pending.map_err(Into::into))
}

/// SIGINT and SIGTERM begin the shutdown, a second one ends the process at once. SIGHUP does nothing: there is
/// nothing to reload.
fn watch_signals(shell: &Shell) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut hangup = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
    let shutdown = shell.shutdown().clone();
    #[expect(clippy::disallowed_methods, reason = "lives as long as the runtime; must outlive the shutdown")]
    let _detached = tokio::spawn(async move {
        loop {
            let name = tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
                _ = hangup.recv() => continue,
            };
            if shutdown.is_cancelled() {
                tracing::warn!(signal = name, "second signal, exiting at once");
                #[expect(clippy::exit, reason = "the operator asked twice")]
                std::process::exit(130);
            }
            tracing::info!(signal = name, "caught a signal, shutting down");
            shutdown.cancel();
        }
    });
    Ok(())
}

fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let at = info.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = std::backtrace::Backtrace::capture();
        let what = info.payload_as_str().unwrap_or("not a text");
        tracing::error!(at, backtrace = %backtrace, "panic: {what}");
    }));
}
