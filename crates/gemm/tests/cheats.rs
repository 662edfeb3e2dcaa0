//! Provers that cheat: each is caught, and what catches it is proof on chain.

mod common;

use common::{answer, cpu, run, task, NEXT_BEACON};
use millrace_core::proof::{
    check_entry, check_link, next_seed, Commit, EntryProof, LinkProof, Query, Task, Verdict, QUERIES,
};
use millrace_gemm::{
    cheats::{prove_with_seeds, Lazy, Tamper},
    false_link, queries, verify_bundle, wrong_entries, Bundle, ProvenRun, Refusal, Round,
};
use std::sync::Arc;

/// Of `trials` beacons, how many catch a run, and how many wrong entries they find on average.
fn detection(run: &ProvenRun, trials: u8) -> (f64, f64) {
    let (mut caught, mut wrong) = (0, 0);
    for trial in 0..trials {
        let next_beacon = [trial; 32];
        let bundle = run.answer(&queries(run.commit(), &next_beacon));
        match verify_bundle(run.commit(), &next_beacon, &bundle) {
            Ok(_) => {}
            Err(Refusal::WrongEntries(entries)) => {
                caught += 1;
                wrong += entries.len();
            }
            Err(other) => panic!("{other}"),
        }
    }
    (f64::from(caught) / f64::from(trials), wrong as f64 / f64::from(trials))
}

/// The proofs that a bundle gives, judged as the program would, after their encoding.
fn convicted(commit: &Commit, bundle: &Bundle) -> Vec<Query> {
    let wrong = wrong_entries(commit, bundle);
    for (i, entry) in wrong.iter().enumerate() {
        let proof = EntryProof::from_bytes(commit, &entry.proof).unwrap();
        assert_eq!(proof.query(), entry.query);
        assert_eq!(check_entry(commit, &proof), Ok(Verdict::Wrong));
        assert!(wrong[..i].iter().all(|other| !other.query.shares_line(&entry.query)));
    }
    wrong.into_iter().map(|entry| entry.query).collect()
}

fn wrong_among_queries(commit: &Commit, bundle: &Bundle) -> Vec<Query> {
    match verify_bundle(commit, &NEXT_BEACON, bundle) {
        Err(Refusal::WrongEntries(wrong)) => wrong,
        other => panic!("{other:?}"),
    }
}

#[test]
fn lazy_rows_are_caught_as_often_as_the_formula_says() {
    let task = task(256, 2);
    for (percent, skipped_rows, trials) in [(1, 3, 200), (5, 13, 100), (10, 26, 100)] {
        let lazy = Lazy::rows(cpu(), percent);
        let round = Round { index: 0, seed: [0; 32], n: 256 };
        assert_eq!((0..256).filter(|row| lazy.skips(&round, *row)).count(), skipped_rows);
        let run = run(&task, lazy);
        let (rate, wrong) = detection(&run, trials);
        let fraction = skipped_rows as f64 / 256.0;
        let expected = 1.0 - (1.0 - fraction).powi(QUERIES as i32);
        println!("lazy rows, {percent}%: caught {rate:.4} (formula {expected:.4}), {wrong:.1} wrong of {QUERIES}");
        assert!((rate - expected).abs() < 0.01, "{percent}%: {rate} against {expected}");
        assert!((wrong / (fraction * QUERIES as f64) - 1.0).abs() < 0.2, "{percent}%: {wrong} wrong entries");
    }
}

#[test]
fn one_lazy_row_in_256_passes_as_often_as_the_formula_says() {
    // The measured rate can be missed in either direction: a verifier that always refuses fails here.
    let run = run(&task(256, 1), Tamper::new(cpu(), |_, row, _, value| if row == 99 { 0 } else { value }));
    let (rate, _) = detection(&run, 200);
    let expected = 1.0 - (255f64 / 256.0).powi(QUERIES as i32);
    println!("one lazy row in 256: caught {rate:.4} (formula {expected:.4})");
    assert!((rate - expected).abs() < 0.06, "{rate} against {expected}");
}

#[test]
fn three_independent_entries_convict_a_lazy_prover() {
    let run = run(&task(512, 2), Lazy::rows(cpu(), 5));
    let bundle = answer(&run);
    assert_eq!(convicted(run.commit(), &bundle).len(), 3);
}

#[test]
fn lazy_tail_rounds_are_caught() {
    let run = run(&task(256, 8), Lazy::tail(cpu(), 7));
    let bundle = answer(&run);
    let wrong = wrong_among_queries(run.commit(), &bundle);
    assert!(wrong.iter().all(|query| query.round == 7));
    assert!((40..90).contains(&wrong.len()), "{} of 512, an eighth was expected", wrong.len());
    assert_eq!(convicted(run.commit(), &bundle).len(), 3);
}

#[test]
fn a_flipped_operand_never_gives_three_proofs() {
    // A row of A and a column of B each with a flipped bit: many wrong entries, but no three of them independent.
    let flipped = |_: &Round, row: u32, col: u32, value: i32| value + i32::from(row == 70) + i32::from(col == 3);
    let run = run(&task(256, 1), Tamper::new(cpu(), flipped));
    let bundle = run.answer(
        &(0..256).flat_map(|i| [(70, i), (i, 3)]).map(|(row, col)| Query { round: 0, row, col }).collect::<Vec<_>>(),
    );
    assert_eq!(convicted(run.commit(), &bundle).len(), 2);
    let row_only = run.answer(&(4..256).map(|col| Query { round: 0, row: 70, col }).collect::<Vec<_>>());
    assert_eq!(convicted(run.commit(), &row_only).len(), 1);
}

