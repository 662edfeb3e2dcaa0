//! What no bytes may do to the readers and the verifier. libFuzzer feeds these functions by `toolchain/fuzz`, and the
//! test `corpus` feeds them what it found worth keeping.
//!
//! Each takes any bytes and panics when a rule is broken. What the checks say is compared with a slow definition.

use millrace_core::{
    leaves::{LeaseLeaf, NodeLeaf, OracleLeaf},
    merkle::{leaf_node, root_from_path},
    proof::{
        cell, check_entry, check_link, check_size, leaf_index,
        matrix::{self, Operand, BLOCK_LEN},
        next_seed, seed_0, super_leaf, Commit, EntryProof, LinkProof, Opening, ProofError, Task, Verdict, COMMIT_LEN,
    },
};
use millrace_gemm::{
    bundle_len,
    cheats::{prove_with_seeds, Tamper},
    false_link, queries, verify_bundle, wrong_entries, Bundle, Cpu, Refusal,
};
use std::sync::{Arc, LazyLock};

/// A function to feed, by the name of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 5] =
    [("commit", commit), ("entry", entry), ("link", link), ("bundle", bundle), ("leaves", leaves)];

/// Whatever is read as a commit is one of an allowed size and has no other encoding.
pub fn commit(data: &[u8]) {
    match Commit::from_bytes(data) {
        Ok(commit) => {
            assert_eq!(commit.to_bytes(), data);
            assert!((256..=65_536).contains(&commit.n) && commit.n.count_ones() == 1);
            assert!((1..=64).contains(&commit.rounds));
        }
        Err(ProofError::Length { expected, got }) => {
            assert!(expected == COMMIT_LEN && got == data.len() && got != expected)
        }
        Err(ProofError::Tag) => assert_ne!(&data[..8], b"MRcommit"),
        Err(ProofError::Size(n)) => assert_eq!(n.to_le_bytes(), data[148..152]),
        Err(ProofError::Rounds(rounds)) => assert_eq!(rounds.to_le_bytes(), data[152..156]),
        Err(error) => panic!("{error}"),
    }
}

/// Whatever is read as a leaf has no other encoding.
pub fn leaves(data: &[u8]) {
    if let Ok(leaf) = LeaseLeaf::from_bytes(data) {
        assert_eq!(leaf.to_bytes(), data);
    }
    if let Ok(leaf) = NodeLeaf::from_bytes(data) {
        assert_eq!(leaf.to_bytes(), data);
    }
    if let Ok(leaf) = OracleLeaf::from_bytes(data) {
        assert_eq!(leaf.to_bytes(), data);
    }
}

/// A proof of an entry is judged only under the commit's super-root, and then by the definition of the product.
///
/// Data: the size, whether the commit is made to fit the proof, the proof.
pub fn entry(data: &[u8]) {
    let Some((task, is_fitted, data)) = sized(data) else { return };
    let mut commit = task.commit([7; 24]);
    let Ok(proof) = EntryProof::from_bytes(&commit, data) else { return };
    assert_eq!(proof.to_bytes(), data);
    if is_fitted {
        let root = root_from_path(leaf_node(&[proof.leaf]), leaf_index(task.n, proof.row, proof.col), proof.path);
        commit.super_root = root_from_path(super_leaf(proof.seed, &root), u64::from(proof.round), proof.super_path);
    }
    match check_entry(&commit, &proof) {
        Ok(verdict) => {
            assert!(is_fitted, "a tree was inverted");
            assert!(proof.round < task.rounds && proof.row < task.n && proof.col < task.n);
            let right = product_entry(proof.seed, task.n, proof.row, proof.col);
            let is_right = cell(proof.leaf, proof.col) == right.rem_euclid(1 << 24) as u32;
            assert_eq!(verdict == Verdict::Correct, is_right);
        }
        Err(ProofError::Round { round, last }) => {
            assert!(round == proof.round && round > last && last + 1 == task.rounds)
        }
        Err(ProofError::Index { row, col, n }) => assert!(n == task.n && (row >= n || col >= n)),
        Err(ProofError::NotCommitted) => assert!(!is_fitted),
        Err(error) => panic!("{error}"),
    }
}

