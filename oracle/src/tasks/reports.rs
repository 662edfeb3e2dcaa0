//! Makes, compares and signs one report an epoch.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use millrace::instructions::SignReportArgs;
use millrace::state::SeatRow;
use millrace_agreement::check;
use millrace_agreement::median::{median, MEDIAN_OF};
use millrace_agreement::opening::observation_hash;
use millrace_agreement::vote::{first_proposer, Terms};
use millrace_agreement::{Disagreement, LeafSet, Look, OracleView, Step, Vote};
use millrace_client::{ix, MillraceError};
use millrace_core::merkle::TreeNode;
use millrace_wire::messages::{BallotRequest, HexBytes, Report};
use millrace_wire::Sealed;
use tokio_util::sync::CancellationToken;

use crate::books::{ballot, findings, live_before, own_report, Ballot, Ballots};
use crate::daemon::{blocking, Daemon};
use crate::decide::report::{from_wire, open_ballot};
use crate::journal::Signing;
use crate::metrics::{self, SIGNATURES};
use crate::tasks::openings::tally_on_chain;
use crate::view::View;

/// Longest a peer may take to answer, without the time that reports take to arrive, and the least it is given.
const PEER_WITHIN: Duration = Duration::from_secs(5);
const PEER_AT_LEAST: Duration = Duration::from_millis(100);

/// Seats asked for one root's leaves at once: they may be many, and one answer is enough.
const ASKED_AT_ONCE: usize = 2;

/// Longest a proposer waits for what the others saw, without the time that takes to arrive, and the time before it asks again
/// who had nothing yet.
const GATHER_WITHIN: Duration = Duration::from_secs(2);
const GATHER_AGAIN: Duration = Duration::from_millis(50);

/// Most disagreements with one proposal that are logged.
const MAX_LOGGED: usize = 16;

/// Reports until stopped.
///
/// # Errors
/// When the journal cannot be written or read.
pub async fn run(daemon: Arc<Daemon>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut reporter = Reporter { daemon, sent_epoch: None };
    let mut views = reporter.daemon.view.subscribe();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = views.changed() => if changed.is_err() { return Ok(()) },
        }
        let Some(view) = reporter.daemon.fresh() else { continue };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            outcome = reporter.turn(&view) => outcome?,
        }
    }
}

struct Reporter {
    daemon: Arc<Daemon>,
    /// Epoch whose signature landed, while the view may not show it yet.
    sent_epoch: Option<u64>,
}

impl Reporter {
    async fn turn(&mut self, view: &View) -> anyhow::Result<()> {
        let Some(epoch) = view.epoch.checked_sub(1) else { return Ok(()) };
        self.make_ballot(epoch, view);
        let Some(seat) = view.seat_of(&self.daemon.me) else { return Ok(()) };
        let Some(first) = first_proposer(epoch, view.beacon(epoch).as_ref(), view.seat_count()) else { return Ok(()) };
        let look = look(epoch, view);
        if self.sent_epoch == Some(epoch) || look.signed.get(usize::from(seat)).is_some_and(Option::is_some) {
            return Ok(());
        }
        let journal = self.daemon.journal.clone();
        let written = blocking(move || journal.signed(epoch)).await??;
        let terms = Terms {
            seat,
            weights: view.seats.iter().map(|seat| seat.weight).collect(),
            first,
            fallback_millis: self.daemon.millis_of_epoch(self.daemon.settings.timing.fallback, view),
            was_up: self.daemon.up_since_epoch.get().is_some_and(|since| *since <= epoch),
        };
        let mut vote = Vote::new(terms.clone(), written);
        if let Step::Ask { roots, is_due } = vote.step(&look) {
            let Some(ballot) = self.daemon.ballots().by_epoch.get(&epoch).cloned() else { return Ok(()) };
            let chosen = match self.choose(&vote, &terms, &roots, &ballot, view).await {
                Some(chosen) => Some(chosen),
                None if is_due => self.propose(&terms, &ballot, view).await,
                None => None,
            };
            let Some((proposer, set)) = chosen else { return Ok(()) };
            metrics::chosen(proposer, seat, first, view.seat_count());
            match self.write_down(set, proposer).await? {
                Some(set) => vote.keep(set),
                None => return Ok(()),
            }
        }
        match vote.step(&look) {
            Step::Sign(set) => self.send(&set, view).await,
            _ => Ok(()),
        }
    }

