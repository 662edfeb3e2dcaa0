//! What the oracle keeps in memory between two looks: leases under watch, audits under way, the ballot of an epoch.
//! Everything is bounded, and everything that matters is in the journal first.

mod audits;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use millrace::state::Lease;
use millrace_agreement::{Findings, LeafSet, LeaseView, OracleView, Tally};
use millrace_client::Pubkey;
use millrace_core::leaves::{LeaseLeaf, NodeLeaf};

pub use audits::{AuditBook, AuditEntry, NodeShares};

use crate::decide::lease::LeaseWatch;

/// Epochs a leaf others contradicted is left out of this oracle's own reports, so that one dispute does not stop all.
pub const DISPUTE_EPOCHS: u64 = 3;

/// Most keys in dispute remembered.
const MAX_DISPUTES: usize = 4_096;

/// Leases under watch, by account.
pub type LeaseBook = HashMap<[u8; 32], LeaseWatch>;

/// One epoch's report as this oracle would make it, fixed when the epoch ended.
#[derive(Clone, Debug)]
pub struct Ballot {
    /// Instant the epoch ended: the date of every leaf.
    pub at: i64,
    /// This oracle's own report.
    pub own: LeafSet,
    /// Leaves of every lease watched when the epoch ended.
    pub boundary: HashMap<[u8; 32], LeaseLeaf>,
    /// What was known of each seat when the epoch ended, by oracle account.
    pub oracles: HashMap<[u8; 32], OracleView>,
}

/// The ballots of the last epochs, and what is in dispute.
#[derive(Debug, Default)]
pub struct Ballots {
    /// By epoch; the last two.
    pub by_epoch: BTreeMap<u64, Arc<Ballot>>,
    /// Accounts over which the proposal of a seat was last refused, by epoch and seat. What is still refused when the next epoch
    /// is over is in dispute; until then this oracle may yet see what the other saw.
    pub refused: BTreeMap<(u64, u8), Vec<[u8; 32]>>,
    /// Accounts left out of own reports, until which epoch.
    pub disputes: HashMap<[u8; 32], u64>,
    /// The last accepted leaf of each live lease, for a watch that begins after the report was read.
    pub accepted: HashMap<[u8; 32], LeaseLeaf>,
    /// Openings counted, by oracle account.
    pub tallies: HashMap<[u8; 32], Tally>,
    /// Last epoch whose openings were judged; `None` before the first look.
    pub counted: Option<u64>,
}

impl Ballots {
    /// Ends the vote on every epoch before `epoch`: what was refused until then is in dispute.
    pub fn close_before(&mut self, epoch: u64) {
        let open = self.refused.split_off(&(epoch, 0));
        let closed = std::mem::replace(&mut self.refused, open);
        for account in closed.into_values().flatten().take(MAX_DISPUTES.saturating_sub(self.disputes.len())) {
            self.disputes.insert(account, epoch.saturating_add(DISPUTE_EPOCHS));
        }
    }

    /// Adds the ballot of `epoch` and forgets older ones.
    pub fn add(&mut self, epoch: u64, ballot: Ballot) {
        self.by_epoch.insert(epoch, Arc::new(ballot));
        while self.by_epoch.len() > 2 {
            self.by_epoch.pop_first();
        }
        self.disputes.retain(|_, until| *until > epoch);
    }

    /// Whether `account` is left out of the report of `epoch`.
    pub fn is_disputed(&self, account: &[u8; 32], epoch: u64) -> bool {
        self.disputes.get(account).is_some_and(|until| epoch < *until)
    }
}

