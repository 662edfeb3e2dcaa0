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