    /// Fixes what this oracle saw of the epoch that just ended.
    fn make_ballot(&self, epoch: u64, view: &View) {
        let (leases, audits, mut ballots) = (self.daemon.leases(), self.daemon.audits(), self.daemon.ballots());
        if ballots.by_epoch.contains_key(&epoch) {
            return;
        }
        ballots.close_before(epoch);
        let Some(at) = view.ends_at(epoch) else { return };
        let oracles = seats_seen(view, &ballots);
        let new = ballot(epoch, at, &live_before(&view.leases, at), &leases, &audits, &ballots, oracles);
        tracing::debug!(epoch, leases = new.own.leases().len(), nodes = new.own.nodes().len(), "epoch ended");
        metrics::ballot(&new.own);
        ballots.add(epoch, new);
    }

    /// The report of another seat to sign, and that seat; `None` while there is none.
    async fn choose(
        &self,
        vote: &Vote<LeafSet>,
        terms: &Terms,
        roots: &[(u8, TreeNode)],
        ballot: &Ballot,
        view: &View,
    ) -> Option<(u8, LeafSet)> {
        let epoch = ballot.own.epoch();
        let most = Duration::from_millis(terms.fallback_millis / 2);
        let within = PEER_WITHIN.saturating_add(self.daemon.report_time(view) * ASKED_AT_ONCE as u32);
        let within = within.min(most).max(PEER_AT_LEAST);
        let mut tried = HashSet::new();
        for (_, root) in roots.iter().filter(|(_, root)| tried.insert(*root)) {
            let holders: Vec<u8> = roots.iter().filter(|(_, other)| other == root).map(|(seat, _)| *seat).collect();
            for few in holders.chunks(ASKED_AT_ONCE) {
                let answers = self.ask_reports(view, few, &format!("/v1/proposals/{epoch}"), within).await;
                let asked: Vec<(u8, TreeNode)> = few.iter().map(|seat| (*seat, *root)).collect();
                let Some((proposer, set)) = vote.choose(&asked, |seat| answers.get(&seat), |_, _| true) else {
                    continue;
                };
                if self.agrees(set, proposer, terms, ballot, view, within).await {
                    return Some((proposer, set.clone()));
                }
                // Whoever else has this root has the same leaves.
                break;
            }
        }
        None
    }

