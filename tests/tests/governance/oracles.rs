//! Seats given and taken by a vote.

use super::*;
use millrace::events::{OracleSeated, OracleUnseated};
use millrace::instructions::{SeatOracleArgs, SignReportArgs};
use millrace::state::{Oracle, OracleSet};
use millrace_client::ix::{execute_add_oracle, execute_remove_oracle};
use millrace_tests::genesis::endpoint;
use millrace_tests::{ix, key, pda, MillraceError, Signer};

#[test]
fn a_vote_seats_an_oracle_from_the_next_epoch() {
    let (mut world, voter) = market();
    let stranger = world.stranger("stranger");
    let oracle = key("fourth").pubkey();
    let seat = SeatOracleArgs { oracle_authority: oracle, weight: 2, endpoint: endpoint("https://fourth") };
    let proposal = world.passed(&voter, ProposalKind::AddOracle, &NO_TARGET, &seat);
    let execute = execute_add_oracle(&stranger.pubkey(), &proposal, &oracle, &world.market());
    world.assert_no_account_is_replaceable(&execute, &[&stranger]);
    let event: OracleSeated = world.must(&[execute], &[&stranger]).event();
    assert_eq!((event.seat, event.weight, event.total_weight), (3, 2, 5));
    let state = world.read::<Oracle>(&pda::oracle(&oracle));
    assert_eq!((state.authority, state.seat, state.seated_epoch), (oracle, 3, world.epoch() + 1));
    assert_eq!((state.endpoint, state.rent_payer), (endpoint("https://fourth"), stranger.pubkey()));
}

#[test]
fn a_vote_takes_a_seat_and_the_next_oracle_gets_it() {
    let (mut world, voter) = market();
    let removed = world.oracles[1].insecure_clone();
    let proposal = world.passed(&voter, ProposalKind::RemoveOracle, &NO_TARGET, &removed.pubkey());
    let other = execute_remove_oracle(&proposal, &world.oracles[0].pubkey());
    world.assert_refused(&[other], &[&voter.key], MillraceError::WrongAccount);
    let execute = execute_remove_oracle(&proposal, &removed.pubkey());
    world.assert_no_account_is_replaceable(&execute, &[&voter.key]);
    let event: OracleUnseated = world.must(&[execute], &[&voter.key]).event();
    assert_eq!((event.seat, event.total_weight, event.removed_epoch), (1, 2, world.epoch()));
    let state = world.read::<Oracle>(&pda::oracle(&removed.pubkey()));
    assert_eq!((state.is_removed, state.removed_epoch), (1, world.epoch()));

    let report = SignReportArgs { epoch: world.epoch(), root: [1; 24], leaves: 1, next_observation_hash: [0; 32] };
    let sign = ix::sign_report(&removed.pubkey(), report);
    assert!(world.send(&[sign], &[&removed]).is_err());

    let fourth = key("fourth").pubkey();
    let seat = SeatOracleArgs { oracle_authority: fourth, weight: 1, endpoint: endpoint("https://fourth") };
    let proposal = world.passed(&voter, ProposalKind::AddOracle, &NO_TARGET, &seat);
    let event: OracleSeated = world
        .must(&[execute_add_oracle(&voter.key.pubkey(), &proposal, &fourth, &world.market())], &[&voter.key])
        .event();
    assert_eq!((event.seat, event.total_weight), (1, 3));
    let set = world.read::<OracleSet>(&pda::oracles());
    assert_eq!((set.count, set.seats[1].authority), (3, fourth));
}

#[test]
fn who_holds_no_seat_cannot_lose_one() {
    let (mut world, voter) = market();
    let removed = world.oracles[2].pubkey();
    let first = world.propose(&voter, ProposalKind::RemoveOracle, &NO_TARGET, &removed);
    let second = world.propose(&voter, ProposalKind::RemoveOracle, &NO_TARGET, &removed);
    for proposal in [first, second] {
        world.cast(&voter, &proposal, true);
    }
    world.warp_to(world.read::<millrace::state::Proposal>(&second).eta);
    world.must(&[execute_remove_oracle(&first, &removed)], &[&voter.key]);
    assert_eq!(world.read::<OracleSet>(&pda::oracles()).count, 2);
    world.assert_refused(&[execute_remove_oracle(&second, &removed)], &[&voter.key], MillraceError::NotAnOracle);
}
