//! What is closed stays closed.

use anchor_lang::solana_program::system_instruction::transfer;
use millrace_tests::observe::at_each_instruction;
use millrace_tests::scenarios;

/// Closing empties an account's data at once; lamports sent to it later in the same transaction would keep it alive,
/// and if its data were still there, it would be used again.
#[test]
fn a_closed_account_given_lamports_in_the_same_transaction_does_not_come_back() {
    let scenario = || drop(scenarios::everything());
    at_each_instruction(scenario, |name, transaction| {
        let closed = transaction.closed();
        if closed.is_empty() {
            return;
        }
        let gifts: Vec<_> = closed.iter().map(|address| transfer(&transaction.payer, address, 10_000_000)).collect();
        let after = transaction.again(|_| (), &gifts).unwrap_or_else(|refusal| {
            panic!("{name}: lamports for what it closed are refused: {}\n{}", refusal.error, refusal.logs.join("\n"))
        });
        for address in &closed {
            let account = after.svm.get_account(address).expect("it has lamports");
            assert!(account.data.is_empty(), "{name} left data in {address}");
            assert_eq!(account.owner, solana_sdk_ids::system_program::ID, "{name} left {address} to the program");
        }
        // The same call behind the gift finds nothing to act on.
        let again = [&gifts[..], transaction.instructions].concat();
        let refusal = transaction.again(|_| (), &again).map(drop).expect_err("a closed account was used again");
        assert!(!refusal.logs.iter().any(|line| line.contains("panicked")), "{name}: {}", refusal.logs.join("\n"));
    });
}
