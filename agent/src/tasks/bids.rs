//! Bids for jobs, frees bids that hold a node for nothing, and awards where the customer does not.

use std::sync::Arc;
use std::time::Duration;

use millrace::state::{Bid, Job, JobState, Node, Provider};
use millrace_client::{
    fetch, fetch_agreed, fetch_all, fetch_job, field_offset, ix, ChainError, MillraceError, Pubkey, Signer,
};
use rand::seq::SliceRandom;
use tokio_util::sync::CancellationToken;

use super::note;
use crate::agent::Agent;
use crate::decide::bid::{decide_bid, is_stale, should_award, BidPolicy};
use crate::metrics::{sent, BIDS, BIDS_RELEASED};

/// Time between two looks at the open jobs.
const LOOK_EVERY: Duration = Duration::from_millis(700);

/// Bids until stopped.
///
/// # Errors
/// None: a chain that does not answer is asked again.
pub async fn run(agent: Arc<Agent>, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if agent.fresh().is_none() {
            continue;
        }
        let look = async {
            if let Err(error) = look(&agent).await {
                tracing::debug!("the jobs cannot be read, trying again: {error}");
            }
        };
        // A bid cut off here is in the outbox: the next process finds out what became of it.
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = look => {}
        }
    }
}

/// Reads afresh, since the last look may have changed what the shared view still shows.
async fn look(agent: &Agent) -> Result<(), ChainError> {
    let chain = agent.chain.as_ref();
    let now = chain.unix_timestamp().await?;
    for key in &agent.nodes {
        let Some(node) = fetch::<Node>(chain, key).await? else { continue };
        set_ask(agent, key, &node).await;
        if node.bid_job != Pubkey::default() {
            follow_bid(agent, key, &node.bid_job, now).await?;
        } else if node.is_free() && node.is_able(now) {
            bid(agent, key, &node, now).await?;
        }
    }
    Ok(())
}

/// Writes the operator's asking price to the node when the chain has another.
async fn set_ask(agent: &Agent, key: &Pubkey, node: &Node) {
    let Some(ask_per_sec) = agent.settings.prices.ask_per_sec else { return };
    if ask_per_sec != node.ask_per_sec && !node.is_retired() {
        let set_ask = ix::set_ask(&agent.key.pubkey(), &agent.provider, key, ask_per_sec);
        note("set ask", agent.submit("set ask", &[set_ask]).await);
    }
}

/// Bids for one of the jobs that fit, at random: if every agent took the one that closes first, most would bid in vain.
async fn bid(agent: &Agent, key: &Pubkey, node: &Node, now: i64) -> Result<(), ChainError> {
    let chain = agent.chain.as_ref();
    let Some(provider) = fetch_agreed::<Provider>(chain, &agent.provider).await? else { return Ok(()) };
    let prices = agent.settings.prices;
    let policy = BidPolicy { ask_per_sec: prices.ask_per_sec, min_per_sec: prices.min_per_sec, now };
    let is_open = [(field_offset!(Job, state), vec![JobState::Open as u8])];
    let mut open: Vec<(Pubkey, Job)> = fetch_all(chain, &is_open).await?;
    open.retain(|(_, job)| decide_bid(job, &[], node, &provider, &policy).is_some());
    open.shuffle(&mut rand::rng());
    for (job_key, _) in open {
        let Some((job, bids)) = fetch_job(chain, &job_key).await? else { continue };
        if let Some(args) = decide_bid(&job, &bids, node, &provider, &policy) {
            tracing::info!(job = %job_key, node = %key, per_sec = args.per_sec, "bidding");
            let bid = ix::place_bid(&agent.key.pubkey(), &agent.provider, key, &job_key, args);
            let outcome = agent.submit(&format!("bid {job_key}"), &[bid]).await;
            BIDS.inc(&[sent(&outcome)]);
            note("place bid", outcome);
            return Ok(());
        }
    }
    Ok(())
}

/// Sees a bid to its award or its release.
async fn follow_bid(agent: &Agent, node: &Pubkey, job_key: &Pubkey, now: i64) -> Result<(), ChainError> {
    let job = fetch_job(agent.chain.as_ref(), job_key).await?;
    if is_stale(job.as_ref(), node, now) {
        let release = ix::release_bid(&agent.provider, node, job_key);
        let outcome = agent.submit(&format!("release {job_key}"), &[release]).await;
        BIDS_RELEASED.add(outcome.is_ok().into(), &[]);
        note("release bid", outcome);
    } else if let Some((job, bids)) =
        job.filter(|(job, bids)| should_award(job, bids, now, agent.settings.jobs.award_after_secs))
    {
        award(agent, job_key, &job, &bids).await;
    }
    Ok(())
}

/// Awards the bid whose turn it is, or passes over it when it was not kept.
async fn award(agent: &Agent, key: &Pubkey, job: &Job, bids: &[Bid]) {
    let Some(bid) = job.next_entry(bids).and_then(|entry| bids.get(entry)) else { return };
    let award = ix::award(&agent.key.pubkey(), key, job, bid);
    match agent.submit(&format!("award {key}"), &[award]).await {
        Err(error) if error.is(MillraceError::BidBroken) => {
            let Ok(Some(provider)) = fetch_agreed::<Provider>(agent.chain.as_ref(), &bid.provider).await else {
                return;
            };
            let drop = ix::drop_broken_bid(&agent.key.pubkey(), key, job, bid, provider.next_claim);
            note("drop broken bid", agent.submit(&format!("drop {key}"), &[drop]).await);
        }
        outcome => note("award", outcome),
    }
}
