//! How soon the oracles noticed that an agent was gone, by what they wrote to their logs.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use millrace_demo::logs;
use millrace_demo::stage::Stage;

/// What an oracle says of an agent that does not answer any more.
const SAID: &str = "the agent of a lease fell silent";

/// A silence that is noticed later than this has another reason.
const WITHIN: Duration = Duration::from_secs(4);

/// An agent that was harmed.
pub struct Harm {
    /// Its provider's account.
    pub provider: String,
    /// When.
    pub at: SystemTime,
    /// How long.
    pub lasted: Duration,
}

/// How long each oracle took to notice each harm that lasted long enough, shortest first. An agent without a lease is asked
/// by nobody.
///
/// # Errors
/// When a log cannot be read.
pub fn delays(stage: &Stage, oracles: &[String], harms: &[Harm]) -> Result<Vec<Duration>> {
    let mut delays = Vec::new();
    for (at, line) in logs::lines(&stage.dir, oracles, SAID)? {
        let of_agent = harms.iter().filter(|harm| line.contains(&harm.provider) && harm.lasted > WITHIN);
        delays.extend(of_agent.filter_map(|harm| at.duration_since(harm.at).ok()).filter(|delay| *delay < WITHIN));
    }
    delays.sort_unstable();
    Ok(delays)
}
