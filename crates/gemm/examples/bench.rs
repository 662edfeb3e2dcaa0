//! Speed of each backend of this machine, and what checking costs.
//!
//! `cargo run --release -p millrace-gemm --example bench [THREADS] [N…]`

use millrace_gemm::{bench, queries, verify_bundle, Bundle, Cpu, Kernel};
use std::{error::Error, sync::Arc, time::Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let numbers = std::env::args().skip(1).map(|arg| arg.parse()).collect::<Result<Vec<u32>, _>>()?;
    let threads = numbers.first().copied().unwrap_or(0) as usize;
    let sizes = if numbers.len() > 1 { &numbers[1..] } else { &[512, 1024, 4096][..] };
    println!("backend           n     rounds  run ms     gops  answer ms  verify ms  bundle bytes");
    for kernel in Kernel::available() {
        for &n in sizes {
            let rounds = (8192 / n).clamp(1, 16);
            let (result, run) = bench(Arc::new(Cpu::with_kernel(kernel, threads)?), n, rounds)?;
            let next_beacon = [1; 32];
            let start = Instant::now();
            let bytes = run.answer(&queries(run.commit(), &next_beacon)).to_bytes();
            let answer = start.elapsed();
            let start = Instant::now();
            verify_bundle(run.commit(), &next_beacon, &Bundle::from_bytes(run.commit(), &bytes)?)?;
            let verify = start.elapsed();
            println!(
                "{:<16} {n:>5} {rounds:>7} {:>8.1} {:>8} {:>10.1} {:>10.1} {:>13}",
                kernel.name(),
                result.elapsed.as_secs_f64() * 1e3,
                result.gops,
                answer.as_secs_f64() * 1e3,
                verify.as_secs_f64() * 1e3,
                bytes.len()
            );
        }
    }
    Ok(())
}
