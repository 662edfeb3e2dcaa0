//! Asks the agent of every live lease about once a second, counts live seconds, and decides how leases end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace::state::{Lease, LeaseRole, Provider};
use millrace_client::fetch::decode;
use millrace_client::{endpoint, Pubkey};
use millrace_jobs::Content;
use millrace_wire::messages::{LeaseStatusAnswer, LEASE_STATUS_DOMAIN};
use millrace_wire::{Pin, Sealed};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::results::Results;
use crate::books::LeaseBook;
use crate::daemon::{blocking, Daemon};
use crate::decide::lease::{LeaseFacts, LeaseRules, LeaseTally, LeaseWatch, Sighting};
use crate::journal::StoredLease;
use crate::metrics::{self, POLLS, POLL_SECONDS};
use crate::view::View;

/// Epochs a lease that ended on chain is remembered: another oracle's report may still have it.
const REMEMBERED_EPOCHS: u64 = 2;

/// Part of the time between two rounds of polls over which the questions of one are spread: a machine that is there only when it
/// expects to be asked is found out, and two answers are still less than [`MAX_GAP_MILLIS`] apart.
///
/// [`MAX_GAP_MILLIS`]: crate::decide::lease::MAX_GAP_MILLIS
const SPREAD: f64 = 0.3;

/// Largest status read, bytes.
const MAX_STATUS_BYTES: usize = 16 << 10;

/// Most leases written down after a round of polls, besides those that are new or have ended: 50 ms of work. What a crash loses
/// of the others counts as not watched, and others make it good.
pub const SAVED_AT_ONCE: usize = 5_000;

/// Where a provider's agent answers, the key it signs with, and the one it is known by over TLS.
#[derive(Clone, Debug)]
pub(super) struct Agent {
    pub(super) operator: [u8; 32],
    pub(super) pin: Pin,
    pub(super) url: String,
}

/// Watches until stopped.
///
/// # Errors
/// When the journal cannot be written.
pub async fn run(daemon: Arc<Daemon>, stop: CancellationToken) -> anyhow::Result<()> {
    let every = Duration::from_secs_f64(daemon.settings.timing.lease_poll_secs);
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watcher = Watcher {
        polls: Arc::new(Semaphore::new(daemon.settings.limits.polls_at_once)),
        answer_within: every.mul_f64(0.8),
        spread: every.mul_f64(SPREAD),
        saved: Saved::of(daemon.still_stored().iter().map(|stored| (stored.lease, stored.tally.ending.is_some()))),
        results: Results::new(daemon.clone()),
        daemon,
        agents: HashMap::new(),
        agents_epoch: 0,
    };
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let Some(view) = watcher.daemon.fresh() else { continue };
        watcher.look(&view).await?;
    }
}

/// Which leases are watched: those live on chain, and for a while those that were.
#[derive(Default)]
pub struct Watches {
    /// Leases no longer live on chain, since which epoch.
    gone: HashMap<[u8; 32], u64>,
}

impl Watches {
    /// Begins to watch what is new, as soon as it is seen, so that no other oracle's report has a lease unknown here;
    /// and forgets what ended on chain some epochs ago.
    pub fn sync(&mut self, daemon: &Daemon, view: &View) {
        let (millis, now) = (daemon.millis(), now_of(view));
        let mut book = daemon.leases();
        for (key, lease) in &view.leases {
            let key = key.to_bytes();
            self.gone.remove(&key);
            book.entry(key).or_insert_with(|| {
                let (tally, unwatched) = match daemon.take_stored(&key) {
                    Some(stored) => (stored.tally, millis_between(stored.watched_until, now)),
                    None => (LeaseTally::default(), millis_between(lease.started_at, now)),
                };
                tracing::info!(lease = %Pubkey::from(key), live_millis = tally.live_millis, unwatched, "watching");
                let stands_by = lease.role == LeaseRole::StandBy as u8;
                let mut watch = LeaseWatch::begin(tally, unwatched, millis, now).of_stand_by(stands_by);
                if let Some(leaf) = daemon.ballots().accepted.get(&key) {
                    watch.accept(leaf);
                }
                watch
            });
        }
        // What the last process watched and is not live any more need not be kept.
        if daemon.up_since_epoch.get().is_some_and(|up| up.saturating_add(REMEMBERED_EPOCHS) < view.epoch) {
            daemon.forget_stored();
        }
        let live: HashSet<[u8; 32]> = view.leases.iter().map(|(key, _)| key.to_bytes()).collect();
        book.retain(|key, _| {
            live.contains(key)
                || self.gone.entry(*key).or_insert(view.epoch).saturating_add(REMEMBERED_EPOCHS) >= view.epoch
        });
        self.gone.retain(|key, _| book.contains_key(key));
    }
}

