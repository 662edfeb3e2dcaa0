//! Accusing a commit, proving it wrong, and what follows.

use millrace::instructions::{OpenCaseArgs, ProveEntryArgs, ProveLinkArgs};
use millrace::state::{FraudCase, Provider};
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

/// Takes what the case at `case` costs its provider. The deposit goes to who was right. Signed by nobody.
pub fn execute_slash(case: &Pubkey, state: &FraudCase, provider: &Provider, market: &Market) -> Instruction {
    let is_proven = state.entry_count > 0 || state.link_proven == 1;
    build(
        accounts::ExecuteSlash {
            config: pda::config(),
            case: *case,
            provider: state.provider,
            provider_vault: provider.vault,
            node: state.node,
            bounty_account: state.bounty_account,
            deposit_to: if is_proven { state.opener } else { provider.authority },
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ExecuteSlash {},
    )
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
