//! What an account is.

use millrace_tests::{Pubkey, World};
use solana_account::Account;

use super::idl;

/// What an account is, as far as a program could confuse it with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing is there.
    Absent,
    /// Lamports and no data: a wallet.
    Wallet,
    /// An account of the program, of this name in the IDL.
    Ours(&'static str),
    /// A token account.
    Tokens,
    /// A mint.
    Mint,
    /// A program.
    Program,
    /// A sysvar or anything else.
    Other,
}

/// Accounts of the program of which there can be only one.
pub const SINGLETONS: [&str; 4] = ["Beacons", "Config", "OracleSet", "Reports"];

/// Bytes of a token account without extensions.
const TOKENS_LEN: usize = 165;

/// The kind of this account.
pub fn kind(account: &Account) -> Kind {
    if account.executable {
        return Kind::Program;
    }
    let is_of = |program: Pubkey| account.owner == program;
    if is_of(millrace::ID) {
        let found = idl::kinds().into_iter().find(|(_, discriminator)| account.data.starts_with(discriminator));
        found.map_or(Kind::Other, |(name, _)| Kind::Ours(name))
    } else if is_of(anchor_spl::token::ID) || is_of(anchor_spl::token_2022::ID) {
        let is_tokens = account.data.len() == TOKENS_LEN || account.data.get(TOKENS_LEN) == Some(&2);
        if is_tokens {
            Kind::Tokens
        } else {
            Kind::Mint
        }
    } else if is_of(solana_sdk_ids::system_program::ID) && account.data.is_empty() {
        Kind::Wallet
    } else {
        Kind::Other
    }
}

/// The kind of what is at `address`.
pub fn kind_at(world: &World, address: &Pubkey) -> Kind {
    world.svm.get_account(address).filter(|account| account.lamports > 0).map_or(Kind::Absent, |found| kind(&found))
}
