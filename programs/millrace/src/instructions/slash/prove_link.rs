//! Shows that a committed seed does not follow from what was committed before it.

use anchor_lang::prelude::*;
use millrace_core::proof::{check_link, LinkProof, Verdict};

use crate::errors::MillraceError;
use crate::events::{emit, next, LinkProven};
use crate::state::FraudCase;

/// One link as it was committed.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct ProveLinkArgs {
    /// `millrace_core::proof::LinkProof`, encoded.
    pub proof: Vec<u8>,
}

/// Called by: anyone. Moves: nothing; money moves in `execute_slash`. A false link is fraud at once: no flipped bit
/// makes one, and with it a prover would choose its own matrices.
#[event_cpi]
#[derive(Accounts)]
pub struct ProveLink<'info> {
    /// Who proves it; pays for the transaction.
    pub prover: Signer<'info>,
    /// The case; its commit is what the proof is checked against.
    #[account(mut)]
    pub case: AccountLoader<'info, FraudCase>,
}

impl ProveLink<'_> {
    /// Recomputes the seed, and marks the case when the committed one differs.
    pub fn handle(ctx: Context<Self>, args: ProveLinkArgs) -> Result<()> {
        let accounts = &ctx.accounts;
        let event = {
            let mut case = accounts.case.load_mut()?;
            case.require_open(Clock::get()?.unix_timestamp)?;
            let commit = case.commit()?;
            let proof = LinkProof::from_bytes(&commit, &args.proof).map_err(|_| MillraceError::BadProof)?;
            let verdict = check_link(&commit, &proof).map_err(|_| MillraceError::BadProof)?;
            require!(verdict == Verdict::Wrong, MillraceError::LinkCorrect);
            case.link_proven = 1;
            LinkProven {
                sequence: next(&mut case.sequence),
                case: accounts.case.key(),
                prover: accounts.prover.key(),
                round: match proof {
                    LinkProof::First(_) => 0,
                    LinkProof::Next { round, .. } => round.saturating_add(1),
                },
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
