//! `docs/proof-vectors.json` is what this code computes, and what a second implementation computes too.

use millrace_core::proof::{entry_proof_len, tree_depth, Commit, MAX_N, MAX_ROUNDS, MIN_N};
use millrace_gemm::bundle_len;
use std::process::Command;

#[path = "../examples/vectors/make.rs"]
mod make;

#[test]
fn the_vectors_are_what_the_code_computes() {
    let committed = std::fs::read_to_string(make::PATH).unwrap();
    assert!(
        committed == make::vectors(),
        "docs/proof-vectors.json is out of date: cargo run -p millrace-gemm --example vectors"
    );
}

#[test]
fn a_second_implementation_computes_the_vectors() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/proof_of_gpu.py");
    let output = Command::new("python3").arg(script).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// A number as the document writes it.
fn grouped(number: usize) -> String {
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1_000), number % 1_000),
    }
}

#[test]
fn the_documents_lengths_are_those_of_the_code() {
    let document = include_str!("../../../docs/proof-of-gpu.md");
    for bits in MIN_N.ilog2()..=MAX_N.ilog2() {
        let n = 1 << bits;
        let lengths =
            [entry_proof_len(n, 1), entry_proof_len(n, MAX_ROUNDS), bundle_len(n, 1), bundle_len(n, MAX_ROUNDS)];
        let [entry, largest_entry, bundle, largest_bundle] = lengths.map(grouped);
        let (n, depth) = (grouped(n as usize), tree_depth(n));
        let row = format!("| {n} | {depth} | {entry} | {largest_entry} | {bundle} | {largest_bundle} |");
        assert!(document.contains(&row), "{row}");
    }
}

#[test]
fn the_documents_layout_of_a_commit_is_that_of_the_code() {
    let document = include_str!("../../../docs/proof-of-gpu.md");
    let (none, all) = ([0; 32], [0xff; 32]);
    let zeros = Commit {
        deployment_id: none,
        node: none,
        gpu_index: 0,
        epoch: 0,
        beacon: none,
        nonce: none,
        n: 0,
        rounds: 0,
        super_root: [0; 24],
    };
    for (field, filled) in [
        ("`deployment_id`", Commit { deployment_id: all, ..zeros }),
        ("`node`", Commit { node: all, ..zeros }),
        ("`gpu_index`", Commit { gpu_index: u32::MAX, ..zeros }),
        ("`epoch`", Commit { epoch: u64::MAX, ..zeros }),
        ("`beacon`", Commit { beacon: all, ..zeros }),
        ("`nonce`", Commit { nonce: all, ..zeros }),
        ("n", Commit { n: u32::MAX, ..zeros }),
        ("R", Commit { rounds: u32::MAX, ..zeros }),
        ("super-root", Commit { super_root: [0xff; 24], ..zeros }),
    ] {
        let bytes = filled.to_bytes();
        let at = bytes.iter().position(|byte| *byte == 0xff).unwrap();
        let len = bytes.iter().filter(|byte| **byte == 0xff).count();
        let row = format!("| {at} | {len} | {field}");
        assert!(document.contains(&row), "{row}");
    }
}
