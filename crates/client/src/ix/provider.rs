//! What providers do.

use millrace::instructions::RegisterProviderArgs;
use millrace::{accounts, instruction};

use super::build;
use crate::{pda, Instruction, Pubkey, PROGRAM_ID};

/// Opens the provider account of `authority`, who signs and pays.
pub fn register_provider(
    authority: &Pubkey,
    mint: &Pubkey,
    token_program: &Pubkey,
    args: RegisterProviderArgs,
) -> Instruction {
    let provider = pda::provider(authority);
    build(
        accounts::RegisterProvider {
            authority: *authority,
            config: pda::config(),
            provider,
            vault: pda::vault(&provider),
            mint: *mint,
            token_program: *token_program,
            system_program: solana_sdk_ids::system_program::ID,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::RegisterProvider { args },
    )
}
