//! `docs/error-rates.md` and `docs/error-rates.json`.

use crate::{interval_95, Cheat, Condition, Outcome};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::thread;

/// A row of `docs/error-rates.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Name of the cheat, or `none: ` and the condition of an honest prover.
    pub cheat: String,
    /// Attempts.
    pub trials: u32,
    /// Attempts that were detected; of an honest prover, audits that it was rejected in.
    pub detected: u32,
    /// Probability of a detection by formula, 0 to 1.
    pub expected: f64,
    /// 95% interval for it from what was seen, by Clopper and Pearson.
    pub interval_95: [f64; 2],
}

impl Rate {
    /// What was seen of a cheat or a condition.
    pub fn new(cheat: &str, trials: u32, detected: u32, expected: f64) -> Self {
        let interval_95 = interval_95(detected, trials).map(|p| (p * 1e6).round() / 1e6);
        Self { cheat: cheat.to_owned(), trials, detected, expected, interval_95 }
    }
}

/// What was measured of an honest prover, in ascending order of the ratio.
pub struct Measured<'a> {
    condition: &'a Condition,
    outcomes: Vec<Outcome>,
}

impl<'a> Measured<'a> {
    /// The outcomes of a condition.
    pub fn new(condition: &'a Condition, mut outcomes: Vec<Outcome>) -> Self {
        outcomes.sort_by(|a, b| a.ratio().total_cmp(&b.ratio()));
        Self { condition, outcomes }
    }

    /// Its row: how often it was rejected.
    pub fn rate(&self) -> Rate {
        let rejected = self.outcomes.iter().filter(|outcome| outcome.is_rejected()).count();
        Rate::new(self.condition.name, self.outcomes.len() as u32, rejected as u32, 0.0)
    }

    /// The smallest ratio, that below which 5% lie, and the median.
    fn quantiles(&self) -> [f64; 3] {
        let last = self.outcomes.len();
        [0, last / 20, last / 2].map(|at| self.outcomes.get(at).map_or(f64::NAN, Outcome::ratio))
    }
}

/// The whole page.
pub fn page(cheats: &[(&Cheat, Rate)], measured: &[Measured], seed: u64) -> String {
    let mut page = format!(
        "# How often cheats are caught, and honest provers rejected\n\n\
         Written by `make error-rates` (seed {seed}) from the provers in `crates/gemm/cheats`, which run against the real \
         verifier and a real oracle over HTTP, on {}. The same as a list: `error-rates.json`.\n\n\
         - A cheat is detected when the verifier refuses its answer for the reason named, when the oracle does not take \
         its commit or finds it Refused or Withheld, or when the program would suspend the node because it reaches less \
         than half of its claim.\n\
         - Expected is the probability of that by formula: with a fraction δ of wrong entries, 1 − (1 − δ)⁵¹². \
         The interval is Clopper and Pearson's, 95%: by chance one row in twenty leaves its own.\n\
         - Which trials there are follows from the seed, but for the oracle's own shares and for time.\n\
         - Every test run makes some trials of each cheat and fails when their number is not what the formula allows.\n\n\
         | cheat | trials | detected | expected | 95% interval |\n|---|--:|--:|--:|--:|\n",
        machine()
    );
    for (cheat, rate) in cheats {
        let Rate { trials, detected, interval_95: [low, high], .. } = rate;
        let expected = one_less(cheat.missed);
        let _ = writeln!(page, "| {} | {trials} | {detected} | {expected} | {low:.4} to {high:.4} |", cheat.name);
    }
    page += "\n## What each does, and what catches it\n\n| cheat | the prover | caught by |\n|---|---|---|\n";
    for (cheat, _) in cheats {
        let _ = writeln!(page, "| {} | {} | {} |", cheat.name, cheat.does, cheat.caught_by);
    }
    page += HONEST;
    for measured in measured {
        let rate = measured.rate();
        let [least, low, median] = measured.quantiles();
        let _ = writeln!(
            page,
            "| {} | {} | {} | {median:.3} | {low:.3} | {least:.3} |",
            rate.cheat.trim_start_matches("none: "),
            rate.trials,
            rate.detected,
        );
    }
    page + NOT_COVERED
}

const HONEST: &str = "
## Honest provers: what the oracle measures of their true speed

The clock runs from the oracle's first share to the commit, so a round trip, a stall or a busy host makes a prover look
slower, never faster. Measured over true speed, where 1 is right; rejected is any verdict but Passed, or less than half,
for which the program suspends a node that claims its true speed.

A card is a prover that waits until a card of its speed would be done: 3 s, as a real audit takes. What is lost is lost
once an audit, so a run of half a second would lose six times as much. Its bits are computed on the processor, as are the
oracle, the link (a TCP proxy; a lost segment costs a retransmission timeout of 200 ms and a round trip) and 14 other
trials at the same time. The two proxies are no honest provers; they are here for what they lose.

A processor runs for a fraction of a second, against the best of three runs right before, without the load: on a machine
that others use, a ratio above 1 is their doing. What a processor computes beside an audit it has not to sell.

| honest prover | trials | rejected | median | 5% below | least |
|---|--:|--:|--:|--:|--:|
";

const NOT_COVERED: &str = "
## What is not covered

- A proxy to another host passes, whatever the host: it is bounded, not excluded. It costs the round trip between the two,
  as the rows above show, and the card is busy for the audit and cannot stand for another node at the same time.
- A claim of up to twice the speed is not suspended. It gains nothing: what a node sells is what was measured.
- Speeds are those of processors and of cards that wait. No GPU took part.
- Guessing a 24-byte hash, or a signature, is not tried.
";

/// One less this, with as many digits as tell it from 1.
fn one_less(q: f64) -> String {
    match q {
        0.0 | 1.0 => format!("{}", 1.0 - q),
        _ if q < 1e-4 => format!("1 − {q:.1e}"),
        _ => format!("{:.4}", 1.0 - q),
    }
}

/// Cores, processor and how busy they are, as the kernel says.
fn machine() -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    format!("{cores} cores of an {} (load average {load} at the end)", model.unwrap_or("unknown processor"))
}
