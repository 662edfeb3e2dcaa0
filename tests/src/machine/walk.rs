//! One walk through a market: how proptest draws it, and how one that fails is shortened.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::{Union, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use proptest_state_machine::ReferenceStateMachine;

use super::moves::{self, MOVES};
use super::{Dice, Market, Outcome};
use crate::Signer;

/// One step: which move, and the seed of its dice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Place among [`MOVES`].
    pub nth: usize,
    /// Seed of the dice it is made with.
    pub seed: u64,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "{}:{:x}", MOVES[self.nth].0, self.seed)
    }
}

/// The machine as proptest sees it. What may follow a step depends on what the program accepted, so its own state is
/// empty: a step is made on whatever is there, and one that fits nothing is passed over. That keeps a shrunk walk a walk.
pub struct Machine;

impl ReferenceStateMachine for Machine {
    type State = u64;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<u64> {
        any::<u64>().boxed()
    }

    fn transitions(_: &u64) -> BoxedStrategy<Step> {
        let by_move = MOVES.iter().enumerate().map(|(nth, (_, weight, _))| (*weight, Just(nth)));
        (Union::new_weighted(by_move.collect()), any::<u64>().no_shrink())
            .prop_map(|(nth, seed)| Step { nth, seed })
            .boxed()
    }

    fn apply(state: u64, _: &Step) -> u64 {
        state
    }
}

/// How often what was tried and accepted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Steps made: transactions sent and waits.
    pub steps: u64,
    /// Transactions accepted.
    pub accepted: u64,
    /// Transactions refused that had to be.
    pub repelled: u64,
    /// Accepted, by instruction.
    pub by_name: BTreeMap<&'static str, u64>,
    /// Sent, by instruction.
    pub sent: BTreeMap<&'static str, u64>,
    /// Refused although nothing was wrong with it but perhaps its time, by instruction and error.
    pub refused: BTreeMap<(&'static str, String), u64>,
}

impl Tally {
    /// Adds another's.
    pub fn merge(&mut self, other: &Self) {
        self.steps += other.steps;
        self.accepted += other.accepted;
        self.repelled += other.repelled;
        for (name, times) in &other.by_name {
            *self.by_name.entry(name).or_default() += times;
        }
        for (name, times) in &other.sent {
            *self.sent.entry(name).or_default() += times;
        }
        for (key, times) in &other.refused {
            *self.refused.entry(key.clone()).or_default() += times;
        }
    }
}

/// What a failing walk shrank to.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What is broken.
    pub broken: String,
    /// The shortest list of steps found that breaks it.
    pub steps: Vec<Step>,
}

/// A walk to be made: the same each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Seed.
    pub seed: u64,
    /// Steps drawn. Those that fit nothing are passed over, so fewer are made.
    pub length: usize,
}

/// How long a failing walk is shortened at most.
const SHORTENED_WITHIN: Duration = Duration::from_secs(120);

impl Walk {
    /// What it begins with, and its steps.
    pub fn drawn(&self) -> (u64, Vec<Step>) {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let strategy = Machine::sequential_strategy(self.length);
        let tree = strategy.new_tree(&mut runner).expect("every step may follow every other");
        let (start, steps, _) = tree.current();
        (start, steps)
    }

    /// Makes it, and shortens it if it fails.
    ///
    /// # Errors
    /// What is broken, and by which steps.
    pub fn check(&self, program: Option<&[u8]>) -> Result<Tally, Box<Finding>> {
        let (start, steps) = self.drawn();
        let mut tally = Tally::default();
        match run(start, &steps, program, &mut tally) {
            Ok(()) => Ok(tally),
            Err(broken) => Err(Box::new(shorten(start, steps, broken, program))),
        }
    }
}

/// Leaves out what a failure does not need: ever smaller pieces, as long as there is time. Proptest's own way, one step at
/// a time, would take as many runs as there are steps.
fn shorten(start: u64, mut steps: Vec<Step>, mut broken: String, program: Option<&[u8]>) -> Finding {
    let began = Instant::now();
    let mut piece = steps.len().div_ceil(2);
    while piece > 0 {
        let mut from = 0;
        while from < steps.len() && began.elapsed() < SHORTENED_WITHIN {
            let mut fewer = steps.clone();
            fewer.drain(from..(from + piece).min(steps.len()));
            match run(start, &fewer, program, &mut Tally::default()) {
                Ok(()) => from += piece,
                Err(now_broken) => (steps, broken) = (fewer, now_broken),
            }
        }
        piece /= 2;
    }
    Finding { broken, steps }
}

