//! One report out of what several seats saw: of every figure the weighted median, of every finding that of the greater weight.
//!
//! A figure that less than half of the weight makes up lies between two that were measured; so one seat's slow link or wrong
//! clock costs nobody a vote.

use std::collections::BTreeMap;

use millrace_core::leaves::{LeaseLeaf, NodeLeaf, OracleLeaf};

use crate::LeafSet;

/// Seats a proposer takes the median of, itself among them: reports are large, and every co-signer compares anyway.
pub const MEDIAN_OF: usize = 7;

/// The median of what seats saw of the epoch that ended `at`, each with its weight. A leaf is in it if more than half of that
/// weight has it with the same finding.
pub fn median(epoch: u64, at: i64, seen: &[(u64, &LeafSet)]) -> LeafSet {
    let seen: Vec<(u64, &LeafSet)> = seen.iter().copied().filter(|(_, set)| set.epoch() == epoch).collect();
    let leases = agreed(at, seen.iter().map(|(weight, set)| (*weight, set.leases())));
    let nodes = agreed(at, seen.iter().map(|(weight, set)| (*weight, set.nodes())));
    let oracles = agreed(at, seen.iter().map(|(weight, set)| (*weight, set.oracles())));
    LeafSet::new(epoch, leases, nodes).with_oracles(oracles)
}

/// A leaf as a finding, which is the same at all or another, and figures, which may differ a little.
trait Leaf: Copy + PartialEq {
    fn key(&self) -> [u8; 32];
    /// Itself without its figures.
    fn finding(&self) -> Self;
    fn at(&self) -> i64;
    /// This finding with the medians of `leaves`, by weight.
    fn with_medians(self, leaves: &[(u64, Self)]) -> Self;
}

impl Leaf for LeaseLeaf {
    fn key(&self) -> [u8; 32] {
        self.lease
    }

    fn finding(&self) -> Self {
        Self { live_secs: 0, ..*self }
    }

    fn at(&self) -> i64 {
        self.at
    }

    fn with_medians(self, leaves: &[(u64, Self)]) -> Self {
        Self { live_secs: middle(leaves, |leaf| leaf.live_secs), ..self }
    }
}

impl Leaf for NodeLeaf {
    fn key(&self) -> [u8; 32] {
        self.node
    }

    fn finding(&self) -> Self {
        Self { gops: 0, ..*self }
    }

    fn at(&self) -> i64 {
        self.at
    }

    fn with_medians(self, leaves: &[(u64, Self)]) -> Self {
        Self { gops: middle(leaves, |leaf| leaf.gops), ..self }
    }
}

impl Leaf for OracleLeaf {
    fn key(&self) -> [u8; 32] {
        self.oracle
    }

    fn finding(&self) -> Self {
        Self { signed: 0, opened: 0, ..*self }
    }

    fn at(&self) -> i64 {
        self.at
    }

    fn with_medians(self, leaves: &[(u64, Self)]) -> Self {
        Self { signed: middle(leaves, |leaf| leaf.signed), opened: middle(leaves, |leaf| leaf.opened), ..self }
    }
}

