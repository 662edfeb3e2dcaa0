//! Audits: only what the quorum reported, of this node, newer than the last.

use super::*;
use millrace::constants::REPORT_RING;
use millrace::events::AuditApplied;
use millrace::instructions::ApplyAuditArgs;
use millrace::state::{Node, NodeState};
use millrace_core::leaves::{LeaseLeaf, LeaseStatus, NodeLeaf, Verdict, NODE_LEAF_LEN};
use millrace_core::merkle::Tree;
use millrace_tests::report::sign_args;
use millrace_tests::{ix, MillraceError, NodeSpec, Report};

#[test]
fn a_passed_audit_verifies_what_was_measured_at_most_what_was_claimed() {
    let (mut world, _, node) = market();
    let caller = anyone(&mut world);
    let claimed = world.read::<Node>(&node).claimed_gops;
    let valid_secs = world.config().params.audit_valid_secs;
    for (measured, verified) in
        [(claimed + 1, claimed), (claimed, claimed), (claimed - 1, claimed - 1), (claimed / 2, claimed / 2)]
    {
        world.warp_secs(1);
        let leaf = NodeLeaf { gops: measured, vram_mib: 99_999, ..passed(&world, &node) };
        let report = world.report_node(&leaf);
        let event: AuditApplied = world.must(&[application(&report, &leaf)], &[&caller]).event();
        assert_eq!((event.measured_gops, event.verified_gops), (measured, verified));
        let state = world.read::<Node>(&node);
        assert_eq!((state.state, state.verified_gops), (NodeState::Verified as u8, verified));
        assert_eq!((state.verified_vram_mib, state.verified_bandwidth_mbps), (24_576, 1_000));
        assert_eq!((state.verified_at, state.verified_until), (leaf.at, leaf.at + valid_secs));
        assert_eq!((state.audit_epoch, state.super_root), (leaf.audit_epoch, leaf.super_root));
        assert!(state.is_able(world.now()));
    }
}

#[test]
fn less_than_half_of_the_claim_suspends() {
    let (mut world, _, node) = market();
    let caller = anyone(&mut world);
    let leaf = NodeLeaf { gops: 4_999, ..passed(&world, &node) };
    let report = world.report_node(&leaf);
    world.must(&[application(&report, &leaf)], &[&caller]);
    let state = world.read::<Node>(&node);
    assert_eq!((state.state, state.verified_gops), (NodeState::Suspended as u8, 4_999));
    assert!(!state.is_able(world.now()));
}

#[test]
fn any_other_verdict_suspends_and_the_next_pass_lifts_it() {
    let (mut world, _, node) = market();
    let caller = anyone(&mut world);
    for verdict in [Verdict::Refused, Verdict::Withheld] {
        for (verdict, wanted) in [(verdict, NodeState::Suspended), (Verdict::Passed, NodeState::Verified)] {
            world.warp_secs(1);
            let leaf = NodeLeaf { verdict, ..passed(&world, &node) };
            let report = world.report_node(&leaf);
            let event: AuditApplied = world.must(&[application(&report, &leaf)], &[&caller]).event();
            assert_eq!((event.verdict, event.state), (verdict as u8, wanted as u8));
            assert_eq!(world.read::<Node>(&node).state, wanted as u8);
        }
    }
}

#[test]
fn an_audit_expires() {
    let (mut world, seller, _) = market();
    let node = world.verified_node(&seller, NodeSpec::default());
    let until = world.read::<Node>(&node).verified_until;
    assert!(world.read::<Node>(&node).is_able(until - 1) && !world.read::<Node>(&node).is_able(until));
}

#[test]
fn a_leaf_kept_back_is_not_valid_for_longer() {
    let (mut world, _, node) = market();
    let caller = anyone(&mut world);
    let leaf = passed(&world, &node);
    let report = world.report_node(&leaf);
    world.warp_epochs(REPORT_RING as u64 - 1);
    world.must(&[application(&report, &leaf)], &[&caller]);
    let state = world.read::<Node>(&node);
    assert_eq!(state.verified_until, leaf.at + world.config().params.audit_valid_secs);
}

