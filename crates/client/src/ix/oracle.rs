//! Beacons, reports, audits; an oracle's stake and its reward.

use millrace::instructions::{ApplyAuditArgs, ApplyOracleLeafArgs, SignReportArgs};
use millrace::state::{Node, Oracle};
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

/// Puts `amount` base units behind the oracle at `oracle`. Signed by `staker`, who owns `source`.
pub fn stake_oracle(staker: &Pubkey, source: &Pubkey, oracle: &Pubkey, market: &Market, amount: u64) -> Instruction {
    build(
        accounts::StakeOracle {
            staker: *staker,
            oracle: *oracle,
            vault: pda::vault(oracle),
            source: *source,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::StakeOracle { amount },
    )
}

/// Starts to take `amount` base units of the stake out. Signed by the oracle's `authority`.
pub fn begin_oracle_unstake(authority: &Pubkey, amount: u64) -> Instruction {
    build(
        accounts::BeginOracleUnstake {
            authority: *authority,
            config: pda::config(),
            oracle: pda::oracle(authority),
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::BeginOracleUnstake { amount },
    )
}

/// Pays the unbonded stake to `destination`, a token account of `authority`. Signed by the oracle's `authority`.
pub fn withdraw_oracle(authority: &Pubkey, destination: &Pubkey, market: &Market) -> Instruction {
    let oracle = pda::oracle(authority);
    build(
        accounts::WithdrawOracle {
            authority: *authority,
            config: pda::config(),
            oracle,
            vault: pda::vault(&oracle),
            destination: *destination,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::WithdrawOracle {},
    )
}

/// Counts what the leaf of the oracle at `oracle` says it opened. Signed by nobody.
pub fn apply_oracle_leaf(oracle: &Pubkey, market: &Market, args: ApplyOracleLeafArgs) -> Instruction {
    build(
        accounts::ApplyOracleLeaf {
            config: pda::config(),
            oracles: pda::oracles(),
            reports: pda::reports(),
            oracle: *oracle,
            oracle_pool: market.oracle_pool,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ApplyOracleLeaf { args },
    )
}

/// Pays the oracle at `oracle` for the period just closed, to `destination`, a token account of its authority. Signed by
/// nobody.
pub fn claim_reward(oracle: &Pubkey, destination: &Pubkey, market: &Market) -> Instruction {
    build(
        accounts::ClaimReward {
            config: pda::config(),
            oracles: pda::oracles(),
            oracle: *oracle,
            governance: pda::governance(),
            oracle_pool: market.oracle_pool,
            destination: *destination,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ClaimReward {},
    )
}

/// Closes the removed oracle at `oracle`. Signed by nobody.
pub fn close_oracle(oracle: &Pubkey, state: &Oracle, market: &Market) -> Instruction {
    build(
        accounts::CloseOracle {
            config: pda::config(),
            oracle: *oracle,
            vault: state.vault,
            treasury: market.treasury,
            rent_payer: state.rent_payer,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::CloseOracle {},
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
