//! A lie is proven wherever it lies, and the truth nowhere: every corner, both sides of a leaf's edge, every round.

use millrace_core::proof::{MAX_N, MAX_ROUNDS};
use millrace_tests::fraud::*;
use millrace_tests::*;

/// Sizes: the least, the most, and what runs on a card.
const SIZES: [(u32, u32); 5] = [(256, 1), (256, MAX_ROUNDS), (4_096, 8), (16_384, 8), (MAX_N, MAX_ROUNDS)];

/// First, last, corners, middle, and the two entries where one leaf ends and the next begins.
fn positions(n: u32) -> [(u32, u32); 8] {
    let (middle, last) = (n / 2, n - 1);
    [(0, 0), (0, last), (last, 0), (last, last), (middle, middle), (middle - 1, middle), (7, 15), (7, 16)]
}

/// Runs of this size that together have an entry of every position, and one in every round.
fn runs(world: &mut World, accusation: &Accusation, n: u32, rounds: u32, value: Value) -> Vec<SparseRun> {
    let task = world.audit(&accusation.node, n, rounds);
    let all = positions(n).into_iter().cycle().take(positions(n).len().max(rounds as usize)).collect::<Vec<_>>();
    all.chunks(rounds as usize).map(|lines| SparseRun::new(&task, lines, value)).collect()
}

#[test]
fn a_wrong_entry_is_proven_wherever_it_lies_in_one_transaction() {
    let mut world = World::new();
    let accusation = world.accusation();
    for (n, rounds) in SIZES {
        for run in runs(&mut world, &accusation, n, rounds, Value::Wrong) {
            let case = world.accuse(&accusation, &run.commit);
            // Three make the case a fraud, and a fraud takes no more: each is proven to a case that has none.
            let opened = world.svm.clone();
            for round in 0..rounds {
                let proving = accusation.proving(&case, run.entry_proof(round));
                let bytes = bytes_of(&proving, &accusation.watcher);
                assert!(bytes <= MAX_TRANSACTION_BYTES, "n = {n}, round {round}: {bytes} bytes");
                world.must(&proving, &[&accusation.watcher]);
                world.svm = opened.clone();
            }
        }
    }
}

#[test]
fn a_right_entry_is_never_proven_wherever_it_lies() {
    let mut world = World::new();
    let accusation = world.accusation();
    for (n, rounds) in SIZES {
        for run in runs(&mut world, &accusation, n, rounds, Value::Right) {
            let case = world.accuse(&accusation, &run.commit);
            for round in 0..rounds {
                let proving = accusation.proving(&case, run.entry_proof(round));
                world.assert_refused(&proving, &[&accusation.watcher], MillraceError::EntryCorrect);
            }
        }
    }
}

#[test]
fn a_false_seed_is_proven_in_whichever_round_it_lies_and_no_other() {
    let mut world = World::new();
    let accusation = world.accusation();
    let watcher = accusation.watcher.pubkey();
    let task = world.audit(&accusation.node, MAX_N, MAX_ROUNDS);
    let honest = SparseRun::new(&task, &[], Value::Right);
    let case = world.accuse(&accusation, &honest.commit);
    for round in 0..MAX_ROUNDS {
        let link = prove_link(&watcher, &case, honest.link_proof(round));
        world.assert_refused(&[link], &[&accusation.watcher], MillraceError::LinkCorrect);
    }
    for false_round in 0..MAX_ROUNDS {
        let run = SparseRun::with_false_seed(&task, false_round);
        let case = world.accuse(&accusation, &run.commit);
        // What comes after a false seed follows from it.
        for round in [false_round.checked_sub(1), Some(false_round + 1)].into_iter().flatten() {
            if round < MAX_ROUNDS {
                let link = prove_link(&watcher, &case, run.link_proof(round));
                world.assert_refused(&[link], &[&accusation.watcher], MillraceError::LinkCorrect);
            }
        }
        let link = [prove_link(&watcher, &case, run.link_proof(false_round))];
        assert!(bytes_of(&link, &accusation.watcher) <= MAX_TRANSACTION_BYTES);
        world.must(&link, &[&accusation.watcher]);
    }
}
