//! Blocks a second for each way of hashing that this processor has; a block is 32 elements of an operand.

mod cpu_time;

use cpu_time::{criterion, CpuTime};
use criterion::{Criterion, Throughput};
use millrace_gemm::sha::Sha;
use std::hint::black_box;

fn sha(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("sha");
    let messages = [[0x6d69_6c6c; 16]; 16];
    let mut digests = [[0; 8]; 16];
    group.throughput(Throughput::Elements(messages.len() as u64));
    for way in Sha::available() {
        group.bench_function(way.name(), |b| b.iter(|| way.digests(black_box(&messages), black_box(&mut digests))));
    }
}

fn main() {
    let mut c = criterion();
    sha(&mut c);
    c.final_summary();
}
