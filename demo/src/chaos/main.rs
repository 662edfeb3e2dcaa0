//! A whole market while everything in it fails: oracles and agents are killed, frozen and cut off, RPCs fall ill, customers'
//! commands die, all by a seed. In the end the books must balance, every job must be done, and none paid twice.

mod actors;
mod clocks;
mod customers;
mod disks;
mod journals;
mod net;
mod noticed;
mod plan;
mod rpcs;
mod steps;
mod storm;
mod verdict;
mod witness;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use clap::Parser;
use millrace_demo::answers::text;
use millrace_demo::stage::Stage;
use millrace_demo::STOPPED;

use actors::Actor;
use customers::Counts;
use net::Network;
use plan::{plan, Cast};
use rpcs::Rpcs;
use storm::Storm;

/// Torments a whole market on a local network, and checks that no job is lost and nothing is paid twice.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where keys, logs and results of this run go; emptied first.
    #[arg(long, default_value = ".chaos")]
    dir: PathBuf,
    /// How long things go wrong, seconds; a calm in which all work is ended follows.
    #[arg(long, env = "CHAOS_SECS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(10..=86_400))]
    secs: u64,
    /// What goes wrong is made of this number alone.
    #[arg(long, env = "SEED", default_value_t = 1)]
    seed: u64,
    /// Instead of all that: one oracle and one agent of a small market die at every step at which they write something
    /// down or send it.
    #[arg(long)]
    steps: bool,
    /// Oracles; fewer than a third are ill at once.
    #[arg(long, default_value_t = 8, default_value_if("steps", "true", "3"), value_parser = clap::value_parser!(u8).range(1..=32))]
    oracles: u8,
    /// Agents, each with a provider and a node of its own; at most a quarter are ill at once.
    #[arg(long, default_value_t = 20, default_value_if("steps", "true", "3"), value_parser = clap::value_parser!(u8).range(1..=100))]
    agents: u8,
    /// Customers, each with one job at a time.
    #[arg(long, default_value_t = 8, default_value_if("steps", "true", "2"), value_parser = clap::value_parser!(u8).range(1..=50))]
    customers: u8,
}

impl Args {
    /// Length of an epoch, seconds: the chain and all daemons share a few cores, and what is sent has to land within one.
    fn epoch_secs(&self) -> &'static str {
        match (self.steps, self.oracles + self.agents) {
            (true, _) => "4",
            (false, ..=15) => "10",
            (false, _) => "20",
        }
    }

    /// How agents' settings end.
    fn agent_settings(&self) -> &'static str {
        match self.steps {
            // Everything is done often, and forgotten soon.
            true => "[audits]\nthreads = 1\nevery_epochs = 2\n[jobs]\nkeep_free_mib = 8\nkeep_results_secs = 1\n",
            false => "[audits]\nthreads = 1\n[jobs]\nkeep_free_mib = 8\n",
        }
    }
}

/// How oracles' settings end: they look at the chain every twentieth of an epoch.
const ORACLE_SETTINGS: &str = "[limits]\ntransfer_mib = 4\n[timing]\npoll = 0.05\n";
/// Supply, MILL.
const SUPPLY_MILL: &str = "1000000000";
/// RPC endpoints every daemon and customer is given.
const RPCS: usize = 3;
/// Processes that set up the market at once.
const HANDS: usize = 4;

