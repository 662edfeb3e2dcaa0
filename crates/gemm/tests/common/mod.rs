//! Tasks, runs and answers for the tests.
#![allow(dead_code)]

use millrace_core::proof::{nonce, Task};
use millrace_gemm::{prove, queries, Backend, Bundle, Cpu, ProveOptions, ProvenRun};
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
