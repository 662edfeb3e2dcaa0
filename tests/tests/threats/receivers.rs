//! One receiver who cannot receive blocks nobody else's money.

use anchor_spl::token::spl_token::state::AccountState;
use millrace::state::{Customer, Oracle, Provider, VoterLock};
use millrace_tests::observe::{at_each_instruction, Accepted};
use millrace_tests::{pda, scenarios, Pubkey, World};

/// Where a token account keeps its state.
const STATE_AT: usize = 108;

/// Token accounts that belong to people, not to the program, with their owners.
fn wallets(world: &World) -> Vec<(Pubkey, Pubkey)> {
    let vaults: Vec<Pubkey> = [
        world.all::<Customer>().iter().map(|(_, state)| state.vault).collect::<Vec<_>>(),
        world.all::<Provider>().iter().map(|(_, state)| state.vault).collect(),
        world.all::<VoterLock>().iter().map(|(_, state)| state.vault).collect(),
        world.all::<Oracle>().iter().map(|(_, state)| state.vault).collect(),
        vec![world.treasury, world.oracle_pool, pda::config()],
    ]
    .concat();
    let accounts = world.snapshot().into_iter();
    let tokens = accounts.filter(|(address, account)| {
        account.owner == world.standard.id() && !vaults.contains(address) && account.data.len() > STATE_AT + 32
    });
    tokens
        .map(|(address, account)| {
            (address, Pubkey::new_from_array(account.data[32..64].try_into().expect("a range of 32 bytes")))
        })
        .collect()
}

/// Whether the transaction carries the signature of `owner`.
fn is_signed_by(transaction: &Accepted, owner: &Pubkey) -> bool {
    let metas = transaction.instructions.iter().flat_map(|call| &call.accounts);
    transaction.payer == *owner || metas.filter(|meta| meta.is_signer).any(|meta| meta.pubkey == *owner)
}

/// Tries the first acceptance of every instruction with each named wallet spoiled: whoever did not sign cannot stop it.
fn nobody_else_is_blocked(spoil: impl Fn(&mut World, &Pubkey) + Copy + 'static) {
    let scenario = || drop(scenarios::everything());
    at_each_instruction(scenario, move |name, transaction| {
        let before = transaction.before.as_ref().expect("the world before was asked for");
        let named = |address: &Pubkey| {
            transaction.instructions.iter().flat_map(|call| &call.accounts).any(|meta| meta.pubkey == *address)
        };
        for (address, owner) in wallets(before).into_iter().filter(|(address, _)| named(address)) {
            if let Err(refusal) = transaction.again(|world| spoil(world, &address), &[]) {
                assert!(
                    is_signed_by(transaction, &owner),
                    "{name} is stopped by the token account of someone who did not sign: {}\n{}",
                    refusal.error,
                    refusal.logs.join("\n")
                );
            }
        }
    });
}

#[test]
fn a_frozen_token_account_stops_nobody_but_its_owner() {
    nobody_else_is_blocked(|world, address| {
        let mut account = world.svm.get_account(address).expect("the token account exists");
        account.data[STATE_AT] = AccountState::Frozen as u8;
        world.svm.set_account(*address, account).expect("LiteSVM takes the account");
    });
}

#[test]
fn a_closed_token_account_stops_nobody_but_its_owner() {
    nobody_else_is_blocked(|world, address| {
        let gone = solana_account::Account::default();
        world.svm.set_account(*address, gone).expect("LiteSVM takes the account");
    });
}
