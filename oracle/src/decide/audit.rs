//! One audit from its commit to its verdict, and what the audits of a node's GPUs together say of the node.

use millrace_core::leaves::Verdict;
use millrace_core::proof::{operations, Commit};
use millrace_gemm::Refusal;
use millrace_wire::messages::Figures;

use millrace_agreement::NodeFinding;

/// Epochs after that of the audit in which a bundle is taken: its queries are known from the first of them.
pub const ANSWER_EPOCHS: u64 = 2;

/// Epochs a finding is proposed before it is given up: the node may be audited again.
pub const KEPT_EPOCHS: u64 = 16;

/// Which audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditKey {
    /// Node account.
    pub node: [u8; 32],
    /// Epoch whose beacon seeded it.
    pub epoch: u64,
    /// GPU of the node.
    pub gpu_index: u32,
}

/// Where an audit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditState {
    /// Committed; no valid bundle yet.
    Pending,
    /// Every queried entry was right.
    Passed {
        /// What a quorum states of the GPU's memory and the node's link, MiB and Mbit/s ([`super::statements`]).
        figures: Figures,
    },
    /// The bundle proves the commit wrong.
    Refused,
    /// No valid bundle came in time.
    Withheld,
    /// The network, not the node, missed its part: nothing is reported.
    Void,
}

/// An audit this oracle took a commit for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// What the node committed to.
    pub commit: Commit,
    /// Time from this oracle's first share for the node in that epoch to the commit, nanoseconds.
    pub elapsed_nanos: u64,
    /// GPUs of the node when it committed.
    pub gpu_count: u16,
    /// Speed the node claims, gops: the most the program verifies it for.
    pub claimed_gops: u64,
    /// Where it stands.
    pub state: AuditState,
}

impl AuditRecord {
    /// Which audit this is.
    pub fn key(&self) -> AuditKey {
        AuditKey { node: self.commit.node, epoch: self.commit.epoch, gpu_index: self.commit.gpu_index }
    }

    /// Whether a bundle is still taken in `epoch`.
    pub fn takes_bundle(&self, epoch: u64) -> bool {
        self.state == AuditState::Pending && epoch <= self.commit.epoch.saturating_add(ANSWER_EPOCHS)
    }

    /// What becomes of it when no valid bundle came: `None` while there is time.
    ///
    /// `next_beacon_known`: without the beacon of the next epoch there were no queries to answer. `up_since_epoch`: an
    /// oracle that was down while the answer was due does not accuse.
    pub fn overdue(&self, epoch: u64, next_beacon_known: bool, up_since_epoch: u64) -> Option<AuditState> {
        if self.state != AuditState::Pending || epoch <= self.commit.epoch.saturating_add(ANSWER_EPOCHS) {
            return None;
        }
        let could_answer = next_beacon_known && up_since_epoch <= self.commit.epoch.saturating_add(1);
        Some(if could_answer { AuditState::Withheld } else { AuditState::Void })
    }

    /// Speed that is claimed of one GPU, gops.
    pub fn gops_of_one(&self) -> u64 {
        self.claimed_gops / u64::from(self.gpu_count.max(1))
    }
}

/// Whether a refused bundle proves the commit wrong. Any other is no answer at all, and may be followed by one until the
/// time is up: were it a verdict, a cheat would send garbage to be spared the stake that silence costs.
pub fn is_proof(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::FalseSeed { .. } | Refusal::WrongEntries(_))
}

