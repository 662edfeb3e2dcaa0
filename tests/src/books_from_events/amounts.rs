//! The amounts of every account of the program, read where the layout says they lie.

use std::collections::BTreeMap;

use anchor_lang::Discriminator;
use millrace::state::*;

use super::Entry;
use crate::{Pubkey, World};

/// Lists the amounts of each kind of account; all are `u64`.
macro_rules! amounts {
    ($($kind:ident { $($amount:ident)* })*) => {
        /// Kinds of accounts, and the amounts of each.
        pub fn amount_names() -> BTreeMap<&'static str, Vec<&'static str>> {
            BTreeMap::from([$((stringify!($kind), vec![$(stringify!($amount)),*])),*])
        }

        fn of(data: &[u8]) -> Option<Entry> {
            $(
                if data.starts_with($kind::DISCRIMINATOR) {
                    let places = [$((stringify!($amount), std::mem::offset_of!($kind, $amount))),*];
                    let amounts = places.map(|(name, at)| (name.to_owned(), u64_at(data, 8 + at)));
                    return Some(Entry { kind: stringify!($kind).into(), amounts: amounts.into(), ..Entry::default() });
                }
            )*
            None
        }
    };
}

amounts! {
    Beacons { sequence }
    Claim { sequence amount }
    Config { sequence vote_weight_total deposits_held genesis_supply burned_total }
    Customer {
        sequence free reserved holdbacks fee_due deposited received refunded paid burned oracle_share treasury_share
    }
    Dispute { sequence bond upheld_weight dismissed_weight }
    FraudCase { sequence deposit_lamports taken_amount unpaid_amount }
    Job { sequence reserve_amount }
    Lease { sequence reserve_amount bond bond_left gross_amount fee_amount holdback_amount }
    Node { sequence locked_stake bid_bond }
    Oracle { sequence stake unbonding_amount slashed_total rewarded_total }
    OracleSet { sequence total_weight closed_pot_amount closed_claimed_amount rewarded_total }
    Proposal { sequence deposit_amount yes_weight no_weight voted_amount total_weight supply_amount }
    Provider { sequence stake locked earned bonds lease_bonds frozen claims slashed_total }
    Reports { sequence }
    SlashCase { sequence frozen_amount executed_amount }
    Vote { weight }
    VoterLock { sequence amount weight }
}

/// Fields in base units that are no balance, and what they are.
pub const NOT_BALANCES: &[(&str, &str, &str)] = &[
    ("Job", "max_per_sec", "a price"),
    ("Lease", "per_sec", "a price"),
    ("Lease", "full_per_sec", "a price"),
    ("Node", "ask_per_sec", "a price"),
    ("Node", "stake_required", "a rule: what its claim needs"),
    ("Provider", "min_bid_per_sec", "a price"),
    ("Provider", "max_bonds_amount", "a rule: what its cold key allows"),
    ("Provider", "judged_base_amount", "a rule: of what the epoch's limit is a share"),
    ("Provider", "judged_amount", "a rule: how much of the epoch's limit is used"),
];

fn u64_at(data: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(data[at..at + 8].try_into().expect("a range of eight bytes"))
}

/// What the account at `address` says.
pub(super) fn read(world: &World, address: &Pubkey) -> Option<Entry> {
    let data = world.svm.get_account(address)?.data;
    let mut entry = of(&data)?;
    if entry.kind == "Provider" {
        let unbonding = world.read::<Provider>(address).unbonding_amount();
        entry.amounts.insert("unbonding".into(), unbonding);
    }
    Some(entry)
}

/// What all accounts of the program say.
pub(super) fn read_all(world: &World) -> BTreeMap<Pubkey, Entry> {
    let accounts = world.svm.get_program_accounts(&millrace::ID);
    accounts.into_iter().filter_map(|(address, _)| Some((address, read(world, &address)?))).collect()
}
