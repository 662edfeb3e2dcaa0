//! What the oracle keeps in memory between two looks: leases under watch, audits under way, the ballot of an epoch.
//! Everything is bounded, and everything that matters is in the journal first.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use millrace_agreement::{Findings, LeafSet, LeaseView, NodeFinding, OracleView, Tally};
use millrace_core::leaves::{LeaseLeaf, NodeLeaf};
use millrace_core::proof::bandwidth::Transfer;
use millrace_wire::messages::Figures;

use crate::decide::audit::{node_finding, KEPT_EPOCHS};
use crate::decide::lease::LeaseWatch;
use crate::decide::statements::is_fresh;
use crate::decide::{AuditKey, AuditRecord, MemoryTest};

/// Epochs a leaf others contradicted is left out of this oracle's own reports, so that one dispute does not stop all.
pub const DISPUTE_EPOCHS: u64 = 3;

/// Most audits kept in memory.
const MAX_RECORDS: usize = 16_384;

/// Most keys in dispute remembered.
const MAX_DISPUTES: usize = 4_096;

/// Time between two attempts to measure one node's link.
const LINK_EVERY: Duration = Duration::from_secs(300);

/// Leases under watch, by account.
pub type LeaseBook = HashMap<[u8; 32], LeaseWatch>;

/// The shares given to one node in one epoch.
#[derive(Clone, Debug)]
pub struct NodeShares {
    /// When the first was given: the clock of all.
    pub since: Instant,
    /// Share by GPU.
    pub by_gpu: BTreeMap<u32, [u8; 16]>,
}

/// An audit and how far it is dealt with.
#[derive(Clone, Copy, Debug)]
pub struct AuditEntry {
    /// sha256 of its commit.
    pub commit_id: [u8; 32],
    /// The audit.
    pub record: AuditRecord,
    /// Whether an accepted report has its finding.
    pub is_reported: bool,
    /// Whether a bundle of it is being verified.
    pub is_verifying: bool,
    /// How far its proof of memory has come.
    pub memory: MemoryTest,
    /// What the statements that it showed give; 0 until it shows some.
    pub figures: Figures,
}

/// Audits under way. Shares do not survive a restart: their clock would not either.
#[derive(Debug, Default)]
pub struct AuditBook {
    /// By node and epoch.
    pub shares: HashMap<([u8; 32], u64), NodeShares>,
    /// By node, epoch and GPU.
    pub records: BTreeMap<AuditKey, AuditEntry>,
    /// What this oracle last measured of a node's link: from it and to it.
    pub transfers: HashMap<[u8; 32], [Transfer; 2]>,
    /// When each node's link was last measured, or tried to be.
    pub links: HashMap<[u8; 32], Instant>,
}

impl AuditEntry {
    /// An audit as just taken or read back.
    pub fn new(record: AuditRecord, is_reported: bool) -> Self {
        Self {
            commit_id: record.commit.id(),
            record,
            is_reported,
            is_verifying: false,
            memory: MemoryTest::default(),
            figures: Figures::default(),
        }
    }
}

impl AuditBook {
    /// The audit of a commit.
    pub fn by_commit(&mut self, commit_id: &[u8; 32]) -> Option<&mut AuditEntry> {
        self.records.values_mut().find(|entry| entry.commit_id == *commit_id)
    }

    /// Whether another commit fits.
    pub fn has_room(&self) -> bool {
        self.records.len() < MAX_RECORDS
    }

    /// Forgets what is too old for anything.
    pub fn prune(&mut self, epoch: u64, epoch_secs: u64) {
        self.transfers.retain(|_, [measured, _]| is_fresh(measured.epoch, epoch, epoch_secs));
        self.links.retain(|_, asked| asked.elapsed() < LINK_EVERY);
        self.shares.retain(|(_, of), _| of.saturating_add(1) >= epoch);
        self.records.retain(|key, _| key.epoch.saturating_add(KEPT_EPOCHS) >= epoch);
    }

    /// What is found of each node audited, by node and epoch; with whether it is reported already.
    pub fn findings(&self) -> HashMap<([u8; 32], u64), (NodeFinding, bool)> {
        let mut by_node: HashMap<([u8; 32], u64), Vec<AuditEntry>> = HashMap::new();
        for (key, entry) in &self.records {
            by_node.entry((key.node, key.epoch)).or_default().push(*entry);
        }
        let found = by_node.into_iter().filter_map(|(key, entries)| {
            let records: Vec<AuditRecord> = entries.iter().map(|entry| entry.record).collect();
            let is_reported = entries.iter().any(|entry| entry.is_reported);
            Some((key, (node_finding(&records)?, is_reported)))
        });
        found.collect()
    }

