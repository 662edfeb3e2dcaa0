//! From a whole run to the fire: provers that compute a matrix each round, and what a watcher makes of their bundles.

use std::ops::ControlFlow;
use std::sync::Arc;

use millrace::events::SlashExecuted;
use millrace::state::{FraudCase, Node, NodeState, Outcome};
use millrace_core::proof::{EntryProof, Task};
use millrace_gemm::cheats::{prove_with_seeds, Lazy, Tamper};
use millrace_gemm::{
    false_link, prove, queries, verify_bundle, wrong_entries, Backend, Bundle, Cpu, ProveOptions, ProvenRun, Refusal,
};
use millrace_tests::fraud::*;
use millrace_tests::*;

const N: u32 = 256;

fn cpu() -> Cpu {
    Cpu::new(1).unwrap()
}

fn run(task: &Task, backend: impl Backend + 'static) -> ProvenRun {
    prove(task, Arc::new(backend), ProveOptions::default(), &|_| ControlFlow::Continue(())).unwrap()
}

/// What the prover sends once the next beacon is known, and what its verifier says.
fn audited(world: &mut World, run: &ProvenRun) -> (Bundle, Result<(), Refusal>) {
    world.warp_to_next_epoch();
    let beacon = world.latched_beacon();
    let bundle = run.answer(&queries(run.commit(), &beacon));
    let verdict = verify_bundle(run.commit(), &beacon, &bundle).map(|_| ());
    (bundle, verdict)
}

#[test]
fn a_prover_that_skips_a_tenth_of_the_rows_loses_its_stake() {
    let mut world = World::new();
    let accusation = world.accusation();
    let run = run(&world.audit(&accusation.node, N, 2), Lazy::rows(cpu(), 10));
    let (bundle, verdict) = audited(&mut world, &run);
    assert!(matches!(verdict, Err(Refusal::WrongEntries(wrong)) if wrong.len() > 20));
    let case = world.accuse(&accusation, run.commit());
    let wrong = wrong_entries(run.commit(), &bundle);
    assert_eq!(wrong.len(), 3);
    for entry in wrong {
        world.prove(&accusation, &case, entry.proof);
    }
    let event = world.execute(&case).event::<SlashExecuted>();
    assert_eq!((event.outcome, event.node_locked_stake), (Outcome::Fraud as u8, 0));
    assert_eq!(world.read::<Node>(&accusation.node).state, NodeState::Retired as u8);
    world.assert_books();
}

#[test]
fn a_prover_with_one_bad_row_in_every_round_is_a_flipped_bit() {
    let mut world = World::new();
    let accusation = world.accusation();
    let bad_row = Tamper::new(cpu(), |_, row, _, right| if row == 77 { right + 1 } else { right });
    let run = run(&world.audit(&accusation.node, N, 8), bad_row);
    let (bundle, _) = audited(&mut world, &run);
    let wrong = wrong_entries(run.commit(), &bundle);
    assert_eq!(wrong.len(), 1);
    let case = world.accuse(&accusation, run.commit());
    world.prove(&accusation, &case, wrong[0].proof.clone());
    let closes_at = world.read::<FraudCase>(&case).closes_at;
    world.warp_to(closes_at);
    assert_eq!(world.execute(&case).event::<SlashExecuted>().outcome, Outcome::FlippedBits as u8);
    assert_eq!(world.read::<Node>(&accusation.node).state, NodeState::Suspended as u8);
}

#[test]
fn a_prover_that_chooses_a_seed_loses_its_stake() {
    for false_round in 0..3 {
        let mut world = World::new();
        let accusation = world.accusation();
        let task = world.audit(&accusation.node, N, 3);
        let seeds = move |round, right| if round == false_round { [6; 32] } else { right };
        let run = prove_with_seeds(&task, Arc::new(cpu()), seeds).unwrap();
        let (bundle, verdict) = audited(&mut world, &run);
        assert_eq!(verdict, Err(Refusal::FalseSeed { round: false_round }));
        let case = world.accuse(&accusation, run.commit());
        let proof = false_link(run.commit(), &bundle).unwrap();
        world.must(&[prove_link(&accusation.watcher.pubkey(), &case, proof)], &[&accusation.watcher]);
        assert_eq!(world.execute(&case).event::<SlashExecuted>().outcome, Outcome::Fraud as u8);
    }
}

#[test]
fn nothing_is_proven_against_an_honest_prover() {
    let mut world = World::new();
    let accusation = world.accusation();
    let run = run(&world.audit(&accusation.node, N, 2), cpu());
    let (bundle, verdict) = audited(&mut world, &run);
    assert_eq!(verdict, Ok(()));
    assert!(wrong_entries(run.commit(), &bundle).is_empty() && false_link(run.commit(), &bundle).is_none());
    let case = world.accuse(&accusation, run.commit());
    let super_paths = [
        [millrace_core::proof::super_leaf(&bundle.rounds[1].seed, &bundle.rounds[1].root)],
        [millrace_core::proof::super_leaf(&bundle.rounds[0].seed, &bundle.rounds[0].root)],
    ];
    for opened in bundle.entries.iter().take(16) {
        let (round, query) = (opened.query.round as usize, opened.query);
        let proof = EntryProof {
            round: query.round,
            row: query.row,
            col: query.col,
            leaf: &opened.leaf,
            path: &opened.path,
            seed: &bundle.rounds[round].seed,
            super_path: &super_paths[round],
        };
        let proving = accusation.proving(&case, proof.to_bytes());
        world.assert_refused(&proving, &[&accusation.watcher], MillraceError::EntryCorrect);
    }
}
