//! `millrace job run` and `follow`: from wherever a job stands to its results and its end.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{bail, Context as _, Result};
use millrace::state::{Customer, JobState, Lease, LeaseRole};
use millrace_client::lease::stands_by;
use millrace_client::{fetch, Pubkey};
use serde::Serialize;

use super::agent::{Agent, Log};
use super::ending::{self, Wound};
use super::leases::{at_work, leases};
use super::post::bundle_path;
use super::settling::Settler;
use super::show::{lease_state_name, ShownBid};
use super::steps::{self, Own};
use crate::context::{mill, Context, Quote};

/// What to do along the way.
#[derive(clap::Args)]
#[group(skip)]
pub struct Args {
    /// Folder for the results.
    #[arg(long, value_name = "FOLDER", default_value = "results")]
    out: PathBuf,
    /// Leave result and job open instead of accepting and closing.
    #[arg(long)]
    keep_open: bool,
}

/// How a job ended, and what it cost.
#[derive(Serialize)]
struct Outcome {
    id: u64,
    job: String,
    state: &'static str,
    exit_code: i32,
    node: String,
    provider: String,
    /// Nodes that failed before and were replaced by their stand-bys.
    failed_nodes: Vec<String>,
    per_sec: u64,
    max_per_sec: u64,
    bids: Vec<ShownBid>,
    paid_secs: u64,
    gross_amount: u64,
    /// Of the gross, what stand-bys were paid for being there.
    standby_gross_amount: u64,
    fee_amount: u64,
    burned_amount: u64,
    result_root: String,
    files: Vec<PathBuf>,
    closed: bool,
    /// Why it is not closed, if that was wanted.
    left_open: Option<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut rows = vec![
            ("job", format!("{}, {} with exit code {}", self.id, self.state, self.exit_code)),
            ("ran on", format!("node {}", self.node)),
        ];
        if !self.failed_nodes.is_empty() {
            rows.push(("in place of", format!("node {}, which failed", self.failed_nodes.join(", node "))));
        }
        let price = format!("{} a second", mill(self.per_sec));
        let bids = format!("one of {} bids; at most {}", self.bids.len(), mill(self.max_per_sec));
        rows.push(("price", format!("{price}, {bids}")));
        rows.push(("paid", format!("{} for {} proven seconds", mill(self.gross_amount), self.paid_secs)));
        if self.standby_gross_amount > 0 {
            rows.push(("", format!("{} of it to stand-bys", mill(self.standby_gross_amount))));
        }
        rows.push(("fee", format!("{}, of which {} burned", mill(self.fee_amount), mill(self.burned_amount))));
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        rows.push(("results", if files.is_empty() { "none".into() } else { files.join(", ") }));
        rows.extend(self.left_open.iter().map(|why| ("left open", why.clone())));
        write!(f, "{}", crate::output::lines(&rows))
    }
}

const POLL: Duration = Duration::from_millis(400);

/// A stand-by that did not take over by then is not there: the chain would let it for the whole dispute window.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(60);

/// Takes job `id` from wherever it stands to its end.
pub async fn follow(context: &Context, id: u64, args: &Args) -> Result<()> {
    tokio::select! {
        outcome = to_the_end(context, id, args) => {
            context.print(&outcome?);
            Ok(())
        }
        _ = tokio::signal::ctrl_c() => {
            bail!("stopped looking; the job goes on. Take it up again with `millrace job follow {id}`, or end it with `millrace job stop {id}`")
        }
    }
}

