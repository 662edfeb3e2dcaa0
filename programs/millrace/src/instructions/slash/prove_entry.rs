//! Shows one wrong number of a commit.

use anchor_lang::prelude::*;
use millrace_core::proof::{check_entry, EntryProof, Verdict};

use crate::errors::MillraceError;
use crate::events::{emit, next, EntryProven};
use crate::state::FraudCase;

/// One entry as it was committed.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct ProveEntryArgs {
    /// `millrace_core::proof::EntryProof`, encoded.
    pub proof: Vec<u8>,
}

/// Called by: anyone. Moves: nothing; money moves in `execute_slash`. The program recomputes the entry from its seed:
/// 256 KB of sha256 at n = 65,536, so the transaction asks for its compute units. These accounts and no other: with
/// them and the compute budget the largest proof just fits a transaction.
#[event_cpi]
#[derive(Accounts)]
pub struct ProveEntry<'info> {
    /// Who proves it; pays for the transaction.
    pub prover: Signer<'info>,
    /// The case; its commit is what the proof is checked against.
    #[account(mut)]
    pub case: AccountLoader<'info, FraudCase>,
}

impl ProveEntry<'_> {
    /// Recomputes the entry, and counts it when it is wrong.
    pub fn handle(ctx: Context<Self>, args: ProveEntryArgs) -> Result<()> {
        let accounts = &ctx.accounts;
        let event = {
            let mut case = accounts.case.load_mut()?;
            case.require_open(Clock::get()?.unix_timestamp)?;
            let commit = case.commit()?;
            let proof = EntryProof::from_bytes(&commit, &args.proof).map_err(|_| MillraceError::BadProof)?;
            let entry = proof.query();
            // Before the million units of the recomputation.
            require!(!case.shares_line(&entry), MillraceError::SharedLine);
            let verdict = check_entry(&commit, &proof).map_err(|_| MillraceError::BadProof)?;
            require!(verdict == Verdict::Wrong, MillraceError::EntryCorrect);
            case.add(&entry)?;
            EntryProven {
                sequence: next(&mut case.sequence),
                case: accounts.case.key(),
                prover: accounts.prover.key(),
                round: entry.round,
                row: entry.row,
                col: entry.col,
                entry_count: case.entry_count,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
