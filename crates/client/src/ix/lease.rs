//! A lease from its first payment to its end. The lease names every account of both sides.

use anchor_lang::InstructionData;
use millrace::instructions::SettleLeaseArgs;
use millrace::state::Lease;
use millrace::{accounts, instruction};

use super::{build, Market};
use crate::{pda, Instruction, Pubkey, PROGRAM_ID};

/// Pays the lease at `lease` by a leaf and its path. Signed by nobody.
pub fn settle_lease(lease: &Pubkey, state: &Lease, market: &Market, args: SettleLeaseArgs) -> Instruction {
    build(
        accounts::SettleLease {
            lease: *lease,
            reports: pda::reports(),
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
        instruction::SettleLease { args },
    )
}

fn close(caller: &Pubkey, lease: &Pubkey, state: &Lease, market: &Market, data: impl InstructionData) -> Instruction {
    build(
        accounts::CloseLease {
            caller: *caller,
            lease: *lease,
            job: state.job,
            customer: state.customer,
            customer_vault: state.customer_vault,
            provider: state.provider,
            provider_vault: state.provider_vault,
            rent_payer: state.rent_payer,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        data,
    )
}

/// Accepts the result of the ended lease at `lease`: pays the holdback and closes it. Signed by the customer's
/// `authority`.
pub fn accept_result(authority: &Pubkey, lease: &Pubkey, state: &Lease, market: &Market) -> Instruction {
    close(authority, lease, state, market, instruction::AcceptResult {})
}

/// Pays the holdback of the ended lease at `lease` after its dispute window and closes it. Signed by `caller`: anyone.
pub fn close_lease(caller: &Pubkey, lease: &Pubkey, state: &Lease, market: &Market) -> Instruction {
    close(caller, lease, state, market, instruction::CloseLease {})
}

/// Asks the lease at `lease` to stop. Signed by the customer's `authority`.
pub fn stop_lease(authority: &Pubkey, lease: &Pubkey, state: &Lease) -> Instruction {
    build(
        accounts::StopLease {
            authority: *authority,
            customer: state.customer,
            lease: *lease,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::StopLease {},
    )
}

/// Ends the lease at `lease`, about which the oracles fell silent. Signed by `caller`: either side.
pub fn exit_lease(caller: &Pubkey, lease: &Pubkey, state: &Lease) -> Instruction {
    build(
        accounts::ExitLease {
            caller: *caller,
            lease: *lease,
            customer: state.customer,
            provider: state.provider,
            node: state.node,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ExitLease {},
    )
}
