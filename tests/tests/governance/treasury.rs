//! What a vote may pay out of the treasury.

use super::*;
use millrace::events::ProposalExecuted;
use millrace_client::ix::execute_transfer;
use millrace_tests::{MillraceError, MILL};

#[test]
fn a_vote_pays_out_of_the_treasury_but_never_a_deposit() {
    let (mut world, voter) = market();
    let friend = world.holder("friend", 0);
    let proposal = world.passed(&voter, ProposalKind::TreasuryTransfer, &friend.tokens, &(7 * MILL));
    let pay = execute_transfer(&proposal, &friend.tokens, &world.market());
    // Ten MILL lie there: the deposit of this very proposal.
    world.assert_refused(std::slice::from_ref(&pay), &[&voter.key], MillraceError::TreasuryTooSmall);
    world.send_stray_tokens(&world.treasury.clone(), 7 * MILL - 1);
    world.assert_refused(std::slice::from_ref(&pay), &[&voter.key], MillraceError::TreasuryTooSmall);
    world.send_stray_tokens(&world.treasury.clone(), 1);
    world.assert_no_account_is_replaceable(&pay, &[&voter.key]);
    let before = world.tokens(&friend.tokens);
    let event: ProposalExecuted = world.must(std::slice::from_ref(&pay), &[&voter.key]).event();
    assert_eq!((event.amount, event.target), (7 * MILL, friend.tokens));
    assert_eq!(world.tokens(&friend.tokens), before + 7 * MILL);
    assert_eq!(world.tokens(&world.treasury), world.config().deposits_held);
    world.assert_refused(&[pay], &[&voter.key], MillraceError::AlreadyExecuted);
    // The deposit is there to be returned.
    let close = world.close_proposal(&proposal, &voter);
    world.must(&[close], &[&voter.key]);
    assert_eq!(world.tokens(&world.treasury), 0);
}

#[test]
fn an_amount_near_the_end_of_the_range_does_not_wrap() {
    let (mut world, voter) = market();
    let proposal = world.passed(&voter, ProposalKind::TreasuryTransfer, &voter.tokens, &u64::MAX);
    let pay = execute_transfer(&proposal, &voter.tokens, &world.market());
    world.assert_refused(&[pay], &[&voter.key], MillraceError::TreasuryTooSmall);
}