/// A proof of a link is judged only under the commit's super-root, and then by the definition of the seeds.
///
/// Data as for [`entry()`].
pub fn link(data: &[u8]) {
    let Some((task, is_fitted, data)) = sized(data) else { return };
    let mut commit = task.commit([7; 24]);
    let Ok(proof) = LinkProof::from_bytes(&commit, data) else { return };
    assert_eq!(proof.to_bytes(), data);
    let node = |opening: &Opening| super_leaf(opening.seed, opening.root);
    let mut paths;
    let (proof, expected, committed) = match proof {
        LinkProof::First(first) => {
            if is_fitted {
                commit.super_root = root_from_path(node(&first), 0, first.super_path);
            }
            (proof, seed_0(&task), first.seed)
        }
        LinkProof::Next { round, from, to } => {
            let is_fitted = is_fitted && round % 2 == 0 && !from.super_path.is_empty();
            paths = [from.super_path.to_vec(), to.super_path.to_vec()];
            if is_fitted {
                // The two rounds are each other's siblings, and all above them is shared.
                paths[1] = paths[0].clone();
                (paths[0][0], paths[1][0]) = (node(&to), node(&from));
                commit.super_root = root_from_path(node(&from), u64::from(round), &paths[0]);
            }
            let from = Opening { super_path: &paths[0], ..from };
            let to = Opening { super_path: &paths[1], ..to };
            (LinkProof::Next { round, from, to }, next_seed(from.seed, from.root), to.seed)
        }
    };
    match check_link(&commit, &proof) {
        Ok(verdict) => {
            assert!(is_fitted, "a tree was inverted");
            assert!(!matches!(proof, LinkProof::Next { round, .. } if round + 1 >= task.rounds));
            assert_eq!(verdict == Verdict::Correct, *committed == expected);
        }
        Err(ProofError::Round { round, last }) => assert!(round > last || task.rounds == 1),
        Err(ProofError::NotCommitted) => assert!(!is_fitted || !matches!(proof, LinkProof::First(_))),
        Err(error) => panic!("{error}"),
    }
}

/// A task of the size that the first three bytes say, whether the third is odd, and the rest.
fn sized(data: &[u8]) -> Option<(Task, bool, &[u8])> {
    let ([bits, rounds, is_fitted], data) = data.split_first_chunk()?;
    let [deployment_id, node, beacon, nonce] = [1, 2, 5, 6].map(|byte| [byte; 32]);
    let (n, rounds) = (256 << (bits % 9), 1 + u32::from(rounds % 64));
    let task = Task { deployment_id, node, gpu_index: 3, epoch: 4, beacon, nonce, n, rounds };
    assert_eq!(check_size(n, rounds), Ok(()));
    Some((task, is_fitted % 2 == 1, data))
}

/// Entry of the product by its definition, from the blocks.
fn product_entry(seed: &[u8; 32], n: u32, row: u32, col: u32) -> i64 {
    let blocks = 0..n / BLOCK_LEN as u32;
    let product = |(a, b): (u8, u8)| (i64::from(a) - 128) * (i64::from(b) - 128);
    blocks
        .flat_map(|block| {
            let [a, b] = [(Operand::A, row), (Operand::B, col)].map(|(m, line)| matrix::block(seed, m, line, block));
            a.into_iter().zip(b)
        })
        .map(product)
        .sum()
}

const NEXT_BEACON: [u8; 32] = [8; 32];

/// A run, and its answer to [`NEXT_BEACON`].
struct Base {
    commit: Commit,
    bundle: Vec<u8>,
}

impl Base {
    fn new(rounds: u32, zero_rows: u32, false_round: u32) -> Self {
        let [deployment_id, node, beacon, nonce] = [1, 2, 5, 6].map(|byte| [byte; 32]);
        let task = Task { deployment_id, node, gpu_index: 3, epoch: 4, beacon, nonce, n: 256, rounds };
        let cpu = Cpu::new(1).expect("a thread can be started");
        let lazy = Tamper::new(cpu, move |_, row, _, value| if row < zero_rows { 0 } else { value });
        let seeds = |round, follows| if round == false_round { [0xaa; 32] } else { follows };
        let run = prove_with_seeds(&task, Arc::new(lazy), seeds).expect("the size is allowed");
        let bundle = run.answer(&queries(run.commit(), &NEXT_BEACON)).to_bytes();
        Self { commit: *run.commit(), bundle }
    }
}

const HONEST: u8 = 0;

/// An honest run, a lazy one, one with a false seed in each of its rounds.
static BASES: LazyLock<[Base; 4]> =
    LazyLock::new(|| [Base::new(2, 0, 9), Base::new(1, 40, 9), Base::new(3, 0, 0), Base::new(2, 3, 1)]);

