//! The memory a run is said to need, against what the system counted. A process of its own: the count is the process's.
#![cfg(target_os = "linux")]

mod common;

use common::{run, task};
use millrace_gemm::{measure, Backend, Cpu};
use std::{ops::ControlFlow, sync::Arc, time::Duration};

/// Most memory that this process ever held, bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn a_run_holds_the_memory_it_says_it_needs() {
    let backend: Arc<dyn Backend> = Arc::new(Cpu::new(2).unwrap());
    // Whatever the first run of all starts is there before.
    run(&task(256, 1), Cpu::new(2).unwrap());
    let before = peak_bytes();
    let (bench, _run) = measure(&backend, 2_048, Duration::ZERO, &|_| ControlFlow::Continue(())).unwrap();
    let held = (peak_bytes() - before) as f64 / bench.memory_bytes.unwrap() as f64;
    assert!((0.8..1.1).contains(&held), "held {held} of what it said");
}
