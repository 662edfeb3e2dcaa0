//! What the deployer, the guardian and a vote can do to other people's money.

use std::collections::BTreeSet;

use millrace::state::{Customer, Oracle, Provider, VoterLock};
use millrace_tests::observe::at_each_instruction;
use millrace_tests::{scenarios, Pubkey, World};

/// Names of the instructions of genesis, the guardian and carried-out votes, from the program's own folders.
fn admin_calls() -> BTreeSet<String> {
    let folder =
        |name: &str| concat!(env!("CARGO_MANIFEST_DIR"), "/../programs/millrace/src/instructions/").to_owned() + name;
    let files = ["admin", "governance"].map(|name| std::fs::read_dir(folder(name)).expect("the folder is there"));
    let names = files.into_iter().flatten().map(|file| {
        let name = file.expect("a folder lists").file_name();
        name.to_string_lossy().trim_end_matches(".rs").to_owned()
    });
    // The voters' own: they move their own tokens, or count them.
    const OF_VOTERS: [&str; 9] = [
        "lock_votes",
        "extend_lock",
        "unlock_votes",
        "vote",
        "close_vote",
        "propose",
        "propose_upgrade",
        "close_proposal",
        "sweep_surplus",
    ];
    names.filter(|name| !OF_VOTERS.contains(&name.as_str())).collect()
}

/// Every vault that holds somebody's money, with what is in it.
fn vaults(world: &World) -> Vec<(Pubkey, u64)> {
    let customers = world.all::<Customer>().into_iter().map(|(_, state)| state.vault);
    let providers = world.all::<Provider>().into_iter().map(|(_, state)| state.vault);
    let locks = world.all::<VoterLock>().into_iter().map(|(_, state)| state.vault);
    let oracles = world.all::<Oracle>().into_iter().map(|(_, state)| state.vault);
    let all = customers.chain(providers).chain(locks).chain(oracles);
    all.map(|vault| (vault, world.tokens(&vault))).collect()
}

/// What those vaults owe, by the books.
fn owed(world: &World) -> Vec<(Pubkey, u64)> {
    let customers = world.all::<Customer>().into_iter().map(|(key, state)| (key, state.owed()));
    let providers = world.all::<Provider>().into_iter().map(|(key, state)| (key, state.owed()));
    let locks = world.all::<VoterLock>().into_iter().map(|(key, state)| (key, state.amount));
    let oracles = world.all::<Oracle>().into_iter().map(|(key, state)| (key, state.owed()));
    customers.chain(providers).chain(locks).chain(oracles).collect()
}

#[test]
fn no_admin_call_moves_money_of_a_user_or_the_books_of_it() {
    let calls = admin_calls();
    assert!(calls.contains("seal_genesis") && calls.contains("seat_oracle"), "{calls:?}");
    let scenario = || drop(scenarios::everything());
    at_each_instruction(scenario, move |name, transaction| {
        if calls.contains(name) {
            let before = transaction.before.as_ref().expect("the world before was asked for");
            let kept = |world: Vec<(Pubkey, u64)>, of: &[(Pubkey, u64)]| {
                world
                    .into_iter()
                    .filter(|(address, _)| of.iter().any(|(known, _)| known == address))
                    .collect::<Vec<_>>()
            };
            let (tokens, books) = (vaults(before), owed(before));
            assert_eq!(kept(vaults(transaction.after), &tokens), tokens, "{name} moved tokens of a user");
            assert_eq!(kept(owed(transaction.after), &books), books, "{name} changed what a user is owed");
        }
    });
}
