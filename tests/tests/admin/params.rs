//! Which parameters and bounds are allowed.

use super::*;
use millrace::state::{DurationBounds, Params, Span};
use millrace_tests::{ix, local_params, MillraceError};

#[test]
fn every_parameter_has_limits() {
    let wrong: [fn(&mut Params); 51] = [
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
        |p| p.bond_bps = 10_001,
        |p| p.compensation_bps = 10_001,
        |p| p.standby_bps = 5_001,
        |p| p.withheld_slash_bps = 5_001,
        |p| p.capacity_slash_bps = 5_001,
        |p| p.max_slash_per_epoch_bps = 99,
        |p| p.max_slash_per_epoch_bps = 5_001,
        |p| p.vote_quorum_bps = 399,
        |p| p.vote_quorum_bps = 6_001,
        |p| p.downgrade_fee_amount = 1_000_001,
        |p| p.dispute_bond_amount = 100_000_000_001,
        |p| p.proposal_deposit_amount = 100_000_000_001,
        |p| p.reward_period_epochs = 0,
        |p| p.reward_period_epochs = 65,
        |p| p.appeal_window_secs = -1,
        |p| p.dispute_vote_secs = -1,
        |p| p.voting_secs = -1,
        |p| p.voting_secs = 30 * 86_400 + 1,
        |p| p.timelock_secs = -1,
        |p| p.timelock_secs = 30 * 86_400 + 1,
        |p| p.grace_secs = -1,
        |p| p.max_lock_secs = -1,
        |p| p.max_lock_secs = 30 * 86_400 + 1,
        // Those that may not overtake each other.
        |p| p.oracle_outage_secs = 4 * p.epoch_secs - 1,
        |p| p.case_window_secs = 4 * p.epoch_secs - 1,
        |p| p.voting_secs = 0,
        |p| p.grace_secs = 0,
        |p| p.max_lock_secs = p.voting_secs - 1,
        |p| (p.oracle_outage_secs, p.epoch_secs) = (239, 60),
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
fn unbonding_outlasts_the_fraud_window() {
    let (mut world, deployer) = bare();
    let mut args = args();
    args.params.unbonding_secs = 1_024 * args.params.epoch_secs - 1;
    world.assert_refused(&[ix::initialize(&world, args.clone())], &[&deployer], MillraceError::UnbondingTooShort);
    args.params.unbonding_secs += 1;
    world.must(&[ix::initialize(&world, args)], &[&deployer]);
}

#[test]
fn unbonding_outlasts_the_longest_lease_and_every_judgement_on_it() {
    let (mut world, deployer) = bare();
    let mut args = args();
    let p = &mut args.params;
    (p.epoch_secs, p.max_lease_secs) = (1, 7_200);
    let judged_secs = p.max_lease_secs
        + p.dispute_window_secs
        + p.dispute_vote_secs
        + p.appeal_window_secs
        + p.case_window_secs
        + p.voting_secs;
    assert_eq!(judged_secs, 10_800);
    p.unbonding_secs = judged_secs - 1;
    world.assert_refused(&[ix::initialize(&world, args.clone())], &[&deployer], MillraceError::UnbondingTooShort);
    args.params.unbonding_secs = judged_secs;
    for longer in [
        (|p| p.max_lease_secs += 1) as fn(&mut Params),
        |p| p.dispute_window_secs += 1,
        |p| p.dispute_vote_secs += 1,
        |p| p.appeal_window_secs += 1,
        |p| p.case_window_secs += 1,
        |p| p.voting_secs += 1,
    ] {
        let mut args = args.clone();
        longer(&mut args.params);
        world.assert_refused(&[ix::initialize(&world, args)], &[&deployer], MillraceError::UnbondingTooShort);
    }
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
