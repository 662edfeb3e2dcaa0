use super::ROWS;
use crate::operands::{PackedB, PANEL, QUAD};
use std::arch::x86_64::*;

/// `c = a·b` with B's elements taken as bytes: `vpdpbusd` multiplies bytes by int8 and adds four products to an int32,
/// without saturation.
///
/// # Safety
/// The processor has AVX-512F and AVX-512 VNNI; `a.len() == c.len()` is a multiple of `ROWS·n`, n of `2·PANEL`.
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) unsafe fn multiply(a: &[i8], b: &PackedB, c: &mut [i32]) {
    let n = b.n();
    let panels: Vec<_> = b.panels().collect();
    for (panels, first_col) in panels.chunks_exact(2).zip((0..n).step_by(2 * PANEL)) {
        for (a, c) in a.chunks_exact(ROWS * n).zip(c.chunks_exact_mut(ROWS * n)) {
            // SAFETY: a and c have ROWS rows of n, the panels n/4 rows of 64 bytes, and first_col leaves room for two.
            unsafe {
                tile(a.as_ptr(), panels[0].as_ptr(), panels[1].as_ptr(), n, c.as_mut_ptr().add(first_col));
            }
        }
    }
}

/// A tile of C: `ROWS` rows, two panels wide, in 16 registers, enough to hide the instruction's latency.
///
/// # Safety
/// `a` points to `ROWS` rows of n, the panels to n/4 times 64 bytes, `c` to `ROWS` times 32, n apart.
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn tile(a: *const i8, left: *const u8, right: *const u8, n: usize, c: *mut i32) {
    let mut sums = [[_mm512_setzero_si512(); 2]; ROWS];
    for quad in 0..n / QUAD {
        // SAFETY: as above.
        unsafe {
            let left = _mm512_loadu_si512(left.add(quad * PANEL * QUAD).cast());
            let right = _mm512_loadu_si512(right.add(quad * PANEL * QUAD).cast());
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = _mm512_set1_epi32(a.add(r * n + quad * QUAD).cast::<i32>().read_unaligned());
                sums[0] = _mm512_dpbusd_epi32(sums[0], left, a);
                sums[1] = _mm512_dpbusd_epi32(sums[1], right, a);
            }
        }
    }
    for (r, [left, right]) in sums.into_iter().enumerate() {
        // SAFETY: as above.
        unsafe {
            _mm512_storeu_si512(c.add(r * n).cast(), left);
            _mm512_storeu_si512(c.add(r * n + PANEL).cast(), right);
        }
    }
}
