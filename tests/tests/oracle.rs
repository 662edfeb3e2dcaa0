//! Oracles: beacons no one chooses, reports no minority makes, audits no one else's.

use anchor_lang::error::ErrorCode;
use millrace::constants::{BEACON_SLOTS_AHEAD, REPORT_RING};
use millrace::events::{AuditApplied, BeaconLatched, BeaconOpened, ReportSigned};
use millrace::instructions::{ApplyAuditArgs, SignReportArgs, SLOT_HASHES_ID};
use millrace::state::{Beacons, Node, NodeState, Oracle, OracleSet, Reports};
use millrace_core::leaves::{LeaseLeaf, LeaseStatus, NodeLeaf, Verdict, NODE_LEAF_LEN};
use millrace_core::merkle::{Tree, TreeNode};
use millrace_tests::report::sign_args;
use millrace_tests::world::SLOT_HASHES;
use millrace_tests::{
    ix, pda, Genesis, Instruction, Keypair, MillraceError, NodeSpec, Pubkey, Refusal, Report, Seller, Signer, World,
    MILL,
};

/// Compute units a signature of a report may cost.
const SIGN_REPORT_CU: u64 = 8_700;

fn weighted(weights: &[u64]) -> World {
    World::at(Genesis { weights: weights.to_vec(), ..Genesis::default() })
}

// Beacons

fn beacons(world: &World) -> Box<Beacons> {
    world.read(&pda::beacons())
}

fn anyone(world: &mut World) -> Keypair {
    world.stranger("anyone")
}

#[test]
fn a_beacon_is_the_hash_of_a_slot_that_lay_ahead() {
    let mut world = World::new();
    let caller = anyone(&mut world);
    world.warp_epochs(3);
    let opened: BeaconOpened = world.must(&[ix::open_beacon(3)], &[&caller]).event();
    assert_eq!((opened.epoch, opened.slot), (3, world.slot() + BEACON_SLOTS_AHEAD));
    assert!(beacons(&world).latched(3).is_none());

    // The hash of the named slot is known one slot later.
    world.warp_slots(BEACON_SLOTS_AHEAD);
    world.assert_refused(&[ix::latch_beacon(3)], &[&caller], MillraceError::BeaconTooEarly);
    world.warp_slots(1);
    let latched: BeaconLatched = world.must(&[ix::latch_beacon(3)], &[&caller]).event();
    assert_eq!((latched.slot, latched.hash), (opened.slot, World::slot_hash(opened.slot)));
    assert_eq!(latched.sequence, opened.sequence + 1);
    assert_eq!(beacons(&world).latched(3).unwrap().hash, latched.hash);
}

#[test]
fn whoever_latches_whenever_the_hash_is_the_same() {
    let hash_after = |wait: u64| {
        let mut world = World::new();
        let caller = anyone(&mut world);
        let opened: BeaconOpened = world.must(&[ix::open_beacon(0)], &[&caller]).event();
        world.skip_slot(opened.slot);
        world.skip_slot(opened.slot + 1);
        world.warp_slots(wait);
        world.must(&[ix::latch_beacon(0)], &[&caller]).event::<BeaconLatched>().hash
    };
    let first_chance = BEACON_SLOTS_AHEAD + 3;
    let found: Vec<_> = [0, 1, 100, 400].map(|later| hash_after(first_chance + later)).to_vec();
    assert!(found.iter().all(|hash| *hash == found[0]), "the hash depends on when it was latched");
    // Two slots without a block were passed over.
    let mut world = World::new();
    let caller = anyone(&mut world);
    let opened: BeaconOpened = world.must(&[ix::open_beacon(0)], &[&caller]).event();
    assert_eq!(found[0], World::slot_hash(opened.slot + 2));
    assert_ne!(found[0], World::slot_hash(opened.slot));
}

#[test]
fn a_beacon_is_opened_in_its_epoch_and_once() {
    let mut world = World::new();
    let caller = anyone(&mut world);
    world.warp_epochs(2);
    for epoch in [1, 3, u64::MAX] {
        world.assert_refused(&[ix::open_beacon(epoch)], &[&caller], MillraceError::WrongEpoch);
    }
    world.must(&[ix::open_beacon(2)], &[&caller]);
    world.assert_refused(&[ix::open_beacon(2)], &[&caller], MillraceError::BeaconOpen);
    world.warp_slots(BEACON_SLOTS_AHEAD + 1);
    world.must(&[ix::latch_beacon(2)], &[&caller]);
    world.assert_refused(&[ix::open_beacon(2)], &[&caller], MillraceError::BeaconOpen);
    world.assert_refused(&[ix::latch_beacon(2)], &[&caller], MillraceError::BeaconOpen);
}

