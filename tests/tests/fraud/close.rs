//! `close_case`: when a case is over, and that it neither comes back nor stays for ever.

use millrace::events::CaseClosed;
use millrace::state::{FraudCase, Provider};
use millrace_core::epoch::FRAUD_WINDOW_EPOCHS;
use millrace_core::proof::Commit;
use millrace_tests::fraud::*;
use millrace_tests::*;
use solana_account::Account;

fn opened(world: &mut World, entries: u32) -> (Accusation, Commit, Pubkey) {
    let accusation = world.accusation();
    let task = world.audit(&accusation.node, 256, 3);
    let run = SparseRun::new(&task, &[(1, 2), (3, 4), (5, 6)], Value::Wrong);
    let case = world.accuse(&accusation, &run.commit);
    for round in 0..entries {
        world.prove(&accusation, &case, run.entry_proof(round));
    }
    (accusation, run.commit, case)
}

fn assert_open(world: &mut World, case: &Pubkey, error: MillraceError) {
    let payer = world.deployer.insecure_clone();
    let close = close_case(world, case);
    world.assert_refused(&[close], &[&payer], error);
}

fn close(world: &mut World, case: &Pubkey) -> Receipt {
    let payer = world.deployer.insecure_clone();
    let close = close_case(world, case);
    world.must(&[close], &[&payer])
}

#[test]
fn a_proven_case_closes_after_the_fraud_window_and_returns_its_rent() {
    let mut world = World::new();
    let (accusation, commit, case) = opened(&mut world, 3);
    assert_open(&mut world, &case, MillraceError::CaseNotExecuted);
    world.execute(&case);
    assert_open(&mut world, &case, MillraceError::CommitInWindow);
    let age = world.epoch() - commit.epoch;
    world.warp_epochs(FRAUD_WINDOW_EPOCHS - age - 1);
    assert_open(&mut world, &case, MillraceError::CommitInWindow);
    world.warp_to_next_epoch();
    let watcher = accusation.watcher.pubkey();
    let (before, rent) = (world.lamports(&watcher), world.lamports(&case));
    let event = close(&mut world, &case).event::<CaseClosed>();
    assert_eq!((event.sequence, event.case), (6, case));
    assert!(!world.exists(&case));
    assert_eq!(world.lamports(&watcher), before + rent);
    // And the commit is too old for another.
    world.assert_refused(&accusation.opening(&commit), &[&accusation.watcher], MillraceError::WrongBeacon);
}

#[test]
fn a_case_with_a_flipped_bit_stays_for_the_window_too() {
    let mut world = World::new();
    let (_, _, case) = opened(&mut world, 1);
    let closes_at = world.read::<FraudCase>(&case).closes_at;
    world.warp_to(closes_at);
    assert_open(&mut world, &case, MillraceError::CaseNotExecuted);
    world.execute(&case);
    assert_open(&mut world, &case, MillraceError::CommitInWindow);
}

#[test]
fn accusing_oneself_does_not_use_up_the_case_of_a_commit() {
    let mut world = World::new();
    let (accusation, commit, case) = opened(&mut world, 0);
    let closes_at = world.read::<FraudCase>(&case).closes_at;
    world.warp_to(closes_at);
    world.execute(&case);
    // Nothing was proven: gone at once, and accused again in the same transaction.
    let [signature, opening] = accusation.opening(&commit);
    let again = [close_case(&world, &case), signature, opening];
    world.must(&again, &[&accusation.watcher]);
    let state = world.read::<FraudCase>(&case);
    assert_eq!((state.opened_at, state.executed, state.entry_count), (world.now(), 0, 0));
    world.assert_books();
}

#[test]
fn a_case_with_a_rest_unpaid_stays() {
    let mut world = World::new();
    let (accusation, _, case) = opened(&mut world, 3);
    let seller = &accusation.seller;
    world.must(&[ix::retire(seller, &accusation.node)], &[&seller.authority]);
    world.node(seller, &NodeSpec { gops: 90_000, ..NodeSpec::default() });
    world.execute(&case);
    world.warp_epochs(FRAUD_WINDOW_EPOCHS);
    assert_open(&mut world, &case, MillraceError::CaseNotExecuted);
}

#[test]
fn a_case_whose_provider_is_gone_does_not_stay_for_ever() {
    let mut world = World::new();
    let (accusation, commit, case) = opened(&mut world, 0);
    let close_ix = close_case(&world, &case);
    world.svm.set_account(accusation.seller.provider, Account::default()).unwrap();
    world.must(&[close_ix], &[&accusation.watcher]);
    assert!(!world.exists(&case) && commit.rounds == 3);
}

#[test]
fn the_rent_goes_to_who_paid_it_and_the_provider_is_the_accused() {
    let mut world = World::new();
    let (accusation, _, case) = opened(&mut world, 0);
    let closes_at = world.read::<FraudCase>(&case).closes_at;
    world.warp_to(closes_at);
    world.execute(&case);
    let close = close_case(&world, &case);
    let thief = world.stranger("thief");
    let swapped = ix::swap(close.clone(), &accusation.watcher.pubkey(), &thief.pubkey());
    world.assert_refused(&[swapped], &[&thief], MillraceError::WrongAccount);
    // An account that is not the provider's would pass for a provider that is gone.
    let swapped = ix::swap(close, &accusation.seller.provider, &thief.pubkey());
    world.assert_refused(&[swapped], &[&thief], MillraceError::WrongAccount);
    assert!(world.read::<Provider>(&accusation.seller.provider).stake > 0);
}