#[test]
fn float_approximation_is_caught() {
    // Eleven significant bits, as in half precision.
    let half = |_: &Round, _: u32, _: u32, value: i32| {
        let lost = value.unsigned_abs().checked_ilog2().map_or(0, |bits| bits.saturating_sub(10));
        value >> lost << lost
    };
    let run = run(&task(256, 2), Tamper::new(cpu(), half));
    let bundle = answer(&run);
    assert!(wrong_among_queries(run.commit(), &bundle).len() > 400);
    assert_eq!(convicted(run.commit(), &bundle).len(), 3);
}

#[test]
fn structured_operands_are_caught() {
    // Operands that make the product cheap: its entries depend on row + column alone.
    let structured =
        |round: &Round, row: u32, col: u32, _: i32| i32::from(round.seed[((row + col) % 32) as usize]) << 9;
    let run = run(&task(256, 2), Tamper::new(cpu(), structured));
    let bundle = answer(&run);
    assert!(wrong_among_queries(run.commit(), &bundle).len() > 500);
    assert_eq!(convicted(run.commit(), &bundle).len(), 3);
}

/// The first false seed, judged as the program would, after its encoding.
fn false_round(commit: &Commit, bundle: &Bundle) -> u32 {
    let bytes = false_link(commit, bundle).unwrap();
    let proof = LinkProof::from_bytes(commit, &bytes).unwrap();
    assert_eq!(check_link(commit, &proof), Ok(Verdict::Wrong));
    match proof {
        LinkProof::First(_) => 0,
        LinkProof::Next { round, .. } => round + 1,
    }
}

#[test]
fn a_replayed_commit_has_a_false_first_seed() {
    let task = task(256, 2);
    let run = run(&task, cpu());
    let mut replays = [task; 6];
    replays[0].epoch += 1;
    replays[1].node[0] ^= 1;
    replays[2].deployment_id[0] ^= 1;
    replays[3].gpu_index += 1;
    replays[4].beacon[0] ^= 1;
    replays[5].nonce[0] ^= 1;
    for replay in replays {
        let commit = replay.commit(run.commit().super_root);
        let bundle = run.answer(&queries(&commit, &NEXT_BEACON));
        assert_eq!(verify_bundle(&commit, &NEXT_BEACON, &bundle), Err(Refusal::FalseSeed { round: 0 }));
        assert_eq!(false_round(&commit, &bundle), 0);
    }
}

#[test]
fn a_result_shared_by_another_node_is_its_own_or_a_replay() {
    // Colluders commit one run for two nodes: right for the one, false for the other.
    let mine = task(256, 2);
    let theirs = Task { node: [0xcc; 32], ..mine };
    let run = run(&mine, cpu());
    let commit = theirs.commit(run.commit().super_root);
    assert!(verify_bundle(run.commit(), &NEXT_BEACON, &answer(&run)).is_ok());
    let bundle = run.answer(&queries(&commit, &NEXT_BEACON));
    assert_eq!(verify_bundle(&commit, &NEXT_BEACON, &bundle), Err(Refusal::FalseSeed { round: 0 }));
}

#[test]
fn rounds_computed_before_the_seed_was_known_are_caught() {
    // A head start: seeds of its own choosing, from the first round on or from a later one.
    for head_start in [0, 1, 3] {
        let run = prove_with_seeds(
            &task(256, 4),
            Arc::new(cpu()),
            |round, seed| {
                if round == head_start {
                    [0xaa; 32]
                } else {
                    seed
                }
            },
        )
        .unwrap();
        let bundle = answer(&run);
        let refusal = verify_bundle(run.commit(), &NEXT_BEACON, &bundle).unwrap_err();
        assert_eq!(refusal, Refusal::FalseSeed { round: head_start });
        assert_eq!(false_round(run.commit(), &bundle), head_start);
        // Every entry is right for the seed it was computed from.
        assert_eq!(wrong_entries(run.commit(), &bundle), vec![]);
    }
}

#[test]
fn rounds_that_do_not_depend_on_each_other_are_caught() {
    // All rounds at once on several machines: the seeds follow from nothing but the first.
    let run = prove_with_seeds(&task(256, 3), Arc::new(cpu()), |round, seed| {
        if round == 0 {
            seed
        } else {
            next_seed(&[0; 32], &[round as u8; 24])
        }
    })
    .unwrap();
    let bundle = answer(&run);
    assert_eq!(verify_bundle(run.commit(), &NEXT_BEACON, &bundle), Err(Refusal::FalseSeed { round: 1 }));
    assert_eq!(false_round(run.commit(), &bundle), 1);
}

#[test]
fn a_wrong_entry_convicts_even_where_no_query_fell() {
    let run = run(&task(256, 1), Tamper::new(cpu(), |_, row, col, value| value ^ i32::from(row == col)));
    let asked = [5, 6, 7].map(|i| Query { round: 0, row: i, col: i });
    assert_eq!(convicted(run.commit(), &run.answer(&asked)), asked);
}
