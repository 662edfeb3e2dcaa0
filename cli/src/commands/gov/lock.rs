//! Locks and votes.

use std::fmt;

use anyhow::{bail, Context as _, Result};
use millrace::state::{Proposal, Vote, VoterLock};
use millrace_client::token::{open_wallet, wallet, TOKEN_ACCOUNT_LEN};
use millrace_client::{fetch, fetch_all, ix, pda, Pubkey};
use millrace_core::vote::{multiplier_bps, weight};
use serde::Serialize;

use super::{read, Done};
use crate::context::{mill, Context, Quote};
use crate::output::table;

#[derive(Serialize)]
struct Lock {
    voter: String,
    amount: u64,
    multiplier: f64,
    weight: u64,
    lock_until: i64,
    held_until: i64,
    open_votes: u32,
}

impl From<&VoterLock> for Lock {
    fn from(it: &VoterLock) -> Self {
        Self {
            voter: it.voter.to_string(),
            amount: it.amount,
            multiplier: it.multiplier_bps as f64 / 1e4,
            weight: it.weight,
            lock_until: it.lock_until,
            held_until: it.held_until,
            open_votes: it.open_votes,
        }
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{} locked, which weighs {:.2} times that; free again at {}",
            mill(self.amount),
            self.multiplier,
            self.lock_until.max(self.held_until)
        )
    }
}

pub async fn lock(context: &Context, amount: u64, lock_secs: i64) -> Result<()> {
    let market = context.market().await?;
    let voter = context.address()?;
    let held = context.wallet_balance(&market, &voter).await?;
    if held < amount {
        bail!("{voter} holds {}, so {} cannot be locked", mill(held), mill(amount));
    }
    let params = &market.params;
    if !(params.voting_secs..=params.max_lock_secs).contains(&lock_secs) {
        bail!("a lock lasts {} to {} seconds here, not {lock_secs}", params.voting_secs, params.max_lock_secs);
    }
    let address = pda::lock(&voter);
    let there = fetch::<VoterLock>(context.chain(), &address).await?;
    let total = there.as_ref().map_or(0, |it| it.amount) + amount;
    let multiplier = multiplier_bps(lock_secs, params.voting_secs, params.max_lock_secs);
    let rent = match there {
        Some(_) => "none, the lock is open".into(),
        None => context.rent(&[std::mem::size_of::<VoterLock>(), TOKEN_ACCOUNT_LEN]).await?,
    };
    context.confirm(&Quote {
        title: format!("Lock {} for {lock_secs} s", mill(amount)),
        rows: vec![
            ("locked in all", mill(total)),
            ("weight", mill(weight(total, multiplier).unwrap_or(u64::MAX))),
            ("say", "only in proposals made after this".into()),
            ("rent, returned when unlocked", rent),
        ],
    })?;
    let source = wallet(&voter, &market.mint, &market.token_program);
    let accounts = ix::Market::from(&market);
    let instruction = match there {
        Some(_) => ix::extend_lock(&voter, &source, &accounts, amount, lock_secs),
        None => ix::lock_votes(&voter, &source, &accounts, amount, lock_secs),
    };
    context.submit("lock", &[instruction]).await?;
    let lock = fetch::<VoterLock>(context.chain(), &address).await?.context("the lock is not there")?;
    context.print(&Lock::from(&lock));
    Ok(())
}

