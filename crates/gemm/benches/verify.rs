//! What checking costs: a bundle of 512 queries on one thread, bundles that are wrong, and many bundles on all threads.
//!
//! Nobody computes the product of n = 65,536 for a benchmark. The prover of zeros has everything right but the entries'
//! values, so its bundle costs what an honest one does: every path is checked, every entry recomputed.

#[path = "../tests/common/mod.rs"]
mod common;
mod cpu_time;

use common::{answer, cpu, run, task, zeros, NEXT_BEACON};
use cpu_time::{criterion, CpuTime};
use criterion::{BenchmarkId, Criterion, Throughput};
use millrace_core::proof::QUERIES;
use millrace_gemm::{verify_batch, verify_bundle, Bundle, Refusal};
use std::time::Duration;

fn one(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("verify");
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    for n in [4096, 16_384, 65_536] {
        let (commit, bundle) = zeros(&task(n, 4));
        let bytes = bundle.to_bytes();
        group.bench_function(BenchmarkId::new("zeros", n), |b| {
            b.iter(|| {
                let bundle = Bundle::from_bytes(&commit, &bytes).expect("it has the right length");
                let verdict = verify_bundle(&commit, &NEXT_BEACON, &bundle);
                assert!(matches!(verdict, Err(Refusal::WrongEntries(_))));
            })
        });
    }
}

fn hostile(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("hostile");
    group.sample_size(20).measurement_time(Duration::from_secs(2));
    let run = run(&task(2048, 1), cpu());
    let honest = answer(&run);
    let zeros = zeros(&task(2048, 1));
    let spoiled = |spoil: fn(&mut Bundle)| {
        let mut bundle = honest.clone();
        spoil(&mut bundle);
        (*run.commit(), bundle.to_bytes())
    };
    let cases = [
        ("honest", spoiled(|_| {})),
        ("wrong entries everywhere", (zeros.0, zeros.1.to_bytes())),
        ("wrong path in the last entry", spoiled(|bundle| bundle.entries[QUERIES - 1].path[0][0] ^= 1)),
        ("last two entries exchanged", spoiled(|bundle| bundle.entries.swap(QUERIES - 2, QUERIES - 1))),
        ("wrong path in the first entry", spoiled(|bundle| bundle.entries[0].path[0][0] ^= 1)),
        ("reordered", spoiled(|bundle| bundle.entries.reverse())),
        ("wrong root", spoiled(|bundle| bundle.rounds[0].root[0] ^= 1)),
        ("wrong length", spoiled(|bundle| bundle.entries.truncate(QUERIES - 1))),
    ];
    for (name, (commit, bytes)) in cases {
        group.bench_function(name, |b| {
            b.iter(|| Bundle::from_bytes(&commit, &bytes).and_then(|it| verify_bundle(&commit, &NEXT_BEACON, &it)))
        });
    }
}

fn batch(c: &mut Criterion) {
    let mut group = c.benchmark_group("batch");
    group.sample_size(10);
    let bundles = 1000;
    group.throughput(Throughput::Elements(bundles));
    let (commit, bundle) = zeros(&task(4096, 4));
    let bytes = bundle.to_bytes();
    group.bench_function("1,000 bundles, n = 4,096", |b| {
        b.iter(|| verify_batch((0..bundles).map(|_| (commit, NEXT_BEACON, bytes.clone()))))
    });
}

fn main() {
    let mut c = criterion();
    one(&mut c);
    hostile(&mut c);
    c.final_summary();
    // Threads side by side are not to be added up.
    let mut c = Criterion::default().configure_from_args();
    batch(&mut c);
    c.final_summary();
}
