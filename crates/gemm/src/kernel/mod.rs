//! The product itself, for whichever instructions the processor has. Every kernel gives the same bits.

use crate::operands::{PackedB, PANEL};

#[cfg(target_arch = "x86_64")]
mod avx2;
mod portable;
#[cfg(target_arch = "x86_64")]
mod vnni;

/// Rows that a kernel is given at once are a multiple of this.
pub(crate) const ROWS: usize = 8;

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
        match self {
            Self::Portable => portable::multiply(a, b, c),
            // SAFETY: `available` is where kernels come from, and found the instructions; the lengths are asserted.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2::multiply(a, b, c) },
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => unsafe { vnni::multiply(a, b, c) },
        }
        // The kernels take B's bytes as they are, 128 too large.
        for (a, c) in a.chunks_exact(n).zip(c.chunks_exact_mut(n)) {
            let excess = 128 * a.iter().map(|a| i32::from(*a)).sum::<i32>();
            for c in c {
                *c = c.wrapping_sub(excess);
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
    }
}
