//! Which parameters and bounds are allowed.

use crate::*;
use millrace::state::{DurationBounds, Params, Span};
use millrace_tests::{ix, local_params, MillraceError};

#[test]
fn every_parameter_has_limits() {
    let wrong: [fn(&mut Params); 22] = [
        |p| p.fee_bps = 2_001,
        |p| (p.oracle_share_bps, p.treasury_share_bps) = (5_000, 4_001),
        |p| p.holdback_bps = 5_001,
        |p| p.bid_bond_bps = 5_001,
        |p| p.bounty_bps = 501,
        |p| p.quorum_bps = 4_999,
        |p| p.quorum_bps = 9_001,
        |p| p.stake_base_amount = 0,
        |p| p.case_deposit_lamports = 1_000_000_001,
        |p| p.epoch_secs = 0,
        |p| p.epoch_secs = -1,
        |p| p.epoch_secs = 30 * 86_400 + 1,
        |p| p.unbonding_secs = 30 * 86_400 + 1,
        |p| p.dispute_window_secs = -1,
        |p| p.award_window_secs = -1,
        |p| p.audit_valid_secs = -1,
        |p| p.oracle_outage_secs = -1,
        |p| p.jail_secs = -1,
        |p| p.case_window_secs = -1,
        |p| p.stop_notice_secs = -1,
        |p| p.max_lease_secs = -1,
        |p| p.max_lease_secs = 30 * 86_400 + 1,
    ];
    let (mut world, deployer) = bare();
    for (case, change) in wrong.iter().enumerate() {
        let mut args = args();
        change(&mut args.params);
        let attempt = ix::initialize(&world, args);
        let refusal = world.assert_refused(&[attempt], &[&deployer], MillraceError::ParameterOutOfBounds);
        assert!(refusal.is(MillraceError::ParameterOutOfBounds), "case {case}");
    }
}

#[test]
fn unbonding_outlasts_the_longest_lease_its_dispute_and_a_case() {
    let (mut world, deployer) = bare();
    let mut args = args();
    let judged_within = args.params.max_lease_secs + args.params.dispute_window_secs + args.params.case_window_secs;
    args.params.unbonding_secs = judged_within - 1;
    world.assert_refused(&[ix::initialize(&world, args.clone())], &[&deployer], MillraceError::UnbondingTooShort);
    args.params.unbonding_secs = judged_within;
    world.must(&[ix::initialize(&world, args)], &[&deployer]);
}

#[test]
fn bounds_stay_within_the_outer_limits() {
    let wrong: [fn(&mut DurationBounds); 3] = [
        |b| b.jail = Span { min_secs: 5, max_secs: 4 },
        |b| b.epoch = Span { min_secs: -1, max_secs: 100 },
        |b| b.unbonding = Span { min_secs: 0, max_secs: 2 * 365 * 86_400 + 1 },
    ];
    let (mut world, deployer) = bare();
    for change in wrong {
        let mut args = args();
        change(&mut args.bounds);
        world.assert_refused(&[ix::initialize(&world, args)], &[&deployer], MillraceError::ParameterOutOfBounds);
    }
}

#[test]
fn reserved_bytes_start_as_zeros_whatever_is_sent() {
    let (mut world, deployer) = bare();
    let mut args = args();
    args.params.reserved = [7; 64];
    args.params.padding = [7; 4];
    world.must(&[ix::initialize(&world, args)], &[&deployer]);
    assert_eq!(world.config().params, local_params());
}
