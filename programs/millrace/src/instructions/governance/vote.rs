//! Votes on a proposal.

use anchor_lang::prelude::*;

use crate::constants::{ACCOUNT_VERSION, VOTE_SEED};
use crate::create;
use crate::errors::MillraceError;
use crate::events::{emit, next, VoteCast};
use crate::state::{space, Proposal, Vote, VoterLock};

/// Called by: the voter, who pays the rent, while the proposal takes votes. Moves: nothing; all the weight of a lock older
/// than the proposal counts once, and its tokens stay until the vote ends. Keeps: I8.
#[event_cpi]
#[derive(Accounts)]
pub struct CastVote<'info> {
    /// Owner of the lock; pays the rent.
    #[account(mut)]
    pub voter: Signer<'info>,
    /// The proposal.
    #[account(mut)]
    pub proposal: AccountLoader<'info, Proposal>,
    /// The voter's lock.
    #[account(mut)]
    pub lock: AccountLoader<'info, VoterLock>,
    /// CHECK: created here, at the one address of this proposal and voter: a second vote finds it in use.
    #[account(mut)]
    pub vote: UncheckedAccount<'info>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl CastVote<'_> {
    fn validate(&self, lock: &VoterLock) -> Result<()> {
        require_keys_eq!(self.voter.key(), lock.voter, MillraceError::WrongAuthority);
        Ok(())
    }

    /// Counts the vote, holds the lock and leaves the proof of both.
    pub fn handle(ctx: Context<Self>, is_yes: bool) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let mut proposal = accounts.proposal.load_mut()?;
        let mut lock = accounts.lock.load_mut()?;
        accounts.validate(&lock)?;
        proposal.count(&lock, is_yes, now)?;
        lock.hold(proposal.voting_ends_at)?;

        let (proposal_key, voter) = (accounts.proposal.key(), accounts.voter.key());
        let seeds = [VOTE_SEED, proposal_key.as_ref(), voter.as_ref()];
        let bump = create::create::<Vote>(&accounts.voter, &accounts.vote, seeds, space::<Vote>())?;
        let mut vote = create::load_new::<Vote>(&accounts.vote)?;
        vote.version = ACCOUNT_VERSION;
        vote.bump = bump;
        vote.is_yes = u8::from(is_yes);
        vote.proposal = proposal_key;
        vote.voter = voter;
        vote.weight = lock.weight;
        vote.rent_payer = voter;

        let event = VoteCast {
            sequence: next(&mut proposal.sequence),
            proposal: proposal_key,
            voter,
            is_yes,
            weight: lock.weight,
            yes_weight: proposal.yes_weight,
            no_weight: proposal.no_weight,
            voted_amount: proposal.voted_amount,
            lock_held_until: lock.held_until,
            lock_open_votes: lock.open_votes,
            vote: accounts.vote.key(),
        };
        drop((proposal, lock, vote));
        emit(&accounts.event_authority, &event)
    }
}