/// What the journal has, and which leases to write next: a part of them after each round, all of them in turn.
#[derive(Default)]
pub struct Saved {
    /// Leases written down, with whether as ended.
    leases: HashMap<[u8; 32], bool>,
    /// Where the last part ended.
    last: [u8; 32],
}

impl Saved {
    /// The leases that are in the journal when the process starts, with whether they have ended.
    pub fn of(leases: impl IntoIterator<Item = ([u8; 32], bool)>) -> Self {
        Self { leases: leases.into_iter().collect(), last: [0; 32] }
    }

    /// Leases to write down now: all that are new or have ended since, and the next `most` of the others; and those to forget,
    /// which are neither in `book` nor still needed.
    pub fn next(
        &mut self,
        book: &LeaseBook,
        is_needed: impl Fn(&[u8; 32]) -> bool,
        most: usize,
    ) -> (Vec<[u8; 32]>, Vec<[u8; 32]>) {
        let (mut now, mut others): (Vec<[u8; 32]>, Vec<[u8; 32]>) =
            book.keys().copied().partition(|lease| self.leases.get(lease) != Some(&book[lease].is_decided()));
        if others.len() > most {
            // A step of the circle from where the last one ended.
            let last = self.last;
            others.select_nth_unstable_by_key(most.saturating_sub(1), |lease| (*lease <= last, *lease));
            others.truncate(most);
            self.last = others.iter().copied().max_by_key(|lease| (*lease <= last, *lease)).unwrap_or(last);
        }
        now.append(&mut others);
        self.leases.extend(now.iter().map(|lease| (*lease, book[lease].is_decided())));
        let is_gone = |lease: &&[u8; 32]| !book.contains_key(*lease) && !is_needed(lease);
        let gone: Vec<[u8; 32]> = self.leases.keys().filter(is_gone).copied().collect();
        gone.iter().for_each(|lease| {
            self.leases.remove(lease);
        });
        (now, gone)
    }
}

struct Watcher {
    daemon: Arc<Daemon>,
    polls: Arc<Semaphore>,
    answer_within: Duration,
    spread: Duration,
    saved: Saved,
    results: Results,
    /// Read once an epoch: keys and addresses change rarely.
    agents: HashMap<Pubkey, Agent>,
    agents_epoch: u64,
}

impl Watcher {
    async fn look(&mut self, view: &View) -> anyhow::Result<()> {
        let asked = self.undecided(view);
        self.find_agents(view, &asked).await;
        let heard = self.ask(asked.clone()).await;
        self.note_silence(&asked, &heard);
        let shown = self.results.shown()?;
        self.decide(view, heard, shown);
        self.ask_results(view);
        self.store(view).await
    }

    fn undecided(&self, view: &View) -> Vec<(Pubkey, Pubkey)> {
        let book = self.daemon.leases();
        let is_open = |key: &Pubkey| book.get(&key.to_bytes()).is_some_and(|watch| !watch.is_decided());
        let open = view.leases.iter().filter(|(key, _)| is_open(key));
        open.map(|(key, lease)| (*key, lease.provider)).collect()
    }

    async fn find_agents(&mut self, view: &View, leases: &[(Pubkey, Pubkey)]) {
        if self.agents_epoch != view.epoch {
            self.agents.clear();
            self.agents_epoch = view.epoch;
        }
        let is_new = |provider: &Pubkey| !self.agents.contains_key(provider);
        let providers: HashSet<Pubkey> = leases.iter().map(|(_, provider)| *provider).filter(is_new).collect();
        if providers.is_empty() {
            return;
        }
        let providers: Vec<Pubkey> = providers.into_iter().collect();
        let accounts = match self.daemon.chain.accounts(&providers).await {
            Ok(accounts) => accounts,
            Err(error) => return tracing::warn!("cannot read the providers: {error}"),
        };
        for (provider, account) in providers.into_iter().zip(accounts) {
            match account.map(|account| decode::<Provider>(&provider, &account)).transpose().map(Option::flatten) {
                Ok(Some(account)) => {
                    let url = endpoint::from_bytes(&account.endpoint).unwrap_or_default();
                    let operator = account.operator_at(view.epoch).to_bytes();
                    let pin = Pin::of_provider(operator, account.tls_spki_hash);
                    self.agents.insert(provider, Agent { operator, pin, url });
                }
                Ok(None) => tracing::warn!(%provider, "the provider of a live lease has no account"),
                Err(error) => tracing::warn!(%provider, "cannot read a provider: {error}"),
            }
        }
    }

