//! The deposit of a proposal, and the end of its account.

use super::*;
use millrace::events::ProposalClosed;
use millrace::state::{Config, Proposal};
use millrace_tests::{ix, pda, MillraceError, Signer, MILL};

const DEPOSIT: u64 = 10 * MILL;

#[test]
fn a_deposit_lies_in_the_treasury_and_is_counted_there() {
    let (mut world, voter) = market();
    let before = world.tokens(&voter.tokens);
    propose_fee(&mut world, &voter, 400);
    assert_eq!(world.tokens(&voter.tokens), before - DEPOSIT);
    assert_eq!((world.tokens(&world.treasury), world.config().deposits_held), (DEPOSIT, DEPOSIT));
    propose_fee(&mut world, &voter, 300);
    assert_eq!(world.config().deposits_held, 2 * DEPOSIT);
}

#[test]
fn without_the_deposit_nothing_is_proposed() {
    let (mut world, voter) = market();
    let poor = world.holder("poor", 0);
    world.rewrite::<Config>(&pda::config(), |config| config.params.proposal_deposit_amount = 1_001 * MILL);
    let attempt = world.proposal(&poor, ProposalKind::SetGuardian, &NO_TARGET, poor.lock.to_bytes().to_vec());
    world.assert_refused(std::slice::from_ref(&attempt), &[&poor.key], INSUFFICIENT_FUNDS);
    // Nor with another's, nor into another account.
    world.rewrite::<Config>(&pda::config(), |config| config.params.proposal_deposit_amount = MILL);
    let of_another = ix::swap(attempt.clone(), &poor.tokens, &voter.tokens);
    world.assert_refused(&[of_another], &[&poor.key], OWNER_MISMATCH);
    let kept = ix::swap(attempt, &world.treasury, &voter.tokens);
    world.assert_refused(&[kept], &[&poor.key], MillraceError::WrongAccount);
}

#[test]
fn a_deposit_returns_when_enough_voted_whichever_way() {
    for is_yes in [true, false] {
        let (mut world, voter) = market();
        let stranger = world.stranger("stranger");
        let proposal = propose_fee(&mut world, &voter, 400);
        world.cast(&voter, &proposal, is_yes);
        let state = world.read::<Proposal>(&proposal);
        let close = world.close_proposal(&proposal, &voter);
        world.warp_to(state.voting_ends_at - 1);
        world.assert_refused(std::slice::from_ref(&close), &[&stranger], MillraceError::ProposalNotOver);
        world.warp_secs(1);
        if is_yes {
            // It may still be executed until it expires.
            world.assert_refused(std::slice::from_ref(&close), &[&stranger], MillraceError::ProposalNotOver);
            world.warp_to(state.expires_at);
            world.assert_refused(std::slice::from_ref(&close), &[&stranger], MillraceError::ProposalNotOver);
            world.warp_secs(1);
        }
        let to_a_thief = world.put_tokens("thief", &stranger.pubkey(), 0);
        let stolen = ix::swap(close.clone(), &voter.tokens, &to_a_thief);
        world.assert_refused(&[stolen], &[&stranger], MillraceError::WrongAccount);
        let before = (world.tokens(&voter.tokens), world.lamports(&voter.key.pubkey()), world.lamports(&proposal));
        let event: ProposalClosed = world.must(&[close], &[&stranger]).event();
        assert_eq!((event.is_passed, event.is_done, event.returned_amount), (is_yes, false, DEPOSIT));
        assert_eq!(world.tokens(&voter.tokens), before.0 + DEPOSIT);
        assert_eq!(world.lamports(&voter.key.pubkey()), before.1 + before.2);
        assert_eq!((world.config().deposits_held, world.tokens(&world.treasury)), (0, 0));
        assert!(!world.exists(&proposal));
    }
}

#[test]
fn a_deposit_stays_when_too_few_voted() {
    let (mut world, voter) = market();
    let few = world.voter("few", MILL);
    let proposal = propose_fee(&mut world, &few, 400);
    world.cast(&few, &proposal, true);
    world.warp_to(world.read::<Proposal>(&proposal).voting_ends_at);
    let before = world.tokens(&few.tokens);
    let close = world.close_proposal(&proposal, &few);
    let event: ProposalClosed = world.must(&[close], &[&voter.key]).event();
    assert_eq!((event.is_passed, event.returned_amount, event.deposits_held), (false, 0, 0));
    assert_eq!((world.tokens(&few.tokens), world.tokens(&world.treasury)), (before, DEPOSIT));
}

#[test]
fn an_executed_proposal_closes_at_once_and_never_comes_back() {
    let (mut world, voter) = market();
    let params = Params { fee_bps: 400, ..world.config().params };
    let proposal = world.passed(&voter, ProposalKind::UpdateParams, &NO_TARGET, &params);
    let execute = millrace_client::ix::execute_params(&proposal);
    world.must(std::slice::from_ref(&execute), &[&voter.key]);
    let close = world.close_proposal(&proposal, &voter);
    world.assert_no_account_is_replaceable(&close, &[&voter.key]);
    let event: ProposalClosed = world.must(std::slice::from_ref(&close), &[&voter.key]).event();
    assert_eq!((event.is_passed, event.is_done), (true, true));
    let gone = anchor_lang::error::ErrorCode::AccountOwnedByWrongProgram;
    world.assert_refused(&[close], &[&voter.key], gone);
    world.assert_refused(&[execute], &[&voter.key], gone);
    let next = propose_fee(&mut world, &voter, 300);
    assert_ne!(next, proposal);
}