/// Makes `steps` on a new market, then lets everyone leave. A panic on the way is a finding like any other.
///
/// # Errors
/// What is broken.
pub fn run(start: u64, steps: &[Step], program: Option<&[u8]>, tally: &mut Tally) -> Result<(), String> {
    let walk = AssertUnwindSafe(|| run_through(start, steps, program, tally));
    std::panic::catch_unwind(walk).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("a panic: {}", text.unwrap_or_default()))
    })
}

fn run_through(start: u64, steps: &[Step], program: Option<&[u8]>, tally: &mut Tally) -> Result<(), String> {
    let mut market = Market::open(&mut Dice::new(start), program.map(Rc::from))?;
    let began = began_with(&market);
    for step in steps {
        make(&mut market, *step, tally)?;
    }
    everyone_leaves(&mut market, &mut Dice::new(start ^ 1))?;
    market.check_profits(&began)
}

/// What each had before business: in its pocket, or in the program already.
fn began_with(market: &Market) -> Vec<(super::Actor, u64)> {
    let mut pockets = market.pockets();
    for (actor, had) in &mut pockets {
        *had += match actor {
            super::Actor::Seller(nth) => market.books.providers[&market.sellers[*nth].provider].stake,
            super::Actor::Buyer(nth) => market.books.customers[&market.buyers[*nth].customer].free,
            _ => 0,
        };
    }
    pockets
}

/// One move in so many is twisted into one that must fail.
const TWISTED: u64 = 4;

/// Makes one step.
///
/// # Errors
/// What is broken.
pub fn make(market: &mut Market, step: Step, tally: &mut Tally) -> Result<(), String> {
    let (name, _, pick) = MOVES[step.nth];
    let mut dice = Dice::new(step.seed);
    let Some(plan) = pick(market, &mut dice) else { return Ok(()) };
    if plan.signers.iter().any(|key| !market.speaks(&key.pubkey())) {
        return Ok(());
    }
    tally.steps += 1;
    if plan.instructions.is_empty() {
        return Ok(());
    }
    let is_replay = name == "(replay)";
    let plan = if !is_replay && dice.once_in(TWISTED) { plan.twisted(market, &mut dice) } else { plan };
    *tally.sent.entry(name).or_default() += 1;
    let must_fail = plan.must_fail.is_some();
    if market.perform(plan)? == Outcome::Refused {
        if must_fail {
            tally.repelled += 1;
        } else {
            *tally.refused.entry((name, market.refusal.clone())).or_default() += 1;
        }
        return Ok(());
    }
    tally.accepted += 1;
    *tally.by_name.entry(name).or_default() += 1;
    if name == "sign_report" {
        moves::oracles::check_reports(market)?;
    }
    if name == "execute_upgrade" {
        // The new build runs from the next slot on.
        market.world.warp_slots(2);
    }
    if name == "close_customer" || name == "close_provider" {
        // Accounts that come back at the same address may do the same again; leaves may not.
        market.replays.retain(|replay| replay.name == "settle_lease" || replay.name == "apply_audit");
    }
    Ok(())
}

/// Each actor in turn leaves a copy of the market alone, then all leave the market itself, in an order of the dice.
fn everyone_leaves(market: &mut Market, dice: &mut Dice) -> Result<(), String> {
    let mut actors = market.everyone();
    for actor in &actors {
        if !market.is_out(*actor) {
            market.fork().leave(*actor)?;
        }
    }
    while !actors.is_empty() {
        let actor = actors.swap_remove(dice.below(actors.len() as u64) as usize);
        market.leave(actor)?;
    }
    if let Some(claim) = market.model.claims.keys().next() {
        return Err(format!("everyone is out, and the claim {claim} is left"));
    }
    let left = [&market.books.jobs.len(), &market.books.leases.len(), &market.books.nodes.len()];
    match left.iter().all(|count| **count == 0) {
        true => Ok(()),
        false => Err(format!("everyone is out, and {left:?} jobs, leases and nodes are left")),
    }
}
