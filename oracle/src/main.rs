//! `millrace-oracle`: reads its settings and runs the daemon until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use millrace_client::{keys, RpcChain};
use millrace_daemon::common::COMMON;
use millrace_daemon::{process, Endpoint, Listeners, MeteredChain, MetricsListen};
use millrace_oracle::metrics::CATALOG;
use millrace_oracle::{Daemon, Settings};

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
    /// JSON RPC of the cluster; give it once for each [default: http://127.0.0.1:8899].
    #[arg(long = "rpc-url", value_name = "URL")]
    rpc_urls: Vec<String>,
    /// Address to listen on [default: 127.0.0.1:9101].
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// host:port of the endpoint registered on chain [default: the address it listens on].
    #[arg(long)]
    public_address: Option<String>,
    /// Loopback address that serves metrics, or "off" [default: 127.0.0.1:9102].
    #[arg(long)]
    metrics_listen: Option<MetricsListen>,
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
    if !flags.rpc_urls.is_empty() {
        settings.rpc_urls.clone_from(&flags.rpc_urls);
    }
    if let Some(listen) = flags.listen {
        settings.listen = listen;
    }
    if flags.public_address.is_some() {
        settings.public_address.clone_from(&flags.public_address);
    }
    if let Some(metrics_listen) = flags.metrics_listen {
        settings.metrics_listen = metrics_listen;
    }
    if let Some(data_dir) = &flags.data_dir {
        settings.data_dir.clone_from(data_dir);
    }
    settings.check()?;
    Ok(settings)
}

fn main() -> anyhow::Result<()> {
    process::run(run())
}

async fn run() -> anyhow::Result<()> {
    let flags = Flags::parse();
    process::start_log(flags.log_json);
    let settings = settings(&flags)?;
    let key = keys::load(&settings.keypair)?;
    let chain = Arc::new(MeteredChain(RpcChain::new(&settings.rpc_urls)?));
    let http = tokio::net::TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen on {}; is another daemon there?", settings.listen))?;
    let metrics = Endpoint::open(settings.metrics_listen, &[COMMON, CATALOG]).await?;
    let daemon = Daemon::open(settings, chain, key)?;
    tracing::info!(oracle = %daemon.me, "starting");
    daemon.run(Listeners { http, metrics }, process::stop_signal()?).await
}
