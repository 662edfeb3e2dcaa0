use crate::{
    backend::{Backend, Memory, ProveError, Round, RowsDone},
    kernel::{peak_gops, Kernel},
    memory::{MemoryFill, MemoryWatch},
    operands::{line, PackedB},
    tree::{block_rows, round_tree, UpperTree},
};
use millrace_core::{
    merkle::TREE_NODE_LEN,
    proof::{matrix::Operand, memory::MemoryTask, CELLS_PER_LEAF},
};
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::sync::Arc;

/// The processor as a prover.
pub struct Cpu {
    kernel: Kernel,
    pool: Arc<ThreadPool>,
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
        Ok(Self { kernel, pool: Arc::new(pool) })
    }

    /// A round whose rows come from `fill(b, first_row, rows)`.
    pub(crate) fn round_with(
        &self,
        round: &Round,
        skip: u32,
        rows_done: &RowsDone,
        fill: impl Fn(&PackedB, u32, &mut [i32]) + Sync,
    ) -> Result<UpperTree, ProveError> {
        self.pool.install(|| {
            let b = PackedB::new(&round.seed, round.n);
            round_tree(round.n, skip, rows_done, |first_row, cells| fill(&b, first_row, cells))
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

    fn round(&self, round: &Round, skip: u32, rows_done: &RowsDone) -> Result<UpperTree, ProveError> {
        self.round_with(round, skip, rows_done, |b, first_row, cells| self.compute_rows(round, b, first_row.., cells))
    }

    /// The fill, its walks and its answer on the threads of this prover.
    fn fill(&self, task: &MemoryTask, watch: &MemoryWatch) -> Result<MemoryFill, ProveError> {
        MemoryFill::in_pool(&self.pool, task, watch)
    }

    fn peak_gops(&self) -> Option<u64> {
        Some(peak_gops(self.kernel, self.pool.current_num_threads()))
    }

    fn memory(&self, n: u32, tree_bytes: u64) -> Option<Memory> {
        // What a thread holds beside B: a block of rows of C as int32, of A as int8, and the hashes of C's leaves.
        let block_bytes = block_rows(n) * (4 + 1) + block_rows(n) / CELLS_PER_LEAF * TREE_NODE_LEN;
        let n = u64::from(n);
        let needed_bytes = n * n + self.pool.current_num_threads() as u64 * block_bytes as u64 * n + tree_bytes;
        Some(Memory { needed_bytes, free_bytes: free_bytes()? })
    }
}

/// Main memory that is free or can be freed at once, as Linux estimates it. None elsewhere.
pub(crate) fn free_bytes() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let available = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = available.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}