pub async fn unlock(context: &Context) -> Result<()> {
    let market = context.market().await?;
    let voter = context.address()?;
    let lock = fetch::<VoterLock>(context.chain(), &pda::lock(&voter))
        .await?
        .with_context(|| format!("{voter} has no lock; see `millrace gov locks`"))?;
    let now = context.chain().unix_timestamp().await?;
    let free_at = lock.lock_until.max(lock.held_until);
    if now < free_at {
        bail!("the lock is held for another {} s", free_at - now);
    }
    context.confirm(&Quote {
        title: format!("Unlock {}", mill(lock.amount)),
        rows: vec![("to", voter.to_string()), ("votes closed first", lock.open_votes.to_string())],
    })?;
    for (vote, rent_payer) in votes_of(context, &voter).await? {
        context.submit("close vote", &[ix::close_vote(&vote, &voter, &rent_payer)]).await?;
    }
    let destination = wallet(&voter, &market.mint, &market.token_program);
    let instructions = [
        open_wallet(&voter, &voter, &market.mint, &market.token_program),
        ix::unlock_votes(&voter, &destination, &lock.rent_payer, &ix::Market::from(&market)),
    ];
    let signature = context.submit("unlock", &instructions).await?;
    context.print(&Done { done: "unlocked", id: None, signature: signature.to_string() });
    Ok(())
}

/// Proposals voted on whose vote account is open, and who paid its rent.
async fn votes_of(context: &Context, voter: &Pubkey) -> Result<Vec<(Pubkey, Pubkey)>> {
    let votes = fetch_all::<Vote>(context.chain(), &[]).await?;
    let own = votes.into_iter().filter(|(_, vote)| vote.voter == *voter);
    Ok(own.map(|(_, vote)| (vote.proposal, vote.rent_payer)).collect())
}

#[derive(Serialize)]
struct Locks {
    vote_weight_total: u64,
    locks: Vec<Lock>,
}

impl fmt::Display for Locks {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut rows = table(["voter", "locked", "times", "weight", "free again at"]);
        for it in &self.locks {
            let free_at = it.lock_until.max(it.held_until).to_string();
            rows.add_row([
                it.voter.clone(),
                mill(it.amount),
                format!("{:.2}", it.multiplier),
                mill(it.weight),
                free_at,
            ]);
        }
        write!(f, "{rows}\nall weight: {}", mill(self.vote_weight_total))
    }
}

pub async fn list(context: &Context) -> Result<()> {
    let market = context.market().await?;
    let mut locks = fetch_all::<VoterLock>(context.chain(), &[]).await?;
    locks.sort_by_key(|(_, it)| std::cmp::Reverse(it.weight));
    context.print(&Locks {
        vote_weight_total: market.vote_weight_total,
        locks: locks.iter().map(|(_, it)| Lock::from(it)).collect(),
    });
    Ok(())
}

#[derive(Serialize)]
struct Voted {
    id: u64,
    vote: &'static str,
    weight: u64,
    yes_weight: u64,
    no_weight: u64,
    signature: String,
}

impl fmt::Display for Voted {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "voted {} with {}; so far {} for, {} against\n{}",
            self.vote,
            mill(self.weight),
            mill(self.yes_weight),
            mill(self.no_weight),
            self.signature
        )
    }
}

pub async fn vote(context: &Context, id: u64, is_yes: bool) -> Result<()> {
    let voter = context.address()?;
    let (address, proposal) = read(context, id).await?;
    let lock = fetch::<VoterLock>(context.chain(), &pda::lock(&voter))
        .await?
        .with_context(|| format!("{voter} has no lock, so no say; lock MILL with `millrace gov lock`"))?;
    if lock.created_at >= proposal.created_at {
        bail!("your lock is younger than proposal {id}, so it has no say in it; it has in the next one");
    }
    let vote = if is_yes { "yes" } else { "no" };
    context.confirm(&Quote {
        title: format!("Vote {vote} on proposal {id}"),
        rows: vec![
            ("weight", mill(lock.weight)),
            ("held until", format!("at least {}, when voting ends", proposal.voting_ends_at)),
            ("rent, returned when closed", context.rent(&[std::mem::size_of::<Vote>()]).await?),
        ],
    })?;
    let signature = context.submit("vote", &[ix::vote(&voter, &address, is_yes)]).await?;
    let after = fetch::<Proposal>(context.chain(), &address).await?.context("the proposal is not there")?;
    context.print(&Voted {
        id,
        vote,
        weight: lock.weight,
        yes_weight: after.yes_weight,
        no_weight: after.no_weight,
        signature: signature.to_string(),
    });
    Ok(())
}
