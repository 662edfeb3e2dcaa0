//! What `check_entry` and `check_link` say to honest, false and malformed proofs, and the encodings they arrive in.
//! Needs feature `alloc`.
#![cfg(feature = "alloc")]

mod common;

use common::{task, Opened};
use millrace_core::{
    merkle::{Tree, TreeNode},
    proof::{
        check_entry, check_link, check_size, entry_proof_len, gops, matrix, next_seed, operations, seed_0, super_leaf,
        tree_depth, Commit, EntryProof, LinkProof, Opening, ProofError, Query, Verdict, COMMIT_LEN,
    },
};
use proptest::prelude::*;

const SEED: [u8; 32] = [9; 32];

fn honest(n: u32, rounds: u32, query: Query) -> Opened {
    Opened::new(n, rounds, SEED, query, matrix::entry(&SEED, n, query.row, query.col))
}

#[test]
fn an_entry_is_correct_when_its_24_bits_are() {
    for n in [256, 1024, 65_536] {
        let query = Query { round: 4, row: n - 1, col: n / 2 + 5 };
        let value = matrix::entry(&SEED, n, query.row, query.col);
        for (committed, verdict) in [
            (value, Verdict::Correct),
            (value ^ 1 << 24, Verdict::Correct),
            (value ^ 1, Verdict::Wrong),
            (value ^ 1 << 23, Verdict::Wrong),
            (0, Verdict::Wrong),
        ] {
            let opened = Opened::new(n, 5, SEED, query, committed);
            assert_eq!(check_entry(&opened.commit, &opened.proof()), Ok(verdict), "n = {n}, {committed}");
        }
    }
}

#[test]
fn what_is_not_under_the_super_root_says_nothing() {
    let opened = honest(256, 4, Query { round: 2, row: 17, col: 33 });
    let not_committed = |change: &dyn Fn(&mut Opened)| {
        let mut opened = honest(256, 4, Query { round: 2, row: 17, col: 33 });
        change(&mut opened);
        assert_eq!(check_entry(&opened.commit, &opened.proof()), Err(ProofError::NotCommitted));
    };
    assert_eq!(check_entry(&opened.commit, &opened.proof()), Ok(Verdict::Correct));
    not_committed(&|o| o.leaf[0] ^= 1);
    not_committed(&|o| o.path[11][23] ^= 1);
    not_committed(&|o| o.seed[31] ^= 1);
    not_committed(&|o| o.super_path[1][0] ^= 1);
    not_committed(&|o| o.commit.super_root[0] ^= 1);
    not_committed(&|o| o.query.round = 1);
    not_committed(&|o| o.query.row = 18);
    not_committed(&|o| o.query.col = 48);
    not_committed(&|o| o.path.swap(0, 1));
}

#[test]
fn entries_that_the_commit_has_not_are_refused() {
    let refused = |change: &dyn Fn(&mut Opened), error| {
        let mut opened = honest(256, 4, Query { round: 3, row: 255, col: 255 });
        change(&mut opened);
        assert_eq!(check_entry(&opened.commit, &opened.proof()), Err(error));
    };
    refused(&|o| o.query.round = 4, ProofError::Round { round: 4, last: 3 });
    // Row 256 would be leaf 4096 of 4096: without the check it could pass for leaf 0.
    refused(&|o| o.query.row = 256, ProofError::Index { row: 256, col: 255, n: 256 });
    refused(&|o| o.query.col = 256, ProofError::Index { row: 255, col: 256, n: 256 });
    refused(&|o| o.query.row = u32::MAX, ProofError::Index { row: u32::MAX, col: 255, n: 256 });
    refused(&|o| o.path.truncate(11), ProofError::PathLength { expected: 12, got: 11 });
    refused(&|o| o.path.push([0; 24]), ProofError::PathLength { expected: 12, got: 13 });
    refused(&|o| o.super_path.truncate(1), ProofError::PathLength { expected: 2, got: 1 });
    refused(&|o| o.super_path.push([0; 24]), ProofError::PathLength { expected: 2, got: 3 });
}