/// A bundle is accepted only as the honest prover sent it, and accuses only with what the program takes for proof.
///
/// Data: which run to start from, whether the commit is made to fit the altered bundle, then edits: kind, place, value.
pub fn bundle(data: &[u8]) {
    let Some(([base, is_fitted], edits)) = data.split_first_chunk() else { return };
    let base_index = base % BASES.len() as u8;
    let base = &BASES[usize::from(base_index)];
    let (mut commit_bytes, mut bytes) = (base.commit.to_bytes().to_vec(), base.bundle.clone());
    let entry_len = (bytes.len() - 8 - 56 * base.commit.rounds as usize) / 512;
    let entries_at = bytes.len() - 512 * entry_len;
    for [kind, a, b, c, value] in edits.as_chunks().0 {
        let place = u32::from_le_bytes([*a, *b, *c, 0]) as usize;
        match kind % 8 {
            0 => *at(&mut commit_bytes, place) = *value,
            1 => *at(&mut bytes, place) = *value,
            // In one of the rounds, where few of the places are.
            2 => *at(&mut bytes, place % entries_at) = *value,
            // In the head or the leaf of an entry.
            3 => *at(&mut bytes, entries_at + place / 53 % 512 * entry_len + place % 53) = *value,
            4 => bytes.truncate(place),
            5 => bytes.extend(std::iter::repeat_n(*value, place % 4_096)),
            6 => commit_bytes.truncate(place),
            _ => {
                // One entry over another.
                let [from, to] = [place % 512, usize::from(*value)].map(|i| entries_at + i * entry_len);
                if bytes.len() >= from.max(to) + entry_len {
                    bytes.copy_within(from..from + entry_len, to);
                }
            }
        }
    }
    let Ok(mut commit) = Commit::from_bytes(&commit_bytes) else { return };
    let expected = bundle_len(commit.n, commit.rounds);
    let bundle = match Bundle::from_bytes(&commit, &bytes) {
        Ok(bundle) => bundle,
        Err(Refusal::Length { got, .. }) => return assert!(got == bytes.len() && got != expected),
        Err(refusal) => return assert_eq!(refusal, Refusal::Tag),
    };
    assert_eq!(bundle.to_bytes(), bytes);
    if is_fitted % 2 == 1 {
        let nodes = bundle.rounds.iter().map(|claim| super_leaf(&claim.seed, &claim.root)).collect();
        commit.super_root = millrace_core::merkle::Tree::new(nodes).root();
    }

    let verdict = verify_bundle(&commit, &NEXT_BEACON, &bundle);
    let (wrong, link) = (wrong_entries(&commit, &bundle), false_link(&commit, &bundle));
    let link = link.map(|link| check_link(&commit, &LinkProof::from_bytes(&commit, &link).expect("it was made here")));
    for (i, entry) in wrong.iter().enumerate() {
        let proof = EntryProof::from_bytes(&commit, &entry.proof).expect("it was made here");
        assert_eq!((proof.query(), check_entry(&commit, &proof)), (entry.query, Ok(Verdict::Wrong)));
        assert!(wrong[..i].iter().all(|other| !other.query.shares_line(&entry.query)));
    }
    match &verdict {
        Ok(verified) => {
            assert_eq!(verified.commit_id, commit.id());
            assert!(base_index == HONEST && commit == base.commit && bytes == base.bundle, "it is not what was sent");
            assert!(wrong.is_empty() && link.is_none());
        }
        Err(Refusal::WrongEntries(found)) => {
            assert!(!found.is_empty() && !wrong.is_empty() && link.is_none());
        }
        Err(Refusal::FalseSeed { round }) => {
            assert!(*round < commit.rounds);
            assert_eq!(link, Some(Ok(Verdict::Wrong)));
        }
        Err(Refusal::SuperRoot) => assert!(wrong.is_empty() && link.is_none()),
        Err(Refusal::OtherEntry { .. } | Refusal::Unjudged { error: ProofError::NotCommitted, .. }) => {
            assert!(link.is_none());
        }
        Err(refusal) => panic!("{refusal}"),
    }
    // Whatever a stranger writes into the bundle: nothing follows against an honest prover's commit.
    if base_index == HONEST && commit == base.commit {
        assert!(wrong.is_empty() && link.is_none());
    }
}

fn at(bytes: &mut Vec<u8>, place: usize) -> &mut u8 {
    if bytes.is_empty() {
        bytes.push(0);
    }
    let len = bytes.len();
    &mut bytes[place % len]
}
