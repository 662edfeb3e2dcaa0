//! The steps of a job that are one transaction each.

use anyhow::{bail, Context as _, Result};
use millrace::state::{Job, Lease, LeaseState, Provider};
use millrace_client::{fetch_agreed, fetch_job, ix, pda, MillraceError, Pubkey, SubmitError};

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

/// The first lease of a job, if it was awarded.
pub async fn lease(context: &Context, job: &Pubkey) -> Result<Option<(Pubkey, Lease)>> {
    let key = pda::lease(job, 0);
    Ok(fetch_agreed::<Lease>(context.chain(), &key).await?.map(|lease| (key, lease)))
}

async fn own_lease(context: &Context, id: u64) -> Result<(Own, Pubkey, Lease)> {
    let own = own(context, id).await?;
    let (key, lease) = lease(context, &own.key).await?.with_context(|| format!("job {id} has no open lease"))?;
    Ok((own, key, lease))
}

/// Awards the job's first lease, dropping bids that broke. Returns whether it exists; someone else may have been first.
pub async fn award_best(context: &Context, own: &Own) -> Result<bool> {
    let payer = context.address()?;
    loop {
        if lease(context, &own.key).await?.is_some() {
            return Ok(true);
        }
        let Some((job, bids)) = fetch_job(context.chain(), &own.key).await? else { return Ok(false) };
        let Some(bid) = job.next_entry(&bids).and_then(|entry| bids.get(entry)) else { return Ok(false) };
        let award = ix::award(&payer, &own.key, &job, bid);
        match context.submit("award", &[award]).await {
            Ok(_) => return Ok(true),
            Err(error) if refused_with(&error, MillraceError::BidBroken) => {
                let provider = fetch_agreed::<Provider>(context.chain(), &bid.provider).await?;
                let next_claim = provider.context("the bidder's provider account is not there")?.next_claim;
                let drop = ix::drop_broken_bid(&payer, &own.key, &job, bid, next_claim);
                context.submit("drop broken bid", &[drop]).await?;
            }
            // An agent awarded it meanwhile.
            Err(_) if lease(context, &own.key).await?.is_some() => return Ok(true),
            Err(error) => return Err(error),
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
        rows: vec![("rent", context.rent(&[8 + std::mem::size_of::<Lease>()]).await?)],
    })?;
    if !award_best(context, &own).await? {
        bail!("nobody bid on job {id}; cancel it with `millrace job cancel {id}` and post it at a higher price");
    }
    show::show(context, &context.address()?, id).await
}

/// Accepts the result and returns once the holdback is paid.
pub async fn accept_lease(context: &Context, lease_key: &Pubkey, lease: &Lease) -> Result<()> {
    let instruction = ix::accept_result(&context.address()?, lease_key, lease, &context.market_accounts().await?);
    context.submit("accept result", &[instruction]).await?;
    Ok(())
}

/// `millrace job accept`.
pub async fn accept(context: &Context, id: u64) -> Result<()> {
    let (_, key, lease) = own_lease(context, id).await?;
    if lease.state < LeaseState::Completed as u8 {
        bail!("job {id} still runs; accept it when it has ended, or stop it with `millrace job stop {id}`");
    }
    context.confirm(&Quote {
        title: format!("Accept the result of job {id}"),
        rows: vec![("holdback to the provider", mill(lease.holdback_amount))],
    })?;
    accept_lease(context, &key, &lease).await?;
    show::show(context, &context.address()?, id).await
}

/// `millrace job stop`.
pub async fn stop(context: &Context, id: u64) -> Result<()> {
    let (_, key, lease) = own_lease(context, id).await?;
    context.confirm(&Quote {
        title: format!("Stop job {id}"),
        rows: vec![("still paid", format!("proven seconds and {} s of notice", lease.terms.stop_notice_secs))],
    })?;
    context.submit("stop lease", &[ix::stop_lease(&context.address()?, &key, &lease)]).await?;
    show::show(context, &context.address()?, id).await
}

/// `millrace job exit`.
pub async fn exit(context: &Context, id: u64) -> Result<()> {
    let (_, key, lease) = own_lease(context, id).await?;
    let provider =
        fetch_agreed::<Provider>(context.chain(), &lease.provider).await?.context("the provider is closed")?;
    let opens_at = lease.last_leaf_at.max(lease.started_at) + lease.terms.oracle_outage_secs;
    let wait = opens_at - context.chain().unix_timestamp().await?;
    if wait > 0 {
        bail!("the lease can be left after {} s without a report; that is in {wait} s", lease.terms.oracle_outage_secs);
    }
    context.confirm(&Quote {
        title: format!("Leave the lease of job {id}"),
        rows: vec![("stays paid", format!("{} s", lease.paid_secs)), ("to", provider.authority.to_string())],
    })?;
    context.submit("exit lease", &[ix::exit_lease(&context.address()?, &key, &lease)]).await?;
    show::show(context, &context.address()?, id).await
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

/// Sweeps the fees due and closes the job, in one transaction.
pub async fn sweep_and_close(context: &Context, own: &Own) -> Result<()> {
    let market = context.market_accounts().await?;
    let customer = fetch_agreed::<millrace::state::Customer>(context.chain(), &own.customer)
        .await?
        .context("the escrow is closed")?;
    let mut instructions = Vec::new();
    if customer.fee_due > 0 {
        instructions.push(ix::sweep_fees(&own.customer, &market));
    }
    instructions.push(ix::close_job(&own.key, &own.job));
    context.submit("sweep fees and close job", &instructions).await?;
    Ok(())
}

/// `millrace job close`.
pub async fn close(context: &Context, id: u64) -> Result<()> {
    let own = own(context, id).await?;
    if lease(context, &own.key).await?.is_some() {
        bail!("the lease of job {id} is open; accept its result with `millrace job accept {id}`, or wait for the dispute window");
    }
    context.confirm(&Quote {
        title: format!("Close job {id}"),
        rows: vec![("rent back", context.rent(&[Job::space(own.job.requirements.node_count)]).await?)],
    })?;
    sweep_and_close(context, &own).await?;
    super::show::closed(context, id);
    Ok(())
}
