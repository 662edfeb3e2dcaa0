//! Parameters: when they come into force, and what they leave alone.

use super::*;
use millrace::events::ParamsActivated;
use millrace::state::{Lease, Provider};
use millrace_client::ix::{activate_params, execute_params};
use millrace_core::leaves::LeaseStatus;
use millrace_tests::{ix, job_args, MillraceError, BID_PER_SEC, MILL};

/// Has the voter carry `params` and executes that; they are pending then.
fn pending(world: &mut World, voter: &Voter, params: &Params) {
    let proposal = world.passed(voter, ProposalKind::UpdateParams, &NO_TARGET, params);
    world.must(&[execute_params(&proposal)], &[&voter.key]);
}

/// And lets them come into force.
fn in_force(world: &mut World, voter: &Voter, params: &Params) {
    pending(world, voter, params);
    world.warp_epochs(2);
    world.must(&[activate_params()], &[&voter.key]);
}

#[test]
fn parameters_come_into_force_two_epochs_later_by_anyone() {
    let (mut world, voter) = market();
    let stranger = world.stranger("stranger");
    let params = Params { fee_bps: 400, ..world.config().params };
    world.assert_refused(&[activate_params()], &[&stranger], MillraceError::NothingPending);
    pending(&mut world, &voter, &params);
    let epoch = world.epoch();
    assert_eq!((world.config().pending_epoch, world.config().pending), (epoch + 2, params));
    assert_eq!(world.config().params.fee_bps, 500);
    world.warp_epochs(1);
    world.assert_refused(&[activate_params()], &[&stranger], MillraceError::NothingPending);
    world.warp_epochs(1);
    world.warp_secs(-1 + 1);
    let event: ParamsActivated = world.must(&[activate_params()], &[&stranger]).event();
    assert_eq!((event.old.fee_bps, event.new.fee_bps), (500, 400));
    assert_eq!((world.config().params, world.config().pending_epoch), (params, 0));
    world.assert_refused(&[activate_params()], &[&stranger], MillraceError::NothingPending);
}

#[test]
fn pending_parameters_come_before_the_next_ones() {
    let (mut world, voter) = market();
    let params = world.config().params;
    let first = propose_fee(&mut world, &voter, 400);
    let second = propose_fee(&mut world, &voter, 300);
    for proposal in [first, second] {
        world.cast(&voter, &proposal, true);
    }
    world.warp_secs(params.voting_secs + params.timelock_secs);
    world.must(&[execute_params(&first)], &[&voter.key]);
    world.assert_refused(&[execute_params(&second)], &[&voter.key], MillraceError::ParamsPending);
    world.warp_epochs(2);
    world.must(&[activate_params(), execute_params(&second)], &[&voter.key]);
    assert_eq!((world.config().params.fee_bps, world.config().pending.fee_bps), (400, 300));
}

#[test]
fn an_epochs_number_neither_falls_nor_leaps_when_its_length_changes() {
    let (mut world, voter) = market();
    for epoch_secs in [7, 59, 60, 13] {
        let params = Params { epoch_secs, ..world.config().params };
        pending(&mut world, &voter, &params);
        world.warp_epochs(2);
        world.warp_secs(5);
        let before = world.epoch();
        world.must(&[activate_params()], &[&voter.key]);
        assert_eq!((world.epoch(), world.config().params.epoch_secs), (before, epoch_secs));
        world.warp_secs(epoch_secs - 1);
        assert!(world.epoch() <= before + 1);
        world.warp_secs(1);
        assert_eq!(world.epoch(), before + 1);
    }
}

#[test]
fn parameters_changed_under_open_leases_by_a_vote_change_nothing_of_them() {
    let (mut world, voter) = market();
    let deal = world.deal();
    let terms = world.read::<Lease>(&deal.lease).terms;
    world.must(&[ix::begin_unstake(&deal.seller, MILL)], &[&deal.seller.authority]);
    let matures_at = world.read::<Provider>(&deal.seller.provider).unbonding_entries()[0].matures_at;
    let old = world.config().params;
    let params = Params {
        fee_bps: 2_000,
        holdback_bps: 5_000,
        bid_bond_bps: 5_000,
        bond_bps: 10_000,
        compensation_bps: 0,
        standby_bps: 5_000,
        dispute_window_secs: 1,
        oracle_outage_secs: 240,
        stop_notice_secs: 1_000,
        unbonding_secs: 100_000,
        reliability_half_fee_amount: 1,
        ..old
    };
    in_force(&mut world, &voter, &params);
    assert_eq!(world.config().params, params);
    assert_eq!(world.read::<Lease>(&deal.lease).terms, terms);
    assert_eq!(world.read::<Provider>(&deal.seller.provider).unbonding_entries()[0].matures_at, matures_at);
    // Settled, it pays the fee of the day it was posted.
    let started_at = world.read::<Lease>(&deal.lease).started_at;
    let live_secs = u64::try_from(world.now() - started_at).unwrap();
    let leaf = world.lease_leaf(&deal.lease, live_secs.min(500), LeaseStatus::Running);
    let report = world.report(&[leaf.tree_node()]);
    let settle = ix::settle_lease(&world, &deal.lease, World::settle_args(&report, &leaf));
    world.must(&[settle], &[&deal.buyer.authority]);
    let lease = world.read::<Lease>(&deal.lease);
    let customer = world.read::<millrace::state::Customer>(&deal.buyer.customer);
    assert!(lease.paid_secs > 0);
    assert_eq!(lease.gross_amount, BID_PER_SEC * lease.paid_secs);
    assert_eq!(customer.fee_due, (lease.gross_amount * u64::from(old.fee_bps)).div_ceil(10_000));
    // A job posted now is under the new.
    let other = world.customer("other", 1_000 * MILL);
    let job = world.post(&other, job_args());
    assert_eq!(world.read::<millrace::state::Job>(&job).terms.fee_bps, 2_000);
}
