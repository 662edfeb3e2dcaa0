//! Whether another oracle's report fits what this one saw.
//!
//! What is measured may differ a little, what is found (statuses, verdicts, roots) may not. A leaf left out is no reason
//! to refuse: figures are cumulative and findings are repeated until a report with them is accepted, so the next
//! proposer makes good what one forgot or hid.
//!
//! A leaf this oracle saw otherwise, or not at all, is one, unless more than half of the others, by weight, saw it as proposed
//! ([`backed`]): among a hundred thousand leaves each oracle misses some, and if that cost its vote there would be no report.

use std::collections::{HashMap, HashSet};

use millrace_core::leaves::{LeaseLeaf, LeaseStatus, NodeLeaf, OracleLeaf, Verdict};
use millrace_core::merkle::TreeNode;

use crate::opening::COUNT_TOLERANCE;
use crate::{LeafSet, OracleView, Tally};

/// Seconds by which two honest oracles may differ: polls a second apart, clocks whole seconds apart.
pub const SECS_TOLERANCE: u64 = 3;

/// Most disagreements listed: a proposal with more is not worth asking about.
pub const MAX_LISTED: usize = 500;

/// What this oracle knows of one lease.
#[derive(Clone, Copy, Debug)]
pub struct LeaseView {
    /// Its leaf when the epoch ended; `None` when it was not watched then.
    pub boundary: Option<LeaseLeaf>,
    /// Its leaf now.
    pub now: LeaseLeaf,
    /// Instant this oracle decided the end, chain seconds.
    pub decided_at: Option<i64>,
    /// Seconds it did not watch and nobody has yet accounted for.
    pub blind_secs: u64,
    /// Live seconds of the last accepted report.
    pub accepted_secs: u64,
}

/// What this oracle found of one node in one audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeFinding {
    /// What the node committed to.
    pub super_root: TreeNode,
    /// The finding.
    pub verdict: Verdict,
    /// Speed by this oracle's clock, gops.
    pub gops: u64,
    /// Speed the node claims, gops.
    pub claimed_gops: u64,
    /// What a quorum states of the memory of one GPU, MiB.
    pub vram_mib: u32,
    /// What a quorum states of the node's bandwidth, Mbit/s.
    pub bandwidth_mbps: u32,
}

/// All this oracle knows.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// By lease account.
    pub leases: HashMap<[u8; 32], LeaseView>,
    /// By node account and epoch of the audit.
    pub nodes: HashMap<([u8; 32], u64), NodeFinding>,
    /// By oracle account, when the epoch ended.
    pub oracles: HashMap<[u8; 32], OracleView>,
}

/// Why a proposal is not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    /// It reports another epoch.
    #[error("it reports epoch {0}")]
    OtherEpoch(u64),
    /// It reports nothing.
    #[error("it has no leaves")]
    Empty,
    /// A leaf's instant is not the end of the epoch.
    #[error("{what} {key} is dated {got}, the epoch ended at {expected}")]
    Instant {
        /// "lease" or "node".
        what: &'static str,
        /// Account.
        key: Key,
        /// The leaf's.
        got: i64,
        /// The epoch's end.
        expected: i64,
    },
    /// This oracle saw no such lease or audit.
    #[error("{what} {key} is unknown here")]
    Unknown {
        /// "lease" or "node".
        what: &'static str,
        /// Account.
        key: Key,
    },
    /// A figure or finding differs.
    #[error("{what} {key}: {field} is {got}, here it is {own}")]
    Differs {
        /// "lease" or "node".
        what: &'static str,
        /// Account.
        key: Key,
        /// Which field.
        field: &'static str,
        /// Proposed.
        got: String,
        /// Own.
        own: String,
    },
}

/// An account address that prints in base58.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub [u8; 32]);

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&bs58::encode(self.0).into_string())
    }
}

impl Disagreement {
    /// The account in dispute.
    pub fn key(&self) -> Option<[u8; 32]> {
        match self {
            Self::OtherEpoch(_) | Self::Empty => None,
            Self::Instant { key, .. } | Self::Unknown { key, .. } | Self::Differs { key, .. } => Some(key.0),
        }
    }
}

