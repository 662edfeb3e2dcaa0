//! What goes wrong, when, and for how long: made of a seed alone, so that a run can be had again.

use millrace_faults::Weather;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Who there is to be harmed.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// Oracles. Fewer than a third of them are ill at once.
    pub oracles: usize,
    /// Agents. At most a quarter of them are ill at once.
    pub agents: usize,
    /// RPC endpoints. One of them is ill at a time, and never two within [`REST_MILLIS`].
    pub rpcs: usize,
}

/// Who is harmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// An oracle, from 0.
    Oracle(usize),
    /// An agent, from 0.
    Agent(usize),
    /// An RPC endpoint, from 0.
    Rpc(usize),
}

/// How.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// Killed as a power cut would, and started again.
    Kill,
    /// Stopped where it is, connections open, and let go on.
    Freeze,
    /// Its link cut: nothing comes in or goes out.
    Cut,
    /// Its disk full to the last byte: it may end, and is started again when there is room.
    Full,
    /// Its clock wrong from one moment to the next.
    Clock {
        /// By how many hours.
        hours: i8,
    },
    /// Bad weather at an RPC.
    Weather(Weather),
}

/// One thing that goes wrong, milliseconds from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mishap {
    /// When.
    pub from_millis: u64,
    /// Until when.
    pub until_millis: u64,
    /// Who.
    pub victim: Victim,
    /// How.
    pub blow: Blow,
}

/// Time after a mishap until its victim counts as well again, milliseconds: an oracle that starts reads the chain and
/// votes on no epoch that ended before.
pub const REST_MILLIS: u64 = 6_000;

/// What goes wrong in `secs` seconds.
pub fn plan(seed: u64, secs: u64, cast: Cast) -> Vec<Mishap> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut plan: Vec<Mishap> = Vec::new();
    let mut now = 2_000;
    while now < secs * 1_000 {
        let mishap = draw(&mut rng, now, cast);
        let is_ill = |it: &&Mishap| it.until_millis + REST_MILLIS > now;
        let ill = plan.iter().filter(is_ill).filter(|it| is_alike(it.victim, mishap.victim)).count();
        let is_spared = plan.iter().filter(is_ill).any(|it| it.victim == mishap.victim);
        if !is_spared && ill < most_ill(mishap.victim, cast) {
            plan.push(mishap);
        }
        now += rng.random_range(400..2_400);
    }
    plan
}

fn draw(rng: &mut StdRng, from_millis: u64, cast: Cast) -> Mishap {
    let victim = match rng.random_range(0..10) {
        0..4 => Victim::Oracle(rng.random_range(0..cast.oracles)),
        4..9 => Victim::Agent(rng.random_range(0..cast.agents)),
        _ => Victim::Rpc(rng.random_range(0..cast.rpcs)),
    };
    let blow = match victim {
        Victim::Rpc(_) => Blow::Weather(Weather::draw(rng)),
        _ => {
            let hours = if rng.random_bool(0.5) { 1 } else { -1 };
            [Blow::Kill, Blow::Freeze, Blow::Cut, Blow::Full, Blow::Clock { hours }][rng.random_range(0..5)]
        }
    };
    // Mostly short, at times long enough that a node's lease fails.
    let longest_millis = if rng.random_bool(0.25) { 45_000 } else { 8_000 };
    Mishap { from_millis, until_millis: from_millis + rng.random_range(300..longest_millis), victim, blow }
}

fn is_alike(one: Victim, other: Victim) -> bool {
    std::mem::discriminant(&one) == std::mem::discriminant(&other)
}

/// Most of a kind that are ill at once.
fn most_ill(victim: Victim, cast: Cast) -> usize {
    match victim {
        Victim::Oracle(_) => cast.oracles.saturating_sub(1) / 3,
        Victim::Agent(_) => cast.agents.div_ceil(4),
        Victim::Rpc(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAST: Cast = Cast { oracles: 8, agents: 20, rpcs: 3 };

    #[test]
    fn a_seed_is_a_run_and_two_thirds_are_well_at_every_moment() {
        for seed in 0..50 {
            let mishaps = plan(seed, 600, CAST);
            assert_eq!(mishaps, plan(seed, 600, CAST));
            assert!(mishaps.len() > 100, "{}", mishaps.len());
            for it in &mishaps {
                let at_once = |alike: fn(&Victim) -> bool| {
                    let ill = |other: &&Mishap| {
                        (other.from_millis..other.until_millis + REST_MILLIS).contains(&it.from_millis)
                    };
                    mishaps.iter().filter(ill).filter(|other| alike(&other.victim)).count()
                };
                assert!(at_once(|victim| matches!(victim, Victim::Oracle(_))) <= 2);
                assert!(at_once(|victim| matches!(victim, Victim::Agent(_))) <= 5);
                assert!(at_once(|victim| matches!(victim, Victim::Rpc(_))) <= 1);
            }
        }
        assert_ne!(plan(1, 600, CAST), plan(2, 600, CAST));
    }

    #[test]
    fn every_kind_of_blow_falls() {
        let mishaps = plan(1, 600, CAST);
        for blow in
            [Blow::Kill, Blow::Freeze, Blow::Cut, Blow::Full, Blow::Clock { hours: 1 }, Blow::Clock { hours: -1 }]
        {
            for alike in [|it: &Victim| matches!(it, Victim::Oracle(_)), |it: &Victim| matches!(it, Victim::Agent(_))] {
                assert!(mishaps.iter().any(|it| it.blow == blow && alike(&it.victim)), "{blow:?}");
            }
        }
        assert!(mishaps.iter().any(|it| matches!(it.blow, Blow::Weather(_))));
    }
}
