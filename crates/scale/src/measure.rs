//! Time, processor time and memory of this process.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context};
use serde::{Deserialize, Serialize};

/// What a step took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Which.
    pub name: String,
    /// Time.
    pub wall_secs: f64,
    /// Time of a processor.
    pub cpu_secs: f64,
}

/// Measures steps one after the other.
#[derive(Debug, Default)]
pub struct Stopwatch(Vec<Step>);

impl Stopwatch {
    /// Does `work` as the step `name`.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn step<T>(&mut self, name: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let (began, cpu) = (Instant::now(), cpu_time()?);
        let done = work().with_context(|| format!("at the step: {name}"))?;
        let (wall_secs, cpu_secs) = (began.elapsed().as_secs_f64(), cpu_time()?.saturating_sub(cpu).as_secs_f64());
        self.0.push(Step { name: name.to_owned(), wall_secs, cpu_secs });
        Ok(done)
    }

    /// The steps, in order.
    pub fn steps(self) -> Vec<Step> {
        self.0
    }
}

/// Processor time of all threads of this process.
///
/// # Errors
/// When the system does not tell.
pub fn cpu_time() -> anyhow::Result<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes one timespec, which is ours.
    let outcome = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    ensure!(outcome == 0, "the system does not tell processor time");
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// Leaves this process, and the threads it starts from now on, the first `count` processors of those it has.
///
/// # Errors
/// When it has fewer.
pub fn keep_to_cores(count: usize) -> anyhow::Result<()> {
    // SAFETY: a set of processors is plain bits, and zeros are the empty one; both calls read or write one set, which is ours.
    unsafe {
        let mut has: libc::cpu_set_t = std::mem::zeroed();
        let size = size_of::<libc::cpu_set_t>();
        ensure!(libc::sched_getaffinity(0, size, &raw mut has) == 0, "the system does not tell its processors");
        let mut keeps: libc::cpu_set_t = std::mem::zeroed();
        let own = (0..libc::CPU_SETSIZE as usize).filter(|core| libc::CPU_ISSET(*core, &has));
        let own: Vec<usize> = own.take(count).collect();
        ensure!(own.len() == count, "there are {} processors, {count} are needed", own.len());
        own.iter().for_each(|core| libc::CPU_SET(*core, &mut keeps));
        ensure!(libc::sched_setaffinity(0, size, &raw const keeps) == 0, "the processors cannot be chosen");
    }
    Ok(())
}

/// Most memory this process has had, MiB.
///
/// # Errors
/// When the system does not tell.
pub fn peak_mib() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("there is no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().context("VmHWM is no number")?;
    Ok(kib / 1_024.0)
}
