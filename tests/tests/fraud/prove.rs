//! `prove_entry` and `prove_link`: what counts as proof, and what never does.

use anchor_lang::error::ErrorCode;
use millrace::events::{EntryProven, LinkProven};
use millrace::state::FraudCase;
use millrace_core::proof::EntryProof;
use millrace_tests::fraud::*;
use millrace_tests::*;

/// A case of a run at n = 256 whose entries are `value` and lie at `lines`, one a round.
fn case_of(world: &mut World, lines: &[(u32, u32)], value: Value) -> (Accusation, SparseRun, Pubkey) {
    let accusation = world.accusation();
    let task = world.audit(&accusation.node, 256, lines.len() as u32);
    let run = SparseRun::new(&task, lines, value);
    let case = world.accuse(&accusation, &run.commit);
    (accusation, run, case)
}

fn assert_unproven(world: &mut World, accusation: &Accusation, case: &Pubkey, proof: Vec<u8>, error: MillraceError) {
    world.assert_refused(&accusation.proving(case, proof), &[&accusation.watcher], error);
}

#[test]
fn three_wrong_entries_that_share_no_line_are_fraud() {
    let mut world = World::new();
    let (accusation, run, case) = case_of(&mut world, &[(1, 2), (3, 4), (255, 255)], Value::Wrong);
    for round in 0..3 {
        let receipt = world.prove(&accusation, &case, run.entry_proof(round));
        let event = receipt.event::<EntryProven>();
        assert_eq!(
            (event.sequence, event.case, event.prover),
            (2 + u64::from(round), case, accusation.watcher.pubkey())
        );
        assert_eq!((event.round, u32::from(event.entry_count)), (round, round + 1));
        let state = world.read::<FraudCase>(&case);
        assert_eq!((u32::from(state.entry_count), state.is_fraud()), (round + 1, round == 2));
        assert_eq!(state.entries[round as usize].round, round);
    }
    world.assert_books();
}

#[test]
fn anyone_proves_in_a_case_that_another_opened() {
    let mut world = World::new();
    let (_, run, case) = case_of(&mut world, &[(1, 2)], Value::Wrong);
    let stranger = world.stranger("stranger");
    let proof = prove_entry(&stranger.pubkey(), &case, run.entry_proof(0));
    world.must(&[compute_limit(1_400_000), proof], &[&stranger]);
}

#[test]
fn a_right_entry_proves_nothing() {
    let mut world = World::new();
    let (accusation, run, case) = case_of(&mut world, &[(1, 2), (200, 16)], Value::Right);
    for round in 0..2 {
        assert_unproven(&mut world, &accusation, &case, run.entry_proof(round), MillraceError::EntryCorrect);
    }
}

#[test]
fn an_entry_that_shares_a_row_or_a_column_counts_once() {
    let mut world = World::new();
    let lines = [(1, 2), (1, 3), (4, 2), (2, 1), (2, 9)];
    let (accusation, run, case) = case_of(&mut world, &lines, Value::Wrong);
    world.prove(&accusation, &case, run.entry_proof(0));
    // The same entry, its row, its column: in whichever round.
    for round in [0, 1, 2] {
        assert_unproven(&mut world, &accusation, &case, run.entry_proof(round), MillraceError::SharedLine);
    }
    // Row and column exchanged share nothing; the second proven entry counts too.
    world.prove(&accusation, &case, run.entry_proof(3));
    assert_unproven(&mut world, &accusation, &case, run.entry_proof(4), MillraceError::SharedLine);
    assert_eq!(world.read::<FraudCase>(&case).entry_count, 2);
}

#[test]
fn a_proof_that_leads_elsewhere_is_no_proof() {
    let mut world = World::new();
    let (accusation, run, case) = case_of(&mut world, &[(1, 2), (3, 4)], Value::Wrong);
    let proof = run.entry_proof(0);
    // Each field, from the round to the super-path: one bit of it changed.
    for at in [0, 1, 3, 5, 36, 37 + 6, 84, 85, proof.len() - 1] {
        let mut forged = proof.clone();
        forged[at] ^= 0x80;
        assert_unproven(&mut world, &accusation, &case, forged, MillraceError::BadProof);
    }
    let longer = [&proof[..], &[0]].concat();
    for wrong in [&proof[..proof.len() - 1], &longer, &[]] {
        assert_unproven(&mut world, &accusation, &case, wrong.to_vec(), MillraceError::BadProof);
    }
}

#[test]
fn an_entry_of_another_commit_is_no_proof() {
    let mut world = World::new();
    let (accusation, run, case) = case_of(&mut world, &[(1, 2)], Value::Right);
    let task = millrace_core::proof::Task { gpu_index: 1, ..run.commit.task() };
    let other = SparseRun::new(&task, &[(1, 2)], Value::Wrong);
    assert_unproven(&mut world, &accusation, &case, other.entry_proof(0), MillraceError::BadProof);
}

#[test]
fn a_round_beyond_the_commit_is_no_proof() {
    let mut world = World::new();
    // Three rounds make a tree of four places: the fourth is padding and nobody's.
    let (accusation, run, case) = case_of(&mut world, &[(1, 2), (3, 4), (5, 6)], Value::Wrong);
    let proof = run.entry_proof(2);
    let opened = EntryProof::from_bytes(&run.commit, &proof).unwrap();
    let beyond = EntryProof { round: 3, ..opened }.to_bytes();
    assert_unproven(&mut world, &accusation, &case, beyond, MillraceError::BadProof);
}

