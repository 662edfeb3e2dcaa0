//! Tokens from outside and burns outside: they are nobody's, and change nothing.

use anchor_lang::Discriminator;
use millrace::state::Proposal;
use millrace_tests::observe::at_each_instruction;
use millrace_tests::{scenarios, Pubkey, World};

/// The program's own accounts, as they are.
fn books(world: &World) -> Vec<(Pubkey, Vec<u8>)> {
    let accounts = world.snapshot().into_iter();
    accounts
        .filter(|(_, account)| account.owner == millrace::ID)
        .map(|(address, account)| (address, account.data))
        .collect()
}

/// Whatever is called, a token more in every vault and wallet is seen by no book. (Only the oracle pool is left out: what
/// anyone puts into it is the oracles'.)
#[test]
fn one_token_more_in_every_account_changes_nothing() {
    let scenario = || drop(scenarios::everything());
    at_each_instruction(scenario, |name, transaction| {
        let generous = transaction.again(
            |world| {
                let is_tokens = |data: &[u8]| data.len() == 165 || data.get(165) == Some(&2);
                let accounts = world.snapshot().into_iter();
                let tokens = accounts.filter(|(_, account)| account.owner != millrace::ID && is_tokens(&account.data));
                let addresses: Vec<Pubkey> = tokens.map(|(address, _)| address).collect();
                let pool = world.oracle_pool;
                for address in addresses.iter().filter(|address| **address != pool) {
                    world.send_stray_tokens(address, 1);
                }
            },
            &[],
        );
        let after = generous.unwrap_or_else(|refusal| {
            panic!("{name} is stopped by a gift: {}\n{}", refusal.error, refusal.logs.join("\n"))
        });
        assert!(books(&after) == books(transaction.after), "{name} books a stranger's token");
    });
}

/// Whoever burns its own tokens lowers the supply that the program knew.
#[test]
fn tokens_burned_outside_stop_nothing() {
    /// Where a mint keeps its supply.
    const SUPPLY: std::ops::Range<usize> = 36..44;
    let scenario = || drop(scenarios::everything());
    at_each_instruction(scenario, |name, transaction| {
        let scarcer = transaction.again(
            |world| {
                let mut mint = world.svm.get_account(&world.mint).expect("the mint exists");
                let supply = u64::from_le_bytes(mint.data[SUPPLY].try_into().expect("a range of eight bytes"));
                mint.data[SUPPLY].copy_from_slice(&(supply - 1).to_le_bytes());
                world.svm.set_account(world.mint, mint).expect("LiteSVM takes the account");
            },
            &[],
        );
        let after = scarcer.unwrap_or_else(|refusal| {
            panic!("{name} is stopped by a burn: {}\n{}", refusal.error, refusal.logs.join("\n"))
        });
        // The market's beginning and a proposal write the supply down as they find it.
        let is_told = |data: &[u8]| data.starts_with(Proposal::DISCRIMINATOR) || name == "initialize";
        let untold = |world: &World| books(world).into_iter().filter(|(_, data)| !is_told(data)).collect::<Vec<_>>();
        assert!(untold(&after) == untold(transaction.after), "{name} books a burn outside");
    });
}
