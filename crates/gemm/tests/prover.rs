//! Provers: the same bits on every backend, whatever is kept and however many threads there are.

mod common;

use common::{answer, cpu, run, task};
use millrace_core::proof::{cell, matrix, ProofError, Query};
use millrace_gemm::{bench, prove, Cpu, Kernel, Progress, ProveError, ProveOptions, RoundClaim};
use serde_json::Value;
use std::{
    ops::ControlFlow,
    sync::{Arc, LazyLock, Mutex},
};

/// Three rounds of n = 256, as a second implementation computes them too.
static KNOWN: LazyLock<Value> = LazyLock::new(|| {
    let vectors: Value = serde_json::from_str(include_str!("../../../docs/proof-vectors.json")).unwrap();
    vectors["runs"][1].clone()
});

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_backend_commits_the_known_answer() {
    for kernel in Kernel::available() {
        for threads in [1, 3] {
            let run = run(&task(256, 3), Cpu::with_kernel(kernel, threads).unwrap());
            for (round, known) in run.rounds().zip(KNOWN["rounds"].as_array().unwrap()) {
                assert_eq!(known["seed"], hex(&round.seed), "{} on {threads} threads", kernel.name());
                assert_eq!(known["root"], hex(&round.root), "{} on {threads} threads", kernel.name());
            }
            assert_eq!(KNOWN["super_root"], hex(&run.commit().super_root));
            assert_eq!(run.commit().task(), task(256, 3));
        }
    }
}

#[test]
fn every_backend_commits_the_same_at_larger_sizes() {
    for n in [512, 1024] {
        let commits = Kernel::available().into_iter().map(|kernel| {
            let run = run(&task(n, 2), Cpu::with_kernel(kernel, 2).unwrap());
            *run.commit()
        });
        let commits = commits.collect::<Vec<_>>();
        assert!(commits.iter().all(|commit| *commit == commits[0]), "n = {n}");
    }
}

#[test]
fn opened_entries_are_those_of_core() {
    let run = run(&task(512, 2), cpu());
    let seeds = run.rounds().map(|round| round.seed).collect::<Vec<_>>();
    for entry in answer(&run).entries {
        let Query { round, row, col } = entry.query;
        let expected = matrix::entry(&seeds[round as usize], 512, row, col);
        assert_eq!(cell(&entry.leaf, col), expected as u32 & 0x00ff_ffff);
    }
}

#[test]
fn what_is_kept_changes_nothing_in_the_answer() {
    let task = task(512, 3);
    let [all, half, least] = [u64::MAX, 300_000, 0].map(|keep_bytes| {
        let options = ProveOptions { keep_bytes };
        let run = prove(&task, Arc::new(cpu()), options, &|_| ControlFlow::Continue(())).unwrap();
        answer(&run)
    });
    assert_eq!(all, half);
    assert_eq!(all, least);
}

#[test]
fn a_run_reports_its_progress_and_stops_when_told() {
    let seen = Mutex::new(vec![]);
    let watch = |progress: Progress| {
        seen.lock().unwrap().push(progress);
        match progress {
            Progress { rounds_done: 1, rows_done: 128.., .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    };
    let result = prove(&task(256, 3), Arc::new(cpu()), ProveOptions::default(), &watch);
    assert!(matches!(result, Err(ProveError::Stopped)));
    let seen = seen.into_inner().unwrap();
    assert!(seen.iter().all(|p| p.rounds == 3 && p.rows == 256 && p.rows_done <= 256));
    assert!(seen.contains(&Progress { rounds_done: 0, rounds: 3, rows_done: 256, rows: 256 }));
    assert!(seen.iter().all(|p| p.rounds_done < 2), "it went on after it was told to stop");
}

#[test]
fn sizes_that_the_protocol_has_not_are_refused() {
    for (n, rounds, error) in
        [(128, 1, ProofError::Size(128)), (300, 1, ProofError::Size(300)), (256, 65, ProofError::Rounds(65))]
    {
        match prove(&task(n, rounds), Arc::new(cpu()), ProveOptions::default(), &|_| ControlFlow::Continue(())) {
            Err(ProveError::Task(got)) => assert_eq!(got, error),
            _ => panic!("n = {n}, {rounds} rounds was not refused"),
        }
    }
}

#[test]
fn a_bench_measures_the_run_it_makes() {
    let (bench, run) = bench(Arc::new(cpu()), 256, 4).unwrap();
    assert_eq!(run.rounds().count(), 4);
    let expected = 2.0 * 256f64.powi(3) * 4.0 / bench.elapsed.as_nanos() as f64;
    assert_eq!(bench.gops, expected as u64);
    let RoundClaim { seed, .. } = run.rounds().next().unwrap();
    assert_eq!(*seed, millrace_core::proof::seed_0(&run.commit().task()));
}
