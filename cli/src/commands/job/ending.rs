//! The end of a job: whoever still stands by is sent home, what ended is accepted, and the job is closed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{bail, Context as _, Result};
use millrace::state::dispute::DISPUTED;
use millrace::state::{Customer, Job, Lease, Provider};
use millrace_client::{fetch, fetch_agreed, ix, lease, Pubkey};

use super::leases::{at_work, leases};
use super::settling::Settler;
use super::steps::{own, Own};
use crate::context::{mill, Context, Quote};

const POLL: Duration = Duration::from_millis(400);

/// What became of a job's leases.
pub struct Wound {
    /// Each as it was last seen.
    pub leases: Vec<(Pubkey, Lease)>,
    /// Why the job could not be closed yet.
    pub left_open: Option<String>,
}

/// Ends all that is left of a job whose work is done, and closes it where nothing stands against it.
///
/// # Errors
/// When a step fails; the next call goes on from there.
pub async fn wind_up(context: &Context, own: &Own) -> Result<Wound> {
    let every = all_ended(context, own).await?;
    let mut left_open = None;
    for (key, lease) in &every {
        if let Err(error) = close_lease(context, own.job.id, key, lease, &mut left_open).await {
            // Its dispute window may be over, and its agent was first.
            if fetch::<Lease>(context.chain(), key).await?.is_some() {
                return Err(error);
            }
        }
    }
    if left_open.is_none() {
        sweep_and_close(context, own).await?;
    }
    Ok(Wound { leases: every, left_open })
}

/// Asks every lease that goes on to stop, and waits until the oracles have reported its last second.
async fn all_ended(context: &Context, own: &Own) -> Result<Vec<(Pubkey, Lease)>> {
    let spinner = context.spinner("");
    let (mut seen, mut settlers) = (BTreeMap::new(), BTreeMap::<Pubkey, Settler>::new());
    loop {
        let every = leases(context, own).await?;
        seen.extend(every.iter().map(|(key, lease)| (lease.index, (*key, *lease))));
        let going_on: Vec<_> = every.into_iter().filter(|(_, lease)| !lease.has_ended()).collect();
        if going_on.is_empty() {
            spinner.finish_and_clear();
            return Ok(seen.into_values().collect());
        }
        for (key, lease) in going_on.iter().filter(|(_, lease)| lease.stop_at == 0) {
            context.submit("stop lease", &[ix::stop_lease(&context.address()?, key, lease)]).await?;
        }
        for (key, lease) in &going_on {
            settlers.entry(*key).or_default().look(context, key, lease).await;
        }
        spinner.set_message("the last seconds of who stood by are being reported");
        tokio::time::sleep(POLL).await;
    }
}

/// Accepts one ended lease, or closes it where only time may; what stands against either goes to `left_open`.
async fn close_lease(
    context: &Context,
    id: u64,
    key: &Pubkey,
    lease: &Lease,
    left_open: &mut Option<String>,
) -> Result<()> {
    if lease.is_disputed == DISPUTED {
        *left_open = Some(format!("its dispute is not over; see `millrace dispute show {key}`"));
        return Ok(());
    }
    if !lease.is_failed_member() {
        return accept_lease(context, key, lease).await;
    }
    let wait_secs = lease.closes_at() - context.chain().unix_timestamp().await?;
    if wait_secs > 0 {
        let until = "others may claim what they lost from the bond of the node that failed";
        *left_open = Some(format!("for {wait_secs} s {until}; then `millrace job close {id}`"));
        return Ok(());
    }
    let provider = fetch_agreed::<Provider>(context.chain(), &lease.provider).await?;
    let provider = provider.context("the provider is closed")?;
    let market = context.market_accounts().await?;
    let steps = lease::close(&context.address()?, key, lease, &provider, &market);
    context.submit("close lease", &steps).await?;
    Ok(())
}

/// Accepts the result and returns once the holdback is paid.
pub async fn accept_lease(context: &Context, lease_key: &Pubkey, lease: &Lease) -> Result<()> {
    let instruction = ix::accept_result(&context.address()?, lease_key, lease, &context.market_accounts().await?);
    context.submit("accept result", &[instruction]).await?;
    Ok(())
}

/// Sweeps the fees due and closes the job, in one transaction.
async fn sweep_and_close(context: &Context, own: &Own) -> Result<()> {
    let market = context.market_accounts().await?;
    let customer = fetch_agreed::<Customer>(context.chain(), &own.customer).await?.context("the escrow is closed")?;
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
    let every = leases(context, &own).await?;
    let now = context.chain().unix_timestamp().await?;
    if let Some((_, lease)) = at_work(&every) {
        if !lease.has_ended() {
            bail!("job {id} still runs; wait for its end with `millrace job follow {id}`, or stop it with `millrace job stop {id}`");
        }
        // A result nobody looked at is not accepted in passing.
        if !lease.is_failed_member() && now < lease.closes_at() {
            bail!("the lease of job {id} is open; accept its result with `millrace job accept {id}`, or wait for the dispute window");
        }
    }
    let sum = |of: fn(&Lease) -> u64| every.iter().map(|(_, lease)| of(lease)).sum::<u64>();
    context.confirm(&Quote {
        title: format!("Close job {id}"),
        rows: vec![
            ("holdbacks to providers", mill(sum(|lease| lease.holdback_amount))),
            ("rent back", context.rent(&[Job::space(own.job.requirements.node_count)]).await?),
        ],
    })?;
    match wind_up(context, &own).await?.left_open {
        Some(why) => bail!("job {id} cannot be closed yet: {why}"),
        None => super::show::closed(context, id),
    }
    Ok(())
}
