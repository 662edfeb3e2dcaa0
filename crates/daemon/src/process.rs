//! A process from its first line to its last: the log, the stop signal, and an end that waits for no thread.

use std::future::Future;
use std::io::IsTerminal;
use std::time::Duration;

use tokio::signal::unix::{signal, SignalKind};
use tracing_subscriber::EnvFilter;

/// Longest that what still runs on a thread of its own may take when all else has stopped: the measurement of a link would
/// take a minute and a half.
const LAST_THREADS: Duration = Duration::from_secs(1);

/// Runs `work` to its end on all cores.
///
/// # Errors
/// What it fails with, and when threads cannot be had.
pub fn run(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_THREADS);
    outcome
}

/// Starts the log, to standard error: lines of text, or JSON. `RUST_LOG` says what is logged, else all from `info` on.
pub fn start_log(is_json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_terminal);
    match is_json {
        true => log.json().init(),
        false => log.init(),
    }
}

/// What ends when the process is told to stop, by SIGTERM or Ctrl-C.
///
/// # Errors
/// When the signal cannot be watched.
pub fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("stopping");
    })
}
