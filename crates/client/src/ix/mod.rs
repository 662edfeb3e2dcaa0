//! One builder for each instruction of the program. Pure: addresses and arguments in, an [`Instruction`] out.

mod provider;

pub use provider::*;

use anchor_lang::{InstructionData, ToAccountMetas};

use crate::{Instruction, PROGRAM_ID};

/// An instruction of the program.
fn build(accounts: impl ToAccountMetas, data: impl InstructionData) -> Instruction {
    Instruction { program_id: PROGRAM_ID, accounts: accounts.to_account_metas(None), data: data.data() }
}

/// The ed25519 program's check that `key` signed `message`: for the instruction right before one that relies on it.
pub fn ed25519(key: &[u8; 32], signature: &[u8; 64], message: &[u8]) -> Instruction {
    solana_ed25519_program::new_ed25519_instruction_with_signature(message, signature, key)
}
