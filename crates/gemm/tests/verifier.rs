//! The verifier accepts what an honest prover sends, and nothing that differs from it in a single bit.

mod common;

use common::{answer, cpu, run, task, zeros, NEXT_BEACON};
use millrace_core::{
    merkle::Tree,
    proof::{check_entry, super_leaf, Commit, EntryProof, ProofError, Query, Verdict, QUERIES},
};
use millrace_gemm::{
    bundle_len, cheats::Tamper, false_link, queries, verify_bundle, wrong_entries, Bundle, Refusal, RoundClaim,
    Verified,
};
use proptest::prelude::*;
use std::sync::LazyLock;

/// An honest run of two rounds and its answer.
static HONEST: LazyLock<(Commit, Bundle)> = LazyLock::new(|| {
    let run = run(&task(256, 2), cpu());
    (*run.commit(), answer(&run))
});

/// What the verifier says when the honest bundle is changed.
fn changed(change: impl Fn(&mut Bundle)) -> Refusal {
    let (commit, mut bundle) = HONEST.clone();
    change(&mut bundle);
    verify_bundle(&commit, &NEXT_BEACON, &bundle).unwrap_err()
}

#[test]
fn an_honest_bundle_is_accepted_and_accuses_nobody() {
    let (commit, bundle) = &*HONEST;
    assert_eq!(verify_bundle(commit, &NEXT_BEACON, bundle), Ok(Verified { commit_id: commit.id() }));
    assert_eq!(wrong_entries(commit, bundle), vec![]);
    assert_eq!(false_link(commit, bundle), None);
}

#[test]
fn a_bundle_answers_one_beacon_only() {
    let (commit, bundle) = &*HONEST;
    let refusal = verify_bundle(commit, &[9; 32], bundle).unwrap_err();
    let expected = queries(commit, &[9; 32])[0];
    assert_eq!(refusal, Refusal::OtherEntry { index: 0, expected, got: bundle.entries[0].query });
}

#[test]
fn missing_and_extra_entries_are_refused() {
    assert_eq!(changed(|bundle| bundle.entries.truncate(QUERIES - 1)), Refusal::Entries { got: QUERIES - 1 });
    let extra = changed(|bundle| bundle.entries.push(bundle.entries[0].clone()));
    assert_eq!(extra, Refusal::Entries { got: QUERIES + 1 });
    assert_eq!(changed(|bundle| bundle.entries.clear()), Refusal::Entries { got: 0 });
}

#[test]
fn duplicated_and_exchanged_entries_are_refused() {
    let query = |i: usize| HONEST.1.entries[i].query;
    let other = |index, got| Refusal::OtherEntry { index, expected: query(index), got };
    assert_eq!(changed(|bundle| bundle.entries[7] = bundle.entries[6].clone()), other(7, query(6)));
    assert_eq!(changed(|bundle| bundle.entries.swap(3, 500)), other(3, query(500)));
}

#[test]
fn an_entry_under_another_name_is_refused() {
    let Query { round, row, col } = HONEST.1.entries[40].query;
    for got in [
        Query { round: round ^ 1, row, col },
        Query { round: 200, row, col },
        Query { round, row: row ^ 1, col },
        Query { round, row, col: col ^ 1 },
        Query { round, row: u32::MAX, col: u32::MAX },
    ] {
        let refusal = changed(|bundle| bundle.entries[40].query = got);
        assert_eq!(refusal, Refusal::OtherEntry { index: 40, expected: Query { round, row, col }, got });
    }
}

#[test]
fn malformed_leaves_and_paths_are_refused() {
    let unjudged = |error| Refusal::Unjudged { index: 40, error };
    assert_eq!(changed(|bundle| bundle.entries[40].leaf[47] ^= 1), unjudged(ProofError::NotCommitted));
    assert_eq!(changed(|bundle| bundle.entries[40].path[5][0] ^= 1), unjudged(ProofError::NotCommitted));
    let path = |got| unjudged(ProofError::PathLength { expected: 12, got });
    assert_eq!(changed(|bundle| bundle.entries[40].path.truncate(11)), path(11));
    assert_eq!(changed(|bundle| bundle.entries[40].path.push([0; 24])), path(13));
    assert_eq!(changed(|bundle| bundle.entries[40].path.clear()), path(0));
}