#[test]
fn a_beacon_that_was_not_opened_is_not_latched() {
    let mut world = World::new();
    let caller = anyone(&mut world);
    world.assert_refused(&[ix::latch_beacon(0)], &[&caller], MillraceError::BeaconNotOpen);
    world.must(&[ix::open_beacon(0)], &[&caller]);
    world.warp_slots(BEACON_SLOTS_AHEAD + 1);
    // The place of epoch 1,024 is that of epoch 0.
    for epoch in [1, 1_024] {
        world.assert_refused(&[ix::latch_beacon(epoch)], &[&caller], MillraceError::BeaconNotOpen);
    }
}

#[test]
fn a_missed_slot_voids_the_beacon_until_it_is_opened_again() {
    let mut world = World::new();
    let caller = anyone(&mut world);
    let opened: BeaconOpened = world.must(&[ix::open_beacon(0)], &[&caller]).event();
    // The last slot in which the named hash is still kept.
    world.warp_slots(BEACON_SLOTS_AHEAD + SLOT_HASHES as u64);
    assert_eq!(world.slot() - SLOT_HASHES as u64, opened.slot);
    world.assert_refused(&[ix::open_beacon(0)], &[&caller], MillraceError::BeaconOpen);
    world.warp_slots(1);
    world.assert_refused(&[ix::latch_beacon(0)], &[&caller], MillraceError::BeaconMissed);

    let again: BeaconOpened = world.must(&[ix::open_beacon(0)], &[&caller]).event();
    assert_eq!(again.slot, world.slot() + BEACON_SLOTS_AHEAD);
    world.warp_slots(BEACON_SLOTS_AHEAD + 1);
    world.must(&[ix::latch_beacon(0)], &[&caller]);
    assert_eq!(beacons(&world).latched(0).unwrap().hash, World::slot_hash(again.slot));
}

#[test]
fn a_new_epoch_takes_the_place_of_the_one_a_window_ago() {
    let mut world = World::new();
    let caller = anyone(&mut world);
    for epoch in [0, 1_024] {
        world.must(&[ix::open_beacon(epoch)], &[&caller]);
        world.warp_slots(BEACON_SLOTS_AHEAD + 1);
        world.must(&[ix::latch_beacon(epoch)], &[&caller]);
        world.warp_epochs(1_024);
    }
    let beacons = beacons(&world);
    assert!(beacons.latched(0).is_none() && beacons.latched(1_024).is_some());
}

#[test]
fn slot_hashes_come_from_the_sysvar_only() {
    let mut world = World::new();
    let caller = anyone(&mut world);
    let forged = ix::swap(ix::open_beacon(0), &SLOT_HASHES_ID, &world.mint);
    world.assert_refused(&[forged], &[&caller], ErrorCode::ConstraintAddress);
    world.must(&[ix::open_beacon(0)], &[&caller]);
    world.warp_slots(BEACON_SLOTS_AHEAD + 1);
    let forged = ix::swap(ix::latch_beacon(0), &SLOT_HASHES_ID, &world.mint);
    world.assert_refused(&[forged], &[&caller], ErrorCode::ConstraintAddress);
}

#[test]
fn no_unrelated_account_passes_for_one_of_an_oracles_call() {
    let (mut world, _, node) = market();
    let caller = anyone(&mut world);
    let oracle = world.oracles[0].insecure_clone();
    let leaf = passed(&world, &node);
    let report = world.report_node(&leaf);
    world.assert_no_account_is_replaceable(&application(&report, &leaf), &[&caller]);
    world.warp_to_next_epoch();
    let epoch = world.epoch();
    world.assert_no_account_is_replaceable(&ix::sign_report(&oracle.pubkey(), args(epoch, root(1), 1)), &[&oracle]);
    world.assert_no_account_is_replaceable(&ix::open_beacon(epoch), &[&caller]);
    world.must(&[ix::open_beacon(epoch)], &[&caller]);
    world.warp_slots(BEACON_SLOTS_AHEAD + 1);
    world.assert_no_account_is_replaceable(&ix::latch_beacon(epoch), &[&caller]);
}

// Reports

fn root(n: u8) -> TreeNode {
    [n; 24]
}

fn args(epoch: u64, root: TreeNode, leaves: u32) -> SignReportArgs {
    SignReportArgs { epoch, root, leaves, next_observation_hash: [8; 32] }
}

fn sign(world: &mut World, seat: usize, args: SignReportArgs) -> ReportSigned {
    let oracle = world.oracles[seat].insecure_clone();
    world.must(&[ix::sign_report(&oracle.pubkey(), args)], &[&oracle]).event()
}

