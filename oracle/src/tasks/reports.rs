//! Makes, compares and signs one report an epoch.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use millrace::instructions::SignReportArgs;
use millrace::state::SeatRow;
use millrace_client::{ix, MillraceError};
use millrace_core::merkle::TreeNode;
use millrace_wire::messages::Report;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::books::{findings, own_report, Ballot, Ballots};
use crate::daemon::{blocking, Daemon};
use crate::decide::agree;
use crate::decide::opening::observation_hash;
use crate::decide::turn::{first_proposer, Vote};
use crate::decide::{LeafSet, OracleView};
use crate::journal::Signing;
use crate::metrics::{self, SIGNATURES};
use crate::tasks::openings::tally_on_chain;
use crate::view::View;

/// Longest a peer may take to answer.
const PEER_WITHIN: Duration = Duration::from_secs(5);

/// Time after its award from which a lease is reported, seconds.
const NOTICED_AFTER_SECS: i64 = 2;

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
        let journal = self.daemon.journal.clone();
        let set = match blocking(move || journal.signed(epoch)).await?? {
            Some(set) => Some(set),
            None => self.choose(epoch, seat, view).await?,
        };
        match set {
            Some(set) if !self.is_on_chain(&set, seat, view) => self.send(&set, view).await,
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
        let live = live_before(view, at);
        let oracles = seats_seen(view, &ballots);
        let seat_leaves = oracles.iter().filter(|(oracle, _)| !ballots.is_disputed(oracle, epoch));
        let seat_leaves = seat_leaves.map(|(oracle, seen)| seen.leaf(*oracle, at)).collect();
        let own = own_report(epoch, at, &live, &leases, &audits, &ballots).with_oracles(seat_leaves);
        let boundary = leases.iter().map(|(lease, watch)| (*lease, watch.leaf(*lease, at))).collect();
        tracing::debug!(epoch, leases = own.leases().len(), nodes = own.nodes().len(), "epoch ended");
        metrics::ballot(&own);
        ballots.add(epoch, Ballot { at, own, boundary, oracles, refused: BTreeMap::new() });
    }

    /// The report to sign now, written down; `None` while there is none.
    async fn choose(&self, epoch: u64, seat: u8, view: &View) -> anyhow::Result<Option<LeafSet>> {
        let Some(ballot) = self.daemon.ballots().by_epoch.get(&epoch).cloned() else { return Ok(None) };
        let seats = u8::try_from(view.seats.len()).unwrap_or(u8::MAX);
        let Some(first) = first_proposer(epoch, view.beacon(epoch).as_ref(), seats) else { return Ok(None) };
        let vote = Vote {
            first,
            seats,
            elapsed_millis: u64::try_from(view.since_epoch().as_millis()).unwrap_or(u64::MAX),
            fallback_millis: self.daemon.millis_of_epoch(self.daemon.settings.timing.fallback, view),
            signed: signed_by_others(epoch, seat, view),
        };
        let candidates = vote.candidates();
        let within = Duration::from_millis(vote.fallback_millis / 2).clamp(Duration::from_millis(100), PEER_WITHIN);
        let mut proposals = self.ask_seats(epoch, &candidates, seat, view, within).await;
        for candidate in candidates {
            let set = if candidate == seat {
                if ballot.own.is_empty() {
                    continue;
                }
                ballot.own.clone()
            } else {
                let Some(set) = proposals.remove(&candidate) else { continue };
                if !self.agrees(&set, epoch, candidate, &ballot) {
                    continue;
                }
                set
            };
            metrics::chosen(candidate, seat, first, seats);
            return self.write_down(set, candidate).await;
        }
        Ok(None)
    }

    /// Asks all candidates at once: one that is down costs no more than its timeout.
    async fn ask_seats(
        &self,
        epoch: u64,
        candidates: &[u8],
        own_seat: u8,
        view: &View,
        within: Duration,
    ) -> BTreeMap<u8, LeafSet> {
        let mut asked = JoinSet::new();
        for seat in candidates.iter().copied().filter(|seat| *seat != own_seat) {
            let Some(url) = view.seats.get(usize::from(seat)).and_then(|seat| seat.endpoint.clone()) else { continue };
            let client = self.daemon.client.clone();
            asked.spawn(async move {
                let url = format!("{}/v1/proposals/{epoch}", url.trim_end_matches('/'));
                let answer = tokio::time::timeout(within, client.get::<Report>(&url)).await;
                match answer {
                    Ok(Ok(report)) => LeafSet::from_wire(&report).ok().map(|set| (seat, set)),
                    Ok(Err(error)) => {
                        tracing::debug!(epoch, seat, "no proposal: {error}");
                        None
                    }
                    Err(_) => None,
                }
            });
        }
        asked.join_all().await.into_iter().flatten().collect()
    }

    /// Whether a proposal fits what this oracle saw. What does not is logged once, and asked again at the next look.
    fn agrees(&self, set: &LeafSet, epoch: u64, candidate: u8, ballot: &Ballot) -> bool {
        let (leases, audits) = (self.daemon.leases(), self.daemon.audits());
        let outcome = agree::check(set, epoch, ballot.at, &findings(ballot, &leases, &audits));
        let mut ballots = self.daemon.ballots();
        let Some(stored) = ballots.by_epoch.get_mut(&epoch) else { return false };
        let Err(differences) = outcome else {
            stored.refused.remove(&candidate);
            return true;
        };
        let accounts = differences.iter().filter_map(agree::Disagreement::key).collect();
        let is_news = stored.refused.insert(candidate, accounts).is_none();
        if is_news && differences != [agree::Disagreement::Empty] {
            for difference in &differences {
                metrics::disagreed(difference);
                tracing::warn!(epoch, proposer = candidate, "the proposal is not signed: {difference}");
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

    fn is_on_chain(&self, set: &LeafSet, seat: u8, view: &View) -> bool {
        let row = row_of(view, set.epoch(), seat);
        self.sent_epoch == Some(set.epoch()) || row.is_some_and(|row| row.root == set.root())
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
            own_report(view.epoch, at, &live_before(view, at), &leases, &audits, &ballots)
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

/// Leases that began before `at`, and long enough for every oracle to have noticed.
fn live_before(view: &View, at: i64) -> Vec<[u8; 32]> {
    let noticed_at = at.saturating_sub(NOTICED_AFTER_SECS);
    let begun = view.leases.iter().filter(|(_, lease)| lease.started_at <= noticed_at);
    begun.map(|(key, _)| key.to_bytes()).collect()
}

fn row_of(view: &View, epoch: u64, seat: u8) -> Option<&SeatRow> {
    let rows = view.reports.rows.get((epoch % 2) as usize)?;
    rows.get(usize::from(seat)).filter(|row| row.epoch == epoch && row.leaves > 0)
}

fn signed_by_others(epoch: u64, own_seat: u8, view: &View) -> Vec<(u8, u64, TreeNode)> {
    let others = (0u8..).zip(&view.seats).filter(|(seat, _)| *seat != own_seat);
    others.filter_map(|(seat, held)| Some((seat, held.weight, row_of(view, epoch, seat)?.root))).collect()
}
