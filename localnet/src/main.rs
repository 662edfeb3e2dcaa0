//! Millrace's local network: an offline Surfnet on fixed ports, with programs deployed and wallets funded.
//!
//! Prints one line of JSON on stdout when it is ready, and stops on SIGINT, SIGTERM or, with `--with-parent`, when
//! the process that started it ends. Chain time follows this machine's clock whether or not anyone sends
//! transactions. Nothing is kept: the chain ends with the process.

use std::{
    net::TcpListener,
    os::unix::process::parent_id,
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{bail, ensure, Context, Result};
use clap::Parser;
use serde_json::json;
use solana_pubkey::Pubkey;
use surfpool_core::{
    runloops::start_local_surfnet_runloop,
    surfnet::{
        locker::SurfnetSvmLocker,
        svm::{SurfnetSvm, SurfnetSvmConfig},
    },
};
use surfpool_types::{
    channel::{unbounded, Receiver, Sender},
    BlockProductionMode, RpcConfig, SimnetCommand, SimnetConfig, SimnetEvent, SurfpoolConfig,
};
use tokio::signal::unix::{signal, SignalKind};

const HOST: &str = "127.0.0.1";
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// What the program's twin with planted faults (toolchain/build-twin) says in its image.
const TWIN_MARKER: &[u8] = b"MILLRACE TWIN WITH PLANTED FAULTS, NEVER DEPLOY";

/// A local Solana network for Millrace, offline and forgotten when it stops.
#[derive(Parser)]
struct Args {
    /// Port of the JSON-RPC server on 127.0.0.1.
    #[arg(long, default_value_t = 8899)]
    rpc_port: u16,
    /// Port of the WebSocket server on 127.0.0.1.
    #[arg(long, default_value_t = 8900)]
    ws_port: u16,
    /// Milliseconds from one slot to the next.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(10..=10_000))]
    slot_time_ms: u64,
    /// Deploys the program at PATH under address ID. May be repeated.
    #[arg(long = "program", value_name = "ID=PATH", value_parser = parse_program)]
    programs: Vec<(Pubkey, PathBuf)>,
    /// Who may upgrade the programs. Without it they are immutable.
    #[arg(long, value_name = "PUBKEY")]
    upgrade_authority: Option<Pubkey>,
    /// Gives LAMPORTS to PUBKEY. May be repeated.
    #[arg(long = "fund", value_name = "PUBKEY=LAMPORTS", value_parser = parse_fund)]
    funds: Vec<(Pubkey, u64)>,
    /// Stops when the parent process ends, however it ends.
    #[arg(long)]
    with_parent: bool,
}

fn parse_program(text: &str) -> Result<(Pubkey, PathBuf)> {
    let (id, path) = text.split_once('=').context("expected ID=PATH")?;
    Ok((parse_pubkey(id)?, PathBuf::from(path)))
}

fn parse_fund(text: &str) -> Result<(Pubkey, u64)> {
    let (pubkey, lamports) = text.split_once('=').context("expected PUBKEY=LAMPORTS")?;
    let lamports = lamports.parse().with_context(|| format!("'{lamports}' is not a number of lamports"))?;
    Ok((parse_pubkey(pubkey)?, lamports))
}

fn parse_pubkey(text: &str) -> Result<Pubkey> {
    Pubkey::from_str(text).with_context(|| format!("'{text}' is not an address"))
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    check_port(args.rpc_port, "--rpc-port")?;
    check_port(args.ws_port, "--ws-port")?;
    let programs = args.programs.iter().map(|(id, path)| Ok((*id, read_program(path)?))).collect::<Result<Vec<_>>>()?;
    let parent = parent_id();

    let network = Network::start(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;

        for (id, elf) in &programs {
            network.deploy(*id, args.upgrade_authority, elf).await?;
        }
        for (pubkey, lamports) in &args.funds {
            network.fund(pubkey, *lamports)?;
        }
        println!(
            "{}",
            json!({
                "rpc_url": format!("http://{HOST}:{}", args.rpc_port),
                "ws_url": format!("ws://{HOST}:{}", args.ws_port),
            })
        );

        let mut every_quarter_second = tokio::time::interval(Duration::from_millis(250));
        loop {
            tokio::select! {
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
                _ = every_quarter_second.tick() => {
                    if args.with_parent && parent_id() != parent {
                        return Ok(());
                    }
                    if network.has_ended() {
                        bail!("the network stopped by itself");
                    }
                    network.catch_up_with_wall_clock();
                }
            }
        }
    })?;
    network.stop()
}

fn check_port(port: u16, flag: &str) -> Result<()> {
    TcpListener::bind((HOST, port))
        .map(drop)
        .with_context(|| format!("port {port} is in use: choose another with {flag} PORT"))
}

/// Surfnet runs what is no program as one that does nothing and succeeds, so look first.
fn read_program(path: &Path) -> Result<Vec<u8>> {
    let elf = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(elf.starts_with(b"\x7fELF"), "{} is not a compiled program", path.display());
    let is_twin = elf.windows(TWIN_MARKER.len()).any(|window| window == TWIN_MARKER);
    ensure!(!is_twin, "{} is the twin with planted faults, for tests only: it must never be deployed", path.display());
    Ok(elf)
}

