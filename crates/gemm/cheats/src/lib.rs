//! Every cheat that the design of the proof of GPU names, as a prover run against the real verifier, the real oracle
//! over HTTP, and its clock; and honest provers on bad machines and links. Tests and `docs/error-rates.md` come from here.

mod answers;
mod bundles;
mod card;
mod clock;
mod conversation;
mod entries;
mod honest;
mod interval;
mod link;
pub mod report;
mod seeds;

pub use honest::{conditions, Condition, Outcome};
pub use interval::{interval_95, is_allowed};

use millrace_core::hash::sha256;
use millrace_core::proof::{Commit, Task, QUERIES};
use millrace_gemm::{prove, verify_bundle, Backend, Bundle, Cpu, ProveOptions, ProvenRun, Refusal, Verified};
use rand::{rngs::StdRng, SeedableRng};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use tokio::runtime::Runtime;

/// One attempt of a cheat, made from a seed: whether it was detected.
pub type Trial = Box<dyn Fn(u64) -> bool + Send + Sync>;

/// A way to cheat.
pub struct Cheat {
    /// Its name in `docs/error-rates.json`.
    pub name: &'static str,
    /// What the prover does.
    pub does: &'static str,
    /// What detects it.
    pub caught_by: &'static str,
    /// Probability that a trial does not detect it, by formula, 0 to 1.
    pub missed: f64,
    /// What a trial takes.
    pub kind: Kind,
    /// One attempt.
    pub trial: Trial,
}

/// What a trial takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An answer to a beacon and its verification, about a millisecond. The seed alone decides.
    Answer,
    /// A run, its answer and its verification, some tens of milliseconds. The seed alone decides.
    Run,
    /// A whole audit over HTTP, some tens of milliseconds.
    Conversation,
    /// A whole audit of a card of known speed, about a second of waiting.
    Timed,
    /// A whole audit at n = 4,096, some seconds of all cores.
    Large,
}

impl Kind {
    /// Trials in the documentation.
    pub const fn trials(self) -> u32 {
        match self {
            Self::Answer => 2_000,
            Self::Run => 500,
            Self::Conversation => 200,
            Self::Timed => 50,
            Self::Large => 5,
        }
    }

    /// Trials in every run of the tests.
    pub const fn trials_in_tests(self) -> u32 {
        match self {
            Self::Answer => 300,
            Self::Run => 30,
            Self::Conversation => 8,
            Self::Timed => 4,
            Self::Large => 1,
        }
    }

    /// Trials at once: those that only wait do not slow each other down.
    fn at_once(self) -> usize {
        match self {
            Self::Answer | Self::Run | Self::Conversation => thread::available_parallelism().map_or(1, usize::from),
            Self::Timed => 8,
            Self::Large => 1,
        }
    }
}

/// All cheats, in the order of the design.
pub fn cheats() -> Vec<Cheat> {
    [entries::cheats(), seeds::cheats(), bundles::cheats(), conversation::cheats(), clock::cheats()]
        .into_iter()
        .flatten()
        .collect()
}

impl Cheat {
    /// Probability that a trial detects it, by formula, 0 to 1.
    pub fn expected(&self) -> f64 {
        1.0 - self.missed
    }

    /// Makes `trials` attempts, each from its own seed, and counts the detected ones. `tick` is called after each.
    pub fn detected(&self, trials: u32, seed: u64, tick: &(dyn Fn() + Sync)) -> u32 {
        let detected = each_at_once(self.kind.at_once(), trials, &|i| {
            let detected = (self.trial)(trial_seed(seed, self.name, i));
            tick();
            detected
        });
        detected.into_iter().map(u32::from).sum()
    }
}

/// Calls `act` with 0 to `count`, `threads` calls at a time. In no particular order.
fn each_at_once<T: Send>(threads: usize, count: u32, act: &(dyn Fn(u32) -> T + Sync)) -> Vec<T> {
    let next = AtomicU32::new(0);
    let work = || {
        let mine = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|i| *i < count);
        mine.map(act).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let workers = (0..threads).map(|_| scope.spawn(work)).collect::<Vec<_>>();
        workers.into_iter().flat_map(|worker| worker.join().expect("a trial does not panic")).collect()
    })
}

fn trial_seed(seed: u64, name: &str, trial: u32) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = sha256(&[&seed.to_le_bytes(), name.as_bytes(), &trial.to_le_bytes()]);
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// The probability that [`QUERIES`] queries find none of the wrong entries, a fraction of all.
fn not_found(wrong_fraction: f64) -> f64 {
    (1.0 - wrong_fraction).powi(QUERIES as i32)
}

/// The runtime of all oracles, links and clients here.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("threads can be started"));

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

fn cpu() -> Cpu {
    Cpu::new(1).expect("a thread can be started")
}

fn task(n: u32, rounds: u32) -> Task {
    let [deployment_id, node, beacon, nonce] = [1, 2, 3, 4].map(|byte| [byte; 32]);
    Task { deployment_id, node, gpu_index: 0, epoch: 5, beacon, nonce, n, rounds }
}

fn run(task: &Task, backend: impl Backend + 'static) -> ProvenRun {
    run_on(task, Arc::new(backend))
}

fn run_on(task: &Task, backend: Arc<dyn Backend>) -> ProvenRun {
    prove(task, backend, ProveOptions::default(), &|_| ControlFlow::Continue(()))
        .expect("the task is of an allowed size")
}

/// What the oracle does with the bytes it receives.
fn judged(commit: &Commit, next_beacon: &[u8; 32], bytes: &[u8]) -> Result<Verified, Refusal> {
    Bundle::from_bytes(commit, bytes).and_then(|bundle| verify_bundle(commit, next_beacon, &bundle))
}
