//! Opens what this oracle committed to, gathers what the others open, and counts.
//!
//! An epoch's openings are gathered during the next one, from whoever has them, and judged when that is over: all that were
//! passed on by then are known to all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_agreement::opening::{counts, observation_hash};
use millrace_agreement::Tally;
use millrace_client::Pubkey;
use millrace_wire::messages::Opening;
use tokio_util::sync::CancellationToken;

use crate::daemon::{blocking, Daemon};
use crate::decide::report::from_wire;
use crate::journal::{JournalError, StoredOpening, StoredTally};
use crate::settings::of_epoch;
use crate::view::{SeatView, View};

/// Longest a peer may take to begin its answer.
const ASK_WITHIN: Duration = Duration::from_secs(2);

/// Openings asked for at once: each is as large as a report.
const ASKED_AT_ONCE: usize = 4;

/// Part of an epoch between two rounds of questions, and the most one of them may take: signatures are noted in between.
const ASK_EVERY: f64 = 0.2;

/// Epochs after which an accepted report whose leaves nobody has is given up: its openings stay unknown.
pub const GIVE_UP_EPOCHS: u64 = 8;

/// Gathers and counts until stopped.
///
/// # Errors
/// When the journal cannot be written or read.
pub async fn run(daemon: Arc<Daemon>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut openings = Openings { daemon, noted: HashMap::new(), asked: None, rounds: 0, saved: None };
    let mut views = openings.daemon.view.subscribe();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = views.changed() => if changed.is_err() { return Ok(()) },
        }
        let Some(view) = openings.daemon.fresh() else { continue };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            outcome = openings.turn(&view) => outcome?,
        }
    }
}

struct Openings {
    daemon: Arc<Daemon>,
    /// Commitments written down: epoch and hash by oracle account.
    noted: HashMap<[u8; 32], (u64, [u8; 32])>,
    /// Epoch last asked about, and when.
    asked: Option<(u64, Instant)>,
    /// Rounds of questions about that epoch.
    rounds: usize,
    /// What was last written down of the counts.
    saved: Option<(Vec<StoredTally>, u64)>,
}

/// What the chain alone says of a seat: it cannot have opened more than it signed.
pub fn tally_on_chain(seat: &SeatView) -> Tally {
    let Some(oracle) = &seat.oracle else { return Tally::default() };
    Tally { opened: oracle.opened, unknown: oracle.signed.saturating_sub(oracle.opened) }
}

impl Openings {
    async fn turn(&mut self, view: &View) -> anyhow::Result<()> {
        self.note(view).await?;
        if let Some(epoch) = view.epoch.checked_sub(1) {
            self.gather(epoch, view).await?;
        }
        self.count(view).await?;
        self.save().await
    }

    /// Writes down what each seat committed to with its last signature.
    async fn note(&mut self, view: &View) -> anyhow::Result<()> {
        for seat in &view.seats {
            let Some(oracle) = seat.oracle.as_ref().filter(|oracle| oracle.signed > 0) else { continue };
            let commitment = (oracle.last_epoch.saturating_add(1), oracle.observation_hash);
            let address = seat.address();
            if self.noted.get(&address) == Some(&commitment) {
                continue;
            }
            let (journal, (epoch, hash)) = (self.daemon.journal.clone(), commitment);
            blocking(move || journal.note_commitment(epoch, &address, &hash)).await??;
            self.noted.insert(address, commitment);
        }
        Ok(())
    }

