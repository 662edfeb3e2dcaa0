//! What catches a prover that cheats is proof on chain. How often each is caught: `crates/gemm/cheats`.

mod common;

use common::{answer, cpu, run, task, NEXT_BEACON};
use millrace_core::proof::{check_entry, check_link, next_seed, Commit, EntryProof, LinkProof, Query, Verdict};
use millrace_gemm::{
    cheats::{prove_with_seeds, Lazy, Tamper},
    false_link, queries, verify_bundle, wrong_entries, wrong_entries_beside, Bundle, Refusal, Round,
};
use std::sync::Arc;

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
fn three_independent_entries_convict_a_lazy_prover() {
    let run = run(&task(512, 2), Lazy::rows(cpu(), 5));
    let bundle = answer(&run);
    assert_eq!(convicted(run.commit(), &bundle).len(), 3);
}

#[test]
fn an_entry_proven_before_that_shares_lines_with_the_first_choice_spoils_no_conviction() {
    let run = run(&task(512, 2), Lazy::rows(cpu(), 50));
    let bundle = answer(&run);
    let [first, second, _] = convicted(run.commit(), &bundle)[..] else { panic!("three are the first choice") };
    let proven = [Query { round: 0, row: first.row, col: second.col }];
    let more: Vec<Query> = wrong_entries_beside(run.commit(), &bundle, &proven).iter().map(|it| it.query).collect();
    assert_eq!(more.len(), 2, "with the one before they are three");
    assert!(!more[0].shares_line(&more[1]) && more.iter().all(|it| !it.shares_line(&proven[0])));
    let all = convicted(run.commit(), &bundle);
    assert!(wrong_entries_beside(run.commit(), &bundle, &all).is_empty(), "three are enough");
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
