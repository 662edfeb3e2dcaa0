//! What a kernel's instructions could do if nothing ever had to be loaded: the bound to measure it by.

use super::{portable, Kernel, BLOCK_K, PAIR, ROWS};
use crate::operands::PANEL;
use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// A stretch is measured by itself; the best one counts, as what else runs on the machine only ever makes it slower.
/// Shorter than a turn of the scheduler, so that even on a busy machine some have their core to themselves.
const STRETCH: Duration = Duration::from_millis(2);
const STRETCHES: usize = 150;

/// Gops that `threads` threads (0: one for each core) reach with the kernel's own multiply-accumulate instructions on
/// registers alone, int8 multiply-adds counted as two. The portable kernel has no instructions of its own: its products
/// of one block, which stays in the first cache, stand for them. Takes 0.3 s.
///
/// # Panics
/// When this processor cannot run the kernel.
pub fn peak_gops(kernel: Kernel, threads: usize) -> u64 {
    assert!(Kernel::available().contains(&kernel), "this processor cannot run {}", kernel.name());
    let threads = match threads {
        0 => thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let together = Barrier::new(threads);
    let ops_per_nano = thread::scope(|scope| {
        let workers = (0..threads).map(|_| scope.spawn(|| stretches(kernel, &together))).collect::<Vec<_>>();
        let all = workers.into_iter().map(|worker| worker.join().expect("a measuring thread does not panic"));
        // Threads side by side: their sums, stretch by stretch.
        all.reduce(|a, b| std::array::from_fn(|i| a[i] + b[i])).expect("there is a thread")
    });
    ops_per_nano.into_iter().fold(0.0, f64::max) as u64
}

/// Operations per nanosecond of one thread in each stretch.
fn stretches(kernel: Kernel, together: &Barrier) -> [f64; STRETCHES] {
    std::array::from_fn(|_| {
        together.wait();
        let start = Instant::now();
        let mut ops = 0;
        while start.elapsed() < STRETCH {
            ops += match kernel {
                Kernel::Portable => one_block(),
                // SAFETY: the processor can run the kernel.
                #[cfg(target_arch = "x86_64")]
                Kernel::Avx2 => unsafe { x86::avx2() },
                #[cfg(target_arch = "x86_64")]
                Kernel::Avx512Vnni => unsafe { x86::vnni() },
            };
        }
        ops as f64 / start.elapsed().as_nanos() as f64
    })
}

fn one_block() -> u64 {
    let a = [1; ROWS * BLOCK_K];
    let panel = [1; PANEL * BLOCK_K];
    let mut sums = [0; ROWS * PAIR];
    portable::add_products(&a, [&panel, &panel], std::hint::black_box(&mut sums));
    std::hint::black_box(sums);
    2 * (ROWS * PAIR * BLOCK_K) as u64
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::{asm, x86_64::*};

    /// Sums in registers: enough for the instructions' latency, few enough for the registers that there are.
    const SUMS: usize = 12;
    const TIMES: u64 = 10_000;

    /// The operations of a loop.
    #[target_feature(enable = "avx2")]
    pub(super) fn avx2() -> u64 {
        let mut sums = [_mm256_setzero_si256(); SUMS];
        let (mut a, b) = (_mm256_set1_epi16(1), _mm256_set1_epi16(2));
        for _ in 0..TIMES {
            for sum in &mut sums {
                // SAFETY: no instruction. The compiler cannot know that a is what it was, and multiplies again.
                unsafe { asm!("/* {} */", inout(ymm_reg) a, options(pure, nomem, nostack, preserves_flags)) };
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(a, b));
            }
        }
        std::hint::black_box(sums);
        TIMES * SUMS as u64 * 2 * 16
    }

    /// The operations of a loop.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) fn vnni() -> u64 {
        let mut sums = [_mm512_setzero_si512(); SUMS];
        let (mut a, b) = (_mm512_set1_epi8(1), _mm512_set1_epi8(2));
        for _ in 0..TIMES {
            for sum in &mut sums {
                // SAFETY: as above.
                unsafe { asm!("/* {} */", inout(zmm_reg) a, options(pure, nomem, nostack, preserves_flags)) };
                *sum = _mm512_dpbusd_epi32(*sum, a, b);
            }
        }
        std::hint::black_box(sums);
        TIMES * SUMS as u64 * 2 * 64
    }
}