async fn to_the_end(context: &Context, id: u64, args: &Args) -> Result<Outcome> {
    let (mut key, lease) = awarded(context, id).await?;
    let mut lease = served(context, &key, lease).await?;
    while let Some((next, opened)) = successor(context, id, &key, &lease).await? {
        eprintln!("node {} failed; node {}, which stood by, takes over", lease.node, opened.node);
        (key, lease) = (next, served(context, &next, opened).await?);
    }
    let files = match lease.result_root == [0; 32] {
        true => Vec::new(),
        // Its key may have been rotated since the job began.
        false => Agent::of(context, &key, &lease).await?.fetch_results(&lease, &args.out).await?,
    };
    let own = steps::own(context, id).await?;
    let burned = async || {
        Ok::<_, anyhow::Error>(
            fetch::<Customer>(context.chain(), &own.customer).await?.context("the escrow is closed")?.burned,
        )
    };
    let before = burned().await?;
    let every = leases(context, &own).await?;
    let (every, left_open) = match args.keep_open {
        true => (every, None),
        false => {
            let Wound { leases, left_open } = settle_up(context, &own, every).await?;
            (leases, left_open)
        }
    };
    let standbys = || every.iter().filter(|(_, it)| it.role == LeaseRole::StandBy as u8);
    let failed = every.iter().filter(|(_, it)| it.is_failed_member() && it.is_replaced == 1);
    Ok(Outcome {
        id,
        job: own.key.to_string(),
        state: lease_state_name(&lease),
        exit_code: lease.exit_code,
        node: lease.node.to_string(),
        provider: lease.provider.to_string(),
        failed_nodes: failed.map(|(_, it)| it.node.to_string()).collect(),
        per_sec: lease.per_sec,
        max_per_sec: own.job.max_per_sec,
        bids: own.bids.iter().map(ShownBid::from).collect(),
        paid_secs: every.iter().map(|(_, it)| it.paid_secs).sum::<u64>()
            - standbys().map(|(_, it)| it.paid_secs).sum::<u64>(),
        gross_amount: every.iter().map(|(_, it)| it.gross_amount).sum(),
        standby_gross_amount: standbys().map(|(_, it)| it.gross_amount).sum(),
        fee_amount: every.iter().map(|(_, it)| it.fee_amount).sum(),
        burned_amount: burned().await? - before,
        result_root: hex::encode(lease.result_root),
        files,
        closed: !args.keep_open && left_open.is_none(),
        left_open,
    })
}

/// Waits for the bidding to close, awards, and returns the lease at work.
async fn awarded(context: &Context, id: u64) -> Result<(Pubkey, Lease)> {
    let spinner = context.spinner("");
    loop {
        let own = steps::own(context, id).await?;
        let now = context.chain().unix_timestamp().await?;
        if own.job.state == JobState::Cancelled as u8 {
            bail!("job {id} was cancelled; close it with `millrace job close {id}`");
        }
        if now >= own.job.bidding_ends_at && now < own.job.award_by {
            steps::award_places(context, &own.key).await?;
        }
        let own = steps::own(context, id).await?;
        if let Some(found) = at_work(&leases(context, &own).await?) {
            spinner.finish_and_clear();
            return Ok(found);
        }
        if own.job.leases_opened > 0 {
            bail!("job {id} has ended, and its lease is closed with all that was paid; close it with `millrace job close {id}`");
        }
        if now >= own.job.award_by {
            bail!("nobody was awarded job {id} in time; cancel it with `millrace job cancel {id}` and post it again");
        }
        if now >= own.job.bidding_ends_at {
            bail!("nobody bid on job {id}; cancel it with `millrace job cancel {id}` and post it at a higher price or with lower demands");
        }
        spinner.set_message(format!(
            "{} bids so far, bidding closes in {} s",
            own.job.bid_count,
            own.job.bidding_ends_at - now
        ));
        tokio::time::sleep(POLL).await;
    }
}

/// Hands in the inputs and shows the log until the chain says that the lease has ended.
async fn served(context: &Context, key: &Pubkey, lease: Lease) -> Result<Lease> {
    if lease.has_ended() {
        return Ok(lease);
    }
    let agent = Agent::of(context, key, &lease).await?;
    let inputs = inputs_of(context, &lease).await?;
    let spinner = context.spinner("the job begins");
    let mut log = Log::new(&spinner);
    let ended = tokio::select! {
        ended = ended(context, key, &spinner) => ended?,
        refused = agent.attend(context, &inputs, &mut log) => return Err(refused),
    };
    log.show_end(context, &agent).await;
    spinner.finish_and_clear();
    Ok(ended)
}

