//! What every proposal goes through when it is made: its deposit, its account, its figures.

use anchor_lang::prelude::*;

use super::payload;
use crate::constants::*;
use crate::create;
use crate::errors::MillraceError;
use crate::events::{next, ProposalMade};
use crate::state::{space, Config, Draft, Proposal};
use crate::token;

/// The accounts of a proposal in the making.
pub(super) struct Filing<'a, 'info> {
    /// Makes it; pays deposit and rent.
    pub proposer: &'a AccountInfo<'info>,
    /// The deployment.
    pub config: &'a AccountLoader<'info, Config>,
    /// The new proposal.
    pub proposal: &'a AccountInfo<'info>,
    /// Token account the deposit comes from.
    pub source: &'a AccountInfo<'info>,
    /// The treasury, which keeps it.
    pub treasury: &'a AccountInfo<'info>,
    /// The mint.
    pub mint: &'a AccountInfo<'info>,
    /// Its token program.
    pub token_program: &'a AccountInfo<'info>,
}

impl Filing<'_, '_> {
    /// Checks what is proposed, takes the deposit and writes the proposal. Returns what happened, and the instant the
    /// proposal expires.
    ///
    /// # Errors
    /// Those of the payload, of the token program and of [`Proposal::open`].
    #[inline(never)]
    pub(super) fn file(&self, draft: &Draft) -> Result<(ProposalMade, i64)> {
        let now = Clock::get()?.unix_timestamp;
        let mut config = self.config.load_mut()?;
        require_keys_eq!(*self.treasury.key, config.treasury, MillraceError::WrongAccount);
        require_keys_eq!(*self.mint.key, config.mint, MillraceError::WrongMint);
        payload::check(draft.kind, draft.payload, &config)?;

        let deposit_amount = config.params.proposal_deposit_amount;
        let id = config.open_proposal(deposit_amount)?;
        let deposits_held = config.deposits_held;
        let seeds = [PROPOSAL_SEED, &id.to_le_bytes(), &[]];
        let bump = create::create::<Proposal>(self.proposer, self.proposal, seeds, space::<Proposal>())?;
        token::transfer(self.token_program, self.source, self.mint, self.treasury, self.proposer, &[], deposit_amount)?;
        token::require_covers(self.treasury, deposits_held)?;

        let mut proposal = create::load_new::<Proposal>(self.proposal)?;
        proposal.version = ACCOUNT_VERSION;
        proposal.bump = bump;
        proposal.id = id;
        proposal.rent_payer = *self.proposer.key;
        proposal.open(draft, &config, token::supply(self.mint)?, now)?;
        let event = ProposalMade {
            sequence: next(&mut proposal.sequence),
            proposal: *self.proposal.key,
            id,
            kind: proposal.kind,
            proposer: proposal.proposer,
            target: proposal.target,
            payload_hash: proposal.payload_hash,
            payload: draft.payload.to_vec(),
            deposit_amount,
            deposits_held,
            total_weight: proposal.total_weight,
            supply_amount: proposal.supply_amount,
            quorum_bps: proposal.quorum_bps,
            voting_ends_at: proposal.voting_ends_at,
            eta: proposal.eta,
            expires_at: proposal.expires_at,
        };
        Ok((event, proposal.expires_at))
    }
}
