//! Provers that cheat. What they commit is consistent, so that only their entries or their seeds give them away.
//!
//! For tests and for the demo's dishonest provider; not compiled without the feature `cheats`.

use crate::{
    backend::{recompute_cells, Backend, ProveError, Round, RowsDone},
    cpu::Cpu,
    kernel::ROWS,
    run::{prove_with_links, ProveOptions, ProvenRun},
    tree::UpperTree,
};
use millrace_core::proof::Task;
use std::{
    ops::{ControlFlow, Range},
    sync::Arc,
};

/// Leaves rows at zero, in some rounds or in all, and saves the time.
pub struct Lazy {
    cpu: Cpu,
    percent: u32,
    honest_rounds: u32,
}

impl Lazy {
    /// Skips `percent` of the rows of every round, scattered over the matrix.
    pub fn rows(cpu: Cpu, percent: u32) -> Self {
        Self { cpu, percent, honest_rounds: 0 }
    }

    /// Computes `honest_rounds` rounds and skips all rows of the others.
    pub fn tail(cpu: Cpu, honest_rounds: u32) -> Self {
        Self { cpu, percent: 100, honest_rounds }
    }

    /// Whether a row is left at zero.
    pub fn skips(&self, round: &Round, row: u32) -> bool {
        // n is a power of two and the factor odd: each row has its own place.
        let place = row.wrapping_mul(0x9e37_79b1) % round.n;
        round.index >= self.honest_rounds && u64::from(place) * 100 < u64::from(round.n) * u64::from(self.percent)
    }
}

impl Backend for Lazy {
    fn name(&self) -> &'static str {
        self.cpu.name()
    }

    fn round(&self, round: &Round, skip: u32, rows_done: &RowsDone) -> Result<UpperTree, ProveError> {
        let n = round.n as usize;
        self.cpu.round_with(round, skip, rows_done, |b, first_row, cells| {
            let rows =
                (0..(cells.len() / n) as u32).filter(|row| !self.skips(round, first_row + row)).collect::<Vec<_>>();
            // The kernels take rows by the eight.
            let mut computed = vec![0; rows.len().next_multiple_of(ROWS) * n];
            self.cpu.compute_rows(round, b, rows.iter().map(|row| first_row + row), &mut computed);
            cells.fill(0);
            for (computed, row) in computed.chunks_exact(n).zip(rows) {
                cells[row as usize * n..][..n].copy_from_slice(computed);
            }
        })
    }

    fn cells(&self, round: &Round, row: u32, cols: Range<u32>) -> Vec<i32> {
        match self.skips(round, row) {
            true => vec![0; cols.len()],
            false => recompute_cells(round, row, cols),
        }
    }
}

/// Changes entries at will: `change(round, row, col, right value)` is what it commits. Saves nothing.
pub struct Tamper<F> {
    cpu: Cpu,
    change: F,
}

impl<F: Fn(&Round, u32, u32, i32) -> i32 + Send + Sync> Tamper<F> {
    /// Commits `change` of every entry.
    pub fn new(cpu: Cpu, change: F) -> Self {
        Self { cpu, change }
    }
}

impl<F: Fn(&Round, u32, u32, i32) -> i32 + Send + Sync> Backend for Tamper<F> {
    fn name(&self) -> &'static str {
        self.cpu.name()
    }

    fn round(&self, round: &Round, skip: u32, rows_done: &RowsDone) -> Result<UpperTree, ProveError> {
        self.cpu.round_with(round, skip, rows_done, |b, first_row, cells| {
            self.cpu.compute_rows(round, b, first_row.., cells);
            for (cells, row) in cells.chunks_exact_mut(round.n as usize).zip(first_row..) {
                for (cell, col) in cells.iter_mut().zip(0..) {
                    *cell = (self.change)(round, row, col, *cell);
                }
            }
        })
    }

    fn cells(&self, round: &Round, row: u32, cols: Range<u32>) -> Vec<i32> {
        let cells = recompute_cells(round, row, cols.clone());
        cells.into_iter().zip(cols).map(|(cell, col)| (self.change)(round, row, col, cell)).collect()
    }
}

/// A run with seeds of the prover's own choosing: `link(round, right seed)` is the one it takes.
///
/// # Errors
/// As [`crate::prove`].
pub fn prove_with_seeds(
    task: &Task,
    backend: Arc<dyn Backend>,
    link: impl Fn(u32, [u8; 32]) -> [u8; 32],
) -> Result<ProvenRun, ProveError> {
    prove_with_links(task, backend, ProveOptions::default(), &|_| ControlFlow::Continue(()), link)
}
