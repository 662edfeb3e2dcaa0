//! The dishonest provider: the real agent, with a prover that leaves rows out to look faster.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use millrace_agent::{run_until_signal, Settings};
use millrace_gemm::cheats::Lazy;
use millrace_gemm::Cpu;

/// Runs an agent that does not compute `skip_percent` of the rows it commits to.
pub fn run(config: &Path, skip_percent: u32) -> Result<()> {
    let settings = Settings::read(config)?;
    let backend = Arc::new(Lazy::rows(Cpu::new(settings.audits.threads)?, skip_percent));
    tokio::runtime::Runtime::new()?.block_on(run_until_signal(settings, vec![backend]))
}