/// Compares every leaf of `proposal` with what this oracle knows of `epoch`, which ended `at`.
///
/// # Errors
/// What differs, at most [`MAX_LISTED`] of it.
pub fn check(proposal: &LeafSet, epoch: u64, at: i64, own: &Findings) -> Result<(), Vec<Disagreement>> {
    if proposal.epoch() != epoch {
        return Err(vec![Disagreement::OtherEpoch(proposal.epoch())]);
    }
    if proposal.is_empty() {
        return Err(vec![Disagreement::Empty]);
    }
    let leases = proposal.leases().iter().filter_map(|leaf| check_lease(leaf, at, own).err());
    let nodes = proposal.nodes().iter().filter_map(|leaf| check_node(leaf, at, own).err());
    let oracles = proposal.oracles().iter().filter_map(|leaf| check_oracle(leaf, at, own).err());
    let differences: Vec<_> = leases.chain(nodes).chain(oracles).take(MAX_LISTED).collect();
    if differences.is_empty() {
        Ok(())
    } else {
        Err(differences)
    }
}

/// The accounts whose leaf in `proposal`, a report of the epoch that ended `at`, the other seats saw as it is there: more than
/// half of them, by weight, and more than a third of `total_weight`, so that an honest one is among them even where one liar
/// weighs more than another seat. `ballots` are what they saw, with their weights; what a ballot does not tell is as `own`
/// knows it. `own_weight` is this seat's.
pub fn backed(
    proposal: &LeafSet,
    at: i64,
    own: &Findings,
    ballots: &[(u64, &LeafSet)],
    own_weight: u64,
    total_weight: u128,
) -> HashSet<[u8; 32]> {
    let mut weights: HashMap<[u8; 32], u128> = HashMap::new();
    for (weight, ballot) in ballots.iter().filter(|(_, ballot)| ballot.epoch() == proposal.epoch()) {
        let seen = of_ballot(ballot, own);
        let fitting = retain(proposal, at, &seen);
        let accounts = fitting.leases().iter().map(|leaf| leaf.lease);
        let accounts = accounts.chain(fitting.nodes().iter().map(|leaf| leaf.node));
        for account in accounts.chain(fitting.oracles().iter().map(|leaf| leaf.oracle)) {
            let sum = weights.entry(account).or_default();
            *sum = sum.saturating_add(u128::from(*weight));
        }
    }
    let others_weight = total_weight.saturating_sub(u128::from(own_weight));
    let is_backed = |weight: u128| weight.saturating_mul(2) > others_weight && weight.saturating_mul(3) > total_weight;
    weights.into_iter().filter(|(_, weight)| is_backed(*weight)).map(|(account, _)| account).collect()
}

/// A ballot as the findings of the seat that made it.
fn of_ballot(ballot: &LeafSet, own: &Findings) -> Findings {
    let lease = |leaf: &LeaseLeaf| {
        let accepted_secs = own.leases.get(&leaf.lease).map_or(leaf.live_secs, |view| view.accepted_secs);
        let decided_at = leaf.status.is_final().then_some(leaf.at);
        (leaf.lease, LeaseView { boundary: Some(*leaf), now: *leaf, decided_at, blind_secs: 0, accepted_secs })
    };
    let node = |leaf: &NodeLeaf| {
        let NodeLeaf { super_root, verdict, gops, vram_mib, bandwidth_mbps, .. } = *leaf;
        let key = (leaf.node, leaf.audit_epoch);
        let claimed_gops = own.nodes.get(&key).map_or(u64::MAX, |finding| finding.claimed_gops);
        (key, NodeFinding { super_root, verdict, gops, claimed_gops, vram_mib, bandwidth_mbps })
    };
    let oracle = |leaf: &OracleLeaf| {
        let tally = Tally { opened: leaf.opened, unknown: 0 };
        (leaf.oracle, OracleView { signed: leaf.signed, tally })
    };
    Findings {
        leases: ballot.leases().iter().map(lease).collect(),
        nodes: ballot.nodes().iter().map(node).collect(),
        oracles: ballot.oracles().iter().map(oracle).collect(),
    }
}

