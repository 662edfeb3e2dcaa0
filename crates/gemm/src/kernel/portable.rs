use crate::operands::{PackedB, PANEL, QUAD};

/// `c = a·b` with B's elements taken as bytes.
pub(super) fn multiply(a: &[i8], b: &PackedB, c: &mut [i32]) {
    let n = b.n();
    for (panel, first_col) in b.panels().zip((0..n).step_by(PANEL)) {
        for (a, c) in a.chunks_exact(n).zip(c.chunks_exact_mut(n)) {
            let mut sums = [0i32; PANEL];
            for (a, b) in a.chunks_exact(QUAD).zip(panel.chunks_exact(PANEL * QUAD)) {
                for (sum, b) in sums.iter_mut().zip(b.chunks_exact(QUAD)) {
                    // |Σ| < n·2¹⁵ ≤ 2³¹.
                    *sum += a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum::<i32>();
                }
            }
            c[first_col..first_col + PANEL].copy_from_slice(&sums);
        }
    }
}
