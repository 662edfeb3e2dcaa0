//! Times the parts of a round with this machine's fastest kernel, once for each line on standard input, so that a script
//! can measure something else in turn with it. A line of output: the kernel's name, then nanoseconds to generate, to
//! multiply, to hash; before them one line with the kernel's peak in gops.
//!
//! `cargo run --release -p millrace-gemm --example parts N [THREADS]`

use millrace_gemm::{parts, peak_gops, Kernel};
use std::{error::Error, io};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let n = args.next().ok_or("which n?")?.parse()?;
    let threads = args.next().map_or(Ok(0), |threads| threads.parse())?;
    let kernel = Kernel::available()[0];
    println!("{}", peak_gops(kernel, threads));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    for line in io::stdin().lines() {
        line?;
        let parts = pool.install(|| parts(kernel, n));
        let [generate, multiply, hash] = [parts.generate, parts.multiply, parts.hash].map(|part| part.as_nanos());
        println!("{} {generate} {multiply} {hash}", kernel.name());
    }
    Ok(())
}
