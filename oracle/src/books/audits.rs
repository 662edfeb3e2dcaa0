//! Audits under way, by node and by commit.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use millrace_agreement::NodeFinding;
use millrace_core::leaves::NodeLeaf;
use millrace_core::proof::bandwidth::Transfer;
use millrace_wire::messages::Figures;

use crate::decide::audit::{node_finding, KEPT_EPOCHS};
use crate::decide::statements::is_fresh;
use crate::decide::{AuditKey, AuditRecord, AuditState, MemoryTest};

/// GPUs a node has on average at most, by which the audits kept in memory are bounded.
const GPUS_OF_A_NODE: usize = 2;

/// Time between two attempts to measure one node's link.
const LINK_EVERY: Duration = Duration::from_secs(300);

/// The shares given to one node in one epoch.
#[derive(Clone, Debug)]
pub struct NodeShares {
    /// When the first was given: the clock of all.
    pub since: Instant,
    /// Share by GPU.
    pub by_gpu: BTreeMap<u32, [u8; 16]>,
}

/// An audit and how far it is dealt with.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    records: BTreeMap<AuditKey, AuditEntry>,
    /// Which audit each commit is of.
    by_commit: HashMap<[u8; 32], AuditKey>,
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
    /// By node, epoch and GPU.
    pub fn records(&self) -> &BTreeMap<AuditKey, AuditEntry> {
        &self.records
    }

    /// All of them, to be advanced.
    pub fn records_mut(&mut self) -> impl Iterator<Item = &mut AuditEntry> {
        self.records.values_mut()
    }

    /// Takes an audit, unless there is one of that GPU in that epoch.
    pub fn add(&mut self, entry: AuditEntry) {
        let key = entry.record.key();
        if let Entry::Vacant(place) = self.records.entry(key) {
            self.by_commit.insert(entry.commit_id, key);
            place.insert(entry);
        }
    }

    /// Forgets an audit.
    pub fn remove(&mut self, key: &AuditKey) {
        if let Some(entry) = self.records.remove(key) {
            self.by_commit.remove(&entry.commit_id);
        }
    }

    /// Sets where an audit stands.
    pub fn advance(&mut self, key: &AuditKey, state: AuditState) {
        if let Some(entry) = self.records.get_mut(key) {
            entry.record.state = state;
        }
    }

    /// The audit of a commit.
    pub fn by_commit(&mut self, commit_id: &[u8; 32]) -> Option<&mut AuditEntry> {
        self.records.get_mut(self.by_commit.get(commit_id)?)
    }

    /// Whether another commit fits, where so many nodes are audited in an epoch.
    pub fn has_room(&self, audits_per_epoch: usize) -> bool {
        let epochs = KEPT_EPOCHS as usize + 1;
        self.records.len() < audits_per_epoch.saturating_mul(GPUS_OF_A_NODE).saturating_mul(epochs)
    }

    /// Forgets what is too old for anything.
    pub fn prune(&mut self, epoch: u64, epoch_secs: u64) {
        self.transfers.retain(|_, [measured, _]| is_fresh(measured.epoch, epoch, epoch_secs));
        self.links.retain(|_, asked| asked.elapsed() < LINK_EVERY);
        self.shares.retain(|(_, of), _| of.saturating_add(1) >= epoch);
        let is_kept = |key: &AuditKey| key.epoch.saturating_add(KEPT_EPOCHS) >= epoch;
        self.records.retain(|key, _| is_kept(key));
        self.by_commit.retain(|_, key| is_kept(key));
    }

    /// What is found of each node audited, sorted by node and epoch of the audit; with whether it is reported already.
    pub fn findings(&self) -> Vec<(([u8; 32], u64), NodeFinding, bool)> {
        let mut found = Vec::new();
        let mut records: Vec<AuditRecord> = Vec::new();
        let mut is_reported = false;
        let mut entries = self.records.iter().peekable();
        while let Some((key, entry)) = entries.next() {
            records.push(entry.record);
            is_reported |= entry.is_reported;
            // The GPUs of a node in an epoch stand side by side.
            if entries.peek().is_some_and(|(next, _)| (next.node, next.epoch) == (key.node, key.epoch)) {
                continue;
            }
            found.extend(node_finding(&records).map(|finding| ((key.node, key.epoch), finding, is_reported)));
            records.clear();
            is_reported = false;
        }
        found
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use millrace_core::leaves::Verdict;
    use millrace_core::proof::memory::{MemoryCommit, MemoryTask};
    use millrace_core::proof::Commit;

    pub fn entry(node: u8, epoch: u64, state: AuditState) -> AuditEntry {
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
        AuditEntry::new(record, false)
    }

    pub fn book(entries: impl IntoIterator<Item = AuditEntry>) -> AuditBook {
        let mut audits = AuditBook::default();
        entries.into_iter().for_each(|entry| audits.add(entry));
        audits
    }

    pub const PASSED: AuditState = AuditState::Passed { figures: Figures { vram_mib: 6, bandwidth_mbps: 10 } };

    #[test]
    fn a_node_of_several_gpus_has_one_finding_an_epoch_and_a_commit_its_audit() {
        let of_gpu = |node, gpu_index, state| {
            let AuditEntry { mut record, .. } = entry(node, 8, state);
            record.commit.gpu_index = gpu_index;
            record.gpu_count = 2;
            AuditEntry::new(record, gpu_index == 1)
        };
        let entries =
            [of_gpu(7, 0, PASSED), of_gpu(7, 1, AuditState::Refused), of_gpu(8, 0, PASSED), entry(9, 8, PASSED)];
        let mut audits = book(entries);
        let found: Vec<_> = audits.findings().into_iter().map(|(key, it, said)| (key.0[0], it.verdict, said)).collect();
        assert_eq!(found, [(7, Verdict::Refused, true), (9, Verdict::Passed, false)], "one GPU of node 8 is missing");
        assert_eq!(audits.by_commit(&entries[1].commit_id).copied(), Some(entries[1]));
        audits.add(AuditEntry { commit_id: [1; 32], ..entries[1] });
        assert_eq!(audits.by_commit(&[1; 32]), None, "the first commit stands");
        audits.remove(&entries[1].record.key());
        assert_eq!(audits.by_commit(&entries[1].commit_id), None);
    }

    #[test]
    fn the_walks_of_a_nodes_gpus_begin_together_when_all_are_full() {
        let mut audits = AuditBook::default();
        let mut keys = vec![];
        for gpu_index in 0..2 {
            let mut entry = entry(7, 8, AuditState::Pending);
            entry.record.commit.gpu_index = gpu_index;
            entry.record.gpu_count = 2;
            keys.push(entry.record.key());
            audits.add(entry);
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
    fn old_audits_and_shares_are_forgotten() {
        let known = entry(7, 8, PASSED);
        let mut audits = book([known]);
        assert_eq!(audits.by_commit(&known.commit_id).copied(), Some(known));
        audits.shares.insert(([7; 32], 8), NodeShares { since: Instant::now(), by_gpu: BTreeMap::new() });
        audits.prune(9, 60);
        assert_eq!((audits.shares.len(), audits.records.len()), (1, 1));
        audits.prune(10, 60);
        assert_eq!((audits.shares.len(), audits.records.len()), (0, 1));
        audits.prune(8 + KEPT_EPOCHS + 1, 60);
        assert!(audits.records.is_empty() && audits.by_commit.is_empty());
    }
}