    /// Asks all agents, each at a moment it cannot foresee, and returns who answered, what, and when.
    async fn ask(&self, leases: Vec<(Pubkey, Pubkey)>) -> Vec<(Pubkey, Sighting, u64)> {
        let mut polls = JoinSet::new();
        for (lease, provider) in leases {
            let Some(agent) = self.agents.get(&provider).cloned() else {
                POLLS.inc(&["no_agent"]);
                continue;
            };
            let (daemon, permits, within) = (self.daemon.clone(), self.polls.clone(), self.answer_within);
            let wait = self.spread.mul_f64(rand::random());
            polls.spawn(async move {
                tokio::time::sleep(wait).await;
                let _permit = permits.acquire().await.ok()?;
                let asked = Instant::now();
                let answer = tokio::time::timeout(within, status(&daemon, &lease, &agent)).await;
                match answer {
                    Ok(Ok(sighting)) => {
                        POLLS.inc(&["answered"]);
                        POLL_SECONDS.observe(asked.elapsed(), &[]);
                        Some((lease, sighting, daemon.millis()))
                    }
                    Ok(Err(error)) => {
                        tracing::debug!(%lease, "no status: {error:#}");
                        POLLS.inc(&["failed"]);
                        None
                    }
                    Err(_) => {
                        tracing::debug!(%lease, "no status within {within:?}");
                        POLLS.inc(&["late"]);
                        None
                    }
                }
            });
        }
        polls.join_all().await.into_iter().flatten().collect()
    }

    /// Says once of each agent that fell silent that it did: from the next round on its seconds do not count.
    fn note_silence(&self, asked: &[(Pubkey, Pubkey)], heard: &[(Pubkey, Sighting, u64)]) {
        let heard: HashSet<&Pubkey> = heard.iter().map(|(lease, ..)| lease).collect();
        let mut book = self.daemon.leases();
        for (lease, provider) in asked.iter().filter(|(lease, _)| !heard.contains(lease)) {
            if book.get_mut(&lease.to_bytes()).is_some_and(LeaseWatch::miss) {
                tracing::warn!(%lease, %provider, "the agent of a lease fell silent");
            }
        }
    }

    fn decide(&self, view: &View, heard: Vec<(Pubkey, Sighting, u64)>, shown: Vec<(Pubkey, Content)>) {
        let timing = self.daemon.settings.timing;
        let rules = LeaseRules {
            unreachable_millis: self.daemon.millis_of_epoch(timing.unreachable, view),
            grace_millis: self.daemon.millis_of_epoch(timing.exit_grace, view),
        };
        let (millis, now) = (self.daemon.millis(), now_of(view));
        let mut book = self.daemon.leases();
        for (lease, sighting, at_millis) in heard {
            if let Some(watch) = book.get_mut(&lease.to_bytes()) {
                watch.hear(sighting, at_millis);
            }
        }
        for (lease, results) in shown {
            if let Some(watch) = book.get_mut(&lease.to_bytes()) {
                watch.show(results, millis);
            }
        }
        for (key, lease) in &view.leases {
            let Some(watch) = book.get_mut(&key.to_bytes()).filter(|watch| !watch.is_decided()) else { continue };
            if let Some(ending) = watch.decide(&facts(lease), &rules, millis, now) {
                let live_secs = watch.tally().live_millis / 1_000;
                metrics::ended(ending.status);
                tracing::info!(lease = %key, status = ?ending.status, exit = ending.exit_code, live_secs, "lease ended");
            }
        }
    }

    /// Asks for chunks of the results of jobs that are said to have succeeded.
    fn ask_results(&mut self, view: &View) {
        let book = self.daemon.leases();
        let unshown = view.leases.iter().filter_map(|(key, lease)| {
            let results = book.get(&key.to_bytes())?.unshown()?;
            Some((*key, results, self.agents.get(&lease.provider).cloned()))
        });
        let unshown = unshown.collect();
        drop(book);
        self.results.ask(unshown);
    }

