//! Operations a second, a multiply-add counted as two, of each kernel on one thread: the product alone, of the rows that
//! a thread computes at once, and a whole round with generation and hashing.

mod cpu_time;

use cpu_time::{criterion, CpuTime};
use criterion::{BenchmarkId, Criterion, Throughput};
use millrace_gemm::{Backend, Cpu, Kernel, Product, Round};
use std::{ops::ControlFlow, time::Duration};

const SEED: [u8; 32] = [7; 32];

fn product(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("product");
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread starts");
    for n in [1024, 4096, 16_384] {
        let product = Product::new(&SEED, n, 128);
        group.throughput(Throughput::Elements(product.operations()));
        for kernel in kernels(n) {
            group.bench_function(BenchmarkId::new(kernel.name(), n), |b| {
                b.iter(|| one_thread.install(|| product.multiply(kernel)))
            });
        }
    }
}

fn round(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("round");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(2));
    for n in [1024, 2048] {
        group.throughput(Throughput::Elements(2 * u64::from(n).pow(3)));
        let round = Round { index: 0, seed: SEED, n };
        for kernel in kernels(n) {
            let cpu = Cpu::with_kernel(kernel, 1).expect("a thread starts");
            group.bench_function(BenchmarkId::new(kernel.name(), n), |b| {
                b.iter(|| cpu.round(&round, 0, &|_| ControlFlow::Continue(())).map(|tree| tree.root()))
            });
        }
    }
}

/// All of them, but the portable one at small sizes only: it takes ten times as long.
fn kernels(n: u32) -> impl Iterator<Item = Kernel> {
    Kernel::available().into_iter().filter(move |kernel| *kernel != Kernel::Portable || n <= 1024)
}

fn main() {
    let mut c = criterion();
    product(&mut c);
    round(&mut c);
    c.final_summary();
}
