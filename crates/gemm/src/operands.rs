//! Rows of A, columns of B and B packed for the kernels, from a round's seed.

use crate::sha::{in_turn, BlockHasher, LANES};
use millrace_core::proof::matrix::{Operand, BIAS, BLOCK_LEN};
use rayon::prelude::*;

/// Columns in a panel of [`PackedB`].
pub(crate) const PANEL: usize = LANES;
/// Neighbours along k that the kernels multiply at once.
pub(crate) const QUAD: usize = 4;

/// One row of A or column of B, as int8. `out.len()` is n.
pub(crate) fn line(seed: &[u8; 32], operand: Operand, line: u32, out: &mut [i8]) {
    let mut hasher = BlockHasher::new(seed, operand);
    for (chunk, first) in out.chunks_mut(LANES * BLOCK_LEN).zip((0..).step_by(LANES)) {
        let bytes = in_turn(&hasher.digests(|_| line, |i| first + i));
        for (element, byte) in chunk.iter_mut().zip(bytes.as_flattened()) {
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

    /// Some columns of n bytes each, one after the other.
    #[cfg(test)]
    pub(crate) fn from_columns(n: usize, columns: &[u8]) -> Self {
        let mut bytes = vec![0; columns.len()];
        for (i, byte) in columns.iter().enumerate() {
            let (col, k) = (i / n, i % n);
            bytes[col / PANEL * PANEL * n + k / QUAD * PANEL * QUAD + col % PANEL * QUAD + k % QUAD] = *byte;
        }
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
    let mut hasher = BlockHasher::new(seed, Operand::B);
    for (rows, block) in panel.chunks_exact_mut(PANEL * BLOCK_LEN).zip(0..) {
        // A word of the digests is four neighbours of each of the 16 columns in turn: a row of the panel as it is.
        let digests = hasher.digests(|i| first_col + i, |_| block);
        for (row, words) in rows.as_chunks_mut::<{ PANEL * QUAD }>().0.iter_mut().zip(digests) {
            for (bytes, word) in row.as_chunks_mut().0.iter_mut().zip(words) {
                *bytes = word.to_be_bytes();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_core::proof::matrix::block;

    const SEED: [u8; 32] = [9; 32];

    /// A line as `millrace_core` makes it, as bytes.
    fn bytes(operand: Operand, line: u32, n: u32) -> Vec<u8> {
        (0..n / BLOCK_LEN as u32).flat_map(|i| block(&SEED, operand, line, i)).collect()
    }

    #[test]
    fn lines_are_made_of_the_blocks_of_core() {
        for n in [256, 1024] {
            for operand in [Operand::A, Operand::B] {
                let mut out = vec![0; n as usize];
                line(&SEED, operand, 70_000, &mut out);
                let expected = bytes(operand, 70_000, n).into_iter().map(|byte| (i16::from(byte) - 128) as i8);
                assert_eq!(out, expected.collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn packed_b_is_made_of_the_columns_of_core() {
        let columns = (0..256).flat_map(|col| bytes(Operand::B, col, 256)).collect::<Vec<_>>();
        assert_eq!(PackedB::new(&SEED, 256).bytes, PackedB::from_columns(256, &columns).bytes);
    }
}
