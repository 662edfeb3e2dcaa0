//! What an oracle committed to and opened: whether it counts, and how the counts are kept.
//!
//! An oracle commits to its observations of an epoch with its signature of the report before: early in that epoch, before
//! anything about it is proposed. From the next epoch on it opens them to the others, who pass openings on. Each oracle
//! judges every opening by the accepted reports alone, so all that know it judge it alike.

use millrace_core::hash::sha256;
use millrace_core::leaves::{LeaseLeaf, LeaseStatus, OracleLeaf};

use crate::check::SECS_TOLERANCE;
use crate::LeafSet;

/// Counters by which two honest oracles may differ: one that read the chain, or an opening, an epoch later than the other,
/// on either side of it.
pub const COUNT_TOLERANCE: u64 = 2;

/// `sha256("MRobserv" ‖ oracle ‖ epoch ‖ salt ‖ root ‖ leaves)`: what `next_observation_hash` holds. It names the oracle's
/// key, so that a hash seen on chain and sent again cannot be opened.
pub fn observation_hash(oracle: &[u8; 32], seen: &LeafSet, salt: &[u8; 16]) -> [u8; 32] {
    sha256(&[b"MRobserv", oracle, &seen.epoch().to_le_bytes(), salt, &seen.root(), &seen.len().to_le_bytes()])
}

/// Whether observations opened for the epoch of `accepted` were made: they fit what the quorum found when it was over,
/// and miss no more than half of the leases that were running at its begin, by the report `before`.
pub fn counts(seen: &LeafSet, accepted: &LeafSet, before: Option<&LeafSet>, epoch_secs: u64) -> bool {
    if seen.epoch() != accepted.epoch() {
        return false;
    }
    let seen_lease = |lease: &[u8; 32]| find(seen.leases(), lease);
    let fits =
        accepted.leases().iter().all(|found| seen_lease(&found.lease).is_none_or(|it| fits(it, found, epoch_secs)));
    let finding = |node: &[u8; 32]| accepted.nodes().iter().find(|leaf| leaf.node == *node);
    let nodes_fit = seen.nodes().iter().all(|it| {
        let found = finding(&it.node).filter(|found| found.audit_epoch == it.audit_epoch);
        found.is_none_or(|found| (found.verdict, found.super_root) == (it.verdict, it.super_root))
    });
    let was_running = |lease: &[u8; 32]| {
        let leaf = before.and_then(|before| find(before.leases(), lease));
        leaf.is_some_and(|leaf| leaf.status == LeaseStatus::Running)
    };
    let running: Vec<_> = accepted.leases().iter().filter(|found| was_running(&found.lease)).collect();
    let missed = running.iter().filter(|found| seen_lease(&found.lease).is_none()).count();
    fits && nodes_fit && missed.saturating_mul(2) <= running.len()
}

fn find<'a>(leaves: &'a [LeaseLeaf], lease: &[u8; 32]) -> Option<&'a LeaseLeaf> {
    leaves.binary_search_by_key(lease, |leaf| leaf.lease).ok().and_then(|place| leaves.get(place))
}

/// Seen within the epoch at whose end `found` was found.
fn fits(it: &LeaseLeaf, found: &LeaseLeaf, epoch_secs: u64) -> bool {
    let least = found.live_secs.saturating_sub(epoch_secs).saturating_sub(SECS_TOLERANCE);
    let most = found.live_secs.saturating_add(SECS_TOLERANCE);
    let same_end = it.status == LeaseStatus::Running || it.status == found.status;
    same_end && (least..=most).contains(&it.live_secs)
}

/// What an oracle knows of another's openings, or of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Openings counted.
    pub opened: u64,
    /// Epochs this oracle was not there to judge, since a report said.
    pub unknown: u64,
}

/// What is known of a seat when an epoch ends, to make or to compare its leaf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OracleView {
    /// Reports it signed, by the chain.
    pub signed: u64,
    /// Its openings.
    pub tally: Tally,
}

impl OracleView {
    /// Its leaf.
    pub fn leaf(&self, oracle: [u8; 32], at: i64) -> OracleLeaf {
        OracleLeaf { oracle, signed: self.signed, opened: self.tally.opened, at }
    }

    /// Counters of openings that do not contradict this one.
    pub fn opened_range(&self) -> std::ops::RangeInclusive<u64> {
        let Tally { opened, unknown } = self.tally;
        opened.saturating_sub(COUNT_TOLERANCE)..=opened.saturating_add(unknown).saturating_add(COUNT_TOLERANCE)
    }
}

