use crate::{
    backend::{Backend, ProveError},
    kernel::Kernel,
    operands::{line, PackedB},
    run::{kept_bytes, prove, Progress, ProveOptions, ProvenRun},
    tree::{block_rows, round_tree},
};
use millrace_core::proof::{check_size, gops, matrix::Operand, Task, MAX_N, MAX_ROUNDS, MIN_N};
use rayon::prelude::*;
use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

/// What a run on this machine took.
#[derive(Clone, Copy, Debug)]
pub struct Bench {
    /// Rows and columns.
    pub n: u32,
    /// Rounds of the run.
    pub rounds: u32,
    /// From the task to the commit.
    pub elapsed: Duration,
    /// `2·n³·rounds` operations over that time, in 10⁹ a second.
    pub gops: u64,
    /// Most bytes that it held at once; None when the backend does not know.
    pub memory_bytes: Option<u64>,
}

/// Times a run over a made-up task that takes at least `at_least`, or the most rounds that there are: what this machine
/// would reach in an audit, were the network not there. Shorter runs come first, to learn how many rounds that takes.
///
/// # Errors
/// As [`check_memory`] and [`prove`].
pub fn measure(
    backend: &Arc<dyn Backend>,
    n: u32,
    at_least: Duration,
    watch: &(dyn Fn(Progress) -> ControlFlow<()> + Sync),
) -> Result<(Bench, ProvenRun), ProveError> {
    check_memory(backend.as_ref(), n)?;
    let mut rounds = 1;
    loop {
        let (bench, run) = bench(backend, n, rounds, watch)?;
        if bench.elapsed >= at_least || rounds == MAX_ROUNDS {
            return Ok((bench, run));
        }
        // A quarter more than it should take: the first rounds are slow.
        let wanted = u128::from(rounds) * at_least.as_nanos() * 5 / (4 * bench.elapsed.as_nanos().max(1));
        rounds = u32::try_from(wanted).unwrap_or(MAX_ROUNDS).clamp(rounds + 1, MAX_ROUNDS);
    }
}

/// Whether a run over n, of any number of rounds, fits into the memory that is free now, as far as the backend knows.
///
/// # Errors
/// [`ProveError::Task`] when n is not an allowed size, [`ProveError::Memory`] with the largest that would fit.
pub fn check_memory(backend: &dyn Backend, n: u32) -> Result<(), ProveError> {
    check_size(n, 1)?;
    let memory = |n| backend.memory(n, kept_bytes(n, MAX_ROUNDS, ProveOptions::default()));
    let fits = |n: &u32| memory(*n).is_none_or(|it| it.needed_bytes <= it.free_bytes);
    match memory(n) {
        Some(it) if it.needed_bytes > it.free_bytes => Err(ProveError::Memory {
            n,
            needed_mib: it.needed_bytes.div_ceil(1 << 20),
            free_mib: it.free_bytes >> 20,
            fits: (MIN_N.ilog2()..MAX_N.ilog2()).rev().map(|log| 1 << log).find(fits),
        }),
        _ => Ok(()),
    }
}

/// Times a run of so many rounds over a made-up task.
///
/// # Errors
/// As [`prove`].
pub fn bench(
    backend: &Arc<dyn Backend>,
    n: u32,
    rounds: u32,
    watch: &(dyn Fn(Progress) -> ControlFlow<()> + Sync),
) -> Result<(Bench, ProvenRun), ProveError> {
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
    let options = ProveOptions::default();
    let memory = backend.memory(n, kept_bytes(n, rounds, options));
    let start = Instant::now();
    let run = prove(&task, backend.clone(), options, watch)?;
    let elapsed = start.elapsed();
    let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
    let bench =
        Bench { n, rounds, elapsed, gops: gops(n, rounds, nanos), memory_bytes: memory.map(|it| it.needed_bytes) };
    Ok((bench, run))
}

/// Rows of a round's A and all of its B: the product alone, without making its operands or hashing what it gives.
pub struct Product {
    rows: usize,
    a: Vec<i8>,
    b: PackedB,
}

impl Product {
    /// The first `rows` rows of A, of which there are a multiple of 8, made in the current rayon pool.
    pub fn new(seed: &[u8; 32], n: u32, rows: u32) -> Self {
        let mut a = vec![0; rows as usize * n as usize];
        a.par_chunks_mut(n as usize).zip(0..rows).for_each(|(a, row)| line(seed, Operand::A, row, a));
        Self { rows: rows as usize, a, b: PackedB::new(seed, n) }
    }

    /// int8 operations of [`Product::multiply`], a multiply-add counted as two.
    pub fn operations(&self) -> u64 {
        2 * (self.rows * self.b.n() * self.b.n()) as u64
    }

    /// Computes the rows of C in the current rayon pool, and drops them.
    pub fn multiply(&self, kernel: Kernel) {
        let block = block_rows(self.b.n() as u32) * self.b.n();
        self.a.par_chunks(block).for_each_init(
            || vec![0; block],
            |c, a| {
                kernel.multiply(a, &self.b, &mut c[..a.len()]);
                std::hint::black_box(c);
            },
        );
    }
}

/// What the parts of a round take by themselves.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// To make A and B.
    pub generate: Duration,
    /// To multiply them.
    pub multiply: Duration,
    /// To make the tree over C.
    pub hash: Duration,
}

/// Times the parts of a round of this size, one after the other, in the current rayon pool. Needs 2·n² bytes and the tree.
pub fn parts(kernel: Kernel, n: u32) -> Parts {
    let start = Instant::now();
    let product = Product::new(&[0; 32], n, n);
    let generate = start.elapsed();
    let start = Instant::now();
    product.multiply(kernel);
    let multiply = start.elapsed();
    let start = Instant::now();
    let tree = round_tree(n, 0, &|_| ControlFlow::Continue(()), |_, cells| cells.fill(1));
    std::hint::black_box(tree.ok());
    Parts { generate, multiply, hash: start.elapsed() }
}
