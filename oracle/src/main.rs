//! `millrace-oracle`: reads its settings and runs the daemon until it is told to stop.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use millrace_client::{keys, RpcChain};
use millrace_oracle::{Daemon, Settings};
use tokio::signal::unix::{signal, SignalKind};
use tracing_subscriber::EnvFilter;

/// The oracle daemon of Millrace: opens beacons, watches leases, measures nodes, and signs one report an epoch.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Settings file (TOML); the flags below override it. See oracle.example.toml.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Key file of the oracle's seat, mode 0600.
    #[arg(long)]
    keypair: Option<PathBuf>,
    /// JSON RPC of the cluster [default: http://127.0.0.1:8899].
    #[arg(long)]
    rpc_url: Option<String>,
    /// Address to listen on [default: 127.0.0.1:9101].
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// host:port of the endpoint registered on chain [default: the address it listens on].
    #[arg(long)]
    public_address: Option<String>,
    /// Where journal, outbox and evidence lie [default: oracle-data].
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Write the log as JSON lines.
    #[arg(long)]
    log_json: bool,
}

fn settings(flags: &Flags) -> anyhow::Result<Settings> {
    let mut settings = match &flags.config {
        Some(path) => Settings::read(path)?,
        None => Settings::default(),
    };
    if let Some(keypair) = &flags.keypair {
        settings.keypair.clone_from(keypair);
    }
    if let Some(rpc_url) = &flags.rpc_url {
        settings.rpc_url.clone_from(rpc_url);
    }
    if let Some(listen) = flags.listen {
        settings.listen = listen;
    }
    if flags.public_address.is_some() {
        settings.public_address.clone_from(&flags.public_address);
    }
    if let Some(data_dir) = &flags.data_dir {
        settings.data_dir.clone_from(data_dir);
    }
    settings.check()?;
    Ok(settings)
}

/// Longest that what still runs on a thread of its own may take when all else has stopped: the measurement of a link would
/// take a minute and a half.
const LAST_THREADS: Duration = Duration::from_secs(1);

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let outcome = runtime.block_on(run());
    runtime.shutdown_timeout(LAST_THREADS);
    outcome
}

async fn run() -> anyhow::Result<()> {
    let flags = Flags::parse();
    // RUST_LOG overrides; the log goes to stderr.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_terminal);
    if flags.log_json {
        log.json().init();
    } else {
        log.init();
    }
    let settings = settings(&flags)?;
    let key = keys::load(&settings.keypair)?;
    let chain = Arc::new(RpcChain::new(settings.rpc_url.clone()));
    let listener = tokio::net::TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen on {}; is another daemon there?", settings.listen))?;
    let daemon = Daemon::open(settings, chain, key)?;
    tracing::info!(oracle = %daemon.me, "starting");
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("stopping");
    };
    daemon.run(listener, stop).await
}