fn refuse_signature(world: &mut World, seat: usize, args: SignReportArgs, error: MillraceError) -> Refusal {
    let oracle = world.oracles[seat].insecure_clone();
    world.assert_refused(&[ix::sign_report(&oracle.pubkey(), args)], &[&oracle], error)
}

fn reports(world: &World) -> Box<Reports> {
    world.read(&pda::reports())
}

#[test]
fn two_of_three_accept_a_root_and_the_third_adds_its_bit() {
    let mut world = World::new();
    world.warp_epochs(4);
    let first = sign(&mut world, 0, args(4, root(1), 9));
    assert_eq!((first.weight, first.signers, first.is_accepted), (1, 0b001, false));
    assert!(reports(&world).accepted(4).is_none());

    let accepted_at = world.now();
    let second = sign(&mut world, 2, args(4, root(1), 9));
    assert_eq!((second.weight, second.signers, second.is_accepted), (2, 0b101, true));
    world.warp_secs(5);
    let third = sign(&mut world, 1, args(4, root(1), 9));
    assert_eq!((third.weight, third.signers, third.is_accepted), (3, 0b111, true));

    let reports = reports(&world);
    let accepted = reports.accepted(4).unwrap();
    assert_eq!((accepted.root, accepted.leaves, accepted.signers), (root(1), 9, 0b111));
    assert_eq!(accepted.accepted_at, accepted_at, "a late signature does not move the instant");
    let oracle = world.read::<Oracle>(&pda::oracle(&world.oracles[1].pubkey()));
    assert_eq!((oracle.signed, oracle.last_epoch, oracle.observation_hash), (1, 4, [8; 32]));
}

#[test]
fn one_short_of_the_quorum_accepts_nothing() {
    // Six of ten are not more than 6,000 basis points; seven are.
    let mut world = weighted(&[1; 10]);
    for seat in 0..6 {
        assert!(!sign(&mut world, seat, args(0, root(1), 1)).is_accepted);
    }
    assert!(reports(&world).accepted(0).is_none());
    assert!(sign(&mut world, 6, args(0, root(1), 1)).is_accepted);
}

#[test]
fn weight_decides_not_heads() {
    let mut world = weighted(&[1, 1, 1, 7]);
    for seat in 0..3 {
        assert!(!sign(&mut world, seat, args(0, root(1), 1)).is_accepted);
    }
    let heavy = sign(&mut world, 3, args(0, root(2), 1));
    assert_eq!((heavy.weight, heavy.is_accepted), (7, true));
}

#[test]
fn the_heaviest_possible_seats_do_not_overflow_the_quorum() {
    let mut world = weighted(&[u64::MAX / 2, u64::MAX / 2]);
    assert!(!sign(&mut world, 0, args(0, root(1), 1)).is_accepted);
    assert!(sign(&mut world, 1, args(0, root(1), 1)).is_accepted);
}

#[test]
fn junk_roots_take_nobodys_place() {
    let mut world = weighted(&[1; 10]);
    // Three colluders agree on junk before the honest sign.
    for seat in 0..3 {
        sign(&mut world, seat, args(0, root(66), 1));
    }
    for seat in 3..9 {
        assert!(!sign(&mut world, seat, args(0, root(1), 5)).is_accepted);
    }
    assert!(sign(&mut world, 9, args(0, root(1), 5)).is_accepted);
    assert_eq!(reports(&world).accepted(0).unwrap().root, root(1));
}

#[test]
fn a_root_with_other_leaves_is_another_root() {
    let mut world = World::new();
    sign(&mut world, 0, args(0, root(1), 5));
    let other = sign(&mut world, 1, args(0, root(1), 6));
    assert_eq!((other.weight, other.is_accepted), (1, false));
}

#[test]
fn a_dissenting_signature_is_presence_and_changes_no_accepted_root() {
    let mut world = World::new();
    sign(&mut world, 0, args(0, root(1), 5));
    sign(&mut world, 1, args(0, root(1), 5));
    let dissent = sign(&mut world, 2, args(0, root(2), 5));
    assert!(!dissent.is_accepted);
    let reports = reports(&world);
    let accepted = reports.accepted(0).unwrap();
    assert_eq!((accepted.root, accepted.signers), (root(1), 0b011));
    assert_eq!(world.read::<Oracle>(&pda::oracle(&world.oracles[2].pubkey())).signed, 1);
}