    /// This seat's own proposal: the median of what it and some others saw, as far as it can stand for it.
    async fn propose(&self, terms: &Terms, ballot: &Ballot, view: &View) -> Option<(u8, LeafSet)> {
        let epoch = ballot.own.epoch();
        let most = Duration::from_millis(terms.fallback_millis / 4);
        let within = GATHER_WITHIN.saturating_add(self.daemon.report_time(view) * MEDIAN_OF as u32).min(most);
        let deadline = Instant::now() + within;
        let seats = view.seat_count();
        let mut missing: Vec<u8> =
            (1..seats).map(|places| seat_after(terms.seat, places, seats)).take(MEDIAN_OF.saturating_sub(1)).collect();
        let mut seen = BTreeMap::new();
        // Some see the end of the epoch a moment later.
        while !missing.is_empty() && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            seen.extend(self.ask_ballots(view, &missing, epoch, None, left).await);
            missing.retain(|seat| !seen.contains_key(seat));
            tokio::time::sleep(GATHER_AGAIN.min(left)).await;
        }
        let mut all: Vec<(u64, &LeafSet)> = seen.iter().map(|(seat, set)| (terms.weight(*seat), set)).collect();
        all.push((terms.weight(terms.seat), &ballot.own));
        let found = median(epoch, ballot.at, &all);
        let set = {
            let (leases, audits) = (self.daemon.leases(), self.daemon.audits());
            check::retain(&found, ballot.at, &findings(ballot, &leases, &audits))
        };
        tracing::debug!(epoch, seen = all.len(), leaves = set.len(), "proposing");
        (!set.is_empty()).then_some((terms.seat, set))
    }

    async fn ask_reports(&self, view: &View, seats: &[u8], path: &str, within: Duration) -> BTreeMap<u8, LeafSet> {
        let answers = self.daemon.ask_seats::<Report>(view, seats, path, within).join_all().await;
        answers.into_iter().flatten().filter_map(|(seat, report)| Some((seat, from_wire(&report).ok()?))).collect()
    }

    /// What these seats saw of an epoch, sealed by each; of these accounts only, where given.
    async fn ask_ballots(
        &self,
        view: &View,
        seats: &[u8],
        epoch: u64,
        accounts: Option<Vec<[u8; 32]>>,
        within: Duration,
    ) -> BTreeMap<u8, LeafSet> {
        let path = format!("/v1/ballots/{epoch}");
        let hex = |account: [u8; 32]| HexBytes(account.to_vec());
        let asked = BallotRequest { accounts: accounts.map(|accounts| accounts.into_iter().map(hex).collect()) };
        let mut answers = self.daemon.tell_seats::<_, Sealed>(view, seats, &path, &asked, within);
        let mut ballots = BTreeMap::new();
        // Each is read as it comes: together they are long.
        while let Some(answer) = answers.join_next().await {
            let Some((seat, sealed)) = answer.ok().flatten() else { continue };
            let Some(authority) = view.seats.get(usize::from(seat)).map(|seat| seat.authority.to_bytes()) else {
                continue;
            };
            let ballot = blocking(move || open_ballot(&sealed, &authority, epoch)).await.ok().flatten();
            ballots.extend(ballot.map(|set| (seat, set)));
        }
        ballots
    }

    /// Whether a proposal may be signed: it fits what this oracle saw, or most of the others saw what does not.
    async fn agrees(
        &self,
        set: &LeafSet,
        proposer: u8,
        terms: &Terms,
        ballot: &Ballot,
        view: &View,
        within: Duration,
    ) -> bool {
        let (epoch, at) = (ballot.own.epoch(), ballot.at);
        let own = findings(ballot, &self.daemon.leases(), &self.daemon.audits());
        let mut differences = match check::check(set, epoch, at, &own) {
            Ok(()) => Vec::new(),
            Err(differences) => differences,
        };
        if !differences.is_empty() && differences.len() < check::MAX_LISTED {
            let accounts: Vec<[u8; 32]> = differences.iter().filter_map(Disagreement::key).collect();
            let others = self.daemon.other_seats(view);
            let ballots = self.ask_ballots(view, &others, epoch, Some(accounts), within).await;
            let ballots: Vec<(u64, &LeafSet)> = ballots.iter().map(|(seat, set)| (terms.weight(*seat), set)).collect();
            let total = terms.weights.iter().map(|weight| u128::from(*weight)).sum();
            let backed = check::backed(set, at, &own, &ballots, terms.weight(terms.seat), total);
            differences.retain(|difference| !difference.key().is_some_and(|account| backed.contains(&account)));
        }
        let mut ballots = self.daemon.ballots();
        if differences.is_empty() {
            ballots.refused.remove(&(epoch, proposer));
            return true;
        }
        let accounts = differences.iter().filter_map(Disagreement::key).collect();
        // Logged once, and asked again at the next look.
        let is_news = ballots.refused.insert((epoch, proposer), accounts).is_none();
        if is_news {
            for difference in differences.iter().take(MAX_LOGGED) {
                metrics::disagreed(difference);
                tracing::warn!(epoch, proposer, "the proposal is not signed: {difference}");
            }
        }
        false
    }

    /// Writes the choice down before it is signed.
    async fn write_down(&self, set: LeafSet, proposer: u8) -> anyhow::Result<Option<LeafSet>> {
        let (journal, epoch) = (self.daemon.journal.clone(), set.epoch());
        let (outcome, set) = blocking(move || (journal.sign_once(&set), set)).await?;
        match outcome? {
            Signing::Sign => {
                tracing::info!(
                    epoch,
                    proposer,
                    leases = set.leases().len(),
                    nodes = set.nodes().len(),
                    "report chosen"
                );
                Ok(Some(set))
            }
            Signing::Taken(root) => {
                tracing::warn!(epoch, root = hex::encode(root), "another report was chosen before: nothing is signed");
                Ok(None)
            }
        }
    }

    /// Signs on chain what is written down.
    async fn send(&mut self, set: &LeafSet, view: &View) -> anyhow::Result<()> {
        let next_observation_hash = self.commit_observations(view).await?;
        let epoch = set.epoch();
        let args = SignReportArgs { epoch, root: set.root(), leaves: set.len(), next_observation_hash };
        let instruction = ix::sign_report(&self.daemon.me, args);
        let label = format!("sign report {epoch}");
        let sent =
            self.daemon.outbox.submit(self.daemon.chain.as_ref(), &label, &[instruction], &self.daemon.key, &[]).await;
        match sent {
            Ok(signature) => {
                tracing::info!(epoch, root = hex::encode(set.root()), %signature, "report signed");
                SIGNATURES.inc(&["landed"]);
                self.sent_epoch = Some(epoch);
            }
            Err(error) if error.is(MillraceError::AlreadySigned) => {
                SIGNATURES.inc(&["already"]);
                self.sent_epoch = Some(epoch);
            }
            Err(error) if error.is(MillraceError::WrongEpoch) => {
                tracing::warn!(epoch, "too late to sign: {error}");
                SIGNATURES.inc(&["too_late"]);
                self.sent_epoch = Some(epoch);
            }
            Err(error) => {
                tracing::warn!(epoch, "the signature did not land, trying again: {error}");
                SIGNATURES.inc(&["failed"]);
            }
        }
        Ok(())
    }

    /// Commits to what was seen of the current epoch before its proposals are known: once an epoch, salted so that the
    /// hash gives nothing away.
    async fn commit_observations(&self, view: &View) -> anyhow::Result<[u8; 32]> {
        let seen = {
            let (leases, audits, ballots) = (self.daemon.leases(), self.daemon.audits(), self.daemon.ballots());
            let at = view.ends_at(view.epoch).context("the epoch has no end")?;
            own_report(view.epoch, at, &live_before(&view.leases, at), &leases, &audits, &ballots)
        };
        let journal = self.daemon.journal.clone();
        let (salt, seen) = blocking(move || journal.observe_once(&seen, rand::random())).await??;
        Ok(observation_hash(&millrace_client::pda::oracle(&self.daemon.me).to_bytes(), &seen, &salt))
    }
}

