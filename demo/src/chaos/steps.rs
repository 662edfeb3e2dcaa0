//! One oracle and one agent die at every step at which they write something down or send it, one step after the other, while
//! customers buy.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{ensure, Result};

use crate::actors::Actor;

/// What every daemon does with a transaction.
const OUTBOX: [&str; 3] = ["record transaction", "send transaction", "settle transaction"];

/// What an oracle writes down, besides.
const ORACLE: [&str; 10] = [
    "leases",
    "observation",
    "signed report",
    "accepted report",
    "commitment",
    "opening",
    "tallies",
    "evidence",
    "audit",
    "verdict",
];

/// What an agent writes down or begins, besides.
const AGENT: [&str; 7] = ["commit", "answered", "lease", "inputs.tar", "run", "results.tar", "forget lease"];

/// A step that is not reached in this time is not there any more.
const REACHED_WITHIN: Duration = Duration::from_secs(240);

/// The steps of a kind of daemon, both sides of each.
fn both_sides(steps: &[&str]) -> VecDeque<String> {
    steps.iter().chain(&OUTBOX).flat_map(|step| [format!("before {step}"), format!("after {step}")]).collect()
}

/// A daemon on its way through its steps.
pub struct Mortal {
    place: usize,
    left: VecDeque<String>,
    since: Option<Instant>,
}

impl Mortal {
    /// The oracle at `place` among the oracles.
    pub fn oracle(place: usize) -> Self {
        Self { place, left: both_sides(&ORACLE), since: None }
    }

    /// The agent at `place` among the agents.
    pub fn agent(place: usize) -> Self {
        Self { place, left: both_sides(&AGENT), since: None }
    }

    /// Starts its daemon anew when it died. Returns the step it died at, and whether there is none left.
    ///
    /// # Errors
    /// When a step is not reached, or the daemon ends by itself.
    pub fn look(&mut self, actors: &mut [Actor]) -> Result<(Option<String>, bool)> {
        let Some(actor) = actors.get_mut(self.place) else { return Ok((None, true)) };
        let Some(since) = self.since else {
            self.since = Some(Instant::now());
            actor.restart_to_die_at(self.left.front().map(String::as_str))?;
            return Ok((None, self.left.is_empty()));
        };
        let Some(step) = self.left.front() else { return Ok((None, true)) };
        if !actor.has_died()? {
            ensure!(since.elapsed() < REACHED_WITHIN, "{} never came to the step {step:?}", actor.name);
            return Ok((None, false));
        }
        let died_at = self.left.pop_front();
        self.since = Some(Instant::now());
        actor.restart_to_die_at(self.left.front().map(String::as_str))?;
        Ok((died_at, self.left.is_empty()))
    }
}
