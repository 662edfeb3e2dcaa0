//! The program under the state machine: every order of every call, by everyone. See `millrace_tests::machine`.

use std::collections::BTreeSet;

use millrace_tests::books_from_events::Bookkeeper;
use millrace_tests::machine::moves::MOVES;
use millrace_tests::machine::{seeds, Tally, Walk};
use millrace_tests::observe::watch;
use millrace_tests::record::instruction_names;

/// Steps that have to be made.
const STEPS: u64 = 2_000;
/// Steps drawn for one walk.
const LENGTH: usize = 600;

fn check(walk: Walk) -> Tally {
    walk.check(None).unwrap_or_else(|finding| {
        seeds::keep(walk, &finding.broken);
        panic!("seed {} of {} steps: {}\nby {:?}", walk.seed, walk.length, finding.broken, finding.steps);
    })
}

#[test]
fn every_instruction_has_a_move() {
    let moves: BTreeSet<&str> = MOVES.iter().map(|(name, _, _)| *name).filter(|name| !name.starts_with('(')).collect();
    let instructions: BTreeSet<&str> = instruction_names().into_iter().collect();
    assert_eq!(moves, instructions, "the machine has a move for each instruction, and no other");
}

#[test]
fn a_walk_is_the_same_each_time() {
    let walk = Walk { seed: 2, length: LENGTH };
    let (once, again) = (check(walk), check(walk));
    assert_eq!(format!("{once:?}"), format!("{again:?}"), "a seed that fails could not be shown again");
}

#[test]
fn walks_that_once_failed_pass() {
    for walk in seeds::kept() {
        check(walk);
    }
}

#[test]
fn whatever_anyone_does_the_invariants_hold_and_everyone_can_leave() {
    let mut tally = Tally::default();
    // Someone looks on who keeps the books from events alone.
    let books = watch(Bookkeeper::default(), || {
        for seed in 1.. {
            tally.merge(&check(Walk { seed, length: LENGTH }));
            if tally.steps >= STEPS {
                break;
            }
        }
    });
    println!("{tally:?}, {} transactions booked", books.booked);
    // The rarest need the longest walks; what even these must reach is the market's daily business.
    for name in
        ["settle_lease", "close_lease", "exit_lease", "award", "close_job", "sweep_fees", "withdraw", "execute_slash"]
    {
        assert!(tally.by_name.contains_key(name), "the walks do not reach {name}: {:?}", tally.by_name);
    }
}
