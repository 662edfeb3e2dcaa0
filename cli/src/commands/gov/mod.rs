//! `millrace gov`: token holders decide.

mod execute;
mod lock;
mod params;
mod propose;
mod show;

use std::fmt;

use anyhow::{Context as _, Result};
use millrace::state::Proposal;
use millrace_client::{fetch, ix, pda, Pubkey};
use serde::Serialize;

use crate::context::{Context, Quote};
use crate::spec;

/// Govern: lock MILL for a say, propose, vote, and carry out what has passed.
///
/// How it goes: `gov lock` MILL, which weighs one to four times by how long you lock it. Then `gov propose` something, with
/// a deposit that returns if enough people vote, and `gov vote` while voting is open; only locks older than a proposal
/// count. If it passes, anyone may `gov execute` it once its time has come, and `gov activate` new parameters two epochs
/// later. `gov list` and `gov show` say where each proposal stands. At the end `gov close` it, and `gov unlock` your MILL.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Lock MILL for a say. With a lock already: add to it, and lock all of it anew.
    Lock {
        /// How much, in MILL.
        #[arg(value_parser = spec::amount)]
        amount: u64,
        /// For how long: seconds, or with s, m, h or d behind the number, such as 90d.
        #[arg(long = "for", value_name = "TIME", value_parser = spec::time)]
        lock_secs: i64,
    },
    /// Take your MILL out of a lock that is over. Closes your votes on ended proposals first.
    Unlock,
    /// Show who has how much of a say.
    Locks,
    /// Propose something. Costs a deposit, which returns if enough people vote.
    #[command(subcommand)]
    Propose(propose::Command),
    /// Vote on a proposal with all the weight of your lock.
    Vote {
        /// Number of the proposal.
        id: u64,
        /// For it or against it.
        choice: Choice,
    },
    /// Carry out a proposal that has passed. Anyone may.
    Execute {
        /// Number of the proposal.
        id: u64,
    },
    /// Put parameters in force that were voted for, once their epoch has come. Anyone may; the oracles do it too.
    Activate,
    /// Close a proposal that is over: its deposit goes back if enough people voted. Anyone may.
    Close {
        /// Number of the proposal.
        id: u64,
    },
    /// List all proposals.
    List,
    /// Show a proposal: what it would change, how the vote stands, what comes next.
    Show {
        /// Number of the proposal.
        id: u64,
    },
    /// Show every parameter in force, and those that are pending.
    Params,
    /// Refuse new jobs, bids and registrations for a while. Only the guardian may, at most 7 days in any 30.
    Pause {
        /// For how long: seconds, or with s, m, h or d behind the number.
        #[arg(value_parser = spec::time)]
        secs: i64,
    },
    /// End a pause.
    Unpause,
}

/// A vote.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Choice {
    /// For it.
    Yes,
    /// Against it.
    No,
}

/// What was done, for commands that only sign.
#[derive(Serialize)]
struct Done {
    done: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    signature: String,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}\n{}", self.done, self.signature)
    }
}

pub async fn run(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::Lock { amount, lock_secs } => lock::lock(context, amount, lock_secs).await,
        Command::Unlock => lock::unlock(context).await,
        Command::Locks => lock::list(context).await,
        Command::Propose(command) => propose::run(context, command).await,
        Command::Vote { id, choice } => lock::vote(context, id, matches!(choice, Choice::Yes)).await,
        Command::Execute { id } => execute::execute(context, id).await,
        Command::Activate => {
            let instruction = ix::activate_params();
            sign(context, "Put the parameters voted for in force", "the new parameters are in force", instruction).await
        }
        Command::Close { id } => execute::close(context, id).await,
        Command::List => show::list(context).await,
        Command::Show { id } => show::show(context, id).await,
        Command::Params => params::show(context).await,
        Command::Pause { secs } => {
            let instruction = ix::pause(&context.address()?, secs);
            sign(context, "Refuse new jobs, bids and registrations", "new work is refused", instruction).await
        }
        Command::Unpause => {
            let instruction = ix::unpause(&context.address()?);
            sign(context, "Take new work again", "new work is taken again", instruction).await
        }
    }
}

/// Signs one instruction that costs nothing but the network's fee.
async fn sign(
    context: &Context,
    title: &str,
    done: &'static str,
    instruction: millrace_client::Instruction,
) -> Result<()> {
    context.confirm(&Quote { title: title.into(), rows: vec![("cost", "the network's fee only".into())] })?;
    let signature = context.submit(done, &[instruction]).await?;
    context.print(&Done { done, id: None, signature: signature.to_string() });
    Ok(())
}

/// A proposal by its number.
async fn read(context: &Context, id: u64) -> Result<(Pubkey, Proposal)> {
    let address = pda::proposal(id);
    let proposal = fetch::<Proposal>(context.chain(), &address)
        .await?
        .with_context(|| format!("there is no proposal {id}, or it is closed; see `millrace gov list`"))?;
    Ok((address, proposal))
}
