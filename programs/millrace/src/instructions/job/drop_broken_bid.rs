//! Passes over a bid its bidder did not keep.

use anchor_lang::prelude::*;

use crate::claims::{self, ClaimTo};
use crate::errors::MillraceError;
use crate::events::{emit, next, BidDropped};
use crate::state::{Beneficiary, Bid, Customer, Job, Node, Provider, Standing};

/// Called by: anyone, when the node whose turn it is can no longer be awarded; the caller pays the rent of the claim, if
/// one is opened, and gets it back. Moves: nothing yet. By the bidder's fault the bid bond becomes a claim of the customer
/// on it, paid when it matures; missed by a newer measurement, it is free stake again. Keeps: I3.
#[event_cpi]
#[derive(Accounts)]
pub struct DropBrokenBid<'info> {
    /// Pays the claim's rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The job.
    #[account(mut)]
    pub job: AccountLoader<'info, Job>,
    /// The customer who is compensated.
    #[account(mut)]
    pub customer: AccountLoader<'info, Customer>,
    /// The bidder.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// The node whose turn it is.
    #[account(mut)]
    pub node: AccountLoader<'info, Node>,
    /// CHECK: the provider's next claim, at the seeds `claim`, provider, number; opened here if a bond is forfeited.
    #[account(mut)]
    pub claim: UncheckedAccount<'info>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl DropBrokenBid<'_> {
    fn validate(&self, job: &Job, bid: &Bid, provider: &Provider) -> Result<()> {
        require_keys_eq!(self.customer.key(), job.customer, MillraceError::WrongAccount);
        require_keys_eq!(self.node.key(), bid.node, MillraceError::NotNextBid);
        require_keys_eq!(self.provider.key(), bid.provider, MillraceError::WrongAccount);
        claims::require_next(self.claim.key, self.provider.as_ref().key, provider)
    }

    /// Takes the bid off the board, frees the node and turns a forfeited bond into a claim.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let event = {
            let mut customer = accounts.customer.load_mut()?;
            let mut provider = accounts.provider.load_mut()?;
            let mut node = accounts.node.load_mut()?;
            let (mut job, mut bids) = Job::load_with_bids_mut(accounts.job.as_ref())?;
            let (entry, bid) = job.next_bid(&bids, now)?;
            accounts.validate(&job, &bid, &provider)?;
            let job_key = accounts.job.key();
            let standing = job.standing(&job_key, &node, &provider, now)?;
            require!(standing != Standing::Holds, MillraceError::BidNotBroken);

            // A node that no longer holds this bid has nothing of it locked.
            let bond = if node.bid_job == job_key { node.release_bid(&mut provider)? } else { 0 };
            let forfeited_amount = if standing == Standing::Broken { bond } else { 0 };
            let matures_at = now.saturating_add(job.terms.unbonding_secs);
            if forfeited_amount > 0 {
                let to = ClaimTo { kind: Beneficiary::Customer, key: job.customer, source: job_key };
                let payer = (accounts.provider.as_ref().key, &mut *provider);
                claims::open(&accounts.payer, &accounts.claim, payer, &to, forfeited_amount, matures_at)?;
                customer.expect_claim()?;
            }
            job.drop_entry(&mut bids, entry);
            job.invariant()?;
            customer.invariant()?;
            provider.invariant()?;
            BidDropped {
                sequence: next(&mut job.sequence),
                job: job_key,
                node: bid.node,
                provider: bid.provider,
                bond,
                forfeited_amount,
                claim: accounts.claim.key(),
                matures_at,
                provider_stake: provider.stake,
                provider_bonds: provider.bonds,
                provider_locked: provider.locked,
                provider_claims: provider.claims,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