/// What is known of each seat now, by oracle account.
fn seats_seen(view: &View, ballots: &Ballots) -> HashMap<[u8; 32], OracleView> {
    let held = view.seats.iter().filter_map(|seat| Some((seat, seat.oracle.as_ref()?)));
    let seen = held.map(|(seat, oracle)| {
        let address = seat.address();
        let tally = ballots.tallies.get(&address).copied().unwrap_or_else(|| tally_on_chain(seat));
        (address, OracleView { signed: oracle.signed, tally })
    });
    seen.collect()
}

/// What each seat signed for `epoch`, and how long that has been over.
fn look(epoch: u64, view: &View) -> Look<TreeNode> {
    let rows = view.reports.rows.get((epoch % 2) as usize).map_or(&[][..], |rows| &rows[..]);
    let root = |row: &SeatRow| (row.epoch == epoch && row.leaves > 0).then_some(row.root);
    Look {
        elapsed_millis: u64::try_from(view.since_epoch().as_millis()).unwrap_or(u64::MAX),
        signed: rows.iter().take(view.seats.len()).map(root).collect(),
    }
}

/// The seat so many places after `seat`, around the circle.
fn seat_after(seat: u8, places: u8, seats: u8) -> u8 {
    let place = u16::from(seat).saturating_add(u16::from(places)).checked_rem(u16::from(seats)).unwrap_or(0);
    u8::try_from(place).unwrap_or(0)
}
