//! Passes over a bid its bidder did not keep; the bond compensates the customer.

use anchor_lang::prelude::*;

use crate::constants::PROVIDER_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, BidDropped};
use crate::state::{Bid, Customer, Job, Node, Provider};
use crate::token;

/// Called by: anyone, when the node at the cursor could be awarded but can no longer serve. Moves: the bid bond from
/// the provider's to the customer's vault, where it is free money. Keeps: I1, I2, I3, I4.
#[event_cpi]
#[derive(Accounts)]
pub struct DropBrokenBid<'info> {
    /// The job.
    #[account(mut)]
    pub job: AccountLoader<'info, Job>,
    /// The customer who is compensated.
    #[account(mut)]
    pub customer: AccountLoader<'info, Customer>,
    /// CHECK: compared with the address the customer stores.
    #[account(mut)]
    pub customer_vault: UncheckedAccount<'info>,
    /// The bidder.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// CHECK: compared with the address the provider stores.
    #[account(mut)]
    pub provider_vault: UncheckedAccount<'info>,
    /// The node at the cursor.
    #[account(mut)]
    pub node: AccountLoader<'info, Node>,
    /// CHECK: the token program compares it with the vaults' mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the vaults.
    pub token_program: UncheckedAccount<'info>,
}

impl DropBrokenBid<'_> {
    fn validate(
        &self,
        job: &Job,
        bid: &Bid,
        customer: &Customer,
        provider: &Provider,
        node: &Node,
        now: i64,
    ) -> Result<()> {
        require_keys_eq!(self.customer.key(), job.customer, MillraceError::WrongAccount);
        require_keys_eq!(self.customer_vault.key(), customer.vault, MillraceError::WrongAccount);
        require_keys_eq!(self.node.key(), bid.node, MillraceError::NotNextBid);
        require_keys_eq!(self.provider.key(), bid.provider, MillraceError::WrongAccount);
        require_keys_eq!(self.provider_vault.key(), provider.vault, MillraceError::WrongAccount);
        require!(!job.can_be_served_by(self.job.as_ref().key, node, provider, now), MillraceError::BidNotBroken);
        Ok(())
    }

    /// Moves the bond, frees the node and advances the cursor.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let (event, owed, origin, bump) = {
            let mut customer = accounts.customer.load_mut()?;
            let mut provider = accounts.provider.load_mut()?;
            let mut node = accounts.node.load_mut()?;
            let (mut job, bids) = Job::load_with_bids_mut(accounts.job.as_ref())?;
            let bid = job.next_bid(&bids, now)?;
            accounts.validate(&job, &bid, &customer, &provider, &node, now)?;

            // A node that no longer holds this bid has nothing of it locked.
            let bond = if node.bid_job == accounts.job.key() {
                node.bid_job = Pubkey::default();
                std::mem::take(&mut node.bid_bond)
            } else {
                0
            };
            provider.forfeit_bond(bond)?;
            customer.receive(bond)?;
            job.award_cursor = job.award_cursor.saturating_add(1);
            job.invariant()?;
            customer.invariant()?;
            provider.invariant()?;
            let event = BidDropped {
                sequence: next(&mut job.sequence),
                job: accounts.job.key(),
                node: bid.node,
                provider: bid.provider,
                bond,
                customer_free: customer.free,
                provider_stake: provider.stake,
            };
            (event, (customer.owed(), provider.owed()), provider.origin, provider.bump)
        };
        if event.bond > 0 {
            token::transfer(
                &accounts.token_program,
                &accounts.provider_vault,
                &accounts.mint,
                &accounts.customer_vault,
                accounts.provider.as_ref(),
                &[&[PROVIDER_SEED, origin.as_ref(), &[bump]]],
                event.bond,
            )?;
        }
        token::require_covers(&accounts.customer_vault, owed.0)?;
        token::require_covers(&accounts.provider_vault, owed.1)?;
        emit(&accounts.event_authority, &event)
    }
}