#[test]
fn rounds_that_were_not_committed_are_refused() {
    assert_eq!(changed(|bundle| bundle.rounds[1].root[0] ^= 1), Refusal::SuperRoot);
    assert_eq!(changed(|bundle| bundle.rounds[0].seed[0] ^= 1), Refusal::SuperRoot);
    assert_eq!(changed(|bundle| bundle.rounds.swap(0, 1)), Refusal::SuperRoot);
    assert_eq!(changed(|bundle| bundle.rounds.truncate(1)), Refusal::Rounds { expected: 2, got: 1 });
    let extra = changed(|bundle| bundle.rounds.push(RoundClaim { seed: [0; 32], root: [0; 24] }));
    assert_eq!(extra, Refusal::Rounds { expected: 2, got: 3 });
}

#[test]
fn a_commit_of_a_forbidden_size_is_refused() {
    let (commit, bundle) = &*HONEST;
    let verify = |commit: Commit| verify_bundle(&commit, &NEXT_BEACON, bundle).unwrap_err();
    assert_eq!(verify(Commit { n: 128, ..*commit }), Refusal::Commit(ProofError::Size(128)));
    assert_eq!(verify(Commit { rounds: 0, ..*commit }), Refusal::Commit(ProofError::Rounds(0)));
    assert_eq!(wrong_entries(&Commit { n: 0, ..*commit }, bundle), vec![]);
    assert_eq!(false_link(&Commit { rounds: 65, ..*commit }, bundle), None);
}

#[test]
fn a_bundle_is_read_only_when_it_has_the_length_of_its_commit() {
    let (commit, bundle) = &*HONEST;
    let bytes = bundle.to_bytes();
    let expected = bundle_len(256, 2);
    assert_eq!(bytes.len(), expected);
    assert_eq!(Bundle::from_bytes(commit, &bytes).as_ref(), Ok(bundle));
    let oversized = [bytes.clone(), vec![0; 1 << 20]].concat();
    for bytes in [&bytes[..0], &bytes[..7], &bytes[..expected - 1], &oversized[..expected + 1], &oversized] {
        assert_eq!(Bundle::from_bytes(commit, bytes), Err(Refusal::Length { expected, got: bytes.len() }));
    }
    let larger = Commit { n: 512, ..*commit };
    let refusal = Bundle::from_bytes(&larger, &bytes).unwrap_err();
    assert_eq!(refusal, Refusal::Length { expected: bundle_len(512, 2), got: expected });
    let mut untagged = bytes;
    untagged[0] ^= 1;
    assert_eq!(Bundle::from_bytes(commit, &untagged), Err(Refusal::Tag));
}

/// What [`verify_bundle`] should say of entries whose rounds are right, and which entries are wrong, by core's
/// definition of an entry.
fn by_core(commit: &Commit, bundle: &Bundle) -> (Result<Verified, Refusal>, Vec<Query>) {
    let tree = Tree::new(bundle.rounds.iter().map(|claim| super_leaf(&claim.seed, &claim.root)).collect());
    let (mut refusal, mut wrong) = (None, vec![]);
    for ((entry, expected), index) in bundle.entries.iter().zip(queries(commit, &NEXT_BEACON)).zip(0..) {
        let Query { round, row, col } = entry.query;
        if entry.query != expected {
            refusal.get_or_insert(Refusal::OtherEntry { index, expected, got: entry.query });
        }
        let last = commit.rounds - 1;
        let verdict = match bundle.rounds.get(round as usize) {
            None => Err(ProofError::Round { round, last }),
            Some(claim) => {
                let super_path = &tree.path(round.into());
                let (seed, leaf, path) = (&claim.seed, &entry.leaf, &entry.path);
                check_entry(commit, &EntryProof { round, row, col, leaf, path, seed, super_path })
            }
        };
        match verdict {
            Ok(Verdict::Correct) => {}
            Ok(Verdict::Wrong) => wrong.push(entry.query),
            Err(error) => {
                refusal.get_or_insert(Refusal::Unjudged { index, error });
            }
        }
    }
    match refusal {
        Some(refusal) => (Err(refusal), wrong),
        None if wrong.is_empty() => (Ok(Verified { commit_id: commit.id() }), wrong),
        None => (Err(Refusal::WrongEntries(wrong.clone())), wrong),
    }
}

