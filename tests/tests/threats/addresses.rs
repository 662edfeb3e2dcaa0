//! Where accounts lie: no two at one place, and nobody is kept from one.

use std::collections::BTreeMap;

use anchor_lang::prelude::system_program;
use millrace::constants::SLASH_SEED;
use millrace_client::pda;
use millrace_tests::observe::at_each_instruction;
use millrace_tests::{scenarios, Pubkey};
use proptest::prelude::*;
use solana_account::Account;

/// A stranger who sends a lamport to an address before its account is opened there gains nothing.
#[test]
fn lamports_sent_ahead_keep_no_account_shut() {
    let scenario = || drop(scenarios::everything());
    at_each_instruction(scenario, |name, transaction| {
        for address in transaction.opened() {
            let gift = Account { lamports: 1, owner: system_program::ID, ..Account::default() };
            let opened =
                transaction.again(|world| world.svm.set_account(address, gift).expect("LiteSVM takes it"), &[]);
            let after = opened.unwrap_or_else(|refusal| {
                panic!("{name}: one lamport at {address} shuts it: {}\n{}", refusal.error, refusal.logs.join("\n"))
            });
            assert!(after.exists(&address), "{name} did not open {address}");
        }
    });
}

/// What an account's address is made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seeds {
    Provider(Pubkey),
    Node(Pubkey, u32),
    Customer(Pubkey),
    Job(Pubkey, u64),
    Lease(Pubkey, u8),
    Vault(Pubkey),
    Oracle(Pubkey),
    FraudCase([u8; 32]),
    Claim(Pubkey, u32),
    Dispute(Pubkey),
    SlashCase(Pubkey, u32),
    Lock(Pubkey),
    Proposal(u64),
    Vote(Pubkey, Pubkey),
}

impl Seeds {
    fn address(&self) -> Pubkey {
        match self {
            Self::Provider(authority) => pda::provider(authority),
            Self::Node(provider, index) => pda::node(provider, *index),
            Self::Customer(authority) => pda::customer(authority),
            Self::Job(customer, id) => pda::job(customer, *id),
            Self::Lease(job, index) => pda::lease(job, *index),
            Self::Vault(owner) => pda::vault(owner),
            Self::Oracle(authority) => pda::oracle(authority),
            Self::FraudCase(commit_id) => pda::fraud_case(commit_id),
            Self::Claim(provider, number) => pda::claim(provider, *number),
            Self::Dispute(lease) => pda::dispute(lease),
            Self::SlashCase(provider, number) => {
                let seeds = [SLASH_SEED, provider.as_ref(), &number.to_le_bytes()];
                Pubkey::find_program_address(&seeds, &millrace::ID).0
            }
            Self::Lock(voter) => pda::lock(voter),
            Self::Proposal(id) => pda::proposal(*id),
            Self::Vote(proposal, voter) => pda::vote(proposal, voter),
        }
    }
}

/// Few keys and numbers, so that tuples are alike in all but one place.
fn seeds() -> impl Strategy<Value = Seeds> {
    let key = || (0u8..3).prop_map(|n| Pubkey::new_from_array([n; 32]));
    // One byte apart in every byte: what a seed of another length would confuse.
    let number = || prop_oneof![0u64..3, Just(1 << 8), Just(1 << 16), Just(1 << 24), Just(1 << 32), Just(1 << 56)];
    prop_oneof![
        key().prop_map(Seeds::Provider),
        (key(), number()).prop_map(|(key, n)| Seeds::Node(key, n as u32)),
        key().prop_map(Seeds::Customer),
        (key(), number()).prop_map(|(key, n)| Seeds::Job(key, n)),
        (key(), number()).prop_map(|(key, n)| Seeds::Lease(key, n as u8)),
        key().prop_map(Seeds::Vault),
        key().prop_map(Seeds::Oracle),
        key().prop_map(|key| Seeds::FraudCase(key.to_bytes())),
        (key(), number()).prop_map(|(key, n)| Seeds::Claim(key, n as u32)),
        key().prop_map(Seeds::Dispute),
        (key(), number()).prop_map(|(key, n)| Seeds::SlashCase(key, n as u32)),
        key().prop_map(Seeds::Lock),
        number().prop_map(Seeds::Proposal),
        (key(), key()).prop_map(|(proposal, voter)| Seeds::Vote(proposal, voter)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_two_tuples_of_seeds_share_an_address(all in proptest::collection::btree_set(seeds(), 2..12)) {
        let mut taken: BTreeMap<Pubkey, Seeds> = BTreeMap::new();
        for seeds in all {
            let address = seeds.address();
            prop_assert!(!taken.contains_key(&address), "{seeds:?} and {:?} are at {address}", taken[&address]);
            taken.insert(address, seeds);
        }
    }
}

/// Seeds have a literal prefix each; none begins with another, and no seed of the program is of variable length.
#[test]
fn no_prefix_of_seeds_is_another() {
    use millrace::constants::*;
    let prefixes: Vec<&[u8]> = vec![
        CONFIG_SEED,
        PROVIDER_SEED,
        NODE_SEED,
        CUSTOMER_SEED,
        JOB_SEED,
        LEASE_SEED,
        VAULT_SEED,
        ORACLES_SEED,
        ORACLE_SEED,
        REPORTS_SEED,
        BEACONS_SEED,
        FRAUD_SEED,
        CLAIM_SEED,
        DISPUTE_SEED,
        SLASH_SEED,
        LOCK_SEED,
        PROPOSAL_SEED,
        VOTE_SEED,
        GOVERNANCE_SEED,
        TREASURY_SEED,
        ORACLE_POOL_SEED,
    ];
    let source = include_str!("../../../programs/millrace/src/constants.rs");
    assert_eq!(source.matches("_SEED: &[u8] = b\"").count(), prefixes.len(), "every prefix is compared");
    // What is hashed is all seeds joined: a prefix counts with what can follow it.
    const KEY: usize = 32;
    let tails: Vec<(&[u8], usize)> = vec![
        (CONFIG_SEED, 0),
        (PROVIDER_SEED, KEY),
        (NODE_SEED, KEY + 4),
        (CUSTOMER_SEED, KEY),
        (JOB_SEED, KEY + 8),
        (LEASE_SEED, KEY + 1),
        (VAULT_SEED, KEY),
        (ORACLES_SEED, 0),
        (ORACLE_SEED, KEY),
        (REPORTS_SEED, 0),
        (BEACONS_SEED, 0),
        (FRAUD_SEED, KEY),
        (CLAIM_SEED, KEY + 4),
        (DISPUTE_SEED, KEY),
        (SLASH_SEED, KEY + 4),
        (LOCK_SEED, KEY),
        (PROPOSAL_SEED, 8),
        (VOTE_SEED, 2 * KEY),
        (GOVERNANCE_SEED, 0),
        (TREASURY_SEED, 0),
        (ORACLE_POOL_SEED, 0),
    ];
    for (n, (a, a_tail)) in tails.iter().enumerate() {
        for (b, b_tail) in &tails[n + 1..] {
            let may_collide = (a.starts_with(b) || b.starts_with(a)) && a.len() + a_tail == b.len() + b_tail;
            assert!(!may_collide, "seeds of {:?} and {:?} can be the same bytes", a, b);
        }
    }
}
