use super::{PAIR, ROWS};
use crate::operands::{PANEL, QUAD};
use std::arch::x86_64::*;

/// Adds the products of rows with two panels to `sums`: `vpdpbusd` multiplies bytes by int8 and adds four products to an
/// int32, without saturation.
///
/// # Safety
/// The processor has AVX-512F and AVX-512 VNNI. For a block of k of `len`, a multiple of [`QUAD`], `a` has a multiple of
/// [`ROWS`] rows of `len`, the panels have `PANEL·len` bytes, and `sums` [`PAIR`] for each row.
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) unsafe fn add_products(a: &[i8], [left, right]: [&[u8]; 2], sums: &mut [i32]) {
    let len = left.len() / PANEL;
    for (a, sums) in a.chunks_exact(ROWS * len).zip(sums.chunks_exact_mut(ROWS * PAIR)) {
        // SAFETY: a has ROWS rows of len, the panels len/4 rows of 64 bytes, sums ROWS times PAIR.
        unsafe { tile(a.as_ptr(), left.as_ptr(), right.as_ptr(), len, sums.as_mut_ptr()) };
    }
}

/// `ROWS` rows, two panels wide, in 16 registers, enough to hide the instruction's latency.
///
/// # Safety
/// `a` points to `ROWS` rows of `len`, the panels to len/4 times 64 bytes, `out` to `ROWS` times [`PAIR`].
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn tile(a: *const i8, left: *const u8, right: *const u8, len: usize, out: *mut i32) {
    let mut sums = [[_mm512_setzero_si512(); 2]; ROWS];
    for (r, sums) in sums.iter_mut().enumerate() {
        // SAFETY: as above.
        *sums = [0, PANEL].map(|col| unsafe { _mm512_loadu_si512(out.add(r * PAIR + col).cast()) });
    }
    for quad in 0..len / QUAD {
        // SAFETY: as above.
        unsafe {
            let left = _mm512_loadu_si512(left.add(quad * PANEL * QUAD).cast());
            let right = _mm512_loadu_si512(right.add(quad * PANEL * QUAD).cast());
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = _mm512_set1_epi32(a.add(r * len + quad * QUAD).cast::<i32>().read_unaligned());
                sums[0] = _mm512_dpbusd_epi32(sums[0], left, a);
                sums[1] = _mm512_dpbusd_epi32(sums[1], right, a);
            }
        }
    }
    for (r, sums) in sums.into_iter().enumerate() {
        for (col, sums) in [0, PANEL].into_iter().zip(sums) {
            // SAFETY: as above.
            unsafe { _mm512_storeu_si512(out.add(r * PAIR + col).cast(), sums) };
        }
    }
}
