//! What providers do with their machines.

use millrace::instructions::RegisterNodeArgs;
use millrace::{accounts, instruction};

use super::{build, SYSTEM_PROGRAM};
use crate::{pda, Instruction, Pubkey, PROGRAM_ID};

/// Puts a machine up for sale. `index` is the provider's `next_node_index`. Signed and paid by `authority`.
pub fn register_node(authority: &Pubkey, provider: &Pubkey, index: u32, args: RegisterNodeArgs) -> Instruction {
    build(
        accounts::RegisterNode {
            authority: *authority,
            config: pda::config(),
            provider: *provider,
            node: pda::node(provider, index),
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::RegisterNode { args },
    )
}

/// Changes the asking price, base units a second. Signed by `signer`: the hot or the cold key.
pub fn set_ask(signer: &Pubkey, provider: &Pubkey, node: &Pubkey, ask_per_sec: u64) -> Instruction {
    build(
        accounts::SetAsk {
            operator: *signer,
            provider: *provider,
            node: *node,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::SetAsk { ask_per_sec },
    )
}

/// Stops or resumes bidding. Signed by `signer`: the hot or the cold key.
pub fn drain(signer: &Pubkey, provider: &Pubkey, node: &Pubkey, draining: bool) -> Instruction {
    build(
        accounts::Drain {
            operator: *signer,
            provider: *provider,
            node: *node,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::Drain { draining },
    )
}

/// Fills up the stake of a node that lost some. Signed by `authority`.
pub fn relock_node(authority: &Pubkey, provider: &Pubkey, node: &Pubkey) -> Instruction {
    build(
        accounts::RelockNode {
            authority: *authority,
            provider: *provider,
            node: *node,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::RelockNode {},
    )
}

/// Takes a free node off the market. Signed by `authority`.
pub fn retire(authority: &Pubkey, provider: &Pubkey, node: &Pubkey) -> Instruction {
    build(
        accounts::Retire {
            authority: *authority,
            provider: *provider,
            node: *node,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::Retire {},
    )
}

/// Closes a retired node's account; its rent goes to `rent_payer`, whom the account names. Signed by nobody.
pub fn close_node(provider: &Pubkey, node: &Pubkey, rent_payer: &Pubkey) -> Instruction {
    build(
        accounts::CloseNode {
            config: pda::config(),
            provider: *provider,
            node: *node,
            rent_payer: *rent_payer,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::CloseNode {},
    )
}
