//! The steps of a job that are one transaction each.

use anyhow::{bail, Context as _, Result};
use millrace::state::{Job, Lease, Provider};
use millrace_client::{fetch_agreed, fetch_job, ix, pda, MillraceError, Pubkey, SubmitError};

use super::ending::accept_lease;
use super::leases::{at_work, leases};
use super::show;
use crate::context::{mill, Context, Quote};

/// A job of the key in use.
pub struct Own {
    /// Customer account.
    pub customer: Pubkey,
    /// Job account.
    pub key: Pubkey,
    /// Its state.
    pub job: Job,
    /// Its bids, best first.
    pub bids: Vec<millrace::state::Bid>,
}

/// Job `id` of the key in use, or what to do without one.
pub async fn own(context: &Context, id: u64) -> Result<Own> {
    let customer = pda::customer(&context.address()?);
    let key = pda::job(&customer, id);
    let (job, bids) = fetch_job(context.chain(), &key)
        .await?
        .with_context(|| format!("you have no open job {id}; see `millrace job list`"))?;
    Ok(Own { customer, key, job, bids })
}

/// The lease at work of job `id`, or what to do without one.
async fn own_lease(context: &Context, id: u64) -> Result<(Own, Pubkey, Lease)> {
    let own = own(context, id).await?;
    let (key, lease) = at_work(&leases(context, &own).await?).with_context(|| format!("job {id} has no open lease"))?;
    Ok((own, key, lease))
}

/// Gives out the places of the job at `key` for which there are bids, stand-bys' included, dropping bids that broke. Returns whether
/// anybody works for it; somebody else may have been first.
pub async fn award_places(context: &Context, key: &Pubkey) -> Result<bool> {
    let payer = context.address()?;
    loop {
        let Some((job, bids)) = fetch_job(context.chain(), key).await? else { return Ok(false) };
        let now = context.chain().unix_timestamp().await?;
        let Ok((_, bid)) = job.next_bid(&bids, now) else { return Ok(job.leases_opened > 0) };
        match context.submit("award", &[ix::award(&payer, key, &job, &bid)]).await {
            Ok(_) => {}
            Err(error) if refused_with(&error, MillraceError::BidBroken) => {
                let provider = fetch_agreed::<Provider>(context.chain(), &bid.provider).await?;
                let next_claim = provider.context("the bidder's provider account is not there")?.next_claim;
                let drop = ix::drop_broken_bid(&payer, key, &job, &bid, next_claim);
                context.submit("drop broken bid", &[drop]).await?;
            }
            Err(error) => {
                // An agent awarded it meanwhile.
                let after = fetch_job(context.chain(), key).await?;
                let places = |job: &Job| (job.leases_opened, job.award_cursor, job.bid_count);
                if after.is_some_and(|(after, _)| places(&after) == places(&job)) {
                    return Err(error);
                }
            }
        }
    }
}

fn refused_with(error: &anyhow::Error, wanted: MillraceError) -> bool {
    error.downcast_ref::<SubmitError>().is_some_and(|error| error.is(wanted))
}

/// `millrace job award`.
pub async fn award(context: &Context, id: u64) -> Result<()> {
    let own = own(context, id).await?;
    context.confirm(&Quote {
        title: format!("Award job {id}"),
        rows: vec![("rent of each lease", context.rent(&[8 + std::mem::size_of::<Lease>()]).await?)],
    })?;
    if !award_places(context, &own.key).await? {
        bail!("nobody bid on job {id}; cancel it with `millrace job cancel {id}` and post it at a higher price");
    }
    show::show(context, &context.address()?, id).await
}

/// `millrace job accept`.
pub async fn accept(context: &Context, id: u64) -> Result<()> {
    let (_, key, lease) = own_lease(context, id).await?;
    if !lease.has_ended() {
        bail!("job {id} still runs; accept it when it has ended, or stop it with `millrace job stop {id}`");
    }
    context.confirm(&Quote {
        title: format!("Accept the result of job {id}"),
        rows: vec![("holdback to the provider", mill(lease.holdback_amount))],
    })?;
    accept_lease(context, &key, &lease).await?;
    show::show(context, &context.address()?, id).await
}

/// The leases of job `id` that have not ended, stand-bys' included.
async fn running(context: &Context, id: u64) -> Result<Vec<(Pubkey, Lease)>> {
    let mut running = leases(context, &own(context, id).await?).await?;
    running.retain(|(_, lease)| !lease.has_ended());
    if running.is_empty() {
        bail!("no lease of job {id} runs; see `millrace job show {id}`");
    }
    Ok(running)
}

/// `millrace job stop`.
pub async fn stop(context: &Context, id: u64) -> Result<()> {
    let mut running = running(context, id).await?;
    let notice_secs = running.iter().map(|(_, lease)| lease.terms.stop_notice_secs).max().unwrap_or(0);
    running.retain(|(_, lease)| lease.stop_at == 0);
    if running.is_empty() {
        bail!("job {id} was stopped already; its last seconds are being reported");
    }
    context.confirm(&Quote {
        title: format!("Stop job {id}"),
        rows: vec![("still paid", format!("proven seconds and {notice_secs} s of notice"))],
    })?;
    let caller = context.address()?;
    let stops: Vec<_> = running.iter().map(|(key, lease)| ix::stop_lease(&caller, key, lease)).collect();
    context.submit("stop lease", &stops).await?;
    show::show(context, &caller, id).await
}

/// `millrace job exit`.
pub async fn exit(context: &Context, id: u64) -> Result<()> {
    let running = running(context, id).await?;
    let now = context.chain().unix_timestamp().await?;
    let silent: Vec<_> = running.iter().filter(|(_, lease)| now >= lease.silent_until()).collect();
    if silent.is_empty() {
        let wait = running.iter().map(|(_, lease)| lease.silent_until() - now).min().unwrap_or(0);
        let outage_secs = running.iter().map(|(_, lease)| lease.terms.oracle_outage_secs).min().unwrap_or(0);
        bail!("a lease can be left after {outage_secs} s without a report; that is in {wait} s");
    }
    context.confirm(&Quote {
        title: format!("Leave job {id}"),
        rows: silent
            .iter()
            .map(|(_, lease)| ("stays paid", format!("{} s of node {}", lease.paid_secs, lease.node)))
            .collect(),
    })?;
    let caller = context.address()?;
    for (key, lease) in silent {
        context.submit("exit lease", &[ix::exit_lease(&caller, key, lease)]).await?;
    }
    show::show(context, &caller, id).await
}

/// `millrace job cancel`.
pub async fn cancel(context: &Context, id: u64) -> Result<()> {
    let own = own(context, id).await?;
    context.confirm(&Quote {
        title: format!("Cancel job {id}"),
        rows: vec![("free again", mill(own.job.reserve_amount))],
    })?;
    context.submit("cancel job", &[ix::cancel_job(&context.address()?, &own.customer, &own.key)]).await?;
    show::show(context, &context.address()?, id).await
}
