//! `millrace job`.

mod agent;
mod ending;
mod follow;
mod leases;
mod post;
mod settling;
mod show;
mod steps;

use std::path::PathBuf;

use anyhow::Result;
use millrace_client::Pubkey;

use crate::context::Context;
use crate::spec;

/// Buy: run a job from post to result, or step by step.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Post a job, wait for bids, run it on the best, bring its results home, pay, and close it.
    ///
    /// Ctrl-C loses nothing: the job goes on, and `millrace job follow ID` takes up where this stopped.
    Run {
        #[command(flatten)]
        post: post::Args,
        #[command(flatten)]
        follow: follow::Args,
    },
    /// Post a job and return at once.
    Post(post::Args),
    /// Take up a posted job: award it, hand in its inputs, show its log, bring its results home, pay, and close it.
    Follow {
        /// Number of the job under your key.
        id: u64,
        #[command(flatten)]
        args: follow::Args,
    },
    /// List jobs.
    List {
        /// Of everyone, not only yours.
        #[arg(long)]
        all: bool,
    },
    /// Show a job, its bids and its leases.
    Show {
        /// Number of the job under its customer.
        id: u64,
        /// Its customer; you by default.
        #[arg(long, value_parser = spec::address)]
        customer: Option<Pubkey>,
    },
    /// Print a job's log so far.
    Logs {
        /// Number of the job under your key.
        id: u64,
    },
    /// Fetch the results of a job that ended, and check them against what the oracles reported.
    Results {
        /// Number of the job under your key.
        id: u64,
        /// Folder to put them in.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
    /// Give the job to the best bids, once bidding has closed.
    Award {
        /// Number of the job under your key.
        id: u64,
    },
    /// Accept the result: the holdback goes to the provider.
    Accept {
        /// Number of the job under your key.
        id: u64,
    },
    /// Stop a running job; proven seconds and a short notice are paid.
    Stop {
        /// Number of the job under your key.
        id: u64,
    },
    /// Leave a lease the oracles have been silent about; what was proven stays paid.
    Exit {
        /// Number of the job under your key.
        id: u64,
    },
    /// Withdraw a job nobody was awarded; everything reserved is free again.
    Cancel {
        /// Number of the job under your key.
        id: u64,
    },
    /// Send home who stands by, sweep its fees, close an ended job and get its rent back.
    Close {
        /// Number of the job under your key.
        id: u64,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::Run { post, follow } => {
            let posted = post::post(context, &post).await?;
            follow::follow(context, posted.id, &follow).await
        }
        Command::Post(args) => {
            let posted = post::post(context, &args).await?;
            context.print(&posted);
            Ok(())
        }
        Command::Follow { id, args } => follow::follow(context, id, &args).await,
        Command::List { all } => show::list(context, all).await,
        Command::Show { id, customer } => {
            show::show(context, &customer.map_or_else(|| context.address(), Ok)?, id).await
        }
        Command::Logs { id } => follow::logs(context, id).await,
        Command::Results { id, out } => follow::results(context, id, &out).await,
        Command::Award { id } => steps::award(context, id).await,
        Command::Accept { id } => steps::accept(context, id).await,
        Command::Stop { id } => steps::stop(context, id).await,
        Command::Exit { id } => steps::exit(context, id).await,
        Command::Cancel { id } => steps::cancel(context, id).await,
        Command::Close { id } => ending::close(context, id).await,
    }
}
