//! Accusing a commit, proving it wrong, and what follows.
//!
//! Where stake is taken, `others` are further nodes of the provider, in the order of their numbers: what they lock is
//! reached only if they are named.

use anchor_lang::solana_program::instruction::AccountMeta;
use millrace::instructions::{OpenCaseArgs, OpenSlashCaseArgs, ProveEntryArgs, ProveLinkArgs, SlashOracleArgs};
use millrace::state::{FraudCase, Node, Provider, SlashCase};
use millrace::{accounts, instruction};
use sha2::{Digest, Sha256};

use super::{build, Market, SYSTEM_PROGRAM};
use crate::{pda, Instruction, Pubkey, PROGRAM_ID};

/// Accuses `args.commit` of `node`. [`super::ed25519`] with the operator's signature over the commit comes right
/// before it. Signed by `opener`, who pays rent and deposit.
pub fn open_case(opener: &Pubkey, provider: &Pubkey, node: &Pubkey, args: OpenCaseArgs) -> Instruction {
    let commit_id: [u8; 32] = Sha256::digest(args.commit).into();
    build(
        accounts::OpenCase {
            opener: *opener,
            config: pda::config(),
            beacons: pda::beacons(),
            provider: *provider,
            node: *node,
            case: pda::fraud_case(&commit_id),
            instructions: solana_sdk_ids::sysvar::instructions::ID,
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::OpenCase { args },
    )
}

/// Shows the program one wrong entry of the commit under `case`. Signed by `prover`: anyone.
pub fn prove_entry(prover: &Pubkey, case: &Pubkey, args: ProveEntryArgs) -> Instruction {
    build(
        accounts::ProveEntry {
            prover: *prover,
            case: *case,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ProveEntry { args },
    )
}

/// Shows the program one false seed of the commit under `case`. Signed by `prover`: anyone.
pub fn prove_link(prover: &Pubkey, case: &Pubkey, args: ProveLinkArgs) -> Instruction {
    build(
        accounts::ProveLink {
            prover: *prover,
            case: *case,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ProveLink { args },
    )
}

/// Shows that the commits under `case` and `other_case` are of one node, GPU and epoch. Signed by `prover`: anyone.
pub fn prove_double_commit(prover: &Pubkey, case: &Pubkey, other_case: &Pubkey) -> Instruction {
    build(
        accounts::ProveDoubleCommit {
            prover: *prover,
            case: *case,
            other_case: *other_case,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ProveDoubleCommit {},
    )
}

/// Takes what the case at `case` costs its provider, from `others` too. The deposit goes to who was right. Signed by
/// nobody.
pub fn execute_slash(
    case: &Pubkey,
    state: &FraudCase,
    provider: &Provider,
    market: &Market,
    others: &[Pubkey],
) -> Instruction {
    let accounts = accounts::ExecuteSlash {
        config: pda::config(),
        case: *case,
        provider: state.provider,
        provider_vault: provider.vault,
        node: state.node,
        bounty_account: state.bounty_account,
        deposit_to: if state.is_proven() { state.opener } else { provider.authority },
        mint: market.mint,
        token_program: market.token_program,
        event_authority: pda::event_authority(),
        program: PROGRAM_ID,
    };
    with_others(build(accounts, instruction::ExecuteSlash {}), others)
}

/// Closes the executed case at `case`. Signed by nobody.
pub fn close_case(case: &Pubkey, state: &FraudCase) -> Instruction {
    build(
        accounts::CloseCase {
            config: pda::config(),
            case: *case,
            provider: state.provider,
            rent_payer: state.rent_payer,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::CloseCase {},
    )
}

/// Takes the stake of `oracle`, which signed a report that passes the commit under `case`. Signed by nobody.
pub fn slash_oracle(
    case: &Pubkey,
    state: &FraudCase,
    oracle: &Pubkey,
    market: &Market,
    args: SlashOracleArgs,
) -> Instruction {
    build(
        accounts::SlashOracle {
            config: pda::config(),
            beacons: pda::beacons(),
            reports: pda::reports(),
            case: *case,
            oracle: *oracle,
            oracle_vault: pda::vault(oracle),
            bounty_account: state.bounty_account,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::SlashOracle { args },
    )
}

/// Charges `node`, whose account is `state`, with what a leaf says, and freezes the penalty, from `others` too. `number`
/// is the provider's `next_slash_case`. Signed and paid by `prover`: anyone.
pub fn open_slash_case(
    prover: &Pubkey,
    node: &Pubkey,
    state: &Node,
    number: u32,
    args: OpenSlashCaseArgs,
    others: &[Pubkey],
) -> Instruction {
    let accounts = accounts::OpenSlashCase {
        prover: *prover,
        config: pda::config(),
        reports: pda::reports(),
        provider: state.provider,
        node: *node,
        case: pda::slash_case(&state.provider, number),
        system_program: SYSTEM_PROGRAM,
        event_authority: pda::event_authority(),
        program: PROGRAM_ID,
    };
    with_others(build(accounts, instruction::OpenSlashCase { args }), others)
}

/// Executes the judged case at `case`. Signed by nobody.
pub fn execute_slash_case(case: &Pubkey, state: &SlashCase, market: &Market) -> Instruction {
    build(
        accounts::ExecuteSlashCase {
            config: pda::config(),
            case: *case,
            provider: state.provider,
            provider_vault: pda::vault(&state.provider),
            bounty_account: state.bounty_account,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ExecuteSlashCase {},
    )
}

/// Closes the judged case at `case`. Signed by nobody.
pub fn close_slash_case(case: &Pubkey, state: &SlashCase) -> Instruction {
    build(
        accounts::CloseSlashCase {
            provider: state.provider,
            case: *case,
            rent_payer: state.rent_payer,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::CloseSlashCase {},
    )
}

/// `instruction` with `others` behind its own accounts.
fn with_others(mut instruction: Instruction, others: &[Pubkey]) -> Instruction {
    instruction.accounts.extend(others.iter().map(|node| AccountMeta::new(*node, false)));
    instruction
}
