//! `millrace job run` and `follow`: from wherever a job stands to its results and its end.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{bail, Context as _, Result};
use ed25519_dalek::SigningKey;
use millrace::state::{Customer, JobState, Lease, LeaseState, Provider};
use millrace_client::{endpoint, fetch, keys, Pubkey};
use millrace_jobs::{content_hash, read_bundle, write_files, Bounds, MAX_BUNDLE_BYTES};
use millrace_wire::messages::LEASE_STATUS_DOMAIN;
use millrace_wire::{Pin, Sealed, SignedClient};
use serde::Serialize;

use super::post::bundle_path;
use super::show::{lease_state_name, ShownBid};
use super::steps::{self, Own};
use crate::context::{mill, Context, Quote};
use crate::output::Format;

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
    per_sec: u64,
    max_per_sec: u64,
    bids: Vec<ShownBid>,
    paid_secs: u64,
    gross_amount: u64,
    fee_amount: u64,
    burned_amount: u64,
    result_root: String,
    files: Vec<PathBuf>,
    closed: bool,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut rows = vec![
            ("job", format!("{}, {} with exit code {}", self.id, self.state, self.exit_code)),
            ("ran on", format!("node {}", self.node)),
            (
                "price",
                format!(
                    "{} a second, the better of {} bids; at most {}",
                    mill(self.per_sec),
                    self.bids.len(),
                    mill(self.max_per_sec)
                ),
            ),
            ("paid", format!("{} for {} proven seconds", mill(self.gross_amount), self.paid_secs)),
            ("fee", format!("{}, of which {} burned", mill(self.fee_amount), mill(self.burned_amount))),
        ];
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        rows.push(("results", if files.is_empty() { "none".into() } else { files.join(", ") }));
        write!(f, "{}", crate::output::lines(&rows))
    }
}

const POLL: Duration = Duration::from_millis(400);

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
    let own = steps::own(context, id).await?;
    let (lease_key, lease) = awarded(context, id, own).await?;
    let own = steps::own(context, id).await?;
    let agent = Agent::of(context, &lease_key, &lease).await?;
    if lease.state < LeaseState::Completed as u8 {
        agent.hand_in(context, &bundle_path(&own.job.manifest_hash)).await?;
    }
    let lease = ended(context, &lease_key, &agent).await?;
    let files = match lease.result_root == [0; 32] {
        true => Vec::new(),
        // Its key may have been rotated since the job began.
        false => Agent::of(context, &lease_key, &lease).await?.fetch_results(&lease, &args.out).await?,
    };
    let before = fetch::<Customer>(context.chain(), &own.customer).await?.context("the escrow is closed")?.burned;
    if !args.keep_open {
        settle_up(context, &own, &lease_key, &lease).await?;
    }
    let burned = fetch::<Customer>(context.chain(), &own.customer).await?.context("the escrow is closed")?.burned;
    Ok(Outcome {
        id,
        job: own.key.to_string(),
        state: lease_state_name(&lease),
        exit_code: lease.exit_code,
        node: lease.node.to_string(),
        provider: lease.provider.to_string(),
        per_sec: lease.per_sec,
        max_per_sec: own.job.max_per_sec,
        bids: own.bids.iter().map(ShownBid::from).collect(),
        paid_secs: lease.paid_secs,
        gross_amount: lease.gross_amount,
        fee_amount: lease.fee_amount,
        burned_amount: burned - before,
        result_root: hex::encode(lease.result_root),
        files,
        closed: !args.keep_open,
    })
}

/// Waits for the bidding to close and awards.
async fn awarded(context: &Context, id: u64, mut own: Own) -> Result<(Pubkey, Lease)> {
    let spinner = context.spinner("");
    loop {
        if let Some(found) = steps::lease(context, &own.key).await? {
            spinner.finish_and_clear();
            return Ok(found);
        }
        if own.job.state == JobState::Cancelled as u8 {
            bail!("job {id} was cancelled; close it with `millrace job close {id}`");
        }
        if own.job.leases_opened > 0 {
            bail!("job {id} has ended, and its lease is closed with all that was paid; close it with `millrace job close {id}`");
        }
        let now = context.chain().unix_timestamp().await?;
        if now >= own.job.award_by {
            bail!("nobody was awarded job {id} in time; cancel it with `millrace job cancel {id}` and post it again");
        }
        if now >= own.job.bidding_ends_at && !steps::award_best(context, &own).await? {
            bail!("nobody bid on job {id}; cancel it with `millrace job cancel {id}` and post it at a higher price or with lower demands");
        }
        spinner.set_message(format!(
            "{} bids so far, bidding closes in {} s",
            own.job.bid_count,
            (own.job.bidding_ends_at - now).max(0)
        ));
        tokio::time::sleep(POLL).await;
        own = steps::own(context, id).await?;
    }
}

