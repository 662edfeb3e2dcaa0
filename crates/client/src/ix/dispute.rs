//! Calling a result wrong, ruling on it, and what follows.

use millrace::state::{Dispute, Lease, Provider};
use millrace::{accounts, instruction};

use super::{build, Market, SYSTEM_PROGRAM};
use crate::{pda, Instruction, Pubkey, PROGRAM_ID};

/// Calls the result of the ended lease at `lease` wrong, on the evidence that hashes to `evidence_hash`. Signed by the
/// customer's `authority`, who pays the rent.
pub fn open_dispute(authority: &Pubkey, lease: &Pubkey, state: &Lease, evidence_hash: [u8; 32]) -> Instruction {
    build(
        accounts::OpenDispute {
            authority: *authority,
            config: pda::config(),
            lease: *lease,
            customer: state.customer,
            dispute: pda::dispute(lease),
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::OpenDispute { evidence_hash },
    )
}

/// Votes on the dispute of `lease`: for the customer if `uphold`. Signed by the seat's `authority`.
pub fn vote_dispute(authority: &Pubkey, lease: &Pubkey, uphold: bool) -> Instruction {
    build(
        accounts::VoteDispute {
            authority: *authority,
            config: pda::config(),
            oracles: pda::oracles(),
            oracle: pda::oracle(authority),
            dispute: pda::dispute(lease),
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::VoteDispute { uphold },
    )
}

/// Ends the vote on the dispute of `lease`, which found no quorum in time. Signed by nobody.
pub fn lapse_dispute(lease: &Pubkey) -> Instruction {
    build(
        accounts::LapseDispute {
            dispute: pda::dispute(lease),
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::LapseDispute {},
    )
}

/// Carries out the ruling on `dispute`, about `lease`. Signed by `caller`: anyone, who pays the rent of a claim.
pub fn resolve_dispute(
    caller: &Pubkey,
    dispute: &Dispute,
    lease: &Lease,
    provider: &Provider,
    market: &Market,
) -> Instruction {
    build(
        accounts::ResolveDispute {
            caller: *caller,
            dispute: pda::dispute(&dispute.lease),
            lease: dispute.lease,
            customer: dispute.customer,
            customer_vault: lease.customer_vault,
            provider: dispute.provider,
            provider_vault: lease.provider_vault,
            claim: pda::claim(&dispute.provider, provider.next_claim),
            rent_payer: dispute.rent_payer,
            mint: market.mint,
            token_program: market.token_program,
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ResolveDispute {},
    )
}