    async fn store(&mut self, view: &View) -> anyhow::Result<()> {
        let watched_until = now_of(view);
        let (leases, gone) = {
            let book = self.daemon.leases();
            let (now, gone) = self.saved.next(&book, |lease| self.daemon.is_still_stored(lease), SAVED_AT_ONCE);
            let stored = |lease: [u8; 32]| Some(StoredLease { lease, tally: book.get(&lease)?.tally(), watched_until });
            (now.into_iter().filter_map(stored).collect::<Vec<_>>(), gone)
        };
        let journal = self.daemon.journal.clone();
        Ok(blocking(move || journal.save_leases(&leases, &gone)).await??)
    }
}

/// The chain's clock now, by what it was and the time since.
fn now_of(view: &View) -> i64 {
    view.now.saturating_add(i64::try_from(view.taken.elapsed().as_secs()).unwrap_or(0))
}

fn millis_between(from: i64, to: i64) -> u64 {
    u64::try_from(to.saturating_sub(from)).unwrap_or(0).saturating_mul(1_000)
}

fn facts(lease: &Lease) -> LeaseFacts {
    LeaseFacts {
        started_at: lease.started_at,
        max_secs: lease.max_secs,
        stop_at: lease.stop_at,
        stop_notice_secs: lease.terms.stop_notice_secs,
    }
}

/// Asks an agent about a lease. Only an answer to this very question, sealed by the operator, counts.
async fn status(daemon: &Daemon, lease: &Pubkey, agent: &Agent) -> anyhow::Result<Sighting> {
    let nonce = hex::encode(rand::random::<[u8; 16]>());
    let url = format!("{}/v1/leases/{lease}/status?nonce={nonce}", agent.url.trim_end_matches('/'));
    let sealed: Sealed = daemon.client.pinned(agent.pin).with_max_answer(MAX_STATUS_BYTES).get(&url).await?;
    let answer: LeaseStatusAnswer = sealed.open(LEASE_STATUS_DOMAIN, &agent.operator)?;
    anyhow::ensure!(answer.lease == lease.to_bytes(), "the answer is about another lease");
    anyhow::ensure!(answer.nonce == nonce, "the answer is to another question");
    Ok(Sighting::of(&answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::lease::Ending;
    use millrace_core::leaves::LeaseStatus;

    fn watch(is_ended: bool) -> LeaseWatch {
        let ended = Ending { status: LeaseStatus::Completed, exit_code: 0, result_root: [1; 32], decided_at: 5 };
        LeaseWatch::begin(LeaseTally { ending: is_ended.then_some(ended), ..LeaseTally::default() }, 0, 0, 0)
    }

    fn numbers(mut leases: Vec<[u8; 32]>) -> Vec<u8> {
        leases.sort_unstable();
        leases.iter().map(|lease| lease[0]).collect()
    }

    #[test]
    fn what_is_new_or_ended_is_written_at_once_and_the_rest_in_turn() {
        let mut book: LeaseBook = (1..=5).map(|number| ([number; 32], watch(false))).collect();
        let mut saved = Saved::default();
        let mut next = |book: &LeaseBook| {
            let (now, gone) = saved.next(book, |lease| *lease == [9; 32], 2);
            (numbers(now), numbers(gone))
        };
        assert_eq!(next(&book), (vec![1, 2, 3, 4, 5], vec![]));
        assert_eq!(next(&book), (vec![1, 2], vec![]));
        assert_eq!(next(&book), (vec![3, 4], vec![]));
        assert_eq!(next(&book), (vec![1, 5], vec![]), "around the circle");
        book.insert([4; 32], watch(true));
        book.insert([6; 32], watch(false));
        book.remove(&[1; 32]);
        assert_eq!(next(&book), (vec![2, 3, 4, 6], vec![1]));
        assert_eq!(next(&book), (vec![4, 5], vec![]));
    }

    #[test]
    fn a_lease_the_last_process_left_stays_until_nobody_needs_it() {
        let mut saved = Saved::of([([9; 32], false), ([8; 32], true)]);
        let book = LeaseBook::from([([8; 32], watch(true))]);
        assert_eq!(saved.next(&book, |_| true, 5), (vec![[8; 32]], vec![]));
        assert_eq!(saved.next(&book, |_| false, 5), (vec![[8; 32]], vec![[9; 32]]));
    }
}
