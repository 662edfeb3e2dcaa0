//! What can be wrong with one account of an instruction.

use std::collections::{BTreeMap, BTreeSet};

use millrace_tests::{key, Instruction, Keypair, Pubkey, Signer, World};

use super::kinds::{kind, kind_at, Kind};
use super::{twins, NOBODY};

/// One way in which an account is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Swap {
    /// The address of another account of the same instruction.
    Twice,
    /// Another account of the same kind: of another owner, job, provider.
    Other,
    /// An account of another kind.
    OtherKind,
    /// A token account of the same owner, but of another mint; for a mint, another mint.
    OtherMint,
    /// An address where nothing is.
    Absent,
    /// It does not sign.
    Unsigned,
    /// It cannot be written.
    ReadOnly,
}

/// An instruction with one wrong account.
pub struct Attempt {
    /// Which account.
    pub position: usize,
    /// What is wrong with it.
    pub swap: Swap,
    /// What it was replaced by.
    pub with: String,
    /// The instruction.
    pub instruction: Instruction,
}

/// Every account in `world` by kind, but for those of another mint.
fn cast(world: &World, keys: &BTreeMap<Pubkey, Keypair>) -> BTreeMap<Kind, Vec<Pubkey>> {
    let accounts = world.snapshot();
    let of_another_mint: BTreeSet<Pubkey> =
        accounts.iter().map(|(address, _)| twins::of_another_mint(address)).collect();
    let mut cast: BTreeMap<Kind, Vec<Pubkey>> = BTreeMap::new();
    for (address, account) in accounts.iter().filter(|(address, _)| !of_another_mint.contains(address)) {
        cast.entry(kind(account)).or_default().push(*address);
    }
    let wallets = keys.keys().filter(|address| kind_at(world, address) == Kind::Wallet);
    cast.insert(Kind::Wallet, wallets.copied().collect());
    let system = solana_sdk_ids::system_program::ID;
    cast.insert(Kind::Program, vec![anchor_spl::token::ID, anchor_spl::token_2022::ID, system, millrace::ID]);
    cast.insert(Kind::Other, vec![solana_sdk_ids::sysvar::clock::ID]);
    cast
}

/// All that is to be tried with `instruction`, the names of whose accounts are `names`. Each address is tried once at
/// each position, under the first name that fits it.
pub fn attempts(
    world: &World,
    instruction: &Instruction,
    names: &[String],
    keys: &BTreeMap<Pubkey, Keypair>,
) -> Vec<Attempt> {
    let cast = cast(world, keys);
    let mut all = vec![];
    for (position, meta) in instruction.accounts.iter().enumerate() {
        let mut tried = BTreeSet::from([meta.pubkey]);
        let mut replace = |swap: Swap, with: String, address: Pubkey| {
            // A signer must be able to sign, or the transaction could not even be sent.
            if (!meta.is_signer || keys.contains_key(&address)) && tried.insert(address) {
                let mut instruction = instruction.clone();
                instruction.accounts[position].pubkey = address;
                all.push(Attempt { position, swap, with, instruction });
            }
        };
        for (place, other) in instruction.accounts.iter().enumerate() {
            replace(Swap::Twice, format!("the same as {}", names[place]), other.pubkey);
        }
        let own = kind_at(world, &meta.pubkey);
        if matches!(own, Kind::Tokens | Kind::Mint) {
            replace(Swap::OtherMint, "another mint".into(), twins::of_another_mint(&meta.pubkey));
        }
        for other in cast.get(&own).into_iter().flatten() {
            replace(Swap::Other, format!("{own:?} {other}"), *other);
        }
        for (kind, others) in cast.iter().filter(|(kind, _)| **kind != own) {
            // Any token account and any wallet, but one of every other kind.
            for other in others.iter().take(if matches!(kind, Kind::Wallet | Kind::Tokens) { 3 } else { 1 }) {
                replace(Swap::OtherKind, format!("{kind:?} {other}"), *other);
            }
        }
        replace(Swap::Absent, "nothing".into(), key(NOBODY).pubkey());
        if meta.is_signer {
            let mut instruction = instruction.clone();
            instruction.accounts[position].is_signer = false;
            all.push(Attempt { position, swap: Swap::Unsigned, with: "no signature".into(), instruction });
        }
        if meta.is_writable {
            let mut instruction = instruction.clone();
            instruction.accounts[position].is_writable = false;
            all.push(Attempt { position, swap: Swap::ReadOnly, with: "read-only".into(), instruction });
        }
    }
    all
}
