//! `make soak`: the state machine for a million steps, and the twin's planted faults, each of which it must find.
//!
//! SOAK_STEPS says how many steps (default 1,000,000), SEED where the seeds begin (default 1), SOAK_THREADS how many walks
//! go on side by side (default: one a processor), SOAK_FAULTS=0 that the twin is left out. A seed that fails is kept in tests/machine-seeds.txt, which every run of
//! the tests walks first.

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use millrace_tests::machine::{seeds, twin, Tally, Walk};

/// Steps drawn for one walk.
const LENGTH: usize = 1_200;
/// Walks in which a planted fault has to be found.
const WALKS_PER_FAULT: u64 = 60;
/// Between two lines of progress.
const EVERY: Duration = Duration::from_secs(15);

fn number(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return default };
    text.replace(['_', ','], "").parse().unwrap_or_else(|_| {
        eprintln!("error: {name} is {text:?}; give a whole number");
        std::process::exit(2)
    })
}

struct Soak {
    wanted: u64,
    next_seed: AtomicU64,
    walked: AtomicU64,
    is_broken: AtomicBool,
    tally: Mutex<Tally>,
    began: Instant,
}

impl Soak {
    fn steps(&self) -> u64 {
        self.tally.lock().expect("no thread panics").steps
    }

    fn walk_on(&self) {
        while self.steps() < self.wanted && !self.is_broken.load(Ordering::SeqCst) {
            self.walk(Walk { seed: self.next_seed.fetch_add(1, Ordering::SeqCst), length: LENGTH });
        }
    }

    fn walk(&self, walk: Walk) {
        match walk.check(None) {
            Ok(tally) => {
                self.walked.fetch_add(1, Ordering::SeqCst);
                self.tally.lock().expect("no thread panics").merge(&tally);
            }
            Err(finding) => {
                self.is_broken.store(true, Ordering::SeqCst);
                seeds::keep(walk, &finding.broken);
                eprintln!("BROKEN: seed {} of {} steps: {}", walk.seed, walk.length, finding.broken);
                eprintln!("by {} steps: {:?}", finding.steps.len(), finding.steps);
            }
        }
    }

    fn report(&self) {
        let tally = self.tally.lock().expect("no thread panics").clone();
        let rate = tally.steps as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        let walked = self.walked.load(Ordering::SeqCst);
        let Tally { steps, accepted, repelled, .. } = tally;
        println!(
            "soak: {steps} of {} steps, {rate:.0} steps/s, {walked} seeds, {accepted} accepted, {repelled} repelled",
            self.wanted
        );
        let accepted = |name| tally.by_name.get(name).copied().unwrap_or(0);
        let by_name: Vec<String> =
            tally.sent.iter().map(|(name, sent)| format!("{name} {}/{sent}", accepted(name))).collect();
        println!("      accepted of those sent: {}", by_name.join(", "));
        let mut refused: Vec<_> = tally.refused.iter().map(|((name, error), times)| (times, name, error)).collect();
        refused.sort_unstable_by(|one, other| other.cmp(one));
        let refused: Vec<String> =
            refused.iter().take(20).map(|(times, name, error)| format!("{name} {error} {times}")).collect();
        println!("      refused without a fault: {}", refused.join(", "));
        std::io::stdout().flush().ok();
    }
}

/// Lets each planted fault loose, one after the other. Returns how many the machine found.
fn find_faults(first_seed: u64) -> usize {
    let mut found = 0;
    for fault in twin::faults() {
        let image = twin::image(fault.number);
        match twin::find(&image, first_seed, WALKS_PER_FAULT) {
            Some(sighting) => {
                found += 1;
                let twin::Sighting { seed, steps, broken } = sighting;
                println!(
                    "soak: fault {}, {}: found after {steps} steps of seed {seed}: {broken}",
                    fault.number, fault.name
                );
            }
            None => println!("soak: fault {}, {}: NOT FOUND", fault.number, fault.name),
        }
    }
    found
}

fn main() -> ExitCode {
    let first_seed = number("SEED", 1);
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let threads = number("SOAK_THREADS", threads).max(1);
    let planted = twin::faults().len();
    let found = if number("SOAK_FAULTS", 1) > 0 { find_faults(first_seed) } else { 0 };
    let soak = Soak {
        wanted: number("SOAK_STEPS", 1_000_000),
        next_seed: AtomicU64::new(first_seed),
        walked: AtomicU64::new(0),
        is_broken: AtomicBool::new(false),
        tally: Mutex::new(Tally::default()),
        began: Instant::now(),
    };
    for walk in seeds::kept() {
        soak.walk(walk);
    }
    std::thread::scope(|scope| {
        let walkers: Vec<_> = (0..threads).map(|_| scope.spawn(|| soak.walk_on())).collect();
        let mut reported = Instant::now();
        while walkers.iter().any(|walker| !walker.is_finished()) {
            std::thread::sleep(Duration::from_millis(200));
            if reported.elapsed() >= EVERY {
                soak.report();
                reported = Instant::now();
            }
        }
    });
    soak.report();
    let is_ok = !soak.is_broken.load(Ordering::SeqCst);
    let tally = soak.tally.lock().expect("no thread panics");
    println!(
        "soak: steps={} seeds={} accepted={} faults_planted={planted} faults_found={found} invariants={}",
        tally.steps,
        soak.walked.load(Ordering::SeqCst),
        tally.accepted,
        if is_ok { "ok" } else { "BROKEN" },
    );
    if is_ok && found == planted {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
