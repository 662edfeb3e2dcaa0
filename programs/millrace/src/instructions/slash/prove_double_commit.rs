//! Shows that an operator signed two commits for one piece of work.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, DoubleCommitProven};
use crate::state::FraudCase;

/// Called by: anyone, with the open cases of two commits of one node, GPU and epoch that differ. Moves: nothing; money
/// moves in `execute_slash`. Both signatures were checked when the cases were opened, and no honest machine makes two.
#[event_cpi]
#[derive(Accounts)]
pub struct ProveDoubleCommit<'info> {
    /// Who proves it; pays for the transaction.
    pub prover: Signer<'info>,
    /// The case of one commit.
    #[account(mut)]
    pub case: AccountLoader<'info, FraudCase>,
    /// The case of the other.
    #[account(mut)]
    pub other_case: AccountLoader<'info, FraudCase>,
}

impl ProveDoubleCommit<'_> {
    fn validate(&self) -> Result<()> {
        // Anchor does not compare loaders with each other.
        require_keys_neq!(self.case.key(), self.other_case.key(), MillraceError::NotADoubleCommit);
        Ok(())
    }

    /// Marks both cases.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate()?;
        let accounts = &ctx.accounts;
        let (case, other_case, prover) = (accounts.case.key(), accounts.other_case.key(), accounts.prover.key());
        let events = {
            let (mut one, mut two) = (accounts.case.load_mut()?, accounts.other_case.load_mut()?);
            one.prove_double_commit(&mut two)?;
            [
                DoubleCommitProven { sequence: next(&mut one.sequence), case, other_case, prover },
                DoubleCommitProven { sequence: next(&mut two.sequence), case: other_case, other_case: case, prover },
            ]
        };
        events.iter().try_for_each(|event| emit(&accounts.event_authority, event))
    }
}
