use crate::{
    backend::{Backend, ProveError, Round, RowsDone},
    kernel::Kernel,
    operands::{line, PackedB},
    tree::RoundTree,
};
use millrace_core::proof::matrix::Operand;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// The processor as a prover.
pub struct Cpu {
    kernel: Kernel,
    pool: ThreadPool,
}

impl Cpu {
    /// With the fastest kernel that this processor has, on `threads` threads (0: one for each core).
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn new(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        Self::with_kernel(Kernel::available()[0], threads)
    }

    /// With a kernel out of [`Kernel::available`].
    ///
    /// # Errors
    /// When the threads cannot be started.
    ///
    /// # Panics
    /// When this processor cannot run the kernel.
    pub fn with_kernel(kernel: Kernel, threads: usize) -> Result<Self, ThreadPoolBuildError> {
        assert!(Kernel::available().contains(&kernel), "this processor cannot run {}", kernel.name());
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("prover-{i}")).build()?;
        Ok(Self { kernel, pool })
    }

    /// A round whose rows come from `fill(b, first_row, rows)`.
    pub(crate) fn round_with(
        &self,
        round: &Round,
        skip: u32,
        rows_done: &RowsDone,
        fill: impl Fn(&PackedB, u32, &mut [i32]) + Sync,
    ) -> Result<RoundTree, ProveError> {
        self.pool.install(|| {
            let b = PackedB::new(&round.seed, round.n);
            RoundTree::build(round.n, skip, rows_done, |first_row, cells| fill(&b, first_row, cells))
        })
    }

    /// Computes rows of C, of which there are a multiple of [`ROWS`].
    pub(crate) fn compute_rows(&self, round: &Round, b: &PackedB, rows: impl Iterator<Item = u32>, cells: &mut [i32]) {
        let mut a = vec![0; cells.len()];
        for (a, row) in a.chunks_exact_mut(round.n as usize).zip(rows) {
            line(&round.seed, Operand::A, row, a);
        }
        self.kernel.multiply(&a, b, cells);
    }
}

impl Backend for Cpu {
    fn name(&self) -> &'static str {
        self.kernel.name()
    }

    fn round(&self, round: &Round, skip: u32, rows_done: &RowsDone) -> Result<RoundTree, ProveError> {
        self.round_with(round, skip, rows_done, |b, first_row, cells| self.compute_rows(round, b, first_row.., cells))
    }
}