    /// Keeps the own opening of `epoch`, and asks for the others until all are there.
    async fn gather(&mut self, epoch: u64, view: &View) -> anyhow::Result<()> {
        let is_due = self
            .asked
            .is_none_or(|(asked, at)| asked != epoch || at.elapsed() >= of_epoch(ASK_EVERY, view.epoch_secs()));
        if !is_due {
            return Ok(());
        }
        let is_new = self.asked.is_none_or(|(asked, _)| asked != epoch);
        self.rounds = if is_new { 0 } else { self.rounds.saturating_add(1) };
        self.asked = Some((epoch, Instant::now()));
        let journal = self.daemon.journal.clone();
        let me = millrace_client::pda::oracle(&self.daemon.me).to_bytes();
        let (commitments, have, own) =
            blocking(move || (journal.commitments(epoch), journal.opened(epoch), journal.observed(epoch))).await?;
        let (commitments, have) = (commitments?, have?);
        let mut wanted: HashMap<[u8; 32], [u8; 32]> = commitments.into_iter().collect();
        have.iter().for_each(|oracle| {
            wanted.remove(oracle);
        });
        let own = own?.map(|(salt, seen)| StoredOpening { oracle: me, salt, seen });
        if let Some(own) = own.filter(|own| is_opened(own, &wanted)) {
            wanted.remove(&me);
            self.keep(own).await?;
        }
        self.ask_peers(epoch, wanted, view).await
    }

    async fn keep(&self, opening: StoredOpening) -> anyhow::Result<()> {
        let journal = self.daemon.journal.clone();
        Ok(blocking(move || journal.keep_opening(&opening)).await??)
    }