#[test]
fn a_seat_signs_an_epoch_once() {
    let mut world = World::new();
    world.warp_epochs(1);
    sign(&mut world, 0, args(1, root(1), 5));
    refuse_signature(&mut world, 0, args(1, root(1), 5), MillraceError::AlreadySigned);
    refuse_signature(&mut world, 0, args(1, root(2), 5), MillraceError::AlreadySigned);
    // The previous epoch has a row of its own.
    sign(&mut world, 0, args(0, root(3), 5));
    refuse_signature(&mut world, 0, args(0, root(3), 5), MillraceError::AlreadySigned);
}

#[test]
fn only_the_current_and_the_previous_epoch_are_signed() {
    let mut world = World::new();
    world.warp_epochs(5);
    for epoch in [0, 3, 6, u64::MAX] {
        refuse_signature(&mut world, 0, args(epoch, root(1), 1), MillraceError::WrongEpoch);
    }
    sign(&mut world, 0, args(4, root(1), 1));
    sign(&mut world, 0, args(5, root(1), 1));
    refuse_signature(&mut world, 1, args(5, root(1), 0), MillraceError::EmptyReport);
}

#[test]
fn rows_of_the_epoch_before_last_do_not_count() {
    let mut world = World::new();
    sign(&mut world, 0, args(0, root(1), 1));
    world.warp_epochs(2);
    let later = sign(&mut world, 1, args(2, root(1), 1));
    assert_eq!((later.weight, later.is_accepted), (1, false));
}

#[test]
fn strangers_sign_nothing() {
    let mut world = World::new();
    let stranger = anyone(&mut world);
    let seated = world.oracles[0].pubkey();
    let honest = ix::sign_report(&seated, args(0, root(1), 1));

    let no_record = ix::sign_report(&stranger.pubkey(), args(0, root(1), 1));
    world.assert_refused(&[no_record], &[&stranger], ErrorCode::AccountOwnedByWrongProgram);
    let with_anothers = ix::swap(honest.clone(), &seated, &stranger.pubkey());
    world.assert_refused(&[with_anothers], &[&stranger], MillraceError::NotAnOracle);
    let unsigned = ix::unsigned(honest, &seated);
    world.assert_refused(&[unsigned], &[&stranger], ErrorCode::AccountNotSigner);
}

#[test]
fn a_key_without_its_seat_signs_nothing() {
    let mut world = World::new();
    // As after a removal: the record is there, the seat is another's or gone.
    world.rewrite::<OracleSet>(&pda::oracles(), |oracles| oracles.seats[2].authority = Pubkey::new_from_array([9; 32]));
    refuse_signature(&mut world, 2, args(0, root(1), 1), MillraceError::NotAnOracle);
    world.rewrite::<OracleSet>(&pda::oracles(), |oracles| oracles.count = 1);
    refuse_signature(&mut world, 1, args(0, root(1), 1), MillraceError::NotAnOracle);
}

#[test]
fn accounts_of_one_kind_do_not_pass_for_another() {
    let mut world = World::new();
    let oracle = world.oracles[0].insecure_clone();
    let honest = ix::sign_report(&oracle.pubkey(), args(0, root(1), 1));
    for account in [pda::config(), pda::oracles(), pda::reports(), pda::oracle(&oracle.pubkey())] {
        let other = if account == pda::reports() { pda::config() } else { pda::reports() };
        let attempt = ix::swap(honest.clone(), &account, &other);
        world.assert_refused(&[attempt], &[&oracle], ErrorCode::AccountDiscriminatorMismatch);
    }
}

#[test]
fn a_signature_stays_cheap_with_every_seat_taken() {
    let mut world = weighted(&[1; 32]);
    let mut dearest = 0;
    for seat in 0..32 {
        let oracle = world.oracles[seat].insecure_clone();
        dearest = dearest.max(world.must(&[ix::sign_report(&oracle.pubkey(), args(0, root(1), 1))], &[&oracle]).cu);
    }
    assert!(dearest <= SIGN_REPORT_CU, "a signature costs {dearest} units");
}

// Audits

fn market() -> (World, Seller, Pubkey) {
    let mut world = World::new();
    let seller = world.provider("seller", 1_000 * MILL);
    let node = world.node(&seller, &NodeSpec::default());
    (world, seller, node)
}

fn passed(world: &World, node: &Pubkey) -> NodeLeaf {
    NodeSpec::default().passed(node, world.epoch(), world.now())
}

fn application(report: &Report, leaf: &NodeLeaf) -> Instruction {
    let (index, path) = report.proof(0);
    let args = ApplyAuditArgs { epoch: report.epoch, index, leaf: leaf.to_bytes(), path };
    ix::apply_audit(&Pubkey::new_from_array(leaf.node), args)
}

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