/// The packed inputs, kept when the job was posted.
async fn inputs_of(context: &Context, lease: &Lease) -> Result<Vec<u8>> {
    let job = fetch::<millrace::state::Job>(context.chain(), &lease.job).await?.context("the job is closed")?;
    let path = bundle_path(&job.manifest_hash);
    std::fs::read(&path).with_context(|| {
        format!("the job's packed inputs are not at {}; was it posted from another machine?", path.display())
    })
}

async fn ended(context: &Context, key: &Pubkey, spinner: &indicatif::ProgressBar) -> Result<Lease> {
    let mut settler = Settler::default();
    loop {
        let lease = fetch::<Lease>(context.chain(), key).await?.context("the lease is closed already")?;
        if lease.has_ended() {
            return Ok(lease);
        }
        settler.look(context, key, &lease).await;
        let paid = mill(lease.gross_amount);
        spinner.set_message(format!("{}, {} s proven and paid: {paid}", lease_state_name(&lease), lease.paid_secs));
        tokio::time::sleep(POLL).await;
    }
}

/// The lease of the stand-by that takes over from `failed` at `key`, if its node failed and one does.
async fn successor(context: &Context, id: u64, key: &Pubkey, failed: &Lease) -> Result<Option<(Pubkey, Lease)>> {
    if !failed.is_failed_member() {
        return Ok(None);
    }
    let (began, spinner) = (Instant::now(), context.spinner("the node failed; waiting for its stand-by to take over"));
    loop {
        let every = leases(context, &steps::own(context, id).await?).await?;
        if let Some(next) = at_work(&every).filter(|(at, _)| at != key) {
            spinner.finish_and_clear();
            return Ok(Some(next));
        }
        if !every.iter().any(|(_, it)| stands_by(it)) || began.elapsed() > TAKEN_OVER_WITHIN {
            spinner.finish_and_clear();
            return Ok(None);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Accepts, sweeps and closes, after asking.
async fn settle_up(context: &Context, own: &Own, every: Vec<(Pubkey, Lease)>) -> Result<Wound> {
    let sum = |of: fn(&Lease) -> u64| every.iter().map(|(_, lease)| of(lease)).sum::<u64>();
    context.confirm(&Quote {
        title: format!("Accept the result of job {} and close it", own.job.id),
        rows: vec![
            ("proven", format!("{} s", sum(|it| it.paid_secs))),
            ("paid", mill(sum(|it| it.gross_amount))),
            ("of which held back until now", mill(sum(|it| it.holdback_amount))),
            ("fee", mill(sum(|it| it.fee_amount))),
        ],
    })?;
    ending::wind_up(context, own).await
}

/// `millrace job logs`.
pub async fn logs(context: &Context, id: u64) -> Result<()> {
    let own = steps::own(context, id).await?;
    let (key, lease) =
        at_work(&leases(context, &own).await?).with_context(|| format!("job {id} has no open lease, so no log"))?;
    let log = Agent::of(context, &key, &lease).await?.log_from(0).await?;
    std::io::stdout().write_all(&log)?;
    Ok(())
}

#[derive(Serialize)]
struct Fetched {
    files: Vec<PathBuf>,
}

impl fmt::Display for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let names: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        write!(f, "{}", names.join("\n"))
    }
}

/// `millrace job results`.
pub async fn results(context: &Context, id: u64, out: &Path) -> Result<()> {
    let own = steps::own(context, id).await?;
    let (key, lease) =
        at_work(&leases(context, &own).await?).with_context(|| format!("job {id} has no open lease, so no results"))?;
    if lease.result_root == [0; 32] {
        bail!("job {id} has no results yet; it is {}", lease_state_name(&lease));
    }
    let files = Agent::of(context, &key, &lease).await?.fetch_results(&lease, out).await?;
    context.print(&Fetched { files });
    Ok(())
}
