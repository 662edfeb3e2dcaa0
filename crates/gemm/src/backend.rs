use crate::{
    cuda::{Cards, NoCuda},
    memory::{MemoryFill, MemoryWatch},
    operands::{dot, line},
    tree::UpperTree,
    Cpu, Cuda,
};
use millrace_core::proof::{matrix::Operand, memory::MemoryTask};
use rayon::ThreadPoolBuildError;
use std::{
    ops::{ControlFlow, Range},
    sync::Arc,
};

/// One round of a run.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Its number, from 0.
    pub index: u32,
    /// Its seed.
    pub seed: [u8; 32],
    /// Rows and columns.
    pub n: u32,
}

/// Memory that a run needs, and what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Most bytes that the run holds at once.
    pub needed_bytes: u64,
    /// Bytes that are free now.
    pub free_bytes: u64,
}

/// Told how many rows of a round are done, now and then and from any thread; breaks to stop the run.
pub type RowsDone<'a> = dyn Fn(u32) -> ControlFlow<()> + Sync + 'a;

/// Why a run gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The caller stopped it.
    #[error("the run was stopped")]
    Stopped,
    /// The sizes are not the protocol's.
    #[error(transparent)]
    Task(#[from] millrace_core::proof::ProofError),
    /// The sizes of a proof of memory are not the protocol's.
    #[error(transparent)]
    MemoryTask(#[from] millrace_core::proof::memory::MemoryError),
    /// There is too little memory.
    #[error("n = {n} needs {needed_mib} MiB of memory and {free_mib} MiB are free; {}", what_fits(*.fits))]
    Memory {
        /// Rows and columns.
        n: u32,
        /// What they need, MiB.
        needed_mib: u64,
        /// What is free, MiB.
        free_mib: u64,
        /// The largest n for which it is enough.
        fits: Option<u32>,
    },
    /// The hardware or its driver failed.
    #[error("{backend} failed: {reason}")]
    Backend {
        /// [`Backend::name`].
        backend: &'static str,
        /// What it said.
        reason: String,
    },
}

fn what_fits(fits: Option<u32>) -> String {
    fits.map_or("no n fits, free some".into(), |n| format!("the largest n that fits is {n}"))
}

/// The provers of this machine.
pub struct Backends {
    /// One for each GPU that can prove, in the driver's order, then the processor: never empty.
    pub usable: Vec<Arc<dyn Backend>>,
    /// Why other GPUs cannot prove, or why there is none.
    pub refused: Vec<NoCuda>,
}

/// Finds the provers of this machine; the processor's has `threads` threads (0: one for each core).
///
/// # Errors
/// When the threads cannot be started.
pub fn backends(threads: usize) -> Result<Backends, ThreadPoolBuildError> {
    let Cards { usable, refused } = Cuda::all();
    let cards = usable.into_iter().map(|card| Arc::new(card) as Arc<dyn Backend>);
    let processor: Arc<dyn Backend> = Arc::new(Cpu::new(threads)?);
    Ok(Backends { usable: cards.chain([processor]).collect(), refused })
}

/// Something that computes rounds. All give the same bits.
pub trait Backend: Send + Sync {
    /// For logs and reports. Begins with the kind: `cpu` or `cuda`.
    fn name(&self) -> &'static str;

    /// Computes a round and its tree, without the lowest `skip` levels of it.
    ///
    /// # Errors
    /// [`ProveError::Stopped`] when `rows_done` breaks, [`ProveError::Backend`].
    fn round(&self, round: &Round, skip: u32, rows_done: &RowsDone) -> Result<UpperTree, ProveError>;

    /// The entries `cols` of row `row`, once more, to open them: neither C nor all of its tree are kept.
    fn cells(&self, round: &Round, row: u32, cols: Range<u32>) -> Vec<i32> {
        recompute_cells(round, row, cols)
    }

    /// Fills memory for the proof of memory: a GPU the card's, the processor main memory.
    ///
    /// # Errors
    /// As [`MemoryFill::new`].
    fn fill(&self, task: &MemoryTask, watch: &MemoryWatch) -> Result<MemoryFill, ProveError> {
        MemoryFill::new(task, watch)
    }

    /// Most that its arithmetic units could do, measured now or, of a GPU, from its maker's figures: int8 operations in 10⁹
    /// a second, a multiply-add counted as two. None when it is not known.
    fn peak_gops(&self) -> Option<u64> {
        None
    }

    /// The memory it computes in, for a run over n whose trees take `tree_bytes` of main memory: what the run needs at
    /// least, and what is free. None when it is not known.
    fn memory(&self, _n: u32, _tree_bytes: u64) -> Option<Memory> {
        None
    }
}

/// The entries `cols` of row `row` from the seed, on the processor.
pub fn recompute_cells(round: &Round, row: u32, cols: Range<u32>) -> Vec<i32> {
    let mut a = vec![0; round.n as usize];
    let mut b = a.clone();
    line(&round.seed, Operand::A, row, &mut a);
    cols.map(|col| {
        line(&round.seed, Operand::B, col, &mut b);
        dot(&a, &b)
    })
    .collect()
}
