//! The most that a kernel could reach on this processor.

use crate::{
    kernel::{Kernel, ROWS},
    operands::PackedB,
};
use std::{
    sync::Barrier,
    time::{Duration, Instant},
};

/// How long each thread counts. The best of several slices is taken: others may be using the processor.
const SLICE: Duration = Duration::from_millis(40);
const SLICES: u32 = 5;

/// int8 operations in 10⁹ a second that `threads` threads (0: one for each core) reach with the kernel's multiply
/// instructions alone, on registers; a multiply-add counts as two. Measured now, in a fifth of a second.
///
/// # Panics
/// When this processor cannot run the kernel.
pub fn peak_gops(kernel: Kernel, threads: usize) -> u64 {
    assert!(Kernel::available().contains(&kernel), "this processor cannot run {}", kernel.name());
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let b = PackedB::new(&[0; 32], PORTABLE_N);
    (0..SLICES).map(|_| slice(kernel, threads, &b)).fold(0.0, f64::max) as u64
}

/// Operations a nanosecond of all threads together.
fn slice(kernel: Kernel, threads: usize, b: &PackedB) -> f64 {
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        let counters: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    let (start, mut done) = (Instant::now(), 0);
                    while start.elapsed() < SLICE {
                        done += burst(kernel, b);
                    }
                    done as f64 / start.elapsed().as_nanos() as f64
                })
            })
            .collect();
        counters.into_iter().filter_map(|counter| counter.join().ok()).sum()
    })
}

/// Columns of what the portable kernel multiplies: plain Rust has no instructions of its own to count, so it runs as it
/// is, on operands that stay in the nearest caches.
const PORTABLE_N: u32 = 256;

#[cfg(target_arch = "x86_64")]
const LOOPS: u64 = 10_000;

/// Some multiplications; how many operations they were.
fn burst(kernel: Kernel, b: &PackedB) -> u64 {
    match kernel {
        Kernel::Portable => {
            let n = PORTABLE_N as usize;
            let (a, mut c) = (vec![1; ROWS * n], vec![0; ROWS * n]);
            kernel.multiply(&a, b, &mut c);
            std::hint::black_box(c);
            2 * (ROWS * n * n) as u64
        }
        // SAFETY: `available` is where kernels come from, and found the instructions.
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2 => unsafe { avx2() },
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512Vnni => unsafe { vnni() },
    }
}

/// Eight independent sums of 16 products each.
///
/// # Safety
/// The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2() -> u64 {
    // SAFETY: touches registers only, all of them named.
    unsafe {
        std::arch::asm!(
            "2:",
            "vpmaddwd ymm8, ymm15, ymm14",
            "vpaddd ymm0, ymm0, ymm8",
            "vpmaddwd ymm9, ymm15, ymm14",
            "vpaddd ymm1, ymm1, ymm9",
            "vpmaddwd ymm10, ymm15, ymm14",
            "vpaddd ymm2, ymm2, ymm10",
            "vpmaddwd ymm11, ymm15, ymm14",
            "vpaddd ymm3, ymm3, ymm11",
            "vpmaddwd ymm12, ymm15, ymm14",
            "vpaddd ymm4, ymm4, ymm12",
            "vpmaddwd ymm13, ymm15, ymm14",
            "vpaddd ymm5, ymm5, ymm13",
            "vpmaddwd ymm8, ymm15, ymm14",
            "vpaddd ymm6, ymm6, ymm8",
            "vpmaddwd ymm9, ymm15, ymm14",
            "vpaddd ymm7, ymm7, ymm9",
            "dec {loops}",
            "jnz 2b",
            loops = inout(reg) LOOPS => _,
            out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _, out("ymm4") _, out("ymm5") _, out("ymm6") _,
            out("ymm7") _, out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _, out("ymm12") _,
            out("ymm13") _, out("ymm14") _, out("ymm15") _,
            options(nomem, nostack),
        );
    }
    LOOPS * 8 * 16 * 2
}

/// Twelve independent sums of 64 products each.
///
/// # Safety
/// The processor has AVX-512F and AVX-512 VNNI.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn vnni() -> u64 {
    // SAFETY: touches registers only, all of them named.
    unsafe {
        std::arch::asm!(
            "2:",
            "vpdpbusd zmm0, zmm15, zmm14",
            "vpdpbusd zmm1, zmm15, zmm14",
            "vpdpbusd zmm2, zmm15, zmm14",
            "vpdpbusd zmm3, zmm15, zmm14",
            "vpdpbusd zmm4, zmm15, zmm14",
            "vpdpbusd zmm5, zmm15, zmm14",
            "vpdpbusd zmm6, zmm15, zmm14",
            "vpdpbusd zmm7, zmm15, zmm14",
            "vpdpbusd zmm8, zmm15, zmm14",
            "vpdpbusd zmm9, zmm15, zmm14",
            "vpdpbusd zmm10, zmm15, zmm14",
            "vpdpbusd zmm11, zmm15, zmm14",
            "dec {loops}",
            "jnz 2b",
            loops = inout(reg) LOOPS => _,
            out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _, out("zmm5") _, out("zmm6") _,
            out("zmm7") _, out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _, out("zmm14") _,
            out("zmm15") _,
            options(nomem, nostack),
        );
    }
    LOOPS * 12 * 64 * 2
}