/// A run of which about every eighth entry is wrong, and its answer.
static SPOILED: LazyLock<(Commit, Bundle)> = LazyLock::new(|| {
    let spoil = |_: &_, row: u32, col: u32, value: i32| value ^ i32::from((row ^ col).is_multiple_of(8)) << (row % 24);
    let run = run(&task(256, 2), Tamper::new(cpu(), spoil));
    (*run.commit(), answer(&run))
});

#[test]
fn every_entry_of_a_large_matrix_is_judged_as_core_judges_it() {
    for n in [1024, 65_536] {
        let (commit, bundle) = zeros(&task(n, 3));
        let (verdict, wrong) = by_core(&commit, &bundle);
        assert!(wrong.len() > QUERIES - 5, "zeros are rarely right");
        assert_eq!(verify_bundle(&commit, &NEXT_BEACON, &bundle), verdict);
    }
}

#[test]
fn the_largest_bundle_is_as_large_as_its_documentation_says() {
    assert_eq!(bundle_len(65_536, 64), 8 + 64 * 56 + 512 * (5 + 48 + 28 * 24));
    assert_eq!(bundle_len(65_536, 64).div_ceil(1000), 375);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_bundle_with_any_byte_changed_is_refused(at: prop::sample::Index, flip in 1u8..) {
        let (commit, bundle) = &*HONEST;
        let mut bytes = bundle.to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let result = Bundle::from_bytes(commit, &bytes).and_then(|bundle| {
            assert_eq!(bundle.to_bytes(), bytes);
            verify_bundle(commit, &NEXT_BEACON, &bundle)
        });
        prop_assert!(result.is_err());
    }

    #[test]
    fn bytes_from_a_stranger_are_refused(seed: u64) {
        let (commit, bundle) = &*HONEST;
        let mut bytes = bundle.to_bytes();
        let mut state = seed | 1;
        for byte in &mut bytes[8..] {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = state as u8;
        }
        let stranger = Bundle::from_bytes(commit, &bytes).unwrap();
        prop_assert_eq!(verify_bundle(commit, &NEXT_BEACON, &stranger), Err(Refusal::SuperRoot));
        prop_assert_eq!(wrong_entries(commit, &stranger), vec![]);
        // The right rounds, but every entry made up.
        let stranger = Bundle { rounds: bundle.rounds.clone(), ..stranger };
        let refusal = verify_bundle(commit, &NEXT_BEACON, &stranger).unwrap_err();
        let other_entry = matches!(refusal, Refusal::OtherEntry { index: 0, .. });
        prop_assert!(other_entry);
        prop_assert_eq!(wrong_entries(commit, &stranger), vec![]);
    }

    #[test]
    fn right_wrong_and_malformed_entries_are_judged_as_core_judges_them(
        spoiled: bool,
        changes in prop::collection::vec((0..QUERIES, 0..6, any::<u32>()), 0..4),
    ) {
        let (commit, mut bundle) = if spoiled { SPOILED.clone() } else { HONEST.clone() };
        for (at, what, value) in changes {
            let entry = &mut bundle.entries[at];
            match what {
                0 => entry.query.round = value % 4,
                1 => entry.query.row = value % 512,
                2 => entry.query.col = value,
                3 => entry.leaf[value as usize % 48] ^= 1,
                4 => entry.path[value as usize % 12][3] ^= 0x80,
                _ => entry.path.truncate(value as usize % 13),
            }
        }
        let (verdict, wrong) = by_core(&commit, &bundle);
        prop_assert_eq!(verify_bundle(&commit, &NEXT_BEACON, &bundle), verdict);
        let proven = wrong_entries(&commit, &bundle);
        prop_assert!(proven.iter().all(|entry| wrong.contains(&entry.query)));
        prop_assert_eq!(proven.is_empty(), wrong.is_empty());
    }
}
