use crate::operands::{PackedB, PANEL, QUAD};
use std::arch::x86_64::*;

/// Rows in a tile; a tile is eight columns wide.
const TILE_ROWS: usize = 4;
const TILE_COLS: usize = 8;

/// `c = a·b` with B's elements taken as bytes.
///
/// 8-bit products in pairs (`vpmaddubsw`) saturate, so both operands are widened to 16 bits, which are exact.
///
/// # Safety
/// The processor has AVX2; `a.len() == c.len()` is a multiple of `4·n`.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn multiply(a: &[i8], b: &PackedB, c: &mut [i32]) {
    let n = b.n();
    let wide: Vec<i16> = a.iter().map(|a| i16::from(*a)).collect();
    for (panel, first_col) in b.panels().zip((0..n).step_by(PANEL)) {
        for (a, c) in wide.chunks_exact(TILE_ROWS * n).zip(c.chunks_exact_mut(TILE_ROWS * n)) {
            for half in 0..PANEL / TILE_COLS {
                // SAFETY: a has TILE_ROWS rows, the panel n/4 rows of 64 bytes, of which `half` names 32; the tile lies
                // in c's rows, whose columns are as many as the panels'.
                unsafe {
                    let panel = panel.as_ptr().add(half * TILE_COLS * QUAD);
                    tile(a.as_ptr(), panel, n, c.as_mut_ptr().add(first_col + half * TILE_COLS));
                }
            }
        }
    }
}

/// A tile of C: `TILE_ROWS` rows, eight columns.
///
/// # Safety
/// `a` points to `TILE_ROWS` rows of n, `panel` to n/4 times 32 bytes, 64 apart, `c` to `TILE_ROWS` times eight, n apart.
#[target_feature(enable = "avx2")]
unsafe fn tile(a: *const i16, panel: *const u8, n: usize, c: *mut i32) {
    // Four columns to a vector: k₀k₁, k₂k₃ of the first, of the second…
    let mut sums = [[_mm256_setzero_si256(); 2]; TILE_ROWS];
    for quad in 0..n / QUAD {
        // SAFETY: as above.
        unsafe {
            let row = panel.add(quad * PANEL * QUAD).cast::<__m128i>();
            let left = _mm256_cvtepu8_epi16(_mm_loadu_si128(row));
            let right = _mm256_cvtepu8_epi16(_mm_loadu_si128(row.add(1)));
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = _mm256_set1_epi64x(a.add(r * n + quad * QUAD).cast::<i64>().read_unaligned());
                sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(left, a));
                sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(right, a));
            }
        }
    }
    for (r, [left, right]) in sums.into_iter().enumerate() {
        // hadd works within 128-bit halves: columns 0 1 4 5 2 3 6 7.
        let sums = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(left, right));
        // SAFETY: as above.
        unsafe { _mm256_storeu_si256(c.add(r * n).cast(), sums) };
    }
}
