//! `prove_double_commit`: two signed commits for one piece of work are fraud, and nothing else is.

use anchor_lang::error::ErrorCode;
use millrace::events::{DoubleCommitProven, SlashExecuted};
use millrace::state::{FraudCase, Outcome, Provider};
use millrace_client::ix::prove_double_commit;
use millrace_core::proof::Commit;
use millrace_tests::fraud::*;
use millrace_tests::*;

const NODE_STAKE: u64 = 200 * MILL;

/// A right computation's commit.
fn honest(world: &mut World, accusation: &Accusation) -> Commit {
    let task = world.audit(&accusation.node, 256, 2);
    SparseRun::new(&task, &[], Value::Right).commit
}

#[test]
fn two_commits_for_one_piece_of_work_are_fraud_and_cost_the_stake_once() {
    let mut world = World::new();
    let accusation = world.accusation();
    let commit = honest(&mut world, &accusation);
    let cases = [commit, Commit { super_root: [9; 24], ..commit }].map(|commit| world.accuse(&accusation, &commit));
    let stranger = world.stranger("stranger");
    let receipt = world.must(&[prove_double_commit(&stranger.pubkey(), &cases[0], &cases[1])], &[&stranger]);
    let events = receipt.events_of::<DoubleCommitProven>();
    assert_eq!([events[0].case, events[1].case], cases);
    assert_eq!([events[0].other_case, events[1].other_case], [cases[1], cases[0]]);
    assert_eq!((events[0].sequence, events[1].sequence, events[0].prover), (2, 2, stranger.pubkey()));
    // Fraud at once, on both, with the deposits back to who accused.
    let taken = cases.map(|case| {
        let event = world.execute(&case).event::<SlashExecuted>();
        assert_eq!((event.outcome, event.deposit_to), (Outcome::Fraud as u8, accusation.watcher.pubkey()));
        assert!(world.read::<FraudCase>(&case).is_done());
        event.taken_amount
    });
    assert_eq!(taken, [NODE_STAKE, 0]);
    assert_eq!(world.read::<Provider>(&accusation.seller.provider).slashed_total, NODE_STAKE);
    world.assert_books();
}

#[test]
fn a_nonce_more_is_another_commit() {
    let mut world = World::new();
    let accusation = world.accusation();
    let commit = honest(&mut world, &accusation);
    let cases = [commit, Commit { nonce: [5; 32], ..commit }].map(|commit| world.accuse(&accusation, &commit));
    world.must(&[prove_double_commit(&accusation.watcher.pubkey(), &cases[1], &cases[0])], &[&accusation.watcher]);
    assert!(cases.iter().all(|case| world.read::<FraudCase>(case).is_fraud()));
}

#[test]
fn commits_of_different_work_are_no_double() {
    let mut world = World::new();
    let accusation = world.accusation();
    let other_node = world.verified_node(&accusation.seller, NodeSpec::default());
    let commit = honest(&mut world, &accusation);
    let case = world.accuse(&accusation, &commit);
    let other_gpu = Commit { gpu_index: 1, ..commit };
    let of_other_node = Commit { node: other_node.to_bytes(), ..commit };
    let mut others = vec![world.accuse(&accusation, &other_gpu), world.accuse(&accusation, &of_other_node)];
    world.warp_to_next_epoch();
    let of_other_epoch = honest(&mut world, &accusation);
    others.push(world.accuse(&accusation, &of_other_epoch));
    others.push(case);
    let watcher = &accusation.watcher;
    for other in others {
        for pair in [(case, other), (other, case)] {
            let proof = prove_double_commit(&watcher.pubkey(), &pair.0, &pair.1);
            world.assert_refused(&[proof], &[watcher], MillraceError::NotADoubleCommit);
        }
    }
}

#[test]
fn a_double_commit_is_proven_once_and_by_whoever_signs() {
    let mut world = World::new();
    let accusation = world.accusation();
    let commit = honest(&mut world, &accusation);
    let cases = [commit, Commit { super_root: [9; 24], ..commit }].map(|commit| world.accuse(&accusation, &commit));
    let watcher = &accusation.watcher;
    let proof = prove_double_commit(&watcher.pubkey(), &cases[0], &cases[1]);
    let unsigned = ix::unsigned(proof.clone(), &watcher.pubkey());
    let payer = world.deployer.insecure_clone();
    world.assert_refused(&[unsigned], &[&payer], ErrorCode::AccountNotSigner);
    world.assert_no_account_is_replaceable(&proof, &[watcher]);
    world.must(std::slice::from_ref(&proof), &[watcher]);
    world.assert_refused(std::slice::from_ref(&proof), &[watcher], MillraceError::CaseClosed);
    cases.iter().for_each(|case| drop(world.execute(case)));
    world.assert_refused(&[proof], &[watcher], MillraceError::CaseClosed);
    // A third commit still finds the first two.
    let third = world.accuse(&accusation, &Commit { super_root: [8; 24], ..commit });
    world.must(&[prove_double_commit(&watcher.pubkey(), &cases[0], &third)], &[watcher]);
    assert_eq!(world.execute(&third).event::<SlashExecuted>().taken_amount, 0);
}

#[test]
fn a_case_executed_on_nothing_is_fraud_when_a_second_commit_appears() {
    let mut world = World::new();
    let accusation = world.accusation();
    let commit = honest(&mut world, &accusation);
    let first = world.accuse(&accusation, &commit);
    let closes_at = world.read::<FraudCase>(&first).closes_at;
    world.warp_to(closes_at);
    world.execute(&first);
    let second = world.accuse(&accusation, &Commit { super_root: [9; 24], ..commit });
    let watcher = &accusation.watcher;
    world.must(&[prove_double_commit(&watcher.pubkey(), &first, &second)], &[watcher]);
    let close = close_case(&world, &first);
    world.assert_refused(&[close], &[watcher], MillraceError::CaseNotExecuted);
    assert_eq!(world.execute(&first).event::<SlashExecuted>().taken_amount, NODE_STAKE);
    world.assert_books();
}
