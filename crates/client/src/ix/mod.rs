//! One builder for each instruction of the program. Pure: addresses and arguments in, an [`Instruction`] out.
//!
//! Where an account already names the others (a lease its vaults, a case its node), the builder takes that account.

mod admin;
mod customer;
mod dispute;
mod governance;
mod guaranteed;
mod job;
mod lease;
mod node;
mod oracle;
mod provider;
mod slash;

pub use admin::*;
pub use customer::*;
pub use dispute::*;
pub use governance::*;
pub use guaranteed::*;
pub use job::*;
pub use lease::*;
pub use node::*;
pub use oracle::*;
pub use provider::*;
pub use slash::*;

use anchor_lang::{InstructionData, ToAccountMetas};
use millrace::state::Config;

use crate::{Instruction, Pubkey, PROGRAM_ID};

const SYSTEM_PROGRAM: Pubkey = solana_sdk_ids::system_program::ID;

/// What the config says of the market's token: needed wherever MILL moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Market {
    /// The MILL mint.
    pub mint: Pubkey,
    /// Its token program.
    pub token_program: Pubkey,
    /// Receives the treasury's share of fees.
    pub treasury: Pubkey,
    /// Receives the oracles' share of fees.
    pub oracle_pool: Pubkey,
}

impl From<&Config> for Market {
    fn from(config: &Config) -> Self {
        Self {
            mint: config.mint,
            token_program: config.token_program,
            treasury: config.treasury,
            oracle_pool: config.oracle_pool,
        }
    }
}

/// An instruction of the program.
fn build(accounts: impl ToAccountMetas, data: impl InstructionData) -> Instruction {
    Instruction { program_id: PROGRAM_ID, accounts: accounts.to_account_metas(None), data: data.data() }
}

/// The ed25519 program's check that `key` signed `message`: for the instruction right before [`open_case`].
pub fn ed25519(key: &[u8; 32], signature: &[u8; 64], message: &[u8]) -> Instruction {
    solana_ed25519_program::new_ed25519_instruction_with_signature(message, signature, key)
}

#[cfg(test)]
mod tests {
    /// Bodies of `pub fn name(` in a source text.
    fn functions(source: &str) -> Vec<String> {
        let names =
            source.split("pub fn ").skip(1).filter_map(|rest| rest.split_once('(')).map(|(name, _)| name.to_string());
        names.collect()
    }

    #[test]
    fn every_instruction_of_the_program_has_its_builder() {
        let program = include_str!("../../../../programs/millrace/src/lib.rs");
        let instructions = functions(program.split_once("pub mod millrace {").unwrap().1);
        let sources = [
            include_str!("admin.rs"),
            include_str!("customer.rs"),
            include_str!("guaranteed.rs"),
            include_str!("dispute.rs"),
            include_str!("governance.rs"),
            include_str!("job.rs"),
            include_str!("lease.rs"),
            include_str!("node.rs"),
            include_str!("oracle.rs"),
            include_str!("provider.rs"),
            include_str!("slash.rs"),
        ];
        let builders: Vec<_> = sources.iter().flat_map(|source| functions(source)).collect();
        let missing: Vec<_> = instructions.iter().filter(|name| !builders.contains(name)).collect();
        let extra: Vec<_> = builders.iter().filter(|name| !instructions.contains(name)).collect();
        assert!(
            instructions.len() > 30 && missing.is_empty() && extra.is_empty(),
            "missing {missing:?}, extra {extra:?}"
        );
    }
}
