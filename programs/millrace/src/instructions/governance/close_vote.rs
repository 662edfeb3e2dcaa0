//! Closes the account of a vote whose proposal has ended.

use anchor_lang::prelude::*;

use crate::create;
use crate::errors::MillraceError;
use crate::events::{emit, next, VoteClosed};
use crate::state::{Proposal, Vote, VoterLock};

/// Called by: anyone, once the proposal takes no more votes. Moves: the rent to who paid it.
#[event_cpi]
#[derive(Accounts)]
pub struct CloseVote<'info> {
    /// The vote.
    #[account(mut, close = rent_payer)]
    pub vote: AccountLoader<'info, Vote>,
    /// CHECK: the proposal, by the vote's key; its account may be closed by now, and its number never comes again.
    #[account(mut, address = vote.load()?.proposal @ MillraceError::WrongAccount)]
    pub proposal: UncheckedAccount<'info>,
    /// The voter's lock: it cannot close before its votes.
    #[account(mut)]
    pub lock: AccountLoader<'info, VoterLock>,
    /// CHECK: receives the rent; fixed in the vote.
    #[account(mut, address = vote.load()?.rent_payer @ MillraceError::WrongAccount)]
    pub rent_payer: UncheckedAccount<'info>,
}

impl CloseVote<'_> {
    fn validate(&self, lock: &VoterLock) -> Result<()> {
        require_keys_eq!(lock.voter, self.vote.load()?.voter, MillraceError::WrongAccount);
        if *self.proposal.owner == crate::ID {
            let voting_ends_at = create::load_as::<Proposal>(&self.proposal)?.voting_ends_at;
            require!(Clock::get()?.unix_timestamp >= voting_ends_at, MillraceError::VotingOpen);
        }
        Ok(())
    }

    /// Checks that the vote is over; Anchor closes the account on the way out.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let (sequence, open_votes) = {
            let mut lock = accounts.lock.load_mut()?;
            accounts.validate(&lock)?;
            lock.vote_closed()?;
            (next(&mut lock.sequence), lock.open_votes)
        };
        emit(
            &accounts.event_authority,
            &VoteClosed { sequence, lock: accounts.lock.key(), vote: accounts.vote.key(), open_votes },
        )
    }
}
