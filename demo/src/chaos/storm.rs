//! The time in which things go wrong, and the calm after it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{bail, ensure, Context, Result};
use millrace_client::pda;
use millrace_demo::stage::Stage;
use millrace_demo::STOPPED;
use millrace_faults::Weather;

use crate::actors::Actor;
use crate::customers::{Counts, Customer};
use crate::noticed::Harm;
use crate::plan::{Blow, Mishap, Victim};
use crate::rpcs::Rpcs;
use crate::steps::Mortal;
use crate::{customer_names, oracle_name, provider_name, Args};

/// Longest the calm may take, seconds.
const CALM_SECS: u64 = 420;

/// Who is in it.
pub struct Storm<'a> {
    /// Where all acts.
    pub stage: &'a Stage,
    /// What was asked for.
    pub args: &'a Args,
    /// The RPCs of all.
    pub rpcs: &'a Rpcs,
    /// What customers saw.
    pub counts: Counts,
    /// Whether customers begin no more work.
    pub is_over: AtomicBool,
}

impl Storm<'_> {
    /// Lets customers buy and mishaps happen, then waits until all that was begun is ended.
    pub fn pass(&self, mishaps: &[Mishap], oracles: &mut [Actor], agents: &mut [Actor]) -> Result<Vec<Harm>> {
        thread::scope(|scope| {
            let buy = |(number, who): (usize, String)| {
                scope.spawn(move || {
                    let seed = self.args.seed.wrapping_mul(1_000).wrapping_add(number as u64);
                    Customer::new(self.stage, self.rpcs.urls(), &who, &self.counts, seed).work(&self.is_over)
                })
            };
            let customers: Vec<_> = customer_names(self.args).into_iter().enumerate().map(buy).collect();
            let torment = match self.args.steps {
                true => self.every_step(oracles, agents).map(|()| Vec::new()),
                false => self.torment(mishaps, oracles, agents),
            };
            self.is_over.store(true, Ordering::Relaxed);
            let ended = torment.and_then(|harms| {
                self.calm(|| customers.iter().all(|it| it.is_finished()), oracles, agents).map(|()| harms)
            });
            if ended.is_err() {
                // Customers see it, and are joined at the end of this scope.
                STOPPED.store(true, Ordering::Relaxed);
            }
            let harms = ended?;
            let join =
                |it: thread::ScopedJoinHandle<'_, _>| it.join().map_err(|_| anyhow::anyhow!("a customer panicked"))?;
            customers.into_iter().try_for_each(join)?;
            Ok(harms)
        })
    }

    /// Lets the first oracle and the first agent, which is the cheapest, die at each of their steps.
    fn every_step(&self, oracles: &mut [Actor], agents: &mut [Actor]) -> Result<()> {
        let (mut oracle, mut agent) = (Mortal::oracle(0), Mortal::agent(0));
        let began = Instant::now();
        loop {
            let (oracle_died_at, oracle_is_done) = oracle.look(oracles)?;
            let (agent_died_at, agent_is_done) = agent.look(agents)?;
            for (who, step) in [(oracle_name(0), oracle_died_at), (provider_name(0), agent_died_at)] {
                if let Some(step) = step {
                    self.tell_counts(&format!("{} s: {who} died {step}", began.elapsed().as_secs()), "");
                }
            }
            if oracle_is_done && agent_is_done {
                return Ok(());
            }
            self.check(oracles.get_mut(1..).unwrap_or_default(), agents.get_mut(1..).unwrap_or_default())?;
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn torment(&self, mishaps: &[Mishap], oracles: &mut [Actor], agents: &mut [Actor]) -> Result<Vec<Harm>> {
        let end_millis = self.args.secs * 1_000;
        let mut moments: Vec<(u64, bool, &Mishap)> = Vec::new();
        for mishap in mishaps {
            moments.push((mishap.from_millis, true, mishap));
            moments.push((mishap.until_millis.min(end_millis), false, mishap));
        }
        moments.sort_by_key(|(at_millis, begins, _)| (*at_millis, *begins));
        let (began, mut told, mut harms) = (Instant::now(), 0, Vec::new());
        for (at_millis, begins, mishap) in moments {
            self.rest_until(began, at_millis, &mut told, oracles, agents)?;
            let victim = match mishap.victim {
                Victim::Oracle(number) => oracles.get_mut(number),
                Victim::Agent(number) => agents.get_mut(number),
                Victim::Rpc(number) => {
                    let Blow::Weather(weather) = mishap.blow else { continue };
                    self.rpcs.set(number, if begins { weather } else { Weather::Clear })?;
                    continue;
                }
            };
            let victim = victim.context("the plan names nobody")?;
            let done = if begins { victim.harm(mishap.blow) } else { victim.heal() };
            done.with_context(|| format!("{}: {:?}", victim.name, mishap.blow))?;
            if let (Victim::Agent(number), true) = (mishap.victim, begins) {
                harms.push(Harm {
                    provider: pda::provider(&self.stage.address(&provider_name(number))).to_string(),
                    at: SystemTime::now(),
                    lasted: Duration::from_millis(mishap.until_millis.min(end_millis).saturating_sub(at_millis)),
                });
            }
        }
        self.rest_until(began, end_millis, &mut told, oracles, agents)?;
        Ok(harms)
    }

    /// Waits until `at_millis`, and sees that nobody ends who was not killed.
    fn rest_until(
        &self,
        began: Instant,
        at_millis: u64,
        told: &mut u64,
        oracles: &mut [Actor],
        agents: &mut [Actor],
    ) -> Result<()> {
        loop {
            self.check(oracles, agents)?;
            let elapsed = began.elapsed();
            if elapsed.as_secs() / 15 > *told {
                *told = elapsed.as_secs() / 15;
                let ill: Vec<String> = oracles
                    .iter()
                    .chain(agents.iter())
                    .filter_map(|actor| Some(format!("{} {:?}", actor.name, actor.ill()?)))
                    .collect();
                self.tell_counts(&format!("{} s", elapsed.as_secs()), &format!("; ill: {}", ill.join(", ")));
            }
            let left = Duration::from_millis(at_millis).saturating_sub(elapsed);
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(Duration::from_millis(200)));
        }
    }

    fn calm(&self, is_settled: impl Fn() -> bool, oracles: &mut [Actor], agents: &mut [Actor]) -> Result<()> {
        self.tell_counts("calm", "; all are well, and what was begun is ended");
        let (began, mut told) = (Instant::now(), 0);
        while !is_settled() {
            self.check(oracles, agents)?;
            if began.elapsed().as_secs() / 15 > told {
                told = began.elapsed().as_secs() / 15;
                self.tell_counts(&format!("calm {} s", began.elapsed().as_secs()), "");
            }
            if began.elapsed() > Duration::from_secs(CALM_SECS) {
                bail!(
                    "work is not ended {CALM_SECS} s after the last mishap; the logs are in {}",
                    self.stage.dir.display()
                );
            }
            thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    fn check(&self, oracles: &mut [Actor], agents: &mut [Actor]) -> Result<()> {
        ensure!(!STOPPED.load(Ordering::Relaxed), "stopped by Ctrl-C; every process was ended");
        oracles.iter_mut().chain(agents.iter_mut()).try_for_each(Actor::require_alive)
    }

    fn tell_counts(&self, when: &str, more: &str) {
        let count = |it: &AtomicU64| it.load(Ordering::Relaxed);
        let counts = &self.counts;
        self.stage.tell(format!(
            "{when}: {} jobs, {} completed, {} posted anew, {} commands killed, {} given again{more}",
            count(&counts.jobs),
            count(&counts.completed),
            count(&counts.again),
            count(&counts.killed),
            count(&counts.failed)
        ));
    }
}
