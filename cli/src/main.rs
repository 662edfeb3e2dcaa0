//! `millrace`: the command line of the market.

mod commands;
mod context;
mod ledger;
mod output;
mod reports;
mod spec;

use clap::{Parser, Subcommand};
use context::Context;
use output::Format;

/// Buy and sell GPU time that is proven, and check that nobody cheats.
///
/// Amounts are in MILL with up to six decimals (`12.5`), prices in MILL a second, rent in SOL. Every command that
/// signs says first what it costs: rent, amount, fee and what part of the fee burns. `--yes` skips the question.
#[derive(Parser)]
#[command(name = "millrace", version, propagate_version = true)]
struct Cli {
    /// RPC to talk to: a URL, or one of localhost, devnet, testnet, mainnet-beta. Given several times, what money is
    /// decided by is what more than half of them say.
    #[arg(
        short = 'u',
        long = "url",
        global = true,
        value_name = "URL_OR_MONIKER",
        env = "MILLRACE_URL",
        value_delimiter = ','
    )]
    urls: Vec<String>,
    /// Key file to sign with, as solana-keygen writes it. Must be readable by its owner only.
    #[arg(short = 'k', long, global = true, value_name = "FILE")]
    keypair: Option<std::path::PathBuf>,
    /// How to print.
    #[arg(long, global = true, value_enum, default_value_t = Format::Display)]
    output: Format,
    /// Sign without asking.
    #[arg(short = 'y', long, global = true)]
    yes: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show or change the settings used when no flag is given.
    #[command(subcommand)]
    Config(commands::config::Command),
    /// Make a new key file.
    Keygen(commands::keygen::Args),
    /// Check everything a provider, customer or watcher needs here, and say how to mend what is missing.
    Doctor(commands::doctor::Args),
    /// Measure how fast this machine computes audits, and what its answers cost to verify.
    ///
    /// Does what an audit asks for, but for the network: it multiplies matrices made from a seed, commits to the product,
    /// answers 512 queries and has the answer verified. Needs no key, no network and no settings. Ctrl-C stops it and
    /// prints what was measured so far.
    Bench(commands::bench::Args),
    /// SOL and MILL of an address.
    Balance(commands::balance::Args),
    /// Send MILL to another address.
    Transfer(commands::transfer::Args),
    /// Set up a new market: its token and its first state. Done once for a network.
    #[command(subcommand)]
    Genesis(commands::genesis::Command),
    /// Sell: register, stake, unstake, withdraw.
    #[command(subcommand)]
    Provider(commands::provider::Command),
    /// Machines for sale: register, price, drain, retire, list.
    #[command(subcommand)]
    Node(commands::node::Command),
    /// A buyer's escrow: deposit, withdraw, show.
    #[command(subcommand)]
    Customer(commands::customer::Command),
    /// Buy: run a job from post to result, or step by step.
    #[command(subcommand)]
    Job(Box<commands::job::Command>),
    /// Call a result wrong; rule on it; have the ruling carried out.
    #[command(subcommand)]
    Dispute(commands::dispute::Command),
    /// An oracle's stake and its reward.
    #[command(subcommand)]
    Oracle(commands::oracle::Command),
    /// Govern: lock MILL for a say, propose, vote, and carry out what has passed.
    #[command(subcommand)]
    Gov(commands::gov::Command),
    /// Recheck what providers committed to, and prove cheats on chain for the bounty.
    Watch(commands::watch::Args),
    /// Every base unit of the market, read from the chain, and whether the invariants hold.
    Ledger(commands::ledger::Args),
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let format = cli.output;
    match run(cli).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(format, &error);
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let context = Context::new(cli.urls, cli.keypair, cli.output, cli.yes)?;
    match cli.command {
        Command::Config(command) => commands::config::run(&context, command),
        Command::Keygen(args) => commands::keygen::run(&context, args),
        Command::Doctor(args) => commands::doctor::run(&context, args).await,
        Command::Bench(args) => commands::bench::run(&context, args).await,
        Command::Balance(args) => commands::balance::run(&context, args).await,
        Command::Transfer(args) => commands::transfer::run(&context, args).await,
        Command::Genesis(command) => commands::genesis::run(&context, command).await,
        Command::Provider(command) => commands::provider::run(&context, command).await,
        Command::Node(command) => commands::node::run(&context, command).await,
        Command::Customer(command) => commands::customer::run(&context, command).await,
        Command::Job(command) => commands::job::run(&context, *command).await,
        Command::Dispute(command) => commands::dispute::run(&context, command).await,
        Command::Oracle(command) => commands::oracle::run(&context, command).await,
        Command::Gov(command) => commands::gov::run(&context, command).await,
        Command::Watch(args) => commands::watch::run(&context, args).await,
        Command::Ledger(args) => commands::ledger::run(&context, args).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn every_command_and_flag_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