/// This oracle's report of an epoch that ended `at`: a leaf of each lease that has not ended on chain, and of each node
/// the oldest finding no accepted report has. `live` are the leases that have not ended and began before `at`.
pub fn own_report(
    epoch: u64,
    at: i64,
    live: &[[u8; 32]],
    leases: &LeaseBook,
    audits: &AuditBook,
    ballots: &Ballots,
) -> LeafSet {
    let is_wanted = |account: &[u8; 32]| !ballots.is_disputed(account, epoch);
    let watched = live.iter().filter(|lease| is_wanted(lease)).filter_map(|lease| Some((lease, leases.get(lease)?)));
    let lease_leaves = watched.map(|(lease, watch)| watch.leaf(*lease, at)).collect();

    let found = audits.findings().into_iter().filter(|((node, _), _, is_reported)| !is_reported && is_wanted(node));
    let node_leaves = found.map(|((node, audit_epoch), finding, _)| NodeLeaf {
        node,
        audit_epoch,
        super_root: finding.super_root,
        verdict: finding.verdict,
        gops: finding.gops,
        vram_mib: finding.vram_mib,
        bandwidth_mbps: finding.bandwidth_mbps,
        at,
    });
    // Sorted by audit and stable: of two findings of one node the older stays.
    LeafSet::new(epoch, lease_leaves, node_leaves.collect())
}

/// Fixes what this oracle saw of an epoch that ended `at`: its report, with the leaves of the seats in `oracles`.
pub fn ballot(
    epoch: u64,
    at: i64,
    live: &[[u8; 32]],
    leases: &LeaseBook,
    audits: &AuditBook,
    ballots: &Ballots,
    oracles: HashMap<[u8; 32], OracleView>,
) -> Ballot {
    let seats = oracles.iter().filter(|(oracle, _)| !ballots.is_disputed(oracle, epoch));
    let seat_leaves = seats.map(|(oracle, seen)| seen.leaf(*oracle, at)).collect();
    let own = own_report(epoch, at, live, leases, audits, ballots).with_oracles(seat_leaves);
    let boundary = leases.iter().map(|(lease, watch)| (*lease, watch.leaf(*lease, at))).collect();
    Ballot { at, own, boundary, oracles }
}

/// Time after its award from which a lease is reported, seconds.
const NOTICED_AFTER_SECS: i64 = 2;

/// Of `leases` on chain those that began before `at`, and long enough for every oracle to have noticed.
pub fn live_before(leases: &[(Pubkey, Lease)], at: i64) -> Vec<[u8; 32]> {
    let noticed_at = at.saturating_sub(NOTICED_AFTER_SECS);
    leases.iter().filter(|(_, lease)| lease.started_at <= noticed_at).map(|(key, _)| key.to_bytes()).collect()
}

/// All this oracle knows, to compare another's report of the epoch of `ballot` with.
pub fn findings(ballot: &Ballot, leases: &LeaseBook, audits: &AuditBook) -> Findings {
    let view = |(lease, watch): (&[u8; 32], &LeaseWatch)| {
        let tally = watch.tally();
        let view = LeaseView {
            boundary: ballot.boundary.get(lease).copied(),
            now: watch.leaf(*lease, ballot.at),
            decided_at: tally.ending.map(|ending| ending.decided_at),
            blind_secs: tally.blind_millis.div_ceil(1_000),
            accepted_secs: tally.accepted_secs,
        };
        (*lease, view)
    };
    let nodes = audits.findings().into_iter().map(|(key, finding, _)| (key, finding));
    Findings { leases: leases.iter().map(view).collect(), nodes: nodes.collect(), oracles: ballot.oracles.clone() }
}

#[cfg(test)]
mod tests {
    use super::audits::tests::{book, entry, PASSED};
    use super::*;
    use crate::decide::lease::LeaseTally;
    use crate::decide::AuditState;
    use millrace_agreement::check;
    use millrace_core::leaves::Verdict;

    fn watch(live_secs: u64) -> LeaseWatch {
        LeaseWatch::begin(LeaseTally { live_millis: live_secs * 1_000, ..LeaseTally::default() }, 0, 0, 0)
    }

    fn ballot() -> Ballot {
        Ballot { at: 0, own: LeafSet::new(0, vec![], vec![]), boundary: HashMap::new(), oracles: HashMap::new() }
    }