    /// The share that the walks of an audit start from, once every GPU of the node is full: then the clocks of all start
    /// together, so that no memory can stand for two.
    pub fn begin_walks(&mut self, key: &AuditKey) -> Option<[u8; 16]> {
        let first = AuditKey { gpu_index: 0, ..*key };
        let last = AuditKey { gpu_index: u32::MAX, ..*key };
        let gpu_count = usize::from(self.records.get(key)?.record.gpu_count);
        let full = self.records.range(first..=last).filter(|(_, entry)| entry.memory != MemoryTest::Unfilled).count();
        if full < gpu_count {
            return None;
        }
        let now = Instant::now();
        for (_, entry) in self.records.range_mut(first..=last) {
            if let MemoryTest::Filled { since, .. } = &mut entry.memory {
                since.get_or_insert(now);
            }
        }
        match self.records.get(key)?.memory {
            MemoryTest::Filled { share, .. } => Some(share),
            _ => None,
        }
    }

    /// Whether a node's link may be measured now; then it may not again for a while, whatever comes of it.
    pub fn may_measure(&mut self, node: &[u8; 32]) -> bool {
        let may = self.links.get(node).is_none_or(|at| at.elapsed() >= LINK_EVERY);
        if may {
            self.links.insert(*node, Instant::now());
        }
        may
    }

    /// Marks what an accepted report has.
    pub fn mark_reported(&mut self, leaves: &[NodeLeaf]) {
        for leaf in leaves {
            let first = AuditKey { node: leaf.node, epoch: leaf.audit_epoch, gpu_index: 0 };
            let last = AuditKey { gpu_index: u32::MAX, ..first };
            self.records.range_mut(first..=last).for_each(|(_, entry)| entry.is_reported = true);
        }
    }
}

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
    /// Accounts over which the proposal of a seat was last refused. What is still refused when the epoch is over is in
    /// dispute; until then this oracle may yet see what the other saw.
    pub refused: BTreeMap<u8, Vec<[u8; 32]>>,
}

