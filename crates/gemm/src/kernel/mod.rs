//! The product itself, for whichever instructions the processor has. Every kernel gives the same bits.

use crate::operands::{PackedB, PANEL};

#[cfg(target_arch = "x86_64")]
mod avx2;
mod peak;
mod portable;
#[cfg(target_arch = "x86_64")]
mod vnni;

pub use peak::peak_gops;

/// Rows that a kernel is given at once are a multiple of this.
pub(crate) const ROWS: usize = 8;

/// Neighbours along k that are multiplied before the next: of a pair of panels 16 KB, or 16 KB of one widened, which stay
/// in the first cache while all rows pass by.
const BLOCK_K: usize = 512;
/// Columns of a pair of panels, which is what a kernel multiplies at once.
const PAIR: usize = 2 * PANEL;
/// Pairs whose sums, and the rows' elements of a block, stay in the second cache: 1 KB of sums a row.
const GROUP: usize = 8;

/// How the product is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Plain Rust.
    Portable,
    /// 256-bit vectors, 16-bit products.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit vectors, four 8-bit products at a time.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
}

impl Kernel {
    /// The kernels that this processor can run, the fastest first.
    pub fn available() -> Vec<Self> {
        let mut kernels = vec![];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
                kernels.push(Self::Avx512Vnni);
            }
            if is_x86_feature_detected!("avx2") {
                kernels.push(Self::Avx2);
            }
        }
        kernels.push(Self::Portable);
        kernels
    }

    /// For logs and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "cpu-portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "cpu-avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => "cpu-avx512-vnni",
        }
    }

    /// `c = a·b` for the rows of A in `a`, of which there are a multiple of [`ROWS`].
    pub(crate) fn multiply(self, a: &[i8], b: &PackedB, c: &mut [i32]) {
        let n = b.n();
        assert!(a.len() == c.len() && a.len().is_multiple_of(ROWS * n) && n.is_multiple_of(2 * PANEL));
        if a.is_empty() {
            return;
        }
        match self {
            Self::Portable => blocked(a, b, c, portable::add_products),
            // SAFETY: `available` is where kernels come from, and found the instructions; `blocked` gives the lengths.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => blocked(a, b, c, |a, panels, sums| unsafe { avx2::add_products(a, panels, sums) }),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => blocked(a, b, c, |a, panels, sums| unsafe { vnni::add_products(a, panels, sums) }),
        }
    }
}

/// The product in blocks: `add_products(a, panels, sums)` adds the products of rows of A with two panels' columns, along
/// a block of k, to `sums`, [`PAIR`] for each row. `a` has the rows' elements of the block one row after the other, as
/// the kernel wants them.
fn blocked<A: Copy + From<i8>>(
    a: &[i8],
    b: &PackedB,
    c: &mut [i32],
    add_products: impl Fn(&[A], [&[u8]; 2], &mut [i32]),
) {
    let n = b.n();
    let rows = a.len() / n;
    let panels: Vec<_> = b.panels().collect();
    // The kernels take B's bytes as they are, 128 too large.
    let excess: Vec<i32> = a.chunks_exact(n).map(|a| 128 * a.iter().map(|a| i32::from(*a)).sum::<i32>()).collect();
    let mut block = vec![A::from(0); rows * BLOCK_K];
    let mut sums = vec![0; GROUP * rows * PAIR];
    for (group, first_col) in panels.as_chunks::<2>().0.chunks(GROUP).zip((0..n).step_by(GROUP * PAIR)) {
        sums.fill(0);
        for k in (0..n).step_by(BLOCK_K) {
            let k = k..n.min(k + BLOCK_K);
            let block = &mut block[..rows * k.len()];
            for (block, a) in block.chunks_exact_mut(k.len()).zip(a.chunks_exact(n)) {
                for (element, a) in block.iter_mut().zip(&a[k.clone()]) {
                    *element = A::from(*a);
                }
            }
            for (pair, sums) in group.iter().zip(sums.chunks_exact_mut(rows * PAIR)) {
                add_products(block, pair.map(|panel| &panel[PANEL * k.start..PANEL * k.end]), sums);
            }
        }
        for (sums, first_col) in sums.chunks_exact(rows * PAIR).zip((first_col..n).step_by(PAIR)) {
            for ((sums, c), excess) in sums.as_chunks::<PAIR>().0.iter().zip(c.chunks_exact_mut(n)).zip(&excess) {
                for (c, sum) in c[first_col..].iter_mut().zip(sums) {
                    *c = sum.wrapping_sub(*excess);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The product of `a` with the columns of `b`, by definition.
    fn naive(n: usize, a: &[i8], b: &[u8]) -> Vec<i32> {
        let dot = |a: &[i8], b: &[u8]| a.iter().zip(b).map(|(a, b)| i32::from(*a) * (i32::from(*b) - 128)).sum();
        a.chunks(n).flat_map(|a| b.chunks(n).map(move |b| dot(a, b))).collect()
    }

    /// The same by every kernel here, which must agree.
    fn by_all_kernels(n: usize, a: &[i8], b: &[u8]) -> Vec<i32> {
        let packed = PackedB::from_columns(n, b);
        let mut results = Kernel::available().into_iter().map(|kernel| {
            let mut c = vec![0; a.len()];
            kernel.multiply(a, &packed, &mut c);
            (kernel, c.chunks(n).flat_map(|c| &c[..b.len() / n]).copied().collect::<Vec<_>>())
        });
        let (_, first) = results.next().expect("there is a portable kernel");
        for (kernel, result) in results {
            assert!(result == first, "{} differs", kernel.name());
        }
        first
    }

    #[test]
    fn the_largest_sums_do_not_overflow() {
        let n = 65_536;
        for (a, b) in [(-128i8, 0u8), (-128, 255), (127, 0), (127, 255)] {
            let c = by_all_kernels(n, &vec![a; ROWS * n], &vec![b; 2 * PANEL * n]);
            let entry = n as i32 * i32::from(a) * (i32::from(b) - 128);
            assert_eq!(c, vec![entry; ROWS * 2 * PANEL]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn every_kernel_gives_the_product_by_definition(
            a in prop::collection::vec(any::<i8>(), 2 * ROWS * 256),
            b in prop::collection::vec(any::<u8>(), 4 * PANEL * 256),
        ) {
            prop_assert_eq!(by_all_kernels(256, &a, &b), naive(256, &a, &b));
        }

        #[test]
        fn blocks_groups_and_tiles_that_are_not_full_are_multiplied_too(
            rows in 0..6usize, pairs in 1..24usize, blocks in 1..24usize, seed: u64,
        ) {
            let n = 2 * PANEL * blocks;
            let mut state = seed | 1;
            let mut byte = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            };
            let a = (0..rows * ROWS * n).map(|_| byte() as i8).collect::<Vec<_>>();
            let b = (0..pairs.min(blocks) * PAIR * n).map(|_| byte()).collect::<Vec<_>>();
            prop_assert_eq!(by_all_kernels(n, &a, &b), naive(n, &a, &b));
        }
    }
}
