//! What bonds answer for, and how leases end otherwise than by a leaf.

use millrace::state::{Claim, Job, Lease};
use millrace::{accounts, instruction};

use super::{build, Market, SYSTEM_PROGRAM};
use crate::{pda, Instruction, Pubkey, PROGRAM_ID};

/// Puts the stand-by at `stand_by` in the place of the lease at `failed`. `job` is the job of both. Signed by `payer`,
/// who pays the new lease's rent.
pub fn fail_over(
    payer: &Pubkey,
    job: &Job,
    failed: &Pubkey,
    (stand_by, stand_by_state): (&Pubkey, &Lease),
) -> Instruction {
    build(
        accounts::FailOver {
            payer: *payer,
            job: stand_by_state.job,
            failed: *failed,
            stand_by: *stand_by,
            provider: stand_by_state.provider,
            node: stand_by_state.node,
            lease: pda::lease(&stand_by_state.job, job.leases_opened),
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::FailOver {},
    )
}

/// Claims what the lease at `member` lost by the failure of that at `failed`. `next_claim` is that of the failed lease's
/// provider account. Signed by `payer`, who pays the claim's rent.
pub fn claim_unkept(
    payer: &Pubkey,
    (failed, failed_state): (&Pubkey, &Lease),
    (member, member_state): (&Pubkey, &Lease),
    next_claim: u32,
) -> Instruction {
    build(
        accounts::ClaimUnkept {
            payer: *payer,
            failed: *failed,
            failed_provider: failed_state.provider,
            member: *member,
            member_provider: member_state.provider,
            claim: pda::claim(&failed_state.provider, next_claim),
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ClaimUnkept {},
    )
}

/// Claims the customer's compensation out of the bond of the failed lease at `lease`. `next_claim` is that of its
/// provider account. Signed by `payer`, who pays the claim's rent.
pub fn claim_compensation(payer: &Pubkey, lease: &Pubkey, state: &Lease, next_claim: u32) -> Instruction {
    build(
        accounts::ClaimCompensation {
            payer: *payer,
            lease: *lease,
            customer: state.customer,
            provider: state.provider,
            claim: pda::claim(&state.provider, next_claim),
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ClaimCompensation {},
    )
}

/// Pays the matured claim at `claim`. Signed by nobody.
pub fn pay_claim(claim: &Pubkey, state: &Claim, market: &Market) -> Instruction {
    build(
        accounts::PayClaim {
            claim: *claim,
            provider: state.provider,
            provider_vault: pda::vault(&state.provider),
            beneficiary: state.beneficiary,
            beneficiary_vault: pda::vault(&state.beneficiary),
            rent_payer: state.rent_payer,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::PayClaim {},
    )
}

/// Ends the lease at `lease` on `secs` seconds paid in all. Signed by the customer's authority and by the provider's
/// authority or operator.
pub fn settle_mutual(
    (customer_authority, provider_signer): (&Pubkey, &Pubkey),
    lease: &Pubkey,
    state: &Lease,
    market: &Market,
    secs: u64,
) -> Instruction {
    build(
        accounts::SettleMutual {
            customer_authority: *customer_authority,
            provider_signer: *provider_signer,
            lease: *lease,
            customer: state.customer,
            customer_vault: state.customer_vault,
            provider: state.provider,
            provider_vault: state.provider_vault,
            node: state.node,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::SettleMutual { secs },
    )
}

/// Ends the lease at `lease`, whose job was cancelled. Signed by nobody.
pub fn unwind_lease(lease: &Pubkey, state: &Lease) -> Instruction {
    build(
        accounts::UnwindLease {
            lease: *lease,
            job: state.job,
            customer: state.customer,
            provider: state.provider,
            node: state.node,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::UnwindLease {},
    )
}