#[test]
fn an_inner_node_does_not_pass_for_a_leaf() {
    // The two nodes below the round's root are 48 bytes, as a leaf is; the path is then too short.
    let opened = honest(256, 1, Query { round: 0, row: 0, col: 0 });
    let mut leaf = [0; 48];
    leaf[..24].copy_from_slice(&opened.path[10]);
    leaf[24..].copy_from_slice(&opened.path[11]);
    let proof = EntryProof { leaf: &leaf, path: &[], ..opened.proof() };
    assert_eq!(check_entry(&opened.commit, &proof), Err(ProofError::PathLength { expected: 12, got: 0 }));
}

#[test]
fn another_task_has_other_seeds() {
    let task = task(256, 4);
    let mut changed = [task; 6];
    changed[0].deployment_id[0] ^= 1;
    changed[1].node[0] ^= 1;
    changed[2].gpu_index ^= 1;
    changed[3].epoch ^= 1;
    changed[4].beacon[0] ^= 1;
    changed[5].nonce[0] ^= 1;
    for changed in changed {
        assert_ne!(seed_0(&changed), seed_0(&task));
    }
}

/// A run's seeds and roots, with a super-tree over them.
struct Chain {
    commit: Commit,
    rounds: Vec<([u8; 32], TreeNode)>,
    tree: Tree,
}

impl Chain {
    /// `link(t, seed)` may put another seed in place of round t's.
    fn new(rounds: u32, link: impl Fn(u32, [u8; 32]) -> [u8; 32]) -> Self {
        let task = task(256, rounds);
        let mut pairs: Vec<([u8; 32], TreeNode)> = vec![];
        for t in 0..rounds {
            let seed = pairs.last().map_or_else(|| seed_0(&task), |(seed, root)| next_seed(seed, root));
            pairs.push((link(t, seed), [t as u8; 24]));
        }
        let tree = Tree::new(pairs.iter().map(|(seed, root)| super_leaf(seed, root)).collect());
        Self { commit: task.commit(tree.root()), rounds: pairs, tree }
    }

    /// The verdict on the seed of round t, by way of the encoding.
    fn verdict(&self, t: u32) -> Result<Verdict, ProofError> {
        let path = |t: u32| self.tree.path(u64::from(t));
        let opening = |t: u32, super_path| {
            let (seed, root) = &self.rounds[t as usize];
            Opening { seed, root, super_path }
        };
        let bytes = match t.checked_sub(1) {
            None => LinkProof::First(opening(0, &path(0))).to_bytes(),
            Some(before) => {
                LinkProof::Next { round: before, from: opening(before, &path(before)), to: opening(t, &path(t)) }
                    .to_bytes()
            }
        };
        check_link(&self.commit, &LinkProof::from_bytes(&self.commit, &bytes)?)
    }
}

#[test]
fn a_false_seed_is_wrong_and_no_other() {
    for rounds in [1, 2, 5, 64] {
        let honest = Chain::new(rounds, |_, seed| seed);
        for t in 0..rounds {
            assert_eq!(honest.verdict(t), Ok(Verdict::Correct));
        }
        for false_round in [0, rounds / 2, rounds - 1] {
            let chain = Chain::new(rounds, |t, seed| if t == false_round { [0xee; 32] } else { seed });
            for t in 0..rounds {
                let expected = if t == false_round { Verdict::Wrong } else { Verdict::Correct };
                assert_eq!(chain.verdict(t), Ok(expected), "round {t} of {rounds}, {false_round} is false");
            }
        }
    }
}

#[test]
fn links_that_the_commit_has_not_are_refused() {
    let chain = Chain::new(4, |_, seed| seed);
    let paths = [0, 1, 2, 3].map(|t| chain.tree.path(t));
    let opening = |t: usize| Opening { seed: &chain.rounds[t].0, root: &chain.rounds[t].1, super_path: &paths[t] };
    let check = |proof| check_link(&chain.commit, &proof);
    // Rounds that are no neighbours would always look false.
    assert_eq!(check(LinkProof::Next { round: 0, from: opening(0), to: opening(2) }), Err(ProofError::NotCommitted));
    assert_eq!(check(LinkProof::Next { round: 1, from: opening(0), to: opening(1) }), Err(ProofError::NotCommitted));
    assert_eq!(check(LinkProof::First(opening(1))), Err(ProofError::NotCommitted));
    let beyond = |round| check(LinkProof::Next { round, from: opening(3), to: opening(0) });
    assert_eq!(beyond(3), Err(ProofError::Round { round: 3, last: 2 }));
    assert_eq!(beyond(u32::MAX), Err(ProofError::Round { round: u32::MAX, last: 2 }));
    let other = Opening { seed: &[7; 32], ..opening(0) };
    assert_eq!(check(LinkProof::First(other)), Err(ProofError::NotCommitted));
    let short = Opening { super_path: &paths[0][..1], ..opening(0) };
    assert_eq!(check(LinkProof::First(short)), Err(ProofError::PathLength { expected: 2, got: 1 }));
}

