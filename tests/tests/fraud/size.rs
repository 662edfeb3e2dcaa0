//! What a proof costs on chain: bytes of its transaction and compute units.

use millrace_core::proof::{MAX_N, MAX_ROUNDS};
use millrace_tests::fraud::*;
use millrace_tests::*;

/// Compute units of proving one entry of a run of this size.
fn units(world: &mut World, accusation: &Accusation, n: u32, rounds: u32) -> u64 {
    let task = world.audit(&accusation.node, n, rounds);
    let run = SparseRun::new(&task, &[], Value::Wrong);
    let case = world.accuse(accusation, &run.commit);
    world.prove(accusation, &case, run.entry_proof(rounds - 1)).cu
}

#[test]
fn the_largest_proof_fits_a_transaction_with_its_compute_budget() {
    let mut world = World::new();
    let accusation = world.accusation();
    let task = world.audit(&accusation.node, MAX_N, MAX_ROUNDS);
    let run = SparseRun::new(&task, &[(MAX_N - 1, MAX_N - 1)], Value::Wrong);
    let case = world.accuse(&accusation, &run.commit);
    let bytes = bytes_of(&accusation.proving(&case, run.entry_proof(0)), &accusation.watcher);
    // With room for a priority fee: one more instruction of the same program, twelve bytes.
    assert!(bytes + 12 <= MAX_TRANSACTION_BYTES, "{bytes} bytes");
    let link = [prove_link(&accusation.watcher.pubkey(), &case, run.link_proof(MAX_ROUNDS - 1))];
    assert!(bytes_of(&link, &accusation.watcher) <= MAX_TRANSACTION_BYTES);
    let opening = bytes_of(&accusation.opening(&run.commit), &accusation.watcher);
    assert!(opening <= MAX_TRANSACTION_BYTES, "{opening} bytes");
}

#[test]
fn an_entry_of_every_size_is_recomputed_within_its_units() {
    let mut world = World::new();
    let accusation = world.accusation();
    for (n, rounds, most) in [(256, 1, 30_000), (4_096, 8, 100_000), (16_384, 8, 300_000), (65_536, 64, 1_400_000)] {
        let cu = units(&mut world, &accusation, n, rounds);
        assert!(cu < most, "n = {n}: {cu} units, want fewer than {most}");
    }
}

#[test]
fn a_shared_line_is_refused_before_the_recomputation() {
    let mut world = World::new();
    let accusation = world.accusation();
    let task = world.audit(&accusation.node, 16_384, 2);
    let run = SparseRun::new(&task, &[(5, 6), (5, 7)], Value::Wrong);
    let case = world.accuse(&accusation, &run.commit);
    world.prove(&accusation, &case, run.entry_proof(0));
    let again = accusation.proving(&case, run.entry_proof(1));
    let refusal = world.assert_refused(&again, &[&accusation.watcher], MillraceError::SharedLine);
    assert!(refusal.cu < 20_000, "{} units", refusal.cu);
}
