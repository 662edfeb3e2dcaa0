use crate::{
    backend::{Backend, ProveError},
    run::{prove, ProveOptions, ProvenRun},
};
use millrace_core::proof::{gops, Task};
use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

/// What a run on this machine took.
#[derive(Clone, Copy, Debug)]
pub struct Bench {
    /// From the task to the commit.
    pub elapsed: Duration,
    /// `2·n³·rounds` operations over that time, in 10⁹ a second.
    pub gops: u64,
}

/// Times one run over a made-up task: what this machine would reach in an audit, were the network not there.
///
/// # Errors
/// As [`prove`].
pub fn bench(backend: Arc<dyn Backend>, n: u32, rounds: u32) -> Result<(Bench, ProvenRun), ProveError> {
    let task = Task {
        deployment_id: [0; 32],
        node: [0; 32],
        gpu_index: 0,
        epoch: 0,
        beacon: [0; 32],
        nonce: [0; 32],
        n,
        rounds,
    };
    let start = Instant::now();
    let run = prove(&task, backend, ProveOptions::default(), &|_| ControlFlow::Continue(()))?;
    let elapsed = start.elapsed();
    let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
    Ok((Bench { elapsed, gops: gops(n, rounds, nanos) }, run))
}
