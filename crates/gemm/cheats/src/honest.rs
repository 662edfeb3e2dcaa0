//! Honest provers on loaded machines and bad links: whether they are rejected, and what the oracle measures of their
//! speed.

use crate::card::Card;
use crate::clock::audit_elsewhere;
use crate::conversation::{answer, commit_with, node};
use crate::link::{Link, Path};
use crate::{each_at_once, rng, trial_seed, RUNTIME};
use millrace::state::NodeClass;
use millrace_core::leaves::Verdict;
use millrace_gemm::{bench, Backend, Cpu};
use millrace_oracle::testing::Stage;
use rand::Rng;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Circumstances of an honest prover.
pub struct Condition {
    /// Its name in `docs/error-rates.json`.
    pub name: &'static str,
    /// Trials in the documentation.
    pub trials: u32,
    prover: Prover,
    path: Path,
    is_loaded: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Prover {
    /// A card of known speed.
    Card,
    /// Two cards at once.
    TwoCards,
    /// A card that is not there, but this far away.
    CardElsewhere(Path),
    /// All cores, against their best speed right before, without load.
    Processor,
}

/// What came of an honest audit.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Whether the oracle's verdict is that it passed.
    pub has_passed: bool,
    /// What the run takes at the prover's true speed.
    pub due: Duration,
    /// What the oracle measured.
    pub measured: Duration,
}

impl Outcome {
    /// Measured speed, as a part of the true one.
    pub fn ratio(&self) -> f64 {
        self.due.as_secs_f64() / self.measured.as_secs_f64()
    }

    /// Whether a node that claims its true speed would be suspended.
    pub fn is_rejected(&self) -> bool {
        !self.has_passed || self.ratio() < 0.5
    }
}

/// All conditions.
pub fn conditions() -> Vec<Condition> {
    let card = |name, path| Condition { name, trials: 60, prover: Prover::Card, path, is_loaded: false };
    let none = Path::default();
    let far = Path { delay_ms: 75, ..none };
    let worst = Path { delay_ms: 150, jitter_ms: 100, loss: 0.02, kbps: 1_000 };
    vec![
        card("none: a card", none),
        Condition { is_loaded: true, ..card("none: a card, all cores of its host burning", none) },
        Condition { prover: Prover::TwoCards, ..card("none: two cards at once", none) },
        card("none: a card, a round trip of 150 ms", far),
        card("none: a card, a round trip of 150 ms with up to 200 ms of jitter", Path { jitter_ms: 100, ..far }),
        card("none: a card, a round trip of 150 ms with 5% loss", Path { loss: 0.05, ..far }),
        card("none: a card, a link of 256 kbit/s", Path { kbps: 256, ..none }),
        card("none: a card, 300 ms, 200 ms of jitter, 2% loss and 1 Mbit/s", worst),
        Condition {
            prover: Prover::CardElsewhere(Path { delay_ms: 10, ..none }),
            ..card("proxy to a card 20 ms away", none)
        },
        Condition { prover: Prover::CardElsewhere(far), ..card("proxy to a card 150 ms away", none) },
        Condition { prover: Prover::Processor, trials: 15, ..card("none: a processor", none) },
        Condition {
            prover: Prover::Processor,
            trials: 15,
            is_loaded: true,
            ..card("none: a processor, all its cores burning", none)
        },
    ]
}

impl Condition {
    /// Whether this is a prover that does all by itself: the others are here for what they lose.
    pub fn is_honest(&self) -> bool {
        !matches!(self.prover, Prover::CardElsewhere(_))
    }

    /// Makes `trials` audits. `tick` is called after each.
    pub fn measure(&self, trials: u32, seed: u64, tick: &(dyn Fn() + Sync)) -> Vec<Outcome> {
        let is_alone = self.prover == Prover::Processor;
        let _load = (self.is_loaded && !is_alone).then(Load::begin);
        // Cards only wait.
        each_at_once(if is_alone { 1 } else { 15 }, trials, &|i| {
            let next_beacon = rng(trial_seed(seed, self.name, i)).random();
            let subject = if is_alone { Subject::processor() } else { Subject::card() };
            let _load = (self.is_loaded && is_alone).then(Load::begin);
            let outcome = RUNTIME.block_on(self.audit(&subject, next_beacon));
            tick();
            outcome
        })
    }

    async fn audit(&self, subject: &Subject, next_beacon: [u8; 32]) -> Outcome {
        let cards = if self.prover == Prover::TwoCards { 2 } else { 1 };
        let mut link = None;
        let stage =
            Stage::open(node(NodeClass::Cpu, cards, 1), |oracle| link.insert(Link::open(oracle, self.path)).address);
        let stage = stage.await;
        // As an agent that is in touch with its oracles: what it sends first finds an open connection.
        let _ = stage.agent.get_bytes(&format!("{}/v1/health", stage.url)).await;
        let mut has_answered = true;
        if let Prover::CardElsewhere(path) = self.prover {
            audit_elsewhere(&stage, path, subject.card_alone(), (subject.n, subject.rounds), next_beacon).await;
        } else {
            let commit = |gpu_index| commit_with(&stage, gpu_index, subject.backend(), subject.n, subject.rounds);
            let mut runs = vec![];
            if cards == 2 {
                let (first, second) = tokio::join!(commit(0), commit(1));
                runs.extend([first, second]);
            } else {
                runs.push(commit(0).await);
            }
            stage.latch_next(next_beacon).await;
            for (run, _) in runs {
                has_answered &= answer(&stage, &run, &next_beacon).await.is_ok();
            }
        }
        let elapsed_nanos = stage.daemon.audits().records().values().map(|entry| entry.record.elapsed_nanos).max();
        Outcome {
            has_passed: has_answered && stage.verdict() == Some(Verdict::Passed),
            due: subject.due,
            measured: Duration::from_nanos(elapsed_nanos.unwrap_or(u64::MAX)),
        }
    }
}

/// What proves, and how fast it is.
struct Subject {
    processor: Option<Arc<dyn Backend>>,
    n: u32,
    rounds: u32,
    due: Duration,
}

impl Subject {
    /// As slow as an audit is made for its claim, at a size that takes the processor a few milliseconds.
    fn card() -> Self {
        Self { processor: None, n: 256, rounds: 4, due: Duration::from_secs(3) }
    }

    /// At the best speed of three runs, made now.
    fn processor() -> Self {
        let (n, rounds) = (512, 64);
        let processor: Arc<dyn Backend> = Arc::new(Cpu::new(0).expect("threads can be started"));
        let go_on = |_| ControlFlow::Continue(());
        let timed = || bench(&processor, n, rounds, &go_on).expect("the task is of an allowed size").0.elapsed;
        let due = (0..3).map(|_| timed()).min().expect("there are three");
        Self { processor: Some(processor), n, rounds, due }
    }

    fn card_alone(&self) -> Card {
        Card::new(self.due, self.rounds)
    }

    fn backend(&self) -> Arc<dyn Backend> {
        match &self.processor {
            Some(processor) => processor.clone(),
            None => Arc::new(self.card_alone()),
        }
    }
}

/// A thread a core that computes nothing, until dropped.
struct Load {
    is_over: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Load {
    fn begin() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let burn = |_| {
            let is_over = is_over.clone();
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::black_box(Instant::now());
                }
            })
        };
        let threads = (0..thread::available_parallelism().map_or(1, usize::from)).map(burn).collect();
        Self { is_over, threads }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
