use crate::{
    operands::{dot, line},
    tree::RoundTree,
};
use millrace_core::proof::matrix::Operand;
use std::ops::{ControlFlow, Range};

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
    Memory(#[from] millrace_core::proof::memory::MemoryError),
    /// The hardware or its driver failed.
    #[error("{backend} failed: {reason}")]
    Backend {
        /// [`Backend::name`].
        backend: &'static str,
        /// What it said.
        reason: String,
    },
}

/// Something that computes rounds. All give the same bits.
pub trait Backend: Send + Sync {
    /// For logs and reports.
    fn name(&self) -> &'static str;

    /// Computes a round and its tree, without the lowest `skip` levels of it.
    ///
    /// # Errors
    /// [`ProveError::Stopped`] when `rows_done` breaks, [`ProveError::Backend`].
    fn round(&self, round: &Round, skip: u32, rows_done: &RowsDone) -> Result<RoundTree, ProveError>;

    /// The most int8 operations a second that the hardware could do, 10⁹, a multiply-add counted as two; `None` where that
    /// is not known.
    fn peak_gops(&self) -> Option<u64> {
        None
    }

    /// The entries `cols` of row `row`, once more, to open them: neither C nor all of its tree are kept.
    fn cells(&self, round: &Round, row: u32, cols: Range<u32>) -> Vec<i32> {
        recompute_cells(round, row, cols)
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
