//! `docs/proof-vectors.json` is what this code computes, and what a second implementation computes too.

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