/// The leaves of `proposal` that fit what this oracle knows: what a proposer may stand for.
pub fn retain(proposal: &LeafSet, at: i64, own: &Findings) -> LeafSet {
    let leases = proposal.leases().iter().filter(|leaf| check_lease(leaf, at, own).is_ok());
    let nodes = proposal.nodes().iter().filter(|leaf| check_node(leaf, at, own).is_ok());
    let oracles = proposal.oracles().iter().filter(|leaf| check_oracle(leaf, at, own).is_ok());
    LeafSet::new(proposal.epoch(), leases.copied().collect(), nodes.copied().collect())
        .with_oracles(oracles.copied().collect())
}

fn same<T: PartialEq + std::fmt::Debug>(
    what: &'static str,
    key: [u8; 32],
    field: &'static str,
    got: T,
    own: T,
) -> Result<(), Disagreement> {
    if got == own {
        return Ok(());
    }
    Err(Disagreement::Differs { what, key: Key(key), field, got: format!("{got:?}"), own: format!("{own:?}") })
}

fn dated(what: &'static str, key: [u8; 32], got: i64, expected: i64) -> Result<(), Disagreement> {
    if got == expected {
        return Ok(());
    }
    Err(Disagreement::Instant { what, key: Key(key), got, expected })
}

fn check_lease(leaf: &LeaseLeaf, at: i64, own: &Findings) -> Result<(), Disagreement> {
    const WHAT: &str = "lease";
    let view = own.leases.get(&leaf.lease).ok_or(Disagreement::Unknown { what: WHAT, key: Key(leaf.lease) })?;
    dated(WHAT, leaf.lease, leaf.at, at)?;
    let then = view.boundary.unwrap_or(view.now);

    // An end decided within the tolerance of the epoch's end may lie on either side of it.
    let just_decided = view.decided_at.is_some_and(|decided_at| decided_at >= at.saturating_sub(SECS_TOLERANCE as i64));
    let not_yet = leaf.status == LeaseStatus::Running && just_decided;
    let reference = if leaf.status == then.status { then } else { view.now };
    if !not_yet {
        same(WHAT, leaf.lease, "status", leaf.status, reference.status)?;
        same(WHAT, leaf.lease, "exit code", leaf.exit_code, reference.exit_code)?;
        same(WHAT, leaf.lease, "result root", leaf.result_root, reference.result_root)?;
    } else {
        same(WHAT, leaf.lease, "exit code", leaf.exit_code, 0)?;
        same(WHAT, leaf.lease, "result root", leaf.result_root, [0; 32])?;
    }
    same(WHAT, leaf.lease, "checkpoint root", leaf.checkpoint_root, then.checkpoint_root)?;
    same(WHAT, leaf.lease, "checkpointed seconds", leaf.checkpointed_secs, then.checkpointed_secs)?;

    // 25% of what is new: of the cumulative figure it would be a licence that grows with the lease.
    let tolerance = SECS_TOLERANCE.max(then.live_secs.saturating_sub(view.accepted_secs) / 4);
    let least = then.live_secs.saturating_sub(tolerance);
    let most = then.live_secs.saturating_add(view.blind_secs).saturating_add(tolerance);
    if (least..=most).contains(&leaf.live_secs) {
        return Ok(());
    }
    Err(Disagreement::Differs {
        what: WHAT,
        key: Key(leaf.lease),
        field: "live seconds",
        got: leaf.live_secs.to_string(),
        own: format!("{least} to {most}"),
    })
}

/// Whether `got` is within 25% of `own`.
fn is_close(got: u64, own: u64) -> bool {
    u128::from(got.abs_diff(own)) * 4 <= u128::from(own)
}

fn check_node(leaf: &NodeLeaf, at: i64, own: &Findings) -> Result<(), Disagreement> {
    const WHAT: &str = "node";
    let unknown = Disagreement::Unknown { what: WHAT, key: Key(leaf.node) };
    let finding = own.nodes.get(&(leaf.node, leaf.audit_epoch)).ok_or(unknown)?;
    dated(WHAT, leaf.node, leaf.at, at)?;
    same(WHAT, leaf.node, "verdict", leaf.verdict, finding.verdict)?;
    same(WHAT, leaf.node, "super-root", leaf.super_root, finding.super_root)?;
    same(WHAT, leaf.node, "memory", leaf.vram_mib, finding.vram_mib)?;
    same(WHAT, leaf.node, "bandwidth", leaf.bandwidth_mbps, finding.bandwidth_mbps)?;
    // Beyond the claim speed counts for nothing, and a run much faster than claimed is too short to be timed well.
    let counted = |gops: u64| gops.min(finding.claimed_gops);
    if !is_close(counted(leaf.gops), counted(finding.gops)) {
        return same(WHAT, leaf.node, "gops", leaf.gops, finding.gops);
    }
    Ok(())
}

