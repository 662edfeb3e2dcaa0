//! `millrace-agent`: runs the daemon, or measures this machine.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use millrace_agent::{run_until_signal, Settings};
use millrace_daemon::{process, MetricsListen};
use millrace_gemm::{backends, measure, Backends};

/// The provider's daemon of Millrace: proves what its nodes can do, bids for jobs, runs them in a sandbox.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the daemon until SIGTERM or Ctrl-C.
    Run(Box<RunFlags>),
    /// Measure how fast this machine computes audits; prints JSON.
    Bench {
        /// Rows and columns of the matrices: a power of two from 256.
        #[arg(long, default_value_t = 1_024)]
        n: u32,
        /// Processor threads; 0 for one for each core.
        #[arg(long, default_value_t = 0)]
        threads: usize,
    },
}

#[derive(Args)]
struct RunFlags {
    /// Settings file (TOML); the flags below override it. See agent.example.toml.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Key file of the operator, mode 0600.
    #[arg(long)]
    keypair: Option<PathBuf>,
    /// Address of the provider's cold key.
    #[arg(long)]
    authority: Option<String>,
    /// JSON RPC of the cluster; give it once for each [default: http://127.0.0.1:8899].
    #[arg(long = "rpc-url", value_name = "URL")]
    rpc_urls: Vec<String>,
    /// Address to listen on [default: 127.0.0.1:9201].
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// host:port of the endpoint registered on chain [default: the address it listens on].
    #[arg(long)]
    public_address: Option<String>,
    /// Loopback address that serves metrics, or "off" [default: 127.0.0.1:9202].
    #[arg(long)]
    metrics_listen: Option<MetricsListen>,
    /// Where journal, outbox and jobs lie [default: agent-data].
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Software environments offered to jobs [default: environments].
    #[arg(long)]
    environments_dir: Option<PathBuf>,
    /// Write the log as JSON lines.
    #[arg(long)]
    log_json: bool,
}

impl RunFlags {
    fn settings(self) -> anyhow::Result<Settings> {
        let file = match &self.config {
            Some(path) => Settings::read(path)?,
            None => Settings::default(),
        };
        let settings = Settings {
            keypair: self.keypair.unwrap_or(file.keypair),
            authority: self.authority.unwrap_or(file.authority),
            rpc_urls: if self.rpc_urls.is_empty() { file.rpc_urls } else { self.rpc_urls },
            listen: self.listen.unwrap_or(file.listen),
            public_address: self.public_address.or(file.public_address),
            metrics_listen: self.metrics_listen.unwrap_or(file.metrics_listen),
            data_dir: self.data_dir.unwrap_or(file.data_dir),
            environments_dir: self.environments_dir.unwrap_or(file.environments_dir),
            ..file
        };
        settings.check()?;
        Ok(settings)
    }
}

fn main() -> anyhow::Result<()> {
    process::run(run())
}

async fn run() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Run(flags) => {
            process::start_log(flags.log_json);
            let settings = flags.settings()?;
            let Backends { usable, refused } = backends(settings.audits.threads).context("the prover cannot start")?;
            for refusal in refused {
                tracing::warn!("not proving on a GPU: {refusal}");
            }
            run_until_signal(settings, usable).await
        }
        Command::Bench { n, threads } => bench(n, threads),
    }
}

/// Least time a measurement takes: shorter ones are ruled by chance.
const MEASURE_FOR: Duration = Duration::from_secs(2);

fn bench(n: u32, threads: usize) -> anyhow::Result<()> {
    // The best of them; the processor is always one.
    let backend = backends(threads).context("the prover cannot start")?.usable.swap_remove(0);
    eprintln!("measuring {} on {n} x {n}, about {} s", backend.name(), MEASURE_FOR.as_secs() + 1);
    let (bench, _) = measure(&backend, n, MEASURE_FOR, &|_| ControlFlow::Continue(()))?;
    let millis = u64::try_from(bench.elapsed.as_millis()).unwrap_or(u64::MAX);
    let answer = serde_json::json!({
        "gops": bench.gops, "n": n, "rounds": bench.rounds, "elapsed_millis": millis, "kernel": backend.name(),
    });
    println!("{answer:#}");
    Ok(())
}