#[test]
fn a_link_proof_is_of_a_known_kind_and_exactly_as_long_as_it() {
    let commit = task(256, 4).commit([0; 24]);
    let read = |bytes: &[u8]| LinkProof::from_bytes(&commit, bytes).map(|_| ());
    let (first, next) = (1 + 32 + 24 + 48, 2 + 2 * (32 + 24 + 48));
    assert_eq!(read(&[]), Err(ProofError::Length { expected: first, got: 0 }));
    assert_eq!(read(&vec![2; first]), Err(ProofError::LinkKind(2)));
    for (kind, expected) in [(0, first), (1, next)] {
        for got in 1..300 {
            let result = if got == expected { Ok(()) } else { Err(ProofError::Length { expected, got }) };
            assert_eq!(read(&vec![kind; got]), result);
        }
    }
}

#[test]
fn the_largest_proof_fits_a_transaction() {
    let signature = 1 + 64;
    let header_and_blockhash = 3 + 32;
    // Payer, case, event authority, program, compute budget program.
    let accounts = 1 + 5 * 32;
    let set_compute_unit_limit = 1 + 1 + (1 + 5);
    // Program, its four accounts, length of the data in two bytes; discriminator, length of the proof, proof.
    let prove_entry = 1 + (1 + 4) + 2 + 8 + 4 + entry_proof_len(65_536, 64);
    let transaction = signature + header_and_blockhash + accounts + 1 + set_compute_unit_limit + prove_entry;
    assert_eq!(entry_proof_len(65_536, 64), 901);
    assert_eq!(transaction, 1_191);
    assert!(transaction <= 1_232);
}

#[test]
fn only_the_protocols_sizes_are_allowed() {
    for n in (8..=16).map(|bits| 1 << bits) {
        assert_eq!(check_size(n, 64), Ok(()));
        assert_eq!(tree_depth(n), 2 * n.ilog2() - 4);
    }
    for n in [0, 1, 128, 255, 257, 384, 131_072, u32::MAX] {
        assert_eq!(check_size(n, 1), Err(ProofError::Size(n)));
    }
    for rounds in [0, 65, u32::MAX] {
        assert_eq!(check_size(256, rounds), Err(ProofError::Rounds(rounds)));
    }
}

#[test]
fn speed_is_operations_a_nanosecond() {
    assert_eq!(operations(65_536, 64), 1 << 55);
    assert_eq!(gops(4_096, 2, 1_000_000_000), 274);
    assert_eq!(gops(65_536, 64, 1), 1 << 55);
    assert_eq!(gops(256, 1, 0), 0);
}

fn commits() -> impl Strategy<Value = Commit> {
    let bytes = any::<[[u8; 32]; 4]>();
    (bytes, any::<u32>(), any::<u64>(), 8u32..=16, 1u32..=64, any::<TreeNode>()).prop_map(
        |([deployment_id, node, beacon, nonce], gpu_index, epoch, bits, rounds, super_root)| Commit {
            deployment_id,
            node,
            gpu_index,
            epoch,
            beacon,
            nonce,
            n: 1 << bits,
            rounds,
            super_root,
        },
    )
}

