use super::PAIR;
use crate::operands::{PANEL, QUAD};

/// Rows computed together, so that what is loaded and widened of B serves all of them.
const TILE_ROWS: usize = 4;

/// Adds the products of rows with two panels to `sums`: `a` is as long as a row of the panels, times the rows.
pub(super) fn add_products(a: &[i16], panels: [&[u8]; 2], sums: &mut [i32]) {
    let len = panels[0].len() / PANEL;
    for (a, out) in a.chunks_exact(TILE_ROWS * len).zip(sums.as_chunks_mut::<{ TILE_ROWS * PAIR }>().0) {
        for (side, panel) in panels.into_iter().enumerate() {
            // |Σ| ≤ n·255·128 < 2³¹; checks for it would keep the compiler from making vectors of this.
            let mut sums = [[0i32; PANEL]; TILE_ROWS];
            for (quad, b) in panel.as_chunks::<{ PANEL * QUAD }>().0.iter().enumerate() {
                let wide = b.map(i16::from);
                for (r, sums) in sums.iter_mut().enumerate() {
                    let at = r * len + quad * QUAD;
                    let a: [i32; QUAD] = [a[at], a[at + 1], a[at + 2], a[at + 3]].map(i32::from);
                    for (sum, b) in sums.iter_mut().zip(wide.as_chunks::<QUAD>().0) {
                        let b = b.map(i32::from);
                        *sum = sum.wrapping_add(a[0].wrapping_mul(b[0]).wrapping_add(a[1].wrapping_mul(b[1])));
                        *sum = sum.wrapping_add(a[2].wrapping_mul(b[2]).wrapping_add(a[3].wrapping_mul(b[3])));
                    }
                }
            }
            for (out, sums) in out.as_chunks_mut::<PAIR>().0.iter_mut().zip(sums) {
                for (out, sum) in out[side * PANEL..].iter_mut().zip(sums) {
                    *out = out.wrapping_add(sum);
                }
            }
        }
    }
}
