//! The whole market on one machine: a real chain, three oracles, three honest providers, one cheat, one customer, each a
//! process of its own, and token holders. Nothing here is simulated; the cheat is a real agent with a dishonest prover.

mod cheat;
mod failover;
mod story;
mod vote;

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::Result;
use clap::Parser;
use millrace_demo::STOPPED;

/// Shows a whole market on a local network: stake, measurement, a caught cheat, a paid job, a burn, a vote, the books.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where keys, logs and results of this run go; emptied first.
    #[arg(long, default_value = ".demo")]
    dir: PathBuf,
    /// Kill this oracle (1 to 3) while the job runs: nothing but the log may change.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=3))]
    kill_oracle: Option<u8>,
    /// For tests: run it as it is, and once more for each oracle with that oracle killed.
    #[arg(long)]
    check: bool,
    /// Keep the network up at the end, until Ctrl-C.
    #[arg(long)]
    stay: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(clap::Subcommand)]
enum Role {
    /// The dishonest provider's agent; started by the demo itself.
    #[command(hide = true)]
    CheatingAgent {
        /// Settings of the agent.
        #[arg(long)]
        config: PathBuf,
        /// Share of the rows it does not compute, percent.
        #[arg(long)]
        skip_percent: u32,
    },
}

fn main() -> std::process::ExitCode {
    let args = Args::parse();
    match run(args) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo failed: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<()> {
    if let Some(Role::CheatingAgent { config, skip_percent }) = args.role {
        return cheat::run(&config, skip_percent);
    }
    ctrlc::set_handler(|| STOPPED.store(true, Ordering::Relaxed))?;
    story::tell(&args.dir, args.kill_oracle, args.stay)?;
    if args.check {
        for oracle in 1..=3 {
            println!("\nThe same with oracle {oracle} killed while the job runs\n");
            story::tell(&args.dir, Some(oracle), false)?;
        }
        println!("\nFour runs, three of them with an oracle killed: the same outcome each time.");
    }
    Ok(())
}
