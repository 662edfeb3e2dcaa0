use super::{BLOCK_K, PAIR};
use crate::operands::{PANEL, QUAD};
use std::arch::x86_64::*;

/// Rows in a tile; a tile is eight columns wide.
const TILE_ROWS: usize = 4;
const TILE_COLS: usize = 8;

/// A panel's block, 16 bits an element. Aligned, or every other load would touch two cache lines.
#[repr(align(64))]
struct Wide([i16; PANEL * BLOCK_K]);

/// Adds the products of rows with two panels to `sums`.
///
/// 8-bit products in pairs (`vpmaddubsw`) saturate, so both operands are widened to 16 bits, which are exact.
///
/// # Safety
/// The processor has AVX2. For a block of k of `len`, at most [`BLOCK_K`] and a multiple of [`QUAD`], `a` has a
/// multiple of four rows of `len`, the panels have `PANEL·len` bytes, and `sums` [`PAIR`] for each row.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn add_products(a: &[i16], panels: [&[u8]; 2], sums: &mut [i32]) {
    let len = panels[0].len() / PANEL;
    let Wide(wide) = &mut Wide([0; PANEL * BLOCK_K]);
    for (side, panel) in panels.into_iter().enumerate() {
        for (wide, byte) in wide.iter_mut().zip(panel) {
            *wide = i16::from(*byte);
        }
        for (a, sums) in a.chunks_exact(TILE_ROWS * len).zip(sums.chunks_exact_mut(TILE_ROWS * PAIR)) {
            for half in 0..PANEL / TILE_COLS {
                // SAFETY: a has TILE_ROWS rows of len, the panel len/4 rows of 64 elements, of which `half` names 32;
                // sums has TILE_ROWS times PAIR, of which `side` and `half` name eight.
                unsafe {
                    let panel = wide.as_ptr().add(half * TILE_COLS * QUAD);
                    tile(a.as_ptr(), panel, len, sums.as_mut_ptr().add(side * PANEL + half * TILE_COLS));
                }
            }
        }
    }
}

/// # Safety
/// `a` points to `TILE_ROWS` rows of `len`, `panel` to len/4 times 32 elements, 64 apart, `out` to `TILE_ROWS` times
/// eight, [`PAIR`] apart.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn tile(a: *const i16, panel: *const i16, len: usize, out: *mut i32) {
    // Four columns to a vector: k₀k₁, k₂k₃ of the first, of the second…
    let mut sums = [[_mm256_setzero_si256(); 2]; TILE_ROWS];
    // Pointers that move on: indices would be checked for overflow, four for each vector of B.
    // SAFETY: as above.
    let mut rows: [*const i16; TILE_ROWS] = std::array::from_fn(|r| unsafe { a.add(r * len) });
    let mut panel = panel;
    for _ in 0..len / QUAD {
        // SAFETY: as above.
        unsafe {
            let (left, right) = (_mm256_loadu_si256(panel.cast()), _mm256_loadu_si256(panel.cast::<__m256i>().add(1)));
            panel = panel.add(PANEL * QUAD);
            for (row, sums) in rows.iter_mut().zip(&mut sums) {
                let a = _mm256_set1_epi64x(row.cast::<i64>().read_unaligned());
                *row = row.add(QUAD);
                sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(left, a));
                sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(right, a));
            }
        }
    }
    for (r, [left, right]) in sums.into_iter().enumerate() {
        // hadd works within 128-bit halves: columns 0 1 4 5 2 3 6 7.
        let sums = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(left, right));
        // SAFETY: as above.
        unsafe {
            let out = out.add(r * PAIR).cast();
            _mm256_storeu_si256(out, _mm256_add_epi32(_mm256_loadu_si256(out), sums));
        }
    }
}