#[test]
fn a_leaf_is_applied_once_and_never_after_a_newer_one() {
    let (mut world, _, node) = market();
    let caller = anyone(&mut world);
    let older = passed(&world, &node);
    world.warp_secs(10);
    let newer = NodeLeaf { verdict: Verdict::Refused, ..passed(&world, &node) };
    let older_report = world.report_node(&older);
    let newer_report = world.report_node(&newer);
    world.must(&[application(&newer_report, &newer)], &[&caller]);
    for (report, leaf) in [(&newer_report, &newer), (&older_report, &older)] {
        world.assert_refused(&[application(report, leaf)], &[&caller], MillraceError::StaleLeaf);
    }
    assert_eq!(world.read::<Node>(&node).state, NodeState::Suspended as u8);
}

#[test]
fn a_finding_of_the_future_is_refused() {
    let (mut world, _, node) = market();
    let caller = anyone(&mut world);
    let leaf = NodeLeaf { at: world.now() + 1, ..passed(&world, &node) };
    let report = world.report_node(&leaf);
    world.assert_refused(&[application(&report, &leaf)], &[&caller], MillraceError::LeafTooNew);
}

#[test]
fn the_leaf_of_another_node_is_refused() {
    let (mut world, seller, node) = market();
    let caller = anyone(&mut world);
    let other = world.node(&seller, &NodeSpec::default());
    let leaf = passed(&world, &other);
    let report = world.report_node(&leaf);
    let attempt = ix::swap(application(&report, &leaf), &other, &node);
    world.assert_refused(&[attempt], &[&caller], MillraceError::LeafOfAnother);
}

#[test]
fn a_leaf_that_no_quorum_signed_is_refused() {
    let (mut world, _, node) = market();
    let caller = anyone(&mut world);
    let leaf = passed(&world, &node);
    let epoch = world.epoch();
    let report = Report::over(epoch, &[leaf.tree_node()]);
    world.assert_refused(&[application(&report, &leaf)], &[&caller], MillraceError::NoAcceptedRoot);
    // One oracle is not a quorum.
    sign(&mut world, 0, sign_args(&report));
    world.assert_refused(&[application(&report, &leaf)], &[&caller], MillraceError::NoAcceptedRoot);
}

#[test]
fn a_root_that_left_the_ring_proves_nothing() {
    let (mut world, _, node) = market();
    let caller = anyone(&mut world);
    let leaf = passed(&world, &node);
    let report = world.report_node(&leaf);
    world.warp_epochs(REPORT_RING as u64);
    let newer = Report::over(world.epoch(), &[[1; 24]]);
    world.accept(&newer);
    world.assert_refused(&[application(&report, &leaf)], &[&caller], MillraceError::NoAcceptedRoot);
}

#[test]
fn only_the_right_path_proves_a_leaf() {
    let (mut world, _, node) = market();
    let caller = anyone(&mut world);
    let leaf = passed(&world, &node);
    let leaves = [[1; 24], [2; 24], leaf.tree_node(), [4; 24], [5; 24]];
    let report = world.report(&leaves);
    let (index, path) = report.proof(2);
    let with = |index: u32, path: Vec<u8>| {
        ix::apply_audit(&node, ApplyAuditArgs { epoch: report.epoch, index, leaf: leaf.to_bytes(), path })
    };
    let mut bent = path.clone();
    bent[30] ^= 1;
    let longer = [path.clone(), vec![0; 24]].concat();
    let wrong = [
        (0, path.clone()),
        (3, path.clone()),
        // In the padded tree, not under the report.
        (5, path.clone()),
        // The bits above the tree are not ignored.
        (index + 8, path.clone()),
        (index, bent),
        (index, longer),
        (index, path[..path.len() - 24].to_vec()),
        (index, path[..path.len() - 1].to_vec()),
        (index, Vec::new()),
        (index, report.proof(1).1),
    ];
    for (index, path) in wrong {
        world.assert_refused(&[with(index, path)], &[&caller], MillraceError::WrongPath);
    }
    world.must(&[with(index, path)], &[&caller]);
}

