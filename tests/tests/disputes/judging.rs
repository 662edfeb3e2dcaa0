//! Who votes, how often, until when; and what becomes of a vote nobody wins.

use anchor_lang::error::ErrorCode;
use millrace::events::{DisputeLapsed, DisputeVoted};
use millrace::state::{Config, Dispute, Oracle, OracleSet, Ruling};
use millrace_tests::*;

fn dispute(world: &World, deal: &Deal) -> Box<Dispute> {
    world.read(&pda::dispute(&deal.lease))
}

fn refuse_vote(world: &mut World, deal: &Deal, seat: usize, error: MillraceError) {
    let oracle = world.oracles[seat].insecure_clone();
    world.assert_refused(&[ix::vote_dispute(&oracle.pubkey(), &deal.lease, true)], &[&oracle], error);
}

#[test]
fn a_quorum_of_the_seats_rules_for_either_side() {
    for (uphold, ruling) in [(true, Ruling::Upheld), (false, Ruling::Dismissed)] {
        let mut world = World::new();
        let deal = world.completed(100);
        world.disputed(&deal);
        let first: DisputeVoted = world.judge(&deal, 0, uphold).event();
        assert_eq!((first.ruling, first.appeal_until), (Ruling::None as u8, 0), "one of three is no quorum");
        let against: DisputeVoted = world.judge(&deal, 1, !uphold).event();
        assert_eq!(against.ruling, Ruling::None as u8, "votes of two sides do not add up");
        let third: DisputeVoted = world.judge(&deal, 2, uphold).event();
        assert_eq!(third.ruling, ruling as u8);
        assert_eq!(third.appeal_until, world.now() + world.config().params.appeal_window_secs);
        assert_eq!((third.upheld_weight, third.dismissed_weight), if uphold { (2, 1) } else { (1, 2) });
    }
}

#[test]
fn a_vote_weighs_what_the_seat_does_and_exactly_the_quorum_is_not_more() {
    let mut world = World::at(Genesis { weights: vec![6, 4], ..Genesis::default() });
    let deal = world.completed(100);
    world.disputed(&deal);
    world.judge(&deal, 0, true);
    assert_eq!(dispute(&world, &deal).ruling, Ruling::None as u8, "6,000 of 10,000 is not more than 6,000");
    world.judge(&deal, 1, true);
    assert_eq!(dispute(&world, &deal).ruling, Ruling::Upheld as u8);
}

#[test]
fn a_seat_votes_once_and_only_until_there_is_a_ruling() {
    let mut world = World::new();
    let deal = world.completed(100);
    world.disputed(&deal);
    world.judge(&deal, 0, false);
    refuse_vote(&mut world, &deal, 0, MillraceError::AlreadyVoted);
    world.judge(&deal, 1, false);
    refuse_vote(&mut world, &deal, 2, MillraceError::DisputeClosed);
}

#[test]
fn votes_are_taken_until_the_last_second_and_lapse_from_the_next() {
    let mut world = World::new();
    let deal = world.completed(100);
    let caller = world.stranger("anyone");
    world.disputed(&deal);
    world.judge(&deal, 0, true);
    let vote_until = dispute(&world, &deal).vote_until;
    world.warp_to(vote_until - 1);
    let lapse = ix::lapse_dispute(&deal.lease);
    world.assert_refused(std::slice::from_ref(&lapse), &[&caller], MillraceError::DisputeOpen);
    let copy = world.svm.clone();
    world.judge(&deal, 1, true);
    assert_eq!(dispute(&world, &deal).ruling, Ruling::Upheld as u8);
    world.warp_secs(1);
    world.assert_refused(std::slice::from_ref(&lapse), &[&caller], MillraceError::DisputeClosed);

    world.svm = copy;
    world.warp_secs(1);
    refuse_vote(&mut world, &deal, 1, MillraceError::DisputeClosed);
    let lapsed: DisputeLapsed = world.must(std::slice::from_ref(&lapse), &[&caller]).event();
    assert_eq!(lapsed.appeal_until, world.now() + world.config().params.appeal_window_secs);
    assert_eq!(dispute(&world, &deal).ruling, Ruling::Lapsed as u8);
    world.assert_refused(&[lapse], &[&caller], MillraceError::DisputeClosed);
    refuse_vote(&mut world, &deal, 1, MillraceError::DisputeClosed);
}

#[test]
fn only_seats_vote_and_only_with_their_stake() {
    let mut world = World::new();
    let deal = world.completed(100);
    let stranger = world.stranger("stranger");
    world.disputed(&deal);
    let oracle = world.oracles[0].insecure_clone();
    let vote = ix::vote_dispute(&oracle.pubkey(), &deal.lease, true);
    let with_anothers = ix::swap(vote.clone(), &oracle.pubkey(), &stranger.pubkey());
    world.assert_refused(&[with_anothers], &[&stranger], MillraceError::NotAnOracle);
    let unsigned = ix::unsigned(vote.clone(), &oracle.pubkey());
    world.assert_refused(&[unsigned], &[&stranger], ErrorCode::AccountNotSigner);
    world.assert_no_account_is_replaceable(&vote, &[&oracle]);

    world.rewrite::<Config>(&pda::config(), |config| config.params.oracle_stake_amount = 10 * MILL);
    refuse_vote(&mut world, &deal, 0, MillraceError::OracleUnderstaked);
    world.staked_oracle(0, 10 * MILL - 1);
    refuse_vote(&mut world, &deal, 0, MillraceError::OracleUnderstaked);
    world.rewrite::<Oracle>(&world.oracle_of(0), |oracle| oracle.stake += 1);
    world.judge(&deal, 0, true);

    world.remove_seat(1);
    refuse_vote(&mut world, &deal, 1, MillraceError::OracleRemoved);
    world.rewrite::<OracleSet>(&pda::oracles(), |set| set.seats[2].authority = Pubkey::new_from_array([9; 32]));
    world.rewrite::<Config>(&pda::config(), |config| config.params.oracle_stake_amount = 0);
    refuse_vote(&mut world, &deal, 2, MillraceError::NotAnOracle);
}