#[test]
fn a_false_first_seed_is_fraud_at_once() {
    let mut world = World::new();
    let accusation = world.accusation();
    let task = world.audit(&accusation.node, 256, 4);
    let run = SparseRun::with_seed_0(&task, [1; 32], &[], Value::Right);
    let case = world.accuse(&accusation, &run.commit);
    let prove = |round| [prove_link(&accusation.watcher.pubkey(), &case, run.link_proof(round))];
    // The other links follow, and every entry is right: only the first seed is false.
    for round in 1..4 {
        world.assert_refused(&prove(round), &[&accusation.watcher], MillraceError::LinkCorrect);
    }
    let receipt = world.must(&prove(0), &[&accusation.watcher]);
    let event = receipt.event::<LinkProven>();
    assert_eq!((event.sequence, event.case, event.round), (2, case, 0));
    let state = world.read::<FraudCase>(&case);
    assert!(state.is_fraud() && state.link_proven == 1 && state.entry_count == 0);
}

#[test]
fn a_false_link_between_rounds_is_fraud_at_once() {
    let mut world = World::new();
    let accusation = world.accusation();
    let task = world.audit(&accusation.node, 256, 4);
    let run = SparseRun::with_false_seed(&task, 2);
    let case = world.accuse(&accusation, &run.commit);
    let prove = |round| [prove_link(&accusation.watcher.pubkey(), &case, run.link_proof(round))];
    for round in [0, 1, 3] {
        world.assert_refused(&prove(round), &[&accusation.watcher], MillraceError::LinkCorrect);
    }
    assert_eq!(world.must(&prove(2), &[&accusation.watcher]).event::<LinkProven>().round, 2);
    // Fraud is fraud: nothing more is proven in this case.
    world.assert_refused(&prove(2), &[&accusation.watcher], MillraceError::CaseClosed);
    assert_unproven(&mut world, &accusation, &case, run.entry_proof(0), MillraceError::CaseClosed);
}

#[test]
fn a_malformed_link_is_no_proof() {
    let mut world = World::new();
    let (accusation, run, case) = case_of(&mut world, &[(1, 2), (3, 4), (5, 6)], Value::Wrong);
    let proof = run.link_proof(1);
    let longer = [&proof[..], &[0]].concat();
    // Of kind 2; from the last round to one that is not there; another seed; too short; too long; empty.
    let mut wrong = vec![proof[..proof.len() - 1].to_vec(), longer, vec![]];
    for (at, value) in [(0, 2), (1, 2), (2, 0xaa)] {
        let mut forged = proof.clone();
        forged[at] = value;
        wrong.push(forged);
    }
    for proof in wrong {
        let instruction = prove_link(&accusation.watcher.pubkey(), &case, proof);
        world.assert_refused(&[instruction], &[&accusation.watcher], MillraceError::BadProof);
    }
}

#[test]
fn proofs_end_when_the_case_closes() {
    let mut world = World::new();
    let (accusation, run, case) = case_of(&mut world, &[(1, 2), (3, 4), (5, 6)], Value::Wrong);
    let closes_at = world.read::<FraudCase>(&case).closes_at;
    let link = prove_link(&accusation.watcher.pubkey(), &case, run.link_proof(0));
    world.warp_to(closes_at - 1);
    let state = world.svm.clone();
    world.prove(&accusation, &case, run.entry_proof(0));
    world.svm = state;
    world.warp_secs(1);
    assert_unproven(&mut world, &accusation, &case, run.entry_proof(1), MillraceError::CaseClosed);
    world.assert_refused(std::slice::from_ref(&link), &[&accusation.watcher], MillraceError::CaseClosed);
    world.execute(&case);
    assert_unproven(&mut world, &accusation, &case, run.entry_proof(1), MillraceError::CaseExecuted);
    world.assert_refused(&[link], &[&accusation.watcher], MillraceError::CaseExecuted);
}

#[test]
fn a_fourth_entry_is_refused() {
    let mut world = World::new();
    let (accusation, run, case) = case_of(&mut world, &[(1, 2), (3, 4), (5, 6), (7, 8)], Value::Wrong);
    for round in 0..3 {
        world.prove(&accusation, &case, run.entry_proof(round));
    }
    assert_unproven(&mut world, &accusation, &case, run.entry_proof(3), MillraceError::CaseClosed);
}

#[test]
fn proofs_need_a_case_and_a_signer() {
    let mut world = World::new();
    let (accusation, run, case) = case_of(&mut world, &[(1, 2)], Value::Wrong);
    let watcher = accusation.watcher.pubkey();
    let payer = world.stranger("payer");
    for proof in [prove_entry(&watcher, &case, run.entry_proof(0)), prove_link(&watcher, &case, run.link_proof(0))] {
        let elsewhere = ix::swap(proof.clone(), &case, &accusation.node);
        world.assert_refused(&[elsewhere], &[&accusation.watcher], ErrorCode::AccountDiscriminatorMismatch);
        let unsigned = ix::unsigned(proof, &watcher);
        world.assert_refused(&[unsigned], &[&payer], ErrorCode::AccountNotSigner);
    }
}