fn agreed<'a, T: Leaf + 'a>(at: i64, seen: impl Iterator<Item = (u64, &'a [T])>) -> Vec<T> {
    let mut total = 0u128;
    let mut by_key: BTreeMap<[u8; 32], Vec<(u64, T)>> = BTreeMap::new();
    for (weight, leaves) in seen {
        total = total.saturating_add(u128::from(weight));
        for leaf in leaves.iter().filter(|leaf| leaf.at() == at) {
            by_key.entry(leaf.key()).or_default().push((weight, *leaf));
        }
    }
    let leaves = by_key.into_values().filter_map(|leaves| {
        let of = |finding: T| -> Vec<(u64, T)> {
            leaves.iter().copied().filter(|(_, leaf)| leaf.finding() == finding).collect()
        };
        let weight = |leaves: &[(u64, T)]| leaves.iter().map(|(weight, _)| u128::from(*weight)).sum::<u128>();
        let mut findings = leaves.iter().map(|(_, leaf)| leaf.finding());
        // There is at most one.
        let finding = findings.find(|finding| weight(&of(*finding)).saturating_mul(2) > total)?;
        Some(finding.with_medians(&of(finding)))
    });
    leaves.collect()
}

/// The lower weighted median of a figure; zero of none.
fn middle<T>(leaves: &[(u64, T)], figure: impl Fn(&T) -> u64) -> u64 {
    let mut figures: Vec<(u64, u128)> =
        leaves.iter().map(|(weight, leaf)| (figure(leaf), u128::from(*weight))).collect();
    figures.sort_unstable();
    let total: u128 = figures.iter().map(|(_, weight)| weight).sum();
    let mut below = 0u128;
    for (figure, weight) in figures {
        below = below.saturating_add(weight);
        if below.saturating_mul(2) >= total {
            return figure;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{lease, node, oracle};
    use millrace_core::leaves::{LeaseStatus, Verdict};
    use proptest::prelude::*;

    const AT: i64 = 9;

    fn set(leases: Vec<LeaseLeaf>) -> LeafSet {
        LeafSet::new(3, leases, vec![])
    }

    fn of(sets: &[LeafSet]) -> LeafSet {
        let seen: Vec<_> = sets.iter().map(|set| (1, set)).collect();
        median(3, AT, &seen)
    }

    #[test]
    fn the_middle_figure_counts_and_an_outlier_does_not() {
        let seen = [set(vec![lease(1, 50, AT)]), set(vec![lease(1, 52, AT)]), set(vec![lease(1, 9_999, AT)])];
        assert_eq!(of(&seen), set(vec![lease(1, 52, AT)]));
        assert_eq!(of(&seen[..2]), set(vec![lease(1, 50, AT)]), "the lower of two");
        assert_eq!(of(&seen[2..]), seen[2], "alone it is its own");
        let weighed = median(3, AT, &[(1, &seen[0]), (1, &seen[1]), (3, &seen[2])]);
        assert_eq!(weighed.leases()[0].live_secs, 9_999, "by weight");
        let speeds: Vec<_> = [90, 100, 1].map(|gops| LeafSet::new(3, vec![], vec![node(1, gops, AT)])).into();
        assert_eq!(of(&speeds).nodes()[0].gops, 90);
    }

    #[test]
    fn a_finding_needs_more_than_half() {
        let ended = LeaseLeaf { status: LeaseStatus::Completed, result_root: [7; 32], ..lease(1, 50, AT) };
        let other = LeaseLeaf { result_root: [8; 32], ..ended };
        assert_eq!(of(&[set(vec![ended]), set(vec![ended]), set(vec![lease(1, 50, AT)])]), set(vec![ended]));
        assert!(of(&[set(vec![ended]), set(vec![lease(1, 50, AT)])]).leases().is_empty(), "half is not more");
        assert!(of(&[set(vec![ended]), set(vec![other]), set(vec![lease(1, 50, AT)])]).leases().is_empty());
        let passed = LeafSet::new(3, vec![], vec![node(1, 9, AT)]);
        let refused = LeafSet::new(3, vec![], vec![NodeLeaf { verdict: Verdict::Refused, ..node(1, 0, AT) }]);
        assert_eq!(of(&[refused.clone(), passed.clone(), refused.clone()]), refused);
    }

    #[test]
    fn a_leaf_that_few_know_is_left_out_and_one_the_proposer_missed_is_in() {
        let all = [set(vec![]), set(vec![lease(1, 5, AT), lease(2, 5, AT)]), set(vec![lease(1, 6, AT)])];
        assert_eq!(of(&all), set(vec![lease(1, 5, AT)]));
    }

    #[test]
    fn what_oracles_did_is_counted_figure_by_figure() {
        let with = |signed, opened| {
            let leaf = OracleLeaf { signed, ..oracle(5, opened, AT) };
            set(vec![lease(1, 5, AT)]).with_oracles(vec![leaf])
        };
        let found = of(&[with(10, 3), with(11, 2), with(90, 4)]);
        assert_eq!(found.oracles(), [OracleLeaf { signed: 11, ..oracle(5, 3, AT) }]);
    }

    #[test]
    fn other_epochs_and_other_dates_are_not_mixed_in() {
        let old = LeafSet::new(2, vec![lease(1, 5, AT)], vec![]);
        assert!(of(&[old.clone(), old]).is_empty());
        assert!(of(&[set(vec![lease(1, 5, AT - 1)])]).is_empty());
    }

    proptest! {
        #[test]
        fn less_than_half_moves_a_figure_nowhere_outside_what_was_measured(
            measured in proptest::collection::vec(0u64..1_000, 3..8),
            made_up in proptest::collection::vec(any::<u64>(), 0..8),
        ) {
            let made_up = &made_up[..made_up.len().min(measured.len() - 1)];
            let sets: Vec<_> = measured.iter().chain(made_up).map(|secs| set(vec![lease(1, *secs, AT)])).collect();
            let found = of(&sets).leases()[0].live_secs;
            prop_assert!(measured.iter().min().unwrap() <= &found && &found <= measured.iter().max().unwrap());
        }

        #[test]
        fn the_order_of_the_answers_changes_nothing(secs in proptest::collection::vec(0u64..50, 1..8)) {
            let sets: Vec<_> = secs.iter().map(|secs| set(vec![lease(1, *secs, AT)])).collect();
            let mut turned = sets.clone();
            turned.reverse();
            prop_assert_eq!(of(&sets), of(&turned));
        }
    }
}
