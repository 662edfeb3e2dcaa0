//! Beacons, reports, audits.

use millrace::instructions::{ApplyAuditArgs, SignReportArgs};
use millrace::state::Node;
use millrace::{accounts, instruction};

use super::{build, Market};
use crate::{pda, Instruction, Pubkey, PROGRAM_ID};

/// Names the slot of the current epoch's beacon. Signed by nobody.
pub fn open_beacon(epoch: u64) -> Instruction {
    build(
        accounts::OpenBeacon {
            config: pda::config(),
            beacons: pda::beacons(),
            slot_hashes: solana_sdk_ids::sysvar::slot_hashes::ID,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::OpenBeacon { epoch },
    )
}

/// Keeps the hash of the slot the epoch's beacon named. Signed by nobody.
pub fn latch_beacon(epoch: u64) -> Instruction {
    build(
        accounts::LatchBeacon {
            beacons: pda::beacons(),
            slot_hashes: solana_sdk_ids::sysvar::slot_hashes::ID,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::LatchBeacon { epoch },
    )
}

/// Signs the root of the current or previous epoch. Signed by the seat's `authority`.
pub fn sign_report(authority: &Pubkey, args: SignReportArgs) -> Instruction {
    build(
        accounts::SignReport {
            authority: *authority,
            config: pda::config(),
            oracles: pda::oracles(),
            oracle: pda::oracle(authority),
            reports: pda::reports(),
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::SignReport { args },
    )
}

/// Applies what the oracles measured of `node`. Signed by nobody.
pub fn apply_audit(node: &Pubkey, args: ApplyAuditArgs) -> Instruction {
    build(
        accounts::ApplyAudit {
            config: pda::config(),
            reports: pda::reports(),
            node: *node,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ApplyAudit { args },
    )
}

/// Applies what the oracles measured of `node`, someone else's; `receiver`, a token account, is paid if it is a
/// downgrade. Signed by nobody.
pub fn apply_downgrade(
    node: &Pubkey,
    state: &Node,
    receiver: &Pubkey,
    market: &Market,
    args: ApplyAuditArgs,
) -> Instruction {
    build(
        accounts::ApplyDowngrade {
            config: pda::config(),
            reports: pda::reports(),
            node: *node,
            provider: state.provider,
            provider_vault: pda::vault(&state.provider),
            receiver: *receiver,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ApplyDowngrade { args },
    )
}
