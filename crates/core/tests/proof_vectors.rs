//! `docs/proof-vectors.json`, which a second implementation computes too, pins every byte of the protocol.

use millrace_core::{
    hash::sha256,
    merkle::{leaf_node, TreeNode},
    proof::{
        cell, check_entry, check_link, leaf_index,
        matrix::{self, Operand},
        next_seed, nonce, pack_leaf, query, seed_0, Commit, EntryProof, LinkProof, Task, Verdict, QUERIES,
    },
};
use serde_json::Value;
use std::sync::LazyLock;

static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../docs/proof-vectors.json")).unwrap());

/// Runs, of which `is_honest` ones have no lie.
fn runs(is_honest: bool) -> impl Iterator<Item = &'static Value> {
    VECTORS["runs"].as_array().unwrap().iter().filter(move |run| !is_honest || run["lie"].is_null())
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    assert_eq!(text.len() % 2, 0);
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hex<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

fn number(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

fn task(run: &Value) -> Task {
    let task = &run["task"];
    Task {
        deployment_id: hex(&task["deployment_id"]),
        node: hex(&task["node"]),
        gpu_index: number(&task["gpu_index"]),
        epoch: task["epoch"].as_str().unwrap().parse().unwrap(),
        beacon: hex(&task["beacon"]),
        nonce: hex(&task["nonce"]),
        n: number(&task["n"]),
        rounds: number(&task["rounds"]),
    }
}

#[test]
fn the_nonce_is_the_hash_of_the_shares_in_their_order() {
    for run in runs(false) {
        let mut shares = run["task"]["shares"].as_array().unwrap().iter().map(hex).collect::<Vec<[u8; 16]>>();
        assert_eq!(nonce(&shares), task(run).nonce);
        shares.reverse();
        assert_ne!(nonce(&shares), task(run).nonce);
    }
}

#[test]
fn seeds_follow_from_the_task_and_from_each_other() {
    for run in runs(true) {
        let mut expected = seed_0(&task(run));
        for round in run["rounds"].as_array().unwrap() {
            assert_eq!(hex(&round["seed"]), expected);
            expected = next_seed(&expected, &hex(&round["root"]));
        }
    }
}

#[test]
fn blocks_entries_and_leaves() {
    for run in runs(true) {
        let n = task(run).n;
        for round in run["rounds"].as_array().unwrap() {
            let seed = hex(&round["seed"]);
            for (operand, line) in [(Operand::A, &round["a"]), (Operand::B, &round["b"])] {
                let blocks = [0, 1].map(|block| matrix::block(&seed, operand, number(&line["index"]), block));
                assert_eq!(blocks.as_flattened(), bytes(&line["first_bytes"]));
            }
            let entries = round["entries"].as_array().unwrap().iter().zip(round["leaves"].as_array().unwrap());
            for (entry, leaf) in entries {
                let (row, col) = (number(&entry[0]), number(&entry[1]));
                let value = i32::try_from(entry[2].as_i64().unwrap()).unwrap();
                assert_eq!(matrix::entry(&seed, n, row, col), value);
                assert_eq!(leaf_index(n, row, col), leaf["index"].as_u64().unwrap());
                let first = col / 16 * 16;
                let content = pack_leaf(&std::array::from_fn(|i| matrix::entry(&seed, n, row, first + i as u32)));
                assert_eq!(content, hex(&leaf["content"]));
                assert_eq!(cell(&content, col), value as u32 & 0x00ff_ffff);
                assert_eq!(leaf_node(&[&content]), hex(&leaf["node"]));
            }
        }
    }
}

#[test]
fn a_commit_has_one_encoding_and_one_id() {
    for run in runs(false) {
        let commit = task(run).commit(hex(&run["super_root"]));
        assert_eq!(commit.to_bytes(), hex(&run["commit"]));
        assert_eq!(Commit::from_bytes(&bytes(&run["commit"])), Ok(commit));
        assert_eq!(commit.id(), hex(&run["commit_id"]));
    }
    for commit in VECTORS["commits"].as_array().unwrap() {
        let is_read = Commit::from_bytes(&bytes(&commit["bytes"])).is_ok();
        assert_eq!(is_read, commit["verdict"] == "read", "{commit}");
    }
}

#[test]
fn queries_follow_from_the_super_root_and_the_next_beacon() {
    for run in runs(false) {
        let super_root: TreeNode = hex(&run["super_root"]);
        let Task { n, rounds, .. } = task(run);
        let queries = (0..QUERIES as u32).map(|i| {
            let query = query(&super_root, &hex(&run["next_beacon"]), i, n, rounds);
            let [row, col] = [query.row, query.col].map(|index| (index as u16).to_le_bytes());
            [query.round as u8, row[0], row[1], col[0], col[1]]
        });
        let queries = queries.collect::<Vec<_>>();
        for (query, expected) in queries.iter().zip(run["queries"].as_array().unwrap()) {
            assert_eq!(*query, hex::<5>(expected));
        }
        assert_eq!(sha256(&[queries.as_flattened()]), hex(&run["queries_sha256"]));
    }
}

#[test]
fn proofs_are_judged_as_the_vectors_say() {
    for vector in VECTORS["proofs"].as_array().unwrap() {
        let commit = Commit::from_bytes(&bytes(&vector["commit"])).unwrap();
        let proof = bytes(&vector["proof"]);
        let verdict = match vector["kind"].as_str().unwrap() {
            "entry" => EntryProof::from_bytes(&commit, &proof).and_then(|proof| check_entry(&commit, &proof)),
            _ => LinkProof::from_bytes(&commit, &proof).and_then(|proof| check_link(&commit, &proof)),
        };
        match vector["verdict"].as_str().unwrap() {
            "correct" => assert_eq!(verdict, Ok(Verdict::Correct), "{vector}"),
            "wrong" => assert_eq!(verdict, Ok(Verdict::Wrong), "{vector}"),
            _ => assert!(verdict.is_err(), "{vector}"),
        }
    }
}
