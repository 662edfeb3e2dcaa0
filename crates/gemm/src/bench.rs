use crate::{
    backend::{Backend, ProveError},
    kernel::Kernel,
    operands::{line, PackedB},
    run::{prove, ProveOptions, ProvenRun},
    tree::{block_rows, RoundTree},
};
use millrace_core::proof::{gops, matrix::Operand, Task};
use rayon::prelude::*;
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
    let tree = RoundTree::build(n, 0, &|_| ControlFlow::Continue(()), |_, cells| cells.fill(1));
    std::hint::black_box(tree.ok());
    Parts { generate, multiply, hash: start.elapsed() }
}
