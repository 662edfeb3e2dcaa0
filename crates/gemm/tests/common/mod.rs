//! Tasks, runs and answers for the tests.
#![allow(dead_code)]

use millrace_core::{
    merkle::{leaf_node, parent, Tree},
    proof::{next_seed, nonce, seed_0, super_leaf, tree_depth, Commit, Task, LEAF_LEN},
};
use millrace_gemm::{prove, queries, Backend, Bundle, Cpu, OpenedEntry, ProveOptions, ProvenRun, RoundClaim};
use std::{ops::ControlFlow, sync::Arc};

/// The beacon that the queries come from, unless a test needs several.
pub const NEXT_BEACON: [u8; 32] = [8; 32];

/// The task of `docs/proof-vectors.json`, at any size.
pub fn task(n: u32, rounds: u32) -> Task {
    let [deployment_id, node, beacon] = [1, 2, 5].map(|byte| [byte; 32]);
    Task { deployment_id, node, gpu_index: 3, epoch: 4, beacon, nonce: nonce(&[[6; 16], [7; 16]]), n, rounds }
}

pub fn cpu() -> Cpu {
    Cpu::new(2).unwrap()
}

pub fn run(task: &Task, backend: impl Backend + 'static) -> ProvenRun {
    prove(task, Arc::new(backend), ProveOptions::default(), &|_| ControlFlow::Continue(())).unwrap()
}

pub fn answer(run: &ProvenRun) -> Bundle {
    run.answer(&queries(run.commit(), &NEXT_BEACON))
}

/// The commit and the answer of a prover who commits zeros: all but the entries' values is right, and nothing had to be
/// multiplied, since all nodes of a level are the same.
pub fn zeros(task: &Task) -> (Commit, Bundle) {
    let leaf = [0; LEAF_LEN];
    let mut root = leaf_node(&[&leaf]);
    let mut path = vec![];
    for _ in 0..tree_depth(task.n) {
        path.push(root);
        root = parent(&root, &root);
    }
    let seeds = std::iter::successors(Some(seed_0(task)), |seed| Some(next_seed(seed, &root)));
    let rounds = seeds.take(task.rounds as usize).map(|seed| RoundClaim { seed, root }).collect::<Vec<_>>();
    let tree = Tree::new(rounds.iter().map(|claim| super_leaf(&claim.seed, &claim.root)).collect());
    let commit = task.commit(tree.root());
    let entries = queries(&commit, &NEXT_BEACON);
    let entries = entries.into_iter().map(|query| OpenedEntry { query, leaf, path: path.clone() }).collect();
    (commit, Bundle { rounds, entries })
}
