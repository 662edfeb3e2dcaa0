//! Keeps the leaves of every accepted root, so that anyone may prove one; takes over what the quorum accepted.
//!
//! Apart from the task that signs: peers that do not answer must not hold that up.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace::constants::REPORT_RING;
use millrace::state::AcceptedRoot;
use millrace_agreement::LeafSet;
use millrace_core::merkle::TreeNode;
use millrace_wire::messages::Report;
use tokio_util::sync::CancellationToken;

use crate::daemon::{blocking, Daemon};
use crate::decide::report::from_wire;
use crate::view::View;

/// Longest a peer may take to begin its answer, and time before all are asked again.
const ASK_WITHIN: Duration = Duration::from_secs(2);

/// Oracles asked for one report at once: it may be large, and one is enough.
const ASKED_AT_ONCE: usize = 2;

/// Keeps until stopped.
///
/// # Errors
/// When the journal cannot be written or read.
pub async fn run(daemon: Arc<Daemon>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut archive = Archive { daemon, known: BTreeMap::new() };
    let mut views = archive.daemon.view.subscribe();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = views.changed() => if changed.is_err() { return Ok(()) },
        }
        let Some(view) = archive.daemon.fresh() else { continue };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            outcome = archive.keep_all(&view) => outcome?,
        }
    }
}

/// Whether the leaves of an accepted root are kept, or when to look for them again.
enum Leaves {
    Kept,
    Missing { next_try: Instant },
}

struct Archive {
    daemon: Arc<Daemon>,
    /// By epoch.
    known: BTreeMap<u64, Leaves>,
}

impl Archive {
    async fn keep_all(&mut self, view: &View) -> anyhow::Result<()> {
        let oldest = view.epoch.saturating_sub(REPORT_RING as u64);
        self.known.retain(|epoch, _| *epoch >= oldest);
        let live: HashSet<[u8; 32]> = view.leases.iter().map(|(key, _)| key.to_bytes()).collect();
        self.daemon.ballots().accepted.retain(|lease, _| live.contains(lease));

        // The newest first: it is what providers wait for.
        for epoch in (oldest..=view.epoch).rev() {
            let Some(accepted) = view.reports.accepted(epoch) else { continue };
            let is_wanted = match self.known.get(&epoch) {
                Some(Leaves::Kept) => false,
                Some(Leaves::Missing { next_try }) => Instant::now() >= *next_try,
                None => true,
            };
            if !is_wanted {
                continue;
            }
            let is_kept = self.keep(accepted, view).await?;
            let outcome =
                if is_kept { Leaves::Kept } else { Leaves::Missing { next_try: Instant::now() + ASK_WITHIN } };
            self.known.insert(epoch, outcome);
        }
        Ok(())
    }

    /// Finds the leaves of a root: in the journal, among own reports, or a peer's that give the same root.
    async fn keep(&self, accepted: &AcceptedRoot, view: &View) -> anyhow::Result<bool> {
        let AcceptedRoot { epoch, root, .. } = *accepted;
        let is_it = |set: &LeafSet| set.epoch() == epoch && set.root() == root;
        let journal = self.daemon.journal.clone();
        let (kept, signed) = blocking(move || (journal.accepted(epoch), journal.signed(epoch))).await?;
        if let Some(set) = kept?.filter(is_it) {
            self.take_over(&set);
            return Ok(true);
        }
        let own =
            || self.daemon.ballots().by_epoch.get(&epoch).cloned().filter(|it| is_it(&it.own)).map(|it| it.own.clone());
        let found = match signed?.filter(is_it).or_else(own) {
            Some(set) => Some(set),
            None => self.ask_peers(epoch, root, view).await,
        };
        let Some(set) = found else { return Ok(false) };
        let journal = self.daemon.journal.clone();
        let (written, set) = blocking(move || (journal.accept(&set), set)).await?;
        written?;
        self.take_over(&set);
        tracing::info!(epoch, leaves = set.len(), signers = accepted.signers.count_ones(), "report accepted");
        Ok(true)
    }

    /// Asks the other oracles, a few at once. What gives the root is right, whoever sent it.
    async fn ask_peers(&self, epoch: u64, root: TreeNode, view: &View) -> Option<LeafSet> {
        let seats = self.daemon.other_seats(view);
        let within = ASK_WITHIN + self.daemon.report_time(view) * ASKED_AT_ONCE as u32;
        for kind in ["reports", "proposals"] {
            let path = format!("/v1/{kind}/{epoch}");
            for few in seats.chunks(ASKED_AT_ONCE) {
                let mut asked = self.daemon.ask_seats::<Report>(view, few, &path, within);
                while let Some(answer) = asked.join_next().await {
                    let set = answer.ok().flatten().and_then(|(_, report)| from_wire(&report).ok());
                    let found = set.filter(|set| set.epoch() == epoch && set.root() == root);
                    if found.is_some() {
                        return found;
                    }
                }
            }
        }
        None
    }

    /// Takes over what the quorum accepted.
    fn take_over(&self, set: &LeafSet) {
        let (mut leases, mut audits, mut ballots) = (self.daemon.leases(), self.daemon.audits(), self.daemon.ballots());
        for leaf in set.leases() {
            if let Some(watch) = leases.get_mut(&leaf.lease) {
                watch.accept(leaf);
            }
            let last = ballots.accepted.entry(leaf.lease).or_insert(*leaf);
            if leaf.at > last.at {
                *last = *leaf;
            }
        }
        for leaf in set.oracles() {
            let own = ballots.by_epoch.get(&set.epoch()).and_then(|ballot| ballot.oracles.get(&leaf.oracle)).copied();
            if let Some(tally) = ballots.tallies.get_mut(&leaf.oracle) {
                tally.take_over(leaf.opened, own);
            }
        }
        audits.mark_reported(set.nodes());
    }
}
