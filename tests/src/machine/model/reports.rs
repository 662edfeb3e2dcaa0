//! What the oracles signed, and what of it a quorum stands behind.

use std::collections::BTreeMap;

use millrace::constants::REPORT_RING;
use millrace::state::Reports;
use millrace_core::merkle::TreeNode;

use crate::books::holds;
use crate::machine::market::WEIGHTS;

/// A root that a quorum signed.
#[derive(Clone, Debug)]
pub struct AcceptedReport {
    /// The root.
    pub root: TreeNode,
    /// The leaves under it.
    pub leaves: Vec<TreeNode>,
    /// Instant the quorum was reached.
    pub accepted_at: i64,
}

/// What the oracles signed.
#[derive(Clone, Debug, Default)]
pub struct ReportsModel {
    /// Roots signed, by epoch and seat.
    pub rows: BTreeMap<(u64, usize), TreeNode>,
    /// Roots a quorum signed, by epoch; as many epochs as the program keeps.
    pub accepted: BTreeMap<u64, AcceptedReport>,
}

impl ReportsModel {
    /// When the report of `epoch` with this leaf was accepted, if it was and is still kept.
    pub fn accepted_with(&self, epoch: u64, leaf: &TreeNode) -> Option<i64> {
        let report = self.accepted.get(&epoch)?;
        report.leaves.contains(leaf).then_some(report.accepted_at)
    }

    /// A seat signs.
    pub fn sign(
        &mut self,
        seat: usize,
        epoch: u64,
        root: TreeNode,
        leaves: &[TreeNode],
        now: i64,
    ) -> Result<(), String> {
        let row = self.rows.insert((epoch, seat), root);
        holds!(row.is_none(), "seat {seat} signed twice for epoch {epoch}");
        self.rows.retain(|(kept, _), _| kept + 2 > epoch);
        let signed = |seat: &usize| self.rows.get(&(epoch, *seat)) == Some(&root);
        let weight: u64 = (0..WEIGHTS.len()).filter(signed).map(|seat| WEIGHTS[seat]).sum();
        // Six tenths and nothing more is no quorum.
        if 10 * weight > 6 * WEIGHTS.iter().sum::<u64>() && !self.accepted.contains_key(&epoch) {
            let accepted = AcceptedReport { root, leaves: leaves.to_vec(), accepted_at: now };
            self.accepted.insert(epoch, accepted);
            self.accepted.retain(|kept, _| *kept == epoch || kept % REPORT_RING as u64 != epoch % REPORT_RING as u64);
        }
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