/// Counters agree within [`COUNT_TOLERANCE`], openings also up to what this oracle was not there to judge.
fn check_oracle(leaf: &OracleLeaf, at: i64, own: &Findings) -> Result<(), Disagreement> {
    const WHAT: &str = "oracle";
    let unknown = Disagreement::Unknown { what: WHAT, key: Key(leaf.oracle) };
    let view = own.oracles.get(&leaf.oracle).ok_or(unknown)?;
    dated(WHAT, leaf.oracle, leaf.at, at)?;
    if leaf.signed.abs_diff(view.signed) > COUNT_TOLERANCE {
        return same(WHAT, leaf.oracle, "signed", leaf.signed, view.signed);
    }
    let range = view.opened_range();
    if range.contains(&leaf.opened) {
        return Ok(());
    }
    Err(Disagreement::Differs {
        what: WHAT,
        key: Key(leaf.oracle),
        field: "opened",
        got: leaf.opened.to_string(),
        own: format!("{} to {}", range.start(), range.end()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{lease, node, oracle};

    const AT: i64 = 1_000;

    fn view(live_secs: u64) -> LeaseView {
        let leaf = lease(1, live_secs, AT);
        LeaseView { boundary: Some(leaf), now: leaf, decided_at: None, blind_secs: 0, accepted_secs: live_secs }
    }

    fn findings(view: LeaseView) -> Findings {
        let finding = NodeFinding {
            super_root: [2; 24],
            verdict: Verdict::Passed,
            gops: 1_000,
            claimed_gops: 2_000,
            vram_mib: 6,
            bandwidth_mbps: 100,
        };
        let seat = OracleView { signed: 9, tally: Tally { opened: 5, unknown: 3 } };
        Findings {
            leases: HashMap::from([([1; 32], view)]),
            nodes: HashMap::from([(([2; 32], 4), finding)]),
            oracles: HashMap::from([([3; 32], seat)]),
        }
    }

    fn agrees_on_lease(leaf: LeaseLeaf, view: LeaseView) -> bool {
        check(&LeafSet::new(7, vec![leaf], vec![]), 7, AT, &findings(view)).is_ok()
    }

    fn agrees_on_node(leaf: NodeLeaf) -> bool {
        check(&LeafSet::new(7, vec![], vec![leaf]), 7, AT, &findings(view(0))).is_ok()
    }

    #[test]
    fn seconds_agree_within_three() {
        for (proposed, expected) in [(100, true), (103, true), (97, true), (104, false), (96, false)] {
            assert_eq!(agrees_on_lease(lease(1, proposed, AT), view(100)), expected, "{proposed} against 100");
        }
    }

    #[test]
    fn seconds_agree_within_a_quarter_of_what_is_new() {
        let grown = LeaseView { accepted_secs: 900, ..view(1_000) };
        assert!(agrees_on_lease(lease(1, 1_025, AT), grown));
        assert!(!agrees_on_lease(lease(1, 1_026, AT), grown), "not a quarter of the whole thousand");
        assert!(!agrees_on_lease(lease(1, 974, AT), grown));
    }

    #[test]
    fn an_oracle_contradicts_nobody_about_what_it_did_not_watch() {
        let blind = LeaseView { blind_secs: 50, ..view(50) };
        assert!(agrees_on_lease(lease(1, 100, AT), blind));
        assert!(!agrees_on_lease(lease(1, 104, AT), blind));
        assert!(!agrees_on_lease(lease(1, 46, AT), blind), "what it saw it saw");
    }

    #[test]
    fn statuses_exit_codes_and_roots_must_be_equal() {
        let done = LeaseLeaf { status: LeaseStatus::JobFailed, exit_code: 3, result_root: [5; 32], ..lease(1, 9, AT) };
        let own = LeaseView { boundary: Some(done), now: done, decided_at: Some(AT - 10), ..view(9) };
        assert!(agrees_on_lease(done, own));
        assert!(!agrees_on_lease(LeaseLeaf { status: LeaseStatus::NodeFailed, ..done }, own));
        assert!(!agrees_on_lease(LeaseLeaf { exit_code: 4, ..done }, own));
        assert!(!agrees_on_lease(LeaseLeaf { result_root: [6; 32], ..done }, own));
        assert!(!agrees_on_lease(LeaseLeaf { checkpoint_root: [6; 32], ..done }, own));
        assert!(!agrees_on_lease(LeaseLeaf { checkpointed_secs: 1, ..done }, own));
        assert!(!agrees_on_lease(lease(1, 9, AT), own), "it ended long ago");
    }

    #[test]
    fn an_end_at_the_boundary_may_lie_on_either_side() {
        let done = LeaseLeaf { status: LeaseStatus::Completed, result_root: [5; 32], ..lease(1, 9, AT) };
        let decided_before = LeaseView { boundary: Some(done), now: done, decided_at: Some(AT - 3), ..view(9) };
        assert!(agrees_on_lease(lease(1, 9, AT), decided_before));
        let decided_after = LeaseView { now: done, decided_at: Some(AT + 1), ..view(9) };
        assert!(agrees_on_lease(done, decided_after));
        assert!(agrees_on_lease(lease(1, 9, AT), decided_after));
        assert!(!agrees_on_lease(LeaseLeaf { result_root: [5; 32], ..lease(1, 9, AT) }, decided_after));
        assert!(!agrees_on_lease(done, view(9)), "here it still runs");
    }

    #[test]
    fn speed_agrees_within_a_quarter_and_findings_exactly() {
        let leaf = node(2, 1_000, AT);
        for (gops, expected) in [(1_000, true), (1_250, true), (750, true), (1_251, false), (749, false)] {
            assert_eq!(agrees_on_node(NodeLeaf { gops, ..leaf }), expected, "{gops} against 1,000");
        }
        assert!(!agrees_on_node(NodeLeaf { verdict: Verdict::Refused, ..leaf }));
        assert!(!agrees_on_node(NodeLeaf { super_root: [9; 24], ..leaf }));
        assert!(!agrees_on_node(NodeLeaf { vram_mib: 7, ..leaf }));
        assert!(!agrees_on_node(NodeLeaf { audit_epoch: 5, ..leaf }));
        assert!(!agrees_on_node(NodeLeaf { bandwidth_mbps: 99, ..leaf }));
    }

    #[test]
    fn counters_of_oracles_agree_within_two_epochs_and_what_was_not_seen() {
        let agrees = |leaf: OracleLeaf| {
            let set = LeafSet::new(7, vec![lease(1, 9, AT)], vec![]).with_oracles(vec![leaf]);
            check(&set, 7, AT, &findings(view(9))).is_ok()
        };
        for (opened, expected) in [(2, false), (3, true), (5, true), (10, true), (11, false)] {
            assert_eq!(agrees(oracle(3, opened, AT)), expected, "{opened} opened");
        }
        for (signed, expected) in [(6, false), (7, true), (11, true), (12, false)] {
            assert_eq!(agrees(OracleLeaf { signed, ..oracle(3, 5, AT) }), expected, "{signed} signed");
        }
        assert!(!agrees(oracle(4, 5, AT)), "no such seat");
        assert!(!agrees(oracle(3, 5, AT - 1)));
    }

    #[test]
    fn speed_beyond_the_claim_is_not_compared() {
        let agrees = |own: u64, proposed: u64| {
            let mut findings = findings(view(0));
            for finding in findings.nodes.values_mut() {
                finding.gops = own;
            }
            check(&LeafSet::new(7, vec![], vec![node(2, proposed, AT)]), 7, AT, &findings).is_ok()
        };
        assert!(agrees(2_000, 9_000) && agrees(9_000, 2_000));
        assert!(agrees(1_700, 9_000), "it counts as 2,000");
        assert!(!agrees(1_500, 9_000) && !agrees(9_000, 1_400));
    }

    #[test]
    fn unknown_leaves_other_dates_other_epochs_and_nothing_are_refused() {
        assert!(!agrees_on_lease(lease(3, 1, AT), view(1)));
        assert!(!agrees_on_lease(lease(1, 1, AT + 1), view(1)));
        let set = LeafSet::new(7, vec![lease(1, 1, AT)], vec![]);
        assert_eq!(check(&set, 8, AT, &findings(view(1))), Err(vec![Disagreement::OtherEpoch(7)]));
        let nothing = LeafSet::new(7, vec![], vec![]);
        assert_eq!(check(&nothing, 7, AT, &findings(view(1))), Err(vec![Disagreement::Empty]));
    }

    #[test]
    fn a_proposer_stands_for_what_fits_and_leaves_the_rest_out() {
        let set = LeafSet::new(7, vec![lease(1, 100, AT), lease(9, 5, AT)], vec![node(2, 500, AT)])
            .with_oracles(vec![oracle(3, 99, AT)]);
        let kept = retain(&set, AT, &findings(view(100)));
        assert_eq!(kept, LeafSet::new(7, vec![lease(1, 100, AT)], vec![]));
        assert_eq!(check(&kept, 7, AT, &findings(view(100))), Ok(()));
    }

    #[test]
    fn what_more_than_half_saw_an_outlier_yields_to() {
        let ballot = |live_secs, gops| {
            LeafSet::new(7, vec![lease(1, live_secs, AT)], vec![node(2, gops, AT)]).with_oracles(vec![oracle(3, 5, AT)])
        };
        let proposal = ballot(100, 1_000);
        // This oracle saw far fewer seconds, and a slower node.
        let own = findings(view(10));
        let seen = [ballot(99, 990), ballot(102, 1_100), ballot(50, 1_000)];
        let backed = |weights: [u64; 3], own_weight, total| {
            let ballots: Vec<_> = weights.into_iter().zip(&seen).collect();
            let mut found: Vec<_> = backed(&proposal, AT, &own, &ballots, own_weight, total).into_iter().collect();
            found.sort_unstable();
            found
        };
        assert_eq!(backed([1, 1, 1], 1, 5), [[2; 32], [3; 32]], "two of four others are not more than half");
        assert_eq!(backed([1, 1, 1], 1, 4), [[1; 32], [2; 32], [3; 32]]);
        assert_eq!(backed([1, 1, 2], 1, 5), [[2; 32], [3; 32]], "by weight");
        assert!(backed([1, 1, 1], 1, 7).is_empty());
        assert!(backed([1, 1, 1], 8, 11).is_empty(), "all others, but less than a third of all");
    }

    #[test]
    fn an_unknown_leaf_is_backed_by_those_who_know_it_and_another_finding_backs_nothing() {
        let refused = NodeLeaf { verdict: Verdict::Refused, ..node(9, 1_000, AT) };
        let known = LeafSet::new(7, vec![], vec![node(9, 1_000, AT)]);
        let other = LeafSet::new(7, vec![], vec![refused]);
        let nobody = Findings::default();
        assert_eq!(backed(&known, AT, &nobody, &[(2, &known), (1, &other)], 1, 4), HashSet::from([[9; 32]]));
        assert!(backed(&known, AT, &nobody, &[(1, &known), (2, &other)], 1, 4).is_empty());
        let old = LeafSet::new(6, vec![], vec![node(9, 1_000, AT)]);
        assert!(backed(&known, AT, &nobody, &[(3, &old)], 1, 4).is_empty(), "of another epoch");
        assert!(backed(&known, AT + 1, &nobody, &[(3, &known)], 1, 4).is_empty(), "of another date");
    }

    #[test]
    fn a_disagreement_names_the_account_and_both_figures() {
        let found = check(&LeafSet::new(7, vec![lease(1, 50, AT)], vec![]), 7, AT, &findings(view(10))).unwrap_err();
        assert_eq!(found[0].key(), Some([1; 32]));
        let text = found[0].to_string();
        assert!(text.contains("live seconds is 50, here it is 7 to 13"), "{text}");
    }
}
