//! What checking the bundles of an epoch takes.

#[allow(missing_docs, clippy::unwrap_used)]
#[path = "../../gemm/tests/common/mod.rs"]
mod common;

use std::time::Instant;

use anyhow::ensure;
use common::{task, zeros, NEXT_BEACON};
use millrace_gemm::{verify_batch, Refusal};
use serde::{Deserialize, Serialize};

use crate::market::{N, ROUNDS};
use crate::measure::{cpu_time, peak_mib};

/// Bundles checked for the measurement.
const BUNDLES: u32 = 64;

/// What checking bundles took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// Time a bundle took, with two threads at work, seconds.
    pub wall_secs: f64,
    /// Processor time it took, seconds.
    pub cpu_secs: f64,
    /// Its size, bytes.
    pub bundle_bytes: u64,
    /// Most memory the process had, MiB.
    pub peak_mib: f64,
}

/// Checks bundles of the largest size on two threads. Their prover committed zeros: every path is checked and every entry recomputed as
/// in an honest one.
///
/// # Errors
/// When a bundle is refused for anything but its entries.
pub fn check() -> anyhow::Result<Checked> {
    let (commit, bundle) = zeros(&task(N, ROUNDS));
    let bytes = bundle.to_bytes();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
    let (began, cpu) = (Instant::now(), cpu_time()?);
    let outcomes = pool.install(|| verify_batch((0..BUNDLES).map(|_| (commit, NEXT_BEACON, &bytes[..]))));
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_time()?.saturating_sub(cpu).as_secs_f64());
    let is_whole = |outcome: &Result<_, Refusal>| matches!(outcome, Err(Refusal::WrongEntries(_)));
    ensure!(outcomes.len() == BUNDLES as usize && outcomes.iter().all(is_whole), "a bundle was not checked to its end");
    let each = |secs: f64| secs / f64::from(BUNDLES);
    Ok(Checked { wall_secs: each(wall), cpu_secs: each(cpu), bundle_bytes: bytes.len() as u64, peak_mib: peak_mib()? })
}