impl Tally {
    /// Takes over what the quorum says, given what this oracle would have said in the same report; `None` when it was not
    /// there. So small differences do not add up, and what was missed is made good. A figure beyond the tolerance changes
    /// nothing here: this oracle did not sign it.
    pub fn take_over(&mut self, accepted_opened: u64, own: Option<OracleView>) {
        match own {
            Some(own) if own.opened_range().contains(&accepted_opened) => {
                self.opened = self.opened.saturating_add(accepted_opened).saturating_sub(own.tally.opened);
                self.unknown = self.unknown.saturating_sub(own.tally.unknown);
            }
            Some(_) => {}
            None => {
                let missed = accepted_opened.saturating_sub(self.opened).min(self.unknown);
                self.opened = self.opened.saturating_add(missed);
                self.unknown = self.unknown.saturating_sub(missed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{lease, node};
    use proptest::prelude::*;

    const EPOCH_SECS: u64 = 60;

    fn seen(leases: Vec<LeaseLeaf>) -> LeafSet {
        LeafSet::new(7, leases, vec![])
    }

    fn with_status(status: LeaseStatus, leaf: LeaseLeaf) -> LeaseLeaf {
        LeaseLeaf { status, ..leaf }
    }

    #[test]
    fn a_commitment_binds_its_oracle_its_epoch_its_salt_and_every_leaf() {
        let set = |epoch, secs| LeafSet::new(epoch, vec![lease(1, secs, 9)], vec![]);
        let hash = observation_hash(&[5; 32], &set(3, 5), &[1; 16]);
        assert_eq!(hash, observation_hash(&[5; 32], &set(3, 5), &[1; 16]));
        assert_ne!(hash, observation_hash(&[6; 32], &set(3, 5), &[1; 16]), "a copied hash cannot be opened");
        assert_ne!(hash, observation_hash(&[5; 32], &set(4, 5), &[1; 16]));
        assert_ne!(hash, observation_hash(&[5; 32], &set(3, 6), &[1; 16]));
        assert_ne!(hash, observation_hash(&[5; 32], &set(3, 5), &[2; 16]));
    }

    #[test]
    fn what_was_seen_during_the_epoch_counts_and_what_was_made_up_does_not() {
        let accepted = seen(vec![lease(1, 100, 9), lease(2, 30, 9)]);
        let before = LeafSet::new(6, vec![lease(1, 40, 9), lease(2, 0, 9)], vec![]);
        let judge = |leaves: Vec<LeaseLeaf>| counts(&seen(leaves), &accepted, Some(&before), EPOCH_SECS);
        assert!(judge(vec![lease(1, 45, 9), lease(2, 2, 9)]));
        assert!(judge(vec![lease(1, 37, 9), lease(2, 33, 9)]), "within the tolerance");
        assert!(!judge(vec![lease(1, 36, 9), lease(2, 2, 9)]));
        assert!(!judge(vec![lease(1, 104, 9), lease(2, 2, 9)]));
        assert!(!judge(vec![with_status(LeaseStatus::Completed, lease(1, 45, 9)), lease(2, 2, 9)]));
        assert!(judge(vec![lease(1, 45, 9)]), "one of two may be missed");
        assert!(!judge(vec![]), "nothing is no observation");
        assert!(judge(vec![lease(1, 45, 9), lease(3, 7, 9)]), "what no report has is not held against it");
    }

    #[test]
    fn an_end_that_was_seen_is_the_end_that_was_found() {
        let accepted = seen(vec![with_status(LeaseStatus::NodeFailed, lease(1, 100, 9))]);
        let judge = |status| counts(&seen(vec![with_status(status, lease(1, 90, 9))]), &accepted, None, EPOCH_SECS);
        assert!(judge(LeaseStatus::Running) && judge(LeaseStatus::NodeFailed));
        assert!(!judge(LeaseStatus::Completed));
    }

    #[test]
    fn an_audit_that_was_seen_is_the_one_that_was_found() {
        let accepted = LeafSet::new(7, vec![], vec![node(1, 50, 9)]);
        let judge = |leaf| counts(&LeafSet::new(7, vec![], vec![leaf]), &accepted, None, EPOCH_SECS);
        assert!(judge(node(1, 50, 9)) && judge(node(2, 50, 9)));
        let other = millrace_core::leaves::NodeLeaf { super_root: [9; 24], ..node(1, 50, 9) };
        assert!(!judge(other));
        assert!(judge(millrace_core::leaves::NodeLeaf { audit_epoch: 3, ..other }), "another audit");
        assert!(!counts(&LeafSet::new(6, vec![], vec![]), &accepted, None, EPOCH_SECS), "another epoch");
    }

    #[test]
    fn an_oracle_that_was_away_takes_over_what_it_missed_and_no_more() {
        let mut tally = Tally { opened: 10, unknown: 5 };
        tally.take_over(13, None);
        assert_eq!(tally, Tally { opened: 13, unknown: 2 });
        tally.take_over(99, None);
        assert_eq!(tally, Tally { opened: 15, unknown: 0 });
        tally.take_over(99, None);
        tally.take_over(1, None);
        assert_eq!(tally, Tally { opened: 15, unknown: 0 }, "an old report takes nothing back");
    }

    #[test]
    fn a_figure_beyond_the_tolerance_is_not_taken_over() {
        let own = OracleView { signed: 20, tally: Tally { opened: 10, unknown: 1 } };
        assert_eq!(own.opened_range(), 8..=13);
        let mut tally = Tally { opened: 11, unknown: 1 };
        tally.take_over(14, Some(own));
        assert_eq!(tally, Tally { opened: 11, unknown: 1 });
        tally.take_over(13, Some(own));
        assert_eq!(tally, Tally { opened: 14, unknown: 0 });
    }

    proptest! {
        #[test]
        fn two_oracles_that_follow_the_quorum_never_drift_apart(
            late in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..200),
        ) {
            // Each may miss an opening the other has; every epoch one's figure is accepted.
            let (mut one, mut other) = (Tally::default(), Tally::default());
            for (misses, proposes) in late {
                one.opened += 1;
                other.opened += u64::from(!misses);
                let views = [one, other].map(|tally| OracleView { signed: 0, tally });
                prop_assert!(views[0].opened_range().contains(&other.opened));
                prop_assert!(views[1].opened_range().contains(&one.opened));
                let accepted = views[usize::from(proposes)].tally.opened;
                one.take_over(accepted, Some(views[0]));
                other.take_over(accepted, Some(views[1]));
                prop_assert_eq!(one, other);
            }
        }
    }
}
