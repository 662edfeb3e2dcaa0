//! Provers: the same bits on every backend, whatever is kept and however many threads there are.

mod common;

use common::{answer, cpu, run, task};
use millrace_core::proof::{cell, matrix, memory::MemoryTask, ProofError, Query, MAX_ROUNDS};
use millrace_gemm::{
    backends, check_memory, measure, prove, Backend, Cpu, Kernel, Memory, Progress, ProveError, ProveOptions, Round,
    RoundClaim, RowsDone, UpperTree,
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    sync::{Arc, LazyLock, Mutex},
    thread,
    time::Duration,
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
fn a_processor_fills_and_walks_on_its_own_threads() {
    let [deployment_id, node, beacon, nonce] = [1, 2, 5, 6].map(|byte| [byte; 32]);
    let task =
        MemoryTask { deployment_id, node, gpu_index: 3, epoch: 4, beacon, nonce, words: 1 << 14, walkers: 5_000 };
    let seen = Mutex::new(BTreeSet::new());
    let watch = |_| {
        seen.lock().unwrap().insert(thread::current().name().map(String::from));
        ControlFlow::Continue(())
    };
    let fill = Cpu::new(1).unwrap().fill(&task, &watch).unwrap();
    fill.walk(&[9; 32], &watch).unwrap();
    assert_eq!(seen.into_inner().unwrap(), BTreeSet::from([Some(String::from("prover-0"))]));
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
fn a_measurement_takes_the_time_asked_for_or_all_rounds() {
    let backend = backends(2).unwrap().usable.remove(0);
    let go_on = |_| ControlFlow::Continue(());
    let (bench, run) = measure(&backend, 256, Duration::from_secs(3_600), &go_on).unwrap();
    assert_eq!((bench.rounds, run.rounds().count()), (MAX_ROUNDS, MAX_ROUNDS as usize));
    let expected = 2.0 * 256f64.powi(3) * f64::from(MAX_ROUNDS) / bench.elapsed.as_nanos() as f64;
    assert_eq!(bench.gops, expected as u64);
    let RoundClaim { seed, .. } = run.rounds().next().unwrap();
    assert_eq!(*seed, millrace_core::proof::seed_0(&run.commit().task()));
    let at_least = Duration::from_millis(300);
    let (bench, _) = measure(&backend, 1_024, at_least, &go_on).unwrap();
    assert!(bench.elapsed >= at_least || bench.rounds == MAX_ROUNDS, "{bench:?}");
    let stop = |_| ControlFlow::Break(());
    assert!(matches!(measure(&backend, 256, at_least, &stop), Err(ProveError::Stopped)));
}

/// The processor, on a machine with less memory.
struct Small {
    cpu: Cpu,
    free_bytes: u64,
}

impl Backend for Small {
    fn name(&self) -> &'static str {
        self.cpu.name()
    }

    fn round(&self, round: &Round, skip: u32, rows_done: &RowsDone) -> Result<UpperTree, ProveError> {
        self.cpu.round(round, skip, rows_done)
    }

    fn memory(&self, n: u32, tree_bytes: u64) -> Option<Memory> {
        Some(Memory { free_bytes: self.free_bytes, ..self.cpu.memory(n, tree_bytes)? })
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_largest_n_that_does() {
    let check = |free_mib: u64, n| check_memory(&Small { cpu: cpu(), free_bytes: free_mib << 20 }, n);
    assert!(check(1_400, 16_384).is_ok());
    let error = check(1_400, 65_536).unwrap_err();
    assert!(matches!(error, ProveError::Memory { n: 65_536, free_mib: 1_400, fits: Some(16_384), .. }), "{error}");
    assert!(error.to_string().contains("the largest n that fits is 16384"), "{error}");
    assert!(check(1, 256).unwrap_err().to_string().contains("no n fits"));
    assert!(matches!(check(1, 300), Err(ProveError::Task(ProofError::Size(300)))));
}
