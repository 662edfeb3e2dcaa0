use super::{BLOCK_K, PAIR};
use crate::operands::{PANEL, QUAD};
use std::arch::x86_64::*;

/// Rows in a tile; a tile is a panel wide: eight sums in registers, four vectors of B that serve both rows.
const TILE_ROWS: usize = 2;
/// Columns to a vector.
const COLS: usize = 4;

/// Adds the products of rows with two panels to `sums`.
///
/// 8-bit products in pairs (`vpmaddubsw`) saturate, so both operands are widened to 16 bits, which are exact.
///
/// # Safety
/// The processor has AVX2. For a block of k of `len`, at most [`BLOCK_K`] and a multiple of [`QUAD`], `a` has an even
/// number of rows of `len`, the panels have `PANEL·len` bytes, and `sums` [`PAIR`] for each row.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn add_products(a: &[i16], panels: [&[u8]; 2], sums: &mut [i32]) {
    let len = panels[0].len() / PANEL;
    let mut wide = [0; PANEL * BLOCK_K];
    for (side, panel) in panels.into_iter().enumerate() {
        for (wide, byte) in wide.iter_mut().zip(panel) {
            *wide = i16::from(*byte);
        }
        for (a, sums) in a.chunks_exact(TILE_ROWS * len).zip(sums.chunks_exact_mut(TILE_ROWS * PAIR)) {
            // SAFETY: a has TILE_ROWS rows of len, the panel len/4 rows of 64, sums TILE_ROWS times PAIR, of which
            // `side` names a half.
            unsafe { tile(a.as_ptr(), wide.as_ptr(), len, sums.as_mut_ptr().add(side * PANEL)) };
        }
    }
}

/// # Safety
/// `a` points to `TILE_ROWS` rows of `len`, `panel` to len/4 times 64 elements, `out` to `TILE_ROWS` times 16, [`PAIR`]
/// apart.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn tile(a: *const i16, panel: *const i16, len: usize, out: *mut i32) {
    // Four columns to a vector: k₀k₁, k₂k₃ of the first, of the second…
    let mut sums = [[_mm256_setzero_si256(); PANEL / COLS]; TILE_ROWS];
    for quad in 0..len / QUAD {
        // SAFETY: as above.
        unsafe {
            let row = panel.add(quad * PANEL * QUAD).cast::<__m256i>();
            let b = [0, 1, 2, 3].map(|i| _mm256_loadu_si256(row.add(i)));
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = _mm256_set1_epi64x(a.add(r * len + quad * QUAD).cast::<i64>().read_unaligned());
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(b, a));
                }
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        for (half, [left, right]) in sums.as_chunks().0.iter().enumerate() {
            // hadd works within 128-bit halves: columns 0 1 4 5 2 3 6 7.
            let sums = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(*left, *right));
            // SAFETY: as above.
            unsafe {
                let out = out.add(r * PAIR + half * 2 * COLS).cast();
                _mm256_storeu_si256(out, _mm256_add_epi32(_mm256_loadu_si256(out), sums));
            }
        }
    }
}
