//! Writes `docs/error-rates.md` and `docs/error-rates.json`.

use anyhow::Context;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use millrace_cheats::report::{page, Measured, Rate};
use millrace_cheats::{cheats, conditions, is_allowed};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Instant;

/// Runs every cheat against the real verifier and oracle, and writes down how often it was caught.
#[derive(Parser)]
struct Args {
    /// Decides every trial, but for the oracle's shares and for time.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Percent of the trials the documentation has; at least one of each.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    percent: u32,
    /// Folder to write to.
    #[arg(long, default_value = "docs")]
    out: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let (cheats, conditions) = (cheats(), conditions());
    let steps = cheats.len() + conditions.len();
    let scaled = |trials: u32| (trials * args.percent / 100).max(1);

    let mut caught = vec![];
    for (cheat, step) in cheats.iter().zip(1..) {
        let trials = scaled(cheat.kind.trials());
        let progress = Progress::begin(cheat.name, trials, step, steps);
        let detected = cheat.detected(trials, args.seed, &|| progress.bar.inc(1));
        progress.end(&format!("{detected} of {trials} detected"));
        let is_as_expected = is_allowed(detected, trials, cheat.expected());
        anyhow::ensure!(
            is_as_expected,
            "{}: {detected} of {trials} is not {:.6} by chance",
            cheat.name,
            cheat.expected()
        );
        caught.push((cheat, Rate::new(cheat.name, trials, detected, cheat.expected())));
    }
    let mut measured = vec![];
    for (condition, step) in conditions.iter().zip(cheats.len() + 1..) {
        let trials = scaled(condition.trials);
        let progress = Progress::begin(condition.name, trials, step, steps);
        let outcomes = Measured::new(condition, condition.measure(trials, args.seed, &|| progress.bar.inc(1)));
        progress.end(&format!("{} of {trials} rejected", outcomes.rate().detected));
        measured.push(outcomes);
    }

    let honest = conditions.iter().zip(&measured).filter(|(condition, _)| condition.is_honest());
    let honest = honest.map(|(_, measured)| measured.rate());
    let rates = caught.iter().map(|(_, rate)| rate.clone()).chain(honest).collect::<Vec<_>>();
    let json = serde_json::to_string_pretty(&rates)? + "\n";
    for (name, text) in [("error-rates.json", json), ("error-rates.md", page(&caught, &measured, args.seed))] {
        let path = args.out.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// A bar on a terminal; elsewhere a line for each step.
struct Progress {
    bar: ProgressBar,
    step: String,
    began: Instant,
}

impl Progress {
    fn begin(name: &str, trials: u32, step: usize, steps: usize) -> Self {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(trials.into()) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos} of {len}, {eta} left");
        bar.set_style(style.expect("the template is right"));
        let step = format!("[{step}/{steps}] {name}");
        bar.set_prefix(step.clone());
        Self { bar, step, began: Instant::now() }
    }

    fn end(&self, result: &str) {
        self.bar.finish_and_clear();
        eprintln!("{}: {result}, {:.0} s", self.step, self.began.elapsed().as_secs_f64());
    }
}
