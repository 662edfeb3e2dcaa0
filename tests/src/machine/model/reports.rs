//! What the oracles signed, and what of it a quorum stands behind.

use std::collections::{BTreeMap, BTreeSet};

use millrace::constants::REPORT_RING;
use millrace::state::Reports;
use millrace_core::merkle::TreeNode;

use crate::books::holds;
use crate::Pubkey;

/// A root that a quorum signed.
#[derive(Clone, Debug)]
pub struct AcceptedReport {
    /// The root.
    pub root: TreeNode,
    /// The leaves under it.
    pub leaves: Vec<TreeNode>,
    /// Instant the quorum was reached.
    pub accepted_at: i64,
    /// Oracles that stand behind it: who made the quorum, and who signed the same as a quorum later.
    pub signers: BTreeSet<Pubkey>,
}

/// What the oracles signed.
#[derive(Clone, Debug, Default)]
pub struct ReportsModel {
    /// Roots signed, by epoch and oracle.
    pub rows: BTreeMap<(u64, Pubkey), TreeNode>,
    /// Roots a quorum signed, by epoch; as many epochs as the program keeps.
    pub accepted: BTreeMap<u64, AcceptedReport>,
}

impl ReportsModel {
    /// When the report of `epoch` with this leaf was accepted, if it was and is still kept.
    pub fn accepted_with(&self, epoch: u64, leaf: &TreeNode) -> Option<i64> {
        let report = self.accepted.get(&epoch)?;
        report.leaves.contains(leaf).then_some(report.accepted_at)
    }

    /// Whether `oracle` stands behind the report of `epoch` with this leaf, which is still kept.
    pub fn has_signed(&self, oracle: &Pubkey, epoch: u64, leaf: &TreeNode) -> bool {
        let report = self.accepted.get(&epoch).filter(|report| report.leaves.contains(leaf));
        report.is_some_and(|report| report.signers.contains(oracle))
    }

    /// An oracle signs; `weights` are those of the seats now.
    pub fn sign(
        &mut self,
        oracle: Pubkey,
        weights: &BTreeMap<Pubkey, u64>,
        epoch: u64,
        (root, leaves): (TreeNode, &[TreeNode]),
        now: i64,
    ) -> Result<(), String> {
        let row = self.rows.insert((epoch, oracle), root);
        holds!(
            row.is_none() && weights.contains_key(&oracle),
            "{oracle} signed twice for epoch {epoch}, or has no seat"
        );
        self.rows.retain(|(kept, _), _| kept + 2 > epoch);
        let signers = weights.keys().filter(|key| self.rows.get(&(epoch, **key)) == Some(&root));
        let signers: BTreeSet<Pubkey> = signers.copied().collect();
        let weight: u64 = signers.iter().map(|key| weights[key]).sum();
        // Six tenths and nothing more is no quorum.
        if 10 * weight <= 6 * weights.values().sum::<u64>() {
            return Ok(());
        }
        let accepted = AcceptedReport { root, leaves: leaves.to_vec(), accepted_at: now, signers: BTreeSet::new() };
        let first = self.accepted.entry(epoch).or_insert(accepted);
        // The first root of an epoch stands for ever.
        if first.root == root {
            first.signers.extend(signers);
        }
        self.accepted.retain(|kept, _| *kept == epoch || kept % REPORT_RING as u64 != epoch % REPORT_RING as u64);
        Ok(())
    }

    /// Holds the accepted root of `epoch` against the program's.
    pub fn compare(&self, reports: &Reports, epoch: u64) -> Result<(), String> {
        let found = reports.accepted(epoch).map(|accepted| (accepted.root, accepted.accepted_at));
        let wanted = self.accepted.get(&epoch).map(|accepted| (accepted.root, accepted.accepted_at));
        holds!(found == wanted, "the root of epoch {epoch} is {found:?}, a quorum signed {wanted:?}");
        Ok(())
    }
}