/// Shows the log until the chain says that the lease has ended.
async fn ended(context: &Context, lease_key: &Pubkey, agent: &Agent) -> Result<Lease> {
    let spinner = context.spinner("the job runs");
    let mut shown = 0;
    loop {
        let lease = fetch::<Lease>(context.chain(), lease_key).await?.context("the lease is closed already")?;
        let has_ended = lease.has_ended();
        match agent.log_from(shown).await {
            Ok(bytes) if !bytes.is_empty() => {
                shown += bytes.len();
                if context.format == Format::Display {
                    spinner.suspend(|| std::io::stderr().write_all(&bytes))?;
                }
            }
            Ok(_) => {}
            Err(error) => spinner.set_message(format!("{error:#}")),
        }
        if has_ended {
            spinner.finish_and_clear();
            return Ok(lease);
        }
        spinner.set_message(format!(
            "{}, {} s proven and paid: {}",
            lease_state_name(&lease),
            lease.paid_secs,
            mill(lease.gross_amount)
        ));
        tokio::time::sleep(POLL).await;
    }
}

/// Accepts, sweeps and closes, after asking.
async fn settle_up(context: &Context, own: &Own, lease_key: &Pubkey, lease: &Lease) -> Result<()> {
    context.confirm(&Quote {
        title: format!("Accept the result of job {} and close it", own.job.id),
        rows: vec![
            ("proven", format!("{} s", lease.paid_secs)),
            ("paid", mill(lease.gross_amount)),
            ("of which held back until now", mill(lease.holdback_amount)),
            ("fee", mill(lease.fee_amount)),
        ],
    })?;
    steps::accept_lease(context, lease_key, lease).await?;
    steps::sweep_and_close(context, own).await
}

/// The agent of a lease, as its customer reaches it.
struct Agent {
    http: SignedClient,
    url: String,
    operator: [u8; 32],
}

impl Agent {
    async fn of(context: &Context, lease_key: &Pubkey, lease: &Lease) -> Result<Self> {
        let provider = fetch::<Provider>(context.chain(), &lease.provider).await?.context("the provider is closed")?;
        let base = endpoint::from_bytes(&provider.endpoint).context("the provider has no usable endpoint")?;
        let key = SigningKey::from_bytes(&keys::seed(&context.keypair()?));
        let epoch = context.market().await?.epoch_at(context.chain().unix_timestamp().await?)?;
        let operator = provider.operator_at(epoch).to_bytes();
        Ok(Self {
            http: SignedClient::new(key, Duration::from_secs(30))?
                .pinned(Pin::of_provider(operator, provider.tls_spki_hash))
                .with_max_answer(MAX_BUNDLE_BYTES as usize),
            url: format!("{}/v1/leases/{lease_key}", base.trim_end_matches('/')),
            operator,
        })
    }

    /// Hands in the inputs. The agent may learn of the award a moment after we do.
    async fn hand_in(&self, context: &Context, bundle: &Path) -> Result<()> {
        let inputs = std::fs::read(bundle).with_context(|| {
            format!("the job's packed inputs are not at {}; was it posted from another machine?", bundle.display())
        })?;
        let spinner = context.spinner("handing in the inputs");
        let url = format!("{}/inputs", self.url);
        let mut last = None;
        for _ in 0..50 {
            match self.http.put_bytes::<Sealed>(&url, inputs.clone()).await {
                Ok(receipt) => {
                    receipt
                        .open::<serde_json::Value>(LEASE_STATUS_DOMAIN, &self.operator)
                        .context("the agent's receipt")?;
                    spinner.finish_and_clear();
                    return Ok(());
                }
                Err(error) if matches!(error.status(), Some(400 | 401 | 403 | 413)) => return Err(error.into()),
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(POLL).await;
        }
        spinner.finish_and_clear();
        Err(last.map_or_else(|| anyhow::anyhow!("the agent did not take the inputs"), Into::into))
    }

    async fn log_from(&self, offset: usize) -> Result<Vec<u8>> {
        Ok(self.http.get_bytes(&format!("{}/logs?offset={offset}", self.url)).await?)
    }

    /// Fetches the results and refuses any that are not what the oracles reported.
    async fn fetch_results(&self, lease: &Lease, out: &Path) -> Result<Vec<PathBuf>> {
        let bytes = self.http.get_bytes(&format!("{}/results", self.url)).await?;
        let found = content_hash(&bytes);
        if found != lease.result_root {
            bail!(
                "the results are named {}, the oracles reported {}: do not accept them",
                hex::encode(found),
                hex::encode(lease.result_root)
            );
        }
        let files = read_bundle(&bytes, Bounds::default())?;
        std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
        write_files(out, &files)?;
        Ok(files.keys().map(|name| out.join(name)).collect())
    }
}

/// `millrace job logs`.
pub async fn logs(context: &Context, id: u64) -> Result<()> {
    let own = steps::own(context, id).await?;
    let (key, lease) =
        steps::lease(context, &own.key).await?.with_context(|| format!("job {id} has no open lease, so no log"))?;
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
        steps::lease(context, &own.key).await?.with_context(|| format!("job {id} has no open lease, so no results"))?;
    if lease.result_root == [0; 32] {
        bail!("job {id} has no results yet; it is {}", lease_state_name(&lease));
    }
    let files = Agent::of(context, &key, &lease).await?.fetch_results(&lease, out).await?;
    context.print(&Fetched { files });
    Ok(())
}