#[test]
fn an_inner_node_does_not_pass_for_a_leaf() {
    let (mut world, _, node) = market();
    let caller = anyone(&mut world);
    let leaf = passed(&world, &node);
    let leaves = [leaf.tree_node(), [2; 24], [3; 24], [4; 24]];
    let report = world.report(&leaves);
    // Another leaf of the node, and the siblings of the inner node above it.
    let forged = NodeLeaf { gops: leaf.gops + 1, ..leaf };
    let path = Tree::new(leaves.to_vec()).path(0)[1..].concat();
    let args = ApplyAuditArgs { epoch: report.epoch, index: 0, leaf: forged.to_bytes(), path };
    world.assert_refused(&[ix::apply_audit(&node, args)], &[&caller], MillraceError::WrongPath);
}

#[test]
fn a_changed_leaf_is_not_under_the_root() {
    let (mut world, _, node) = market();
    let caller = anyone(&mut world);
    let leaf = passed(&world, &node);
    let report = world.report_node(&leaf);
    let better = NodeLeaf { bandwidth_mbps: leaf.bandwidth_mbps + 1, ..leaf };
    world.assert_refused(&[application(&report, &better)], &[&caller], MillraceError::WrongPath);
}

#[test]
fn bytes_that_are_no_node_leaf_are_refused() {
    let (mut world, _, node) = market();
    let caller = anyone(&mut world);
    let leaf = passed(&world, &node);
    let report = world.report_node(&leaf);
    let mut bytes = leaf.to_bytes();
    bytes[32 + 8 + 24] = 9;
    let args = ApplyAuditArgs { epoch: report.epoch, index: 0, leaf: bytes, path: Vec::new() };
    world.assert_refused(&[ix::apply_audit(&node, args)], &[&caller], MillraceError::NotALeaf);

    // A lease leaf that begins with the node's address hashes under another domain.
    let lease_leaf = LeaseLeaf {
        lease: node.to_bytes(),
        live_secs: 1,
        checkpointed_secs: 0,
        lost_secs: 0,
        status: LeaseStatus::Running,
        exit_code: 0,
        checkpoint_root: [0; 32],
        result_root: [0; 32],
        at: world.now(),
    };
    let report = world.report_lease(&lease_leaf);
    let mut cut = [0; NODE_LEAF_LEN];
    cut.copy_from_slice(&lease_leaf.to_bytes()[..NODE_LEAF_LEN]);
    cut[32 + 8 + 24] = Verdict::Passed as u8;
    let args = ApplyAuditArgs { epoch: report.epoch, index: 0, leaf: cut, path: Vec::new() };
    world.assert_refused(&[ix::apply_audit(&node, args)], &[&caller], MillraceError::WrongPath);
}

#[test]
fn a_retired_node_is_audited_no_more() {
    let (mut world, seller, node) = market();
    let caller = anyone(&mut world);
    let leaf = passed(&world, &node);
    let report = world.report_node(&leaf);
    world.must(&[ix::retire(&seller, &node)], &[&seller.authority]);
    world.assert_refused(&[application(&report, &leaf)], &[&caller], MillraceError::NodeRetired);
}

#[test]
fn the_longest_path_fits_a_transaction() {
    let (mut world, _, node) = market();
    let caller = anyone(&mut world);
    let leaf = passed(&world, &node);
    let report = world.report_deep(leaf.tree_node(), 20);
    let receipt = world.must(&[application(&report, &leaf)], &[&caller]);
    assert_eq!(world.read::<Node>(&node).state, NodeState::Verified as u8);
    assert!(receipt.cu <= 20_000, "an audit twenty levels deep costs {} units", receipt.cu);
}
