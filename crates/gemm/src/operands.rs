//! Rows of A, columns of B and B packed for the kernels, from a round's seed.

use crate::sha::{digests, Block, BATCH, EMPTY_BLOCK};
use millrace_core::proof::matrix::{preimage, Operand, BIAS, BLOCK_LEN, PREIMAGE_LEN};
use rayon::prelude::*;

/// Columns in a panel of [`PackedB`].
pub(crate) const PANEL: usize = 16;
/// Neighbours along k that the kernels multiply at once.
pub(crate) const QUAD: usize = 4;

/// Where the line and the block stand in a preimage.
const LINE_AT: usize = PREIMAGE_LEN - 8;
const BLOCK_AT: usize = PREIMAGE_LEN - 4;

fn padded_preimage(seed: &[u8; 32], operand: Operand) -> Block {
    let mut block = EMPTY_BLOCK;
    block[..PREIMAGE_LEN].copy_from_slice(&preimage(seed, operand, 0, 0));
    block
}

/// One row of A or column of B, as int8. `out.len()` is n.
pub(crate) fn line(seed: &[u8; 32], operand: Operand, line: u32, out: &mut [i8]) {
    let mut blocks = [padded_preimage(seed, operand); BATCH];
    for block in &mut blocks {
        block[LINE_AT..BLOCK_AT].copy_from_slice(&line.to_le_bytes());
    }
    for (chunk, first) in out.chunks_mut(BATCH * BLOCK_LEN).zip((0u32..).step_by(BATCH)) {
        for (block, i) in blocks.iter_mut().zip(first..) {
            block[BLOCK_AT..PREIMAGE_LEN].copy_from_slice(&i.to_le_bytes());
        }
        let digests = digests(&blocks);
        for (element, byte) in chunk.iter_mut().zip(digests.as_flattened()) {
            *element = (byte ^ BIAS) as i8;
        }
    }
}

/// All of B, as bytes (128 more than the elements), in panels of 16 columns; in a panel, for each four neighbours along
/// k, the four of each column in turn. So the four products that a VNNI instruction adds up lie together.
pub(crate) struct PackedB {
    n: usize,
    bytes: Vec<u8>,
}

impl PackedB {
    /// Makes B in the current rayon pool.
    pub(crate) fn new(seed: &[u8; 32], n: u32) -> Self {
        let n = n as usize;
        let mut bytes = vec![0; n * n];
        bytes.par_chunks_mut(PANEL * n).zip((0..n as u32).into_par_iter().step_by(PANEL)).for_each(|(panel, col)| {
            make_panel(seed, col, panel);
        });
        Self { n, bytes }
    }

    /// Rows and columns.
    pub(crate) fn n(&self) -> usize {
        self.n
    }

    /// The panels from left to right, [`PANEL`]` · n` bytes each.
    pub(crate) fn panels(&self) -> std::slice::ChunksExact<'_, u8> {
        self.bytes.chunks_exact(PANEL * self.n)
    }
}

fn make_panel(seed: &[u8; 32], first_col: u32, panel: &mut [u8]) {
    let mut blocks = [padded_preimage(seed, Operand::B); BATCH];
    for (block, col) in blocks.iter_mut().zip(first_col..) {
        block[LINE_AT..BLOCK_AT].copy_from_slice(&col.to_le_bytes());
    }
    for (rows, i) in panel.chunks_exact_mut(PANEL * BLOCK_LEN).zip(0u32..) {
        for block in &mut blocks {
            block[BLOCK_AT..PREIMAGE_LEN].copy_from_slice(&i.to_le_bytes());
        }
        for (digest, col) in digests(&blocks).iter().zip(0..) {
            for (quad, row) in digest.chunks_exact(QUAD).zip(rows.chunks_exact_mut(PANEL * QUAD)) {
                row[col * QUAD..(col + 1) * QUAD].copy_from_slice(quad);
            }
        }
    }
}