/// The ballots of the last epochs, and what is in dispute.
#[derive(Debug, Default)]
pub struct Ballots {
    /// By epoch; the last two.
    pub by_epoch: BTreeMap<u64, Ballot>,
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
        let closed = self.by_epoch.range_mut(..epoch).flat_map(|(_, ballot)| std::mem::take(&mut ballot.refused));
        let accounts: Vec<[u8; 32]> = closed.flat_map(|(_, accounts)| accounts).collect();
        for account in accounts.into_iter().take(MAX_DISPUTES.saturating_sub(self.disputes.len())) {
            self.disputes.insert(account, epoch.saturating_add(DISPUTE_EPOCHS));
        }
    }

    /// Adds the ballot of `epoch` and forgets older ones.
    pub fn add(&mut self, epoch: u64, ballot: Ballot) {
        self.by_epoch.insert(epoch, ballot);
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

    let mut found: Vec<_> = audits.findings().into_iter().filter(|(_, (_, is_reported))| !is_reported).collect();
    found.retain(|((node, _), _)| is_wanted(node));
    found.sort_unstable_by_key(|((node, audit_epoch), _)| (*node, *audit_epoch));
    let node_leaves = found.into_iter().map(|((node, audit_epoch), (finding, _))| NodeLeaf {
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
    let nodes = audits.findings().into_iter().map(|(key, (finding, _))| (key, finding));
    Findings { leases: leases.iter().map(view).collect(), nodes: nodes.collect(), oracles: ballot.oracles.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::lease::LeaseTally;
    use crate::decide::AuditState;
    use millrace_agreement::check;
    use millrace_core::leaves::Verdict;
    use millrace_core::proof::memory::{MemoryCommit, MemoryTask};
    use millrace_core::proof::Commit;

    fn watch(live_secs: u64) -> LeaseWatch {
        LeaseWatch::begin(LeaseTally { live_millis: live_secs * 1_000, ..LeaseTally::default() }, 0, 0, 0)
    }

    fn entry(node: u8, epoch: u64, state: AuditState) -> (AuditKey, AuditEntry) {
        let commit = Commit {
            deployment_id: [0; 32],
            node: [node; 32],
            gpu_index: 0,
            epoch,
            beacon: [0; 32],
            nonce: [0; 32],
            n: 256,
            rounds: 1,
            super_root: [epoch as u8; 24],
        };
        let record = AuditRecord { commit, elapsed_nanos: 1_000_000, gpu_count: 1, claimed_gops: 9, state };
        (record.key(), AuditEntry::new(record, false))
    }

    fn ballot() -> Ballot {
        Ballot {
            at: 0,
            own: LeafSet::new(0, vec![], vec![]),
            boundary: HashMap::new(),
            oracles: HashMap::new(),
            refused: BTreeMap::new(),
        }
    }

    const PASSED: AuditState = AuditState::Passed { figures: Figures { vram_mib: 6, bandwidth_mbps: 10 } };

    fn report(leases: &LeaseBook, audits: &AuditBook, ballots: &Ballots) -> LeafSet {
        own_report(9, 1_000, &[[1; 32], [2; 32]], leases, audits, ballots)
    }

    #[test]
    fn a_report_has_every_live_lease_that_is_watched_and_every_new_finding() {
        let leases = LeaseBook::from([([1; 32], watch(5)), ([3; 32], watch(6))]);
        let mut audits = AuditBook::default();
        audits.records.extend([entry(7, 8, PASSED), entry(8, 8, AuditState::Pending)]);
        let set = report(&leases, &audits, &Ballots::default());
        assert_eq!(set.leases().iter().map(|leaf| leaf.lease[0]).collect::<Vec<_>>(), [1]);
        assert_eq!(set.nodes().iter().map(|leaf| leaf.node[0]).collect::<Vec<_>>(), [7]);
        assert!(set.leases().iter().all(|leaf| leaf.at == 1_000));
    }

    #[test]
    fn a_finding_is_repeated_until_a_report_with_it_is_accepted_the_oldest_first() {
        let mut audits = AuditBook::default();
        audits.records.extend([entry(7, 8, PASSED), entry(7, 6, AuditState::Withheld)]);
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
        ballots.add(8, Ballot { refused: BTreeMap::from([(2, vec![[1; 32]])]), ..ballot() });
        assert!(!ballots.is_disputed(&[1; 32], 8), "the vote is open");
        ballots.close_before(9);
        assert_eq!(report(&leases, &AuditBook::default(), &ballots).leases().len(), 1);
        assert!(ballots.is_disputed(&[1; 32], 11) && !ballots.is_disputed(&[1; 32], 12));
    }

    #[test]
    fn two_oracles_with_like_observations_agree_and_one_that_missed_the_audit_does_not() {
        let leases = LeaseBook::from([([1; 32], watch(5)), ([2; 32], watch(6))]);
        let other_leases = LeaseBook::from([([1; 32], watch(7)), ([2; 32], watch(4))]);
        let mut audits = AuditBook::default();
        audits.records.extend([entry(7, 8, PASSED)]);
        let ballots = Ballots::default();
        let proposal = report(&leases, &audits, &ballots);
        let ballot = Ballot {
            at: 1_000,
            own: report(&other_leases, &audits, &ballots),
            boundary: other_leases.iter().map(|(lease, watch)| (*lease, watch.leaf(*lease, 1_000))).collect(),
            oracles: HashMap::new(),
            refused: BTreeMap::new(),
        };
        assert_eq!(check::check(&proposal, 9, 1_000, &findings(&ballot, &other_leases, &audits)), Ok(()));
        let blind = findings(&ballot, &other_leases, &AuditBook::default());
        assert!(check::check(&proposal, 9, 1_000, &blind).is_err());
    }

    #[test]
    fn the_walks_of_a_nodes_gpus_begin_together_when_all_are_full() {
        let mut audits = AuditBook::default();
        let mut keys = vec![];
        for gpu_index in 0..2 {
            let (key, mut entry) = entry(7, 8, AuditState::Pending);
            entry.record.commit.gpu_index = gpu_index;
            entry.record.gpu_count = 2;
            keys.push(AuditKey { gpu_index, ..key });
            audits.records.insert(keys[gpu_index as usize], entry);
        }
        let Commit { deployment_id, node, epoch, beacon, nonce, .. } = audits.records[&keys[0]].record.commit;
        let task = MemoryTask { deployment_id, node, gpu_index: 0, epoch, beacon, nonce, words: 0, walkers: 0 };
        let commit = MemoryCommit { task, fill_root: [0; 24] };
        let fill = |audits: &mut AuditBook, gpu: usize| {
            let memory = MemoryTest::Filled { commit, share: [gpu as u8; 16], since: None };
            audits.records.get_mut(&keys[gpu]).unwrap().memory = memory;
        };
        let since = |audits: &AuditBook, gpu: usize| match audits.records[&keys[gpu]].memory {
            MemoryTest::Filled { since, .. } => since,
            _ => None,
        };
        assert_eq!(audits.begin_walks(&keys[0]), None, "not full");
        fill(&mut audits, 0);
        assert_eq!((audits.begin_walks(&keys[0]), since(&audits, 0)), (None, None), "the other is not full");
        fill(&mut audits, 1);
        assert_eq!(audits.begin_walks(&keys[0]), Some([0; 16]));
        let begun = since(&audits, 1);
        assert!(begun.is_some() && begun == since(&audits, 0), "one clock");
        assert_eq!((audits.begin_walks(&keys[1]), since(&audits, 1)), (Some([1; 16]), begun), "it runs on");
    }

    #[test]
    fn old_audits_shares_and_ballots_are_forgotten() {
        let mut audits = AuditBook::default();
        audits.records.extend([entry(7, 8, PASSED)]);
        audits.shares.insert(([7; 32], 8), NodeShares { since: Instant::now(), by_gpu: BTreeMap::new() });
        audits.prune(9, 60);
        assert_eq!((audits.shares.len(), audits.records.len()), (1, 1));
        audits.prune(10, 60);
        assert_eq!((audits.shares.len(), audits.records.len()), (0, 1));
        audits.prune(8 + KEPT_EPOCHS + 1, 60);
        assert!(audits.records.is_empty());

        let mut ballots = Ballots::default();
        for epoch in 0..5 {
            ballots.add(epoch, ballot());
        }
        assert_eq!(ballots.by_epoch.keys().copied().collect::<Vec<_>>(), [3, 4]);
    }
}