fn main() -> ExitCode {
    let network = match Network::enter() {
        Ok(network) => network,
        Err(error) => {
            eprintln!("the network of the run cannot be made: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    match run(&Args::parse(), &network) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("\nThe run failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args, network: &Network) -> Result<bool> {
    ctrlc::set_handler(|| STOPPED.store(true, Ordering::Relaxed))?;
    let cast = Cast { oracles: args.oracles.into(), agents: args.agents.into(), rpcs: RPCS };
    let mut stage = Stage::set(&args.dir, 5)?;

    stage.announce(&format!("A local Solana network behind {RPCS} RPCs; seed {}", args.seed));
    stage.tell(match network {
        Network::Namespaces => "each daemon has a network namespace and a disk of its own",
        Network::Loopback => {
            "no right to make namespaces: where a link would be cut or a disk filled, a process is frozen"
        }
    });
    for who in names(args) {
        stage.key(&who)?;
    }
    stage.start_network()?;
    let real_url = stage.url.clone();
    let rpcs = Rpcs::start(&real_url, network.own_address(), RPCS)?;

    stage.announce(&format!("The market: {} oracles, an epoch of {} s", args.oracles, args.epoch_secs()));
    let mut oracles = market(&mut stage, args, network, &rpcs)?;
    stage.announce(&format!("{} providers stake, and their agents start", args.agents));
    let mut agents = providers(&mut stage, args, network, &rpcs)?;
    verified(&stage, args, &mut [&mut oracles[..], &mut agents[..]])?;

    let mishaps = if args.steps { Vec::new() } else { plan(args.seed, args.secs, cast) };
    stage.announce(&match args.steps {
        true => format!("{} customers buy while an oracle and an agent die at every step", args.customers),
        false => {
            format!("{} customers buy while {} things go wrong in {} s", args.customers, mishaps.len(), args.secs)
        }
    });
    let storm = Storm { stage: &stage, args, rpcs: &rpcs, counts: Counts::default(), is_over: AtomicBool::new(false) };
    let harms = storm.pass(&mishaps, &mut oracles, &mut agents)?;
    let Storm { counts, .. } = storm;
    drop((agents, oracles));

    stage.announce("The books, read from the chain itself");
    stage.url = real_url;
    verdict::give(&stage, (&oracle_names(args), &provider_names(args), &customer_names(args)), &counts, &harms)
}

fn oracle_name(number: usize) -> String {
    format!("oracle-{}", number + 1)
}

fn provider_name(number: usize) -> String {
    format!("provider-{}", number + 1)
}

fn operator_name(number: usize) -> String {
    format!("operator-{}", number + 1)
}

fn oracle_names(args: &Args) -> Vec<String> {
    (0..args.oracles.into()).map(oracle_name).collect()
}

fn provider_names(args: &Args) -> Vec<String> {
    (0..args.agents.into()).map(provider_name).collect()
}

fn customer_names(args: &Args) -> Vec<String> {
    (1..=args.customers).map(|number| format!("customer-{number}")).collect()
}

fn names(args: &Args) -> Vec<String> {
    let agents = usize::from(args.agents);
    let mut names = vec!["founder".to_owned()];
    names.extend(oracle_names(args));
    names.extend(provider_names(args));
    names.extend((0..agents).map(operator_name));
    names.extend(customer_names(args));
    names
}

fn market(stage: &mut Stage, args: &Args, network: &Network, rpcs: &Rpcs) -> Result<Vec<Actor>> {
    let minted = stage.millrace("founder", &["genesis", "mint", "--supply", SUPPLY_MILL])?;
    let mint = text(&minted, "mint")?.to_owned();
    let oracles = oracle_names(args);
    let hosts = oracles
        .iter()
        .enumerate()
        .map(|(number, name)| network.host(name, number, &stage.dir))
        .collect::<Result<Vec<_>>>()?;
    let seats: Vec<String> = oracles
        .iter()
        .zip(&hosts)
        .map(|(name, host)| format!("{}=http://{}", stage.address(name), host.listen))
        .collect();
    let mut arguments =
        vec!["genesis", "init", "--profile", "local", "--epoch-secs", args.epoch_secs(), "--mint", mint.as_str()];
    seats.iter().for_each(|seat| arguments.extend(["--oracle", seat]));
    stage.millrace("founder", &arguments)?;
    let mut actors = Vec::new();
    for (name, host) in oracles.iter().zip(hosts) {
        let command = stage.oracle(name, rpcs.urls(), &host.listen, ORACLE_SETTINGS)?;
        actors.push(Actor::start(name, host, command, &stage.dir)?);
    }
    for customer in customer_names(args) {
        let address = stage.address(&customer).to_string();
        stage.millrace("founder", &["transfer", &address, "100000"])?;
        stage.millrace(&customer, &["customer", "deposit", "100000"])?;
    }
    Ok(actors)
}

fn providers(stage: &mut Stage, args: &Args, network: &Network, rpcs: &Rpcs) -> Result<Vec<Actor>> {
    let count = usize::from(args.agents);
    let hosts = (0..count)
        .map(|number| network.host(&provider_name(number), usize::from(args.oracles) + number, &stage.dir))
        .collect::<Result<Vec<_>>>()?;
    let registered: &Stage = stage;
    let hosts_of = &hosts;
    thread::scope(|scope| {
        let hands: Vec<_> = (0..HANDS)
            .map(|hand| {
                let own = (hand..count).step_by(HANDS);
                scope.spawn(move || {
                    own.into_iter().try_for_each(|number| register(registered, number, &hosts_of[number].listen))
                })
            })
            .collect();
        hands.into_iter().try_for_each(|hand| hand.join().map_err(|_| anyhow::anyhow!("a hand panicked"))?)
    })?;
    let mut actors = Vec::new();
    for (number, host) in hosts.into_iter().enumerate() {
        let (name, operator) = (provider_name(number), operator_name(number));
        let command = stage.agent((&name, &operator), rpcs.urls(), &host.listen, args.agent_settings())?;
        actors.push(Actor::start(&name, host, command, &stage.dir)?);
    }
    Ok(actors)
}

/// Registers one provider and its node.
fn register(stage: &Stage, number: usize, listen: &str) -> Result<()> {
    let (who, operator) = (provider_name(number), stage.address(&operator_name(number)).to_string());
    let endpoint = format!("http://{listen}");
    // Each asks another price, so that each job has a clear winner.
    let ask_per_sec = format!("0.0{}", 10 + number % 40);
    stage.millrace("founder", &["transfer", &stage.address(&who).to_string(), "1000"])?;
    stage.millrace(&who, &["provider", "register", "--operator", &operator, "--endpoint", &endpoint])?;
    stage.millrace(&who, &["provider", "stake", "500"])?;
    let claims = ["--class", "cpu", "--gops", "4", "--vram-mib", "8", "--ask-per-sec", &ask_per_sec];
    stage.millrace(&who, &[&["node", "register"], &claims[..]].concat())?;
    Ok(())
}

/// Waits until most nodes are measured: a busy machine may miss some epochs, and the storm does not wait for the last.
fn verified(stage: &Stage, args: &Args, actors: &mut [&mut [Actor]]) -> Result<()> {
    let (began, enough) = (Instant::now(), usize::from(args.agents) * 3 / 4);
    loop {
        ensure!(!STOPPED.load(Ordering::Relaxed), "stopped by Ctrl-C; every process was ended");
        actors.iter_mut().flat_map(|them| them.iter_mut()).try_for_each(Actor::require_alive)?;
        let nodes = stage.millrace("founder", &["node", "list"])?;
        let nodes = nodes.as_array().context("no list of nodes")?;
        let verified = nodes.iter().filter(|node| node["state"] == "verified").count();
        if verified >= enough.max(1) {
            stage.tell(format!("{verified} of {} nodes measured after {} s", nodes.len(), began.elapsed().as_secs()));
            return Ok(());
        }
        ensure!(began.elapsed() < Duration::from_secs(240), "{verified} of {enough} nodes measured within 240 s");
        thread::sleep(Duration::from_secs(2));
    }
}