proptest! {
    #[test]
    fn a_commit_survives_its_encoding(commit in commits()) {
        prop_assert_eq!(Commit::from_bytes(&commit.to_bytes()), Ok(commit));
        prop_assert_eq!(commit.task().commit(commit.super_root), commit);
    }

    #[test]
    fn another_commit_has_another_encoding(commit in commits(), at in 0..COMMIT_LEN, flip in 1u8..) {
        let mut bytes = commit.to_bytes();
        bytes[at] ^= flip;
        match Commit::from_bytes(&bytes) {
            Ok(other) => {
                prop_assert_ne!(other, commit);
                prop_assert_ne!(other.id(), commit.id());
                prop_assert_eq!(other.to_bytes(), bytes);
            }
            Err(ProofError::Tag) => prop_assert!(at < 8),
            Err(ProofError::Size(_)) => prop_assert!((148..152).contains(&at)),
            Err(ProofError::Rounds(_)) => prop_assert!((152..156).contains(&at)),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn a_commit_of_another_length_is_refused(commit in commits(), got in 0..400usize) {
        prop_assume!(got != COMMIT_LEN);
        let mut bytes = commit.to_bytes().to_vec();
        bytes.resize(got, 0);
        prop_assert_eq!(Commit::from_bytes(&bytes), Err(ProofError::Length { expected: COMMIT_LEN, got }));
    }

    #[test]
    fn an_entry_proof_survives_its_encoding(
        bits in 8u32..=16, rounds in 1u32..=64, seed: [u8; 32], value: i32, place: [prop::sample::Index; 3],
    ) {
        let n = 1 << bits;
        let at = |i: usize, below: u32| place[i].index(below as usize) as u32;
        let query = Query { round: at(0, rounds), row: at(1, n), col: at(2, n) };
        let opened = Opened::new(n, rounds, seed, query, value);
        let bytes = opened.proof().to_bytes();
        prop_assert_eq!(bytes.len(), entry_proof_len(n, rounds));
        let proof = EntryProof::from_bytes(&opened.commit, &bytes);
        prop_assert_eq!(proof, Ok(opened.proof()));
        prop_assert_eq!(opened.proof().query(), query);
        // Not NotCommitted: what was opened is what was committed.
        prop_assert!(check_entry(&opened.commit, &opened.proof()).is_ok());
    }

    #[test]
    fn an_entry_proof_of_another_length_is_refused(bits in 8u32..=16, rounds in 1u32..=64, got in 0..1_300usize) {
        let n = 1 << bits;
        let expected = entry_proof_len(n, rounds);
        prop_assume!(got != expected);
        let commit = task(n, rounds).commit([0; 24]);
        let bytes = vec![0; got];
        prop_assert_eq!(EntryProof::from_bytes(&commit, &bytes), Err(ProofError::Length { expected, got }));
    }

    #[test]
    fn no_change_of_an_honest_proof_makes_it_an_accusation(
        bits in 8u32..=16, rounds in 1u32..=64, place: [prop::sample::Index; 3], at: prop::sample::Index, flip in 1u8..,
    ) {
        let n = 1 << bits;
        let index = |i: usize, below: u32| place[i].index(below as usize) as u32;
        let query = Query { round: index(0, rounds), row: index(1, n), col: index(2, n) };
        let first = query.col / 16 * 16;
        let cells = std::array::from_fn(|i| matrix::entry(&SEED, n, query.row, first + i as u32));
        let opened = Opened::with_cells(n, rounds, SEED, query, &cells);
        prop_assert_eq!(check_entry(&opened.commit, &opened.proof()), Ok(Verdict::Correct));
        let mut bytes = opened.proof().to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let proof = EntryProof::from_bytes(&opened.commit, &bytes).unwrap();
        match check_entry(&opened.commit, &proof) {
            // Another column of the same leaf: as right as the one it was.
            Ok(Verdict::Correct) => prop_assert!((proof.row, proof.col / 16) == (query.row, query.col / 16)),
            Ok(Verdict::Wrong) => prop_assert!(false, "an honest prover was accused"),
            Err(_) => {}
        }
    }

    #[test]
    fn no_bytes_make_the_checks_panic(
        bits in 8u32..=9, rounds in 1u32..=4, bytes in prop::collection::vec(any::<u8>(), 600),
    ) {
        let commit = task(1 << bits, rounds).commit([0; 24]);
        let proof = EntryProof::from_bytes(&commit, &bytes[..entry_proof_len(commit.n, rounds)]).unwrap();
        prop_assert!(check_entry(&commit, &proof).is_err());
        for kind in [0, 1] {
            for len in 0..bytes.len() {
                let mut bytes = bytes[..len].to_vec();
                if let Some(first) = bytes.first_mut() {
                    *first = kind;
                }
                if let Ok(link) = LinkProof::from_bytes(&commit, &bytes) {
                    prop_assert!(check_link(&commit, &link).is_err());
                }
            }
        }
    }
}
