use crate::operands::{PackedB, PANEL, QUAD};

/// Rows computed together, so that what is loaded and widened of B serves all of them.
const TILE_ROWS: usize = 4;

/// `c = a·b` with B's elements taken as bytes.
pub(super) fn multiply(a: &[i8], b: &PackedB, c: &mut [i32]) {
    let n = b.n();
    for (panel, first_col) in b.panels().zip((0..n).step_by(PANEL)) {
        for (a, c) in a.chunks_exact(TILE_ROWS * n).zip(c.chunks_exact_mut(TILE_ROWS * n)) {
            // |Σ| ≤ n·255·128 < 2³¹.
            let mut sums = [[0i32; PANEL]; TILE_ROWS];
            for (quad, b) in panel.as_chunks::<{ PANEL * QUAD }>().0.iter().enumerate() {
                let wide = b.map(i16::from);
                for (r, sums) in sums.iter_mut().enumerate() {
                    let at = r * n + quad * QUAD;
                    let a: [i32; QUAD] = [a[at], a[at + 1], a[at + 2], a[at + 3]].map(i32::from);
                    for (sum, b) in sums.iter_mut().zip(wide.as_chunks::<QUAD>().0) {
                        *sum += a[0] * i32::from(b[0]) + a[1] * i32::from(b[1]);
                        *sum += a[2] * i32::from(b[2]) + a[3] * i32::from(b[3]);
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                c[r * n + first_col..][..PANEL].copy_from_slice(sums);
            }
        }
    }
}