    fn report(leases: &LeaseBook, audits: &AuditBook, ballots: &Ballots) -> LeafSet {
        own_report(9, 1_000, &[[1; 32], [2; 32]], leases, audits, ballots)
    }

    #[test]
    fn a_report_has_every_live_lease_that_is_watched_and_every_new_finding() {
        let leases = LeaseBook::from([([1; 32], watch(5)), ([3; 32], watch(6))]);
        let audits = book([entry(7, 8, PASSED), entry(8, 8, AuditState::Pending)]);
        let set = report(&leases, &audits, &Ballots::default());
        assert_eq!(set.leases().iter().map(|leaf| leaf.lease[0]).collect::<Vec<_>>(), [1]);
        assert_eq!(set.nodes().iter().map(|leaf| leaf.node[0]).collect::<Vec<_>>(), [7]);
        assert!(set.leases().iter().all(|leaf| leaf.at == 1_000));
    }

    #[test]
    fn a_finding_is_repeated_until_a_report_with_it_is_accepted_the_oldest_first() {
        let mut audits = book([entry(7, 8, PASSED), entry(7, 6, AuditState::Withheld)]);
        let set = report(&LeaseBook::new(), &audits, &Ballots::default());
        assert_eq!(set.nodes().len(), 1);
        assert_eq!((set.nodes()[0].audit_epoch, set.nodes()[0].verdict), (6, Verdict::Withheld));
        audits.mark_reported(set.nodes());
        let next = report(&LeaseBook::new(), &audits, &Ballots::default());
        assert_eq!((next.nodes()[0].audit_epoch, next.nodes()[0].verdict), (8, Verdict::Passed));
        audits.mark_reported(next.nodes());
        assert!(report(&LeaseBook::new(), &audits, &Ballots::default()).is_empty());
    }

    #[test]
    fn what_stays_in_dispute_is_left_out_for_some_epochs() {
        let leases = LeaseBook::from([([1; 32], watch(5)), ([2; 32], watch(6))]);
        let mut ballots = Ballots::default();
        ballots.add(8, ballot());
        ballots.refused.insert((8, 2), vec![[1; 32]]);
        ballots.refused.insert((9, 2), vec![[2; 32]]);
        assert!(!ballots.is_disputed(&[1; 32], 8), "the vote is open");
        ballots.close_before(9);
        assert_eq!(report(&leases, &AuditBook::default(), &ballots).leases().len(), 1);
        assert_eq!(ballots.refused.len(), 1, "the vote on the next is open");
        assert!(ballots.is_disputed(&[1; 32], 11) && !ballots.is_disputed(&[1; 32], 12));
    }

    #[test]
    fn two_oracles_with_like_observations_agree_and_one_that_missed_the_audit_does_not() {
        let leases = LeaseBook::from([([1; 32], watch(5)), ([2; 32], watch(6))]);
        let other_leases = LeaseBook::from([([1; 32], watch(7)), ([2; 32], watch(4))]);
        let audits = book([entry(7, 8, PASSED)]);
        let ballots = Ballots::default();
        let proposal = report(&leases, &audits, &ballots);
        let ballot = Ballot {
            at: 1_000,
            own: report(&other_leases, &audits, &ballots),
            boundary: other_leases.iter().map(|(lease, watch)| (*lease, watch.leaf(*lease, 1_000))).collect(),
            oracles: HashMap::new(),
        };
        assert_eq!(check::check(&proposal, 9, 1_000, &findings(&ballot, &other_leases, &audits)), Ok(()));
        let blind = findings(&ballot, &other_leases, &AuditBook::default());
        assert!(check::check(&proposal, 9, 1_000, &blind).is_err());
    }

    #[test]
    fn old_ballots_are_forgotten() {
        let mut ballots = Ballots::default();
        for epoch in 0..5 {
            ballots.add(epoch, ballot());
        }
        assert_eq!(ballots.by_epoch.keys().copied().collect::<Vec<_>>(), [3, 4]);
    }
}