fn wall_clock_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |elapsed| elapsed.as_millis() as u64)
}

/// A running Surfnet. The SDK's own builder picks its ports, so the network is put together here from its parts.
struct Network {
    svm: SurfnetSvmLocker,
    commands: Sender<SimnetCommand>,
    stopped: Receiver<()>,
    slot_time_ms: u64,
    runloop: std::thread::JoinHandle<()>,
}

impl Network {
    fn start(args: &Args) -> Result<Self> {
        let simnet = SimnetConfig {
            offline_mode: true,
            remote_rpc_url: None,
            slot_time: args.slot_time_ms,
            // A block per transaction, the SDK's default, stops chain time while nobody sends.
            block_production_mode: BlockProductionMode::Clock,
            instruction_profiling_enabled: false,
            ..Default::default()
        };
        let svm_config = SurfnetSvmConfig {
            surfnet_id: simnet.surfnet_id.clone(),
            slot_time: simnet.slot_time,
            instruction_profiling_enabled: simnet.instruction_profiling_enabled,
            max_profiles: simnet.max_profiles,
            log_bytes_limit: simnet.log_bytes_limit,
            ..Default::default()
        };
        let config = SurfpoolConfig {
            simnets: vec![simnet],
            rpc: RpcConfig {
                bind_host: HOST.into(),
                bind_port: args.rpc_port,
                ws_port: args.ws_port,
                ..Default::default()
            },
            ..Default::default()
        };

        let (svm, events, geyser_events) = SurfnetSvm::new(svm_config)?;
        let svm = SurfnetSvmLocker::new(svm);
        let (commands, commands_rx) = unbounded();

        let runloop_svm = svm.clone();
        let runloop_commands = commands.clone();
        let (failed_tx, failed) = unbounded();
        let runloop = std::thread::Builder::new().name("surfnet".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(4)
                .enable_all()
                .build()
                .expect("the network's threads can be started");
            let ended = runtime.block_on(start_local_surfnet_runloop(
                runloop_svm,
                config,
                runloop_commands,
                commands_rx,
                geyser_events,
            ));
            if let Err(error) = ended {
                let _ = failed_tx.send(error.to_string());
            }
        })?;

        let (ready_tx, ready) = unbounded();
        let (stopped_tx, stopped) = unbounded();
        std::thread::Builder::new().name("surfnet-events".into()).spawn(move || {
            // One end for each of the two servers.
            let mut servers = 2;
            while let Ok(event) = events.recv() {
                match event {
                    SimnetEvent::CoreStarted(_) => drop(ready_tx.send(Ok(()))),
                    SimnetEvent::Aborted(reason) => drop(ready_tx.send(Err(reason))),
                    SimnetEvent::ErrorLog(_, message) => eprintln!("localnet: {message}"),
                    SimnetEvent::Shutdown => {
                        servers -= 1;
                        if servers == 0 {
                            drop(stopped_tx.send(()));
                        }
                    }
                    _ => {}
                }
            }
        })?;

        loop {
            if let Ok(outcome) = ready.recv_timeout(Duration::from_millis(50)) {
                outcome.map_err(anyhow::Error::msg)?;
                break;
            }
            if let Ok(reason) = failed.try_recv() {
                bail!("the network did not start: {reason}");
            }
        }
        Ok(Self { svm, commands, stopped, slot_time_ms: args.slot_time_ms, runloop })
    }

    async fn deploy(&self, id: Pubkey, upgrade_authority: Option<Pubkey>, elf: &[u8]) -> Result<()> {
        self.svm
            .write_program(id, upgrade_authority, 0, elf, &None)
            .await
            .with_context(|| format!("cannot deploy {id}"))
    }

    fn fund(&self, pubkey: &Pubkey, lamports: u64) -> Result<()> {
        match self.svm.airdrop(pubkey, lamports) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(failed)) => bail!("cannot fund {pubkey} with {lamports} lamports: {:?}", failed.err),
            Err(error) => bail!("cannot fund {pubkey} with {lamports} lamports: {error:?}"),
        }
    }

    /// Surfnet adds the slot time to its clock at each block, so on a busy machine it falls behind.
    fn catch_up_with_wall_clock(&self) {
        let now = wall_clock_ms();
        let tolerated = self.slot_time_ms;
        let behind = self.svm.with_svm_reader(move |svm| svm.updated_at + tolerated < now);
        if behind {
            self.svm.with_svm_writer(move |svm| svm.updated_at = now);
        }
    }

    fn has_ended(&self) -> bool {
        self.runloop.is_finished()
    }

    fn stop(self) -> Result<()> {
        self.commands.send(SimnetCommand::Terminate(None)).ok();
        self.stopped.recv_timeout(STOP_WITHIN).context("the network's servers did not stop in time")
    }
}