    /// Asks each oracle for its own opening, then the others for those still missing, each round another one first.
    async fn ask_peers(&self, epoch: u64, mut wanted: HashMap<[u8; 32], [u8; 32]>, view: &View) -> anyhow::Result<()> {
        let round_ends = Instant::now() + of_epoch(ASK_EVERY, view.epoch_secs());
        let most = ASK_WITHIN + self.daemon.report_time(view) * ASKED_AT_ONCE as u32;
        let seats = self.daemon.other_seats(view);
        let place_of = |oracle: &[u8; 32]| {
            let is_theirs = |seat: &&u8| view.seats.get(usize::from(**seat)).is_some_and(|it| it.address() == *oracle);
            seats.iter().position(|seat| is_theirs(&seat)).unwrap_or(0)
        };
        for places in self.rounds..self.rounds.saturating_add(seats.len()) {
            let missing: Vec<[u8; 32]> = wanted.keys().copied().collect();
            for few in missing.chunks(ASKED_AT_ONCE) {
                let within = most.min(round_ends.saturating_duration_since(Instant::now()));
                if within.is_zero() {
                    return Ok(());
                }
                let asked = few.iter().map(|oracle| {
                    let place = place_of(oracle).saturating_add(places).checked_rem(seats.len()).unwrap_or(0);
                    let path = format!("/v1/observations/{epoch}/{}", Pubkey::from(*oracle));
                    self.daemon.ask_seats::<Opening>(view, &seats[place..=place], &path, within)
                });
                for asked in asked.collect::<Vec<_>>() {
                    for (_, Opening { oracle, salt, seen }) in asked.join_all().await.into_iter().flatten() {
                        let Some(seen) = from_wire(&seen).ok().filter(|seen| seen.epoch() == epoch) else { continue };
                        let opening = StoredOpening { oracle, salt, seen };
                        if is_opened(&opening, &wanted) {
                            wanted.remove(&oracle);
                            self.keep(opening).await?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Judges every epoch whose time to open is over.
    async fn count(&self, view: &View) -> anyhow::Result<()> {
        let Some(last) = view.epoch.checked_sub(2) else { return Ok(()) };
        let from = {
            let mut ballots = self.daemon.ballots();
            for seat in view.seats.iter().filter(|seat| seat.oracle.is_some()) {
                ballots.tallies.entry(seat.address()).or_insert_with(|| tally_on_chain(seat));
            }
            *ballots.counted.get_or_insert(last)
        };
        // What is older than everything kept was missed as a whole.
        let oldest = last.saturating_sub(millrace::constants::REPORT_RING as u64);
        let skipped = oldest.saturating_sub(from);
        if skipped > 0 {
            self.finish(from.saturating_add(skipped), &Judgement::Missed(skipped));
        }
        for epoch in from.max(oldest).saturating_add(1)..=last {
            let Some(judgement) = self.judge(epoch, view).await? else { break };
            self.finish(epoch, &judgement);
        }
        Ok(())
    }

    /// Who opened `epoch` and is counted; `None` while the leaves of its report are looked for.
    async fn judge(&self, epoch: u64, view: &View) -> anyhow::Result<Option<Judgement>> {
        if view.reports.accepted(epoch).is_none() {
            // Nothing was reported, so nothing can be compared.
            return Ok(Some(Judgement::Opened(Vec::new())));
        }
        let journal = self.daemon.journal.clone();
        let before = epoch.saturating_sub(1);
        let read = move || {
            (journal.accepted(epoch), journal.accepted(before), journal.commitments(epoch), journal.opened(epoch))
        };
        let (accepted, earlier, commitments, opened) = blocking(read).await?;
        let Some(accepted) = accepted? else {
            let is_given_up = epoch.saturating_add(GIVE_UP_EPOCHS) <= view.epoch;
            return Ok(is_given_up.then_some(Judgement::Missed(1)));
        };
        // A quorum signed the report before, so there were commitments: this oracle was not looking.
        if commitments?.is_empty() && view.reports.accepted(before).is_some() {
            return Ok(Some(Judgement::Missed(1)));
        }
        let earlier = earlier?.filter(|set| set.epoch() == before);
        let epoch_secs = u64::try_from(view.epoch_secs()).unwrap_or(0);
        let (opened, journal) = (opened?, self.daemon.journal.clone());
        // One after the other: each is as large as a report.
        let judge = move || -> Result<Vec<[u8; 32]>, JournalError> {
            let mut counted = Vec::new();
            for oracle in opened {
                let opening = journal.opening(epoch, &oracle)?;
                if opening.is_some_and(|it| counts(&it.seen, &accepted, earlier.as_ref(), epoch_secs)) {
                    counted.push(oracle);
                } else {
                    let oracle = Pubkey::from(oracle);
                    tracing::debug!(epoch, %oracle, "what was opened does not fit the report and does not count");
                }
            }
            Ok(counted)
        };
        Ok(Some(Judgement::Opened(blocking(judge).await??)))
    }

    fn finish(&self, epoch: u64, judgement: &Judgement) {
        let mut ballots = self.daemon.ballots();
        ballots.counted = Some(epoch);
        match judgement {
            Judgement::Opened(oracles) => {
                for oracle in oracles {
                    let tally = ballots.tallies.entry(*oracle).or_default();
                    tally.opened = tally.opened.saturating_add(1);
                }
            }
            Judgement::Missed(epochs) => {
                for tally in ballots.tallies.values_mut() {
                    tally.unknown = tally.unknown.saturating_add(*epochs);
                }
            }
        }
    }

    /// Writes the counts down when they changed.
    async fn save(&mut self) -> anyhow::Result<()> {
        let (tallies, counted) = {
            let ballots = self.daemon.ballots();
            let Some(counted) = ballots.counted else { return Ok(()) };
            let stored = ballots.tallies.iter().map(|(oracle, tally)| StoredTally { oracle: *oracle, tally: *tally });
            let mut tallies: Vec<_> = stored.collect();
            tallies.sort_unstable_by_key(|stored| stored.oracle);
            (tallies, counted)
        };
        let now = (tallies, counted);
        if self.saved.as_ref() == Some(&now) {
            return Ok(());
        }
        let journal = self.daemon.journal.clone();
        let (written, now) = blocking(move || (journal.save_tallies(&now.0, now.1), now)).await?;
        written?;
        self.saved = Some(now);
        Ok(())
    }
}

enum Judgement {
    /// These oracle accounts opened it and are counted.
    Opened(Vec<[u8; 32]>),
    /// This oracle cannot tell for so many epochs.
    Missed(u64),
}

/// Whether an opening is of one of the commitments `wanted`, hash by oracle account.
fn is_opened(opening: &StoredOpening, wanted: &HashMap<[u8; 32], [u8; 32]>) -> bool {
    let hash = observation_hash(&opening.oracle, &opening.seen, &opening.salt);
    wanted.get(&opening.oracle) == Some(&hash)
}