/// What the audits of one node in one epoch say together; `None` while one is missing or pending.
///
/// One GPU proven wrong or withheld decides for the node. The speed is all operations over the longest time, counted
/// from the first share: one card that stands for two takes twice as long and gains nothing.
pub fn node_finding(records: &[AuditRecord]) -> Option<NodeFinding> {
    let first = records.iter().min_by_key(|record| record.commit.gpu_index)?;
    let bad = |state| records.iter().filter(move |record| record.state == state).min_by_key(|r| r.commit.gpu_index);
    if let Some((record, verdict)) = bad(AuditState::Refused)
        .map(|record| (record, Verdict::Refused))
        .or_else(|| bad(AuditState::Withheld).map(|record| (record, Verdict::Withheld)))
    {
        let super_root = record.commit.super_root;
        let claimed_gops = first.claimed_gops;
        return Some(NodeFinding { super_root, verdict, gops: 0, claimed_gops, vram_mib: 0, bandwidth_mbps: 0 });
    }
    let mut finding = NodeFinding {
        super_root: first.commit.super_root,
        verdict: Verdict::Passed,
        gops: 0,
        claimed_gops: first.claimed_gops,
        vram_mib: u32::MAX,
        bandwidth_mbps: u32::MAX,
    };
    let mut all_operations = 0u128;
    let mut longest_nanos = 0u64;
    for record in records {
        let AuditState::Passed { figures: Figures { vram_mib, bandwidth_mbps } } = record.state else { return None };
        all_operations = all_operations.saturating_add(operations(record.commit.n, record.commit.rounds));
        longest_nanos = longest_nanos.max(record.elapsed_nanos);
        finding.vram_mib = finding.vram_mib.min(vram_mib);
        finding.bandwidth_mbps = finding.bandwidth_mbps.min(bandwidth_mbps);
    }
    if records.len() != usize::from(first.gpu_count) {
        return None;
    }
    finding.gops = u64::try_from(all_operations.checked_div(u128::from(longest_nanos)).unwrap_or(0)).unwrap_or(0);
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(gpu_index: u32, gpu_count: u16, state: AuditState) -> AuditRecord {
        let commit = Commit {
            deployment_id: [0; 32],
            node: [1; 32],
            gpu_index,
            epoch: 10,
            beacon: [0; 32],
            nonce: [0; 32],
            n: 1_024,
            rounds: 4,
            super_root: [gpu_index as u8 + 1; 24],
        };
        AuditRecord { commit, elapsed_nanos: 1_000_000_000, gpu_count, claimed_gops: 100, state }
    }

    const FIGURES: Figures = Figures { vram_mib: 6, bandwidth_mbps: 80 };
    const PASSED: AuditState = AuditState::Passed { figures: FIGURES };

    #[test]
    fn a_commit_without_a_valid_bundle_is_withheld_after_two_epochs() {
        let pending = record(0, 1, AuditState::Pending);
        assert!(pending.takes_bundle(12) && !pending.takes_bundle(13));
        assert_eq!(pending.overdue(12, true, 0), None);
        assert_eq!(pending.overdue(13, true, 0), Some(AuditState::Withheld));
        assert_eq!(record(0, 1, PASSED).overdue(13, true, 0), None);
    }

    #[test]
    fn nobody_is_accused_where_the_network_failed() {
        let pending = record(0, 1, AuditState::Pending);
        assert_eq!(pending.overdue(13, false, 0), Some(AuditState::Void), "no beacon, no queries");
        assert_eq!(pending.overdue(13, true, 11), Some(AuditState::Withheld));
        assert_eq!(pending.overdue(13, true, 12), Some(AuditState::Void), "this oracle was down");
    }

    #[test]
    fn a_verdict_is_final() {
        for state in [PASSED, AuditState::Refused, AuditState::Withheld, AuditState::Void] {
            assert!(!record(0, 1, state).takes_bundle(11), "{state:?}");
            assert_eq!(record(0, 1, state).overdue(99, true, 0), None, "{state:?}");
        }
    }

    #[test]
    fn only_what_proves_the_commit_wrong_is_a_verdict() {
        assert!(is_proof(&Refusal::FalseSeed { round: 1 }));
        assert!(is_proof(&Refusal::WrongEntries(vec![])));
        assert!(!is_proof(&Refusal::Tag));
        assert!(!is_proof(&Refusal::SuperRoot));
        assert!(!is_proof(&Refusal::Entries { got: 3 }));
    }

    #[test]
    fn speed_is_operations_over_measured_time() {
        let finding = node_finding(&[record(0, 1, PASSED)]).unwrap();
        assert_eq!(finding.verdict, Verdict::Passed);
        assert_eq!(finding.gops, 8, "2 × 1,024³ × 4 in a second");
        assert_eq!((finding.vram_mib, finding.bandwidth_mbps), (FIGURES.vram_mib, FIGURES.bandwidth_mbps));
    }

    #[test]
    fn one_card_that_stands_for_two_gains_nothing() {
        let late = AuditRecord { elapsed_nanos: 2_000_000_000, ..record(1, 2, PASSED) };
        assert_eq!(node_finding(&[record(0, 2, PASSED), late]).unwrap().gops, 8);
        assert_eq!(node_finding(&[record(0, 2, PASSED), record(1, 2, PASSED)]).unwrap().gops, 17);
    }

    #[test]
    fn a_node_is_judged_when_all_its_gpus_are_and_by_the_worst() {
        assert_eq!(node_finding(&[]), None);
        assert_eq!(node_finding(&[record(0, 2, PASSED)]), None);
        assert_eq!(node_finding(&[record(0, 2, PASSED), record(1, 2, AuditState::Pending)]), None);
        assert_eq!(node_finding(&[record(0, 2, PASSED), record(1, 2, AuditState::Void)]), None);
        let withheld = node_finding(&[record(0, 2, PASSED), record(1, 2, AuditState::Withheld)]).unwrap();
        assert_eq!((withheld.verdict, withheld.super_root, withheld.gops), (Verdict::Withheld, [2; 24], 0));
        let refused = node_finding(&[record(0, 2, AuditState::Withheld), record(1, 2, AuditState::Refused)]).unwrap();
        assert_eq!((refused.verdict, refused.super_root), (Verdict::Refused, [2; 24]));
    }
}
