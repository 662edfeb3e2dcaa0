//! A second market in the same world: of every account that is not the deployment's own, a twin at another address
//! that differs in nothing but whose it is.
//!
//! In each account of the program and each token account every address with a twin is replaced by its twin, so that the
//! twin of a lease names the twins of its job, customer, provider, node and vaults, and the twin of a provider answers
//! to the twin of its cold key. Only the derivation of addresses from seeds does not carry over. So whatever kind
//! of account comes to the program, there is another one of its kind here, in the very state in which the call is
//! right. Nobody holds the keys of the twins' owners: they would only sign for twins, and one swap names one twin.

use std::collections::BTreeMap;

use millrace_tests::tokens::{good_mint, named};
use millrace_tests::{Pubkey, World};

use super::kinds::{kind, Kind, SINGLETONS};

/// Where an account lies that is as the token account or mint at `address`, but of another mint.
pub fn of_another_mint(address: &Pubkey) -> Pubkey {
    named(&name_of_another_mint(address))
}

fn name_of_another_mint(address: &Pubkey) -> String {
    format!("{address} of another mint")
}

/// Adds for every token account one of the same owner, and of another mint.
pub fn add_another_mint(world: &mut World) {
    let (mint, standard) = (world.mint, world.standard);
    let other_mint = world.put_mint(&name_of_another_mint(&mint), good_mint(), standard, &[]);
    for (address, account) in world.snapshot() {
        if kind(&account) == Kind::Tokens {
            let owner = Pubkey::new_from_array(account.data[32..64].try_into().expect("a range of 32 bytes"));
            let amount = world.tokens(&address);
            world.put_token_account(&name_of_another_mint(&address), &owner, &other_mint, standard, amount);
        }
    }
}

/// Adds the twins.
pub fn add(world: &mut World) {
    let own = [world.mint, world.treasury, world.oracle_pool];
    let accounts: Vec<_> = world
        .snapshot()
        .into_iter()
        .filter(|(address, account)| match kind(account) {
            Kind::Ours(name) => !SINGLETONS.contains(&name),
            Kind::Tokens => !own.contains(address),
            _ => false,
        })
        .collect();
    let parties = world.parties.iter().chain(world.keyring.keys());
    let all = accounts.iter().map(|(address, _)| address).chain(parties);
    let twins: BTreeMap<Pubkey, Pubkey> = all.map(|address| (*address, named(&format!("twin of {address}")))).collect();
    for (address, mut account) in accounts {
        for at in 0..account.data.len().saturating_sub(31) {
            let bytes: [u8; 32] = account.data[at..at + 32].try_into().expect("a range of 32 bytes");
            if let Some(twin) = twins.get(&Pubkey::new_from_array(bytes)) {
                account.data[at..at + 32].copy_from_slice(twin.as_ref());
            }
        }
        world.svm.set_account(twins[&address], account).expect("LiteSVM takes the account");
    }
}
