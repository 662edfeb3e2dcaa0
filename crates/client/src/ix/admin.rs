//! Genesis: once for each deployment.

use millrace::instructions::{InitializeArgs, SeatOracleArgs};
use millrace::{accounts, instruction};

use super::{build, Market, SYSTEM_PROGRAM};
use crate::{pda, Instruction, Pubkey, PROGRAM_ID};

/// Opens the market of `mint`, which belongs to `token_program`. Signed and paid by the program's upgrade `authority`.
pub fn initialize(authority: &Pubkey, mint: &Pubkey, token_program: &Pubkey, args: InitializeArgs) -> Instruction {
    build(
        accounts::Initialize {
            authority: *authority,
            program_data: pda::program_data(),
            config: pda::config(),
            oracles: pda::oracles(),
            reports: pda::reports(),
            beacons: pda::beacons(),
            mint: *mint,
            treasury: pda::treasury(),
            oracle_pool: pda::oracle_pool(),
            token_program: *token_program,
            slot_hashes: solana_sdk_ids::sysvar::slot_hashes::ID,
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::Initialize { args },
    )
}

/// Grows the beacon account one step. Signed and paid by `payer`.
pub fn grow_beacons(payer: &Pubkey) -> Instruction {
    build(
        accounts::GrowBeacons {
            payer: *payer,
            beacons: pda::beacons(),
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::GrowBeacons {},
    )
}

/// Adds an oracle seat. Signed and paid by the deployer.
pub fn seat_oracle(authority: &Pubkey, market: &Market, args: SeatOracleArgs) -> Instruction {
    let oracle = pda::oracle(&args.oracle_authority);
    build(
        accounts::SeatOracle {
            authority: *authority,
            config: pda::config(),
            oracles: pda::oracles(),
            oracle,
            vault: pda::vault(&oracle),
            mint: market.mint,
            token_program: market.token_program,
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::SeatOracle { args },
    )
}

/// Ends genesis and gives the right to upgrade the program to governance. Signed by the deployer.
pub fn seal_genesis(authority: &Pubkey) -> Instruction {
    build(
        accounts::SealGenesis {
            authority: *authority,
            config: pda::config(),
            oracles: pda::oracles(),
            beacons: pda::beacons(),
            program_data: pda::program_data(),
            governance: pda::governance(),
            loader: solana_sdk_ids::bpf_loader_upgradeable::ID,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::SealGenesis {},
    )
}
