//! Who may vote, when, and how often.

use super::*;
use millrace::events::{VoteCast, VoteClosed};
use millrace::state::{Proposal, Vote, VoterLock};
use millrace_tests::{ix, pda, MillraceError, Signer, MILL};

fn vote(voter: &Voter, proposal: &Pubkey, is_yes: bool) -> millrace_tests::Instruction {
    millrace_client::ix::vote(&voter.key.pubkey(), proposal, is_yes)
}

#[test]
fn a_vote_counts_all_the_weight_of_a_lock() {
    let (mut world, voter) = market();
    let other = world.voter("other", MILL);
    let proposal = propose_fee(&mut world, &voter, 400);
    let first: VoteCast = world.cast(&voter, &proposal, true).event();
    let second: VoteCast = world.cast(&other, &proposal, false).event();
    let state = world.read::<Proposal>(&proposal);
    assert_eq!((state.yes_weight, state.no_weight, state.voted_amount), (4 * VOTES, 4 * MILL, VOTES + MILL));
    assert_eq!((first.sequence, first.weight, first.is_yes), (2, 4 * VOTES, true));
    assert_eq!((second.sequence, second.no_weight, second.voted_amount), (3, 4 * MILL, VOTES + MILL));
    let vote = world.read::<Vote>(&pda::vote(&proposal, &other.key.pubkey()));
    assert_eq!((vote.is_yes, vote.weight, vote.proposal), (0, 4 * MILL, proposal));
    let lock = world.read::<VoterLock>(&other.lock);
    assert_eq!((lock.open_votes, lock.held_until), (1, state.voting_ends_at));
}

#[test]
fn flash_vote_tokens_locked_with_or_after_the_proposal_have_no_say() {
    let (mut world, voter) = market();
    let flash = world.holder("flash", VOTES);
    let lock = world.lock_votes(&flash, VOTES / 2, 86_400);
    world.must(&[lock], &[&flash.key]);
    // The same second.
    let proposal = propose_fee(&mut world, &voter, 400);
    world.assert_refused(&[vote(&flash, &proposal, true)], &[&flash.key], MillraceError::LockTooYoung);
    // Later, in one transaction with its vote.
    let late = world.holder("late", VOTES);
    world.warp_secs(1);
    let together = [world.lock_votes(&late, VOTES, 86_400), vote(&late, &proposal, true)];
    world.assert_refused(&together, &[&late.key], MillraceError::LockTooYoung);
    // A top-up of an old lock is as young as the top-up.
    let more = world.extend_lock(&flash, VOTES / 2, 86_400);
    world.must(&[more], &[&flash.key]);
    world.assert_refused(&[vote(&flash, &proposal, true)], &[&flash.key], MillraceError::LockTooYoung);
    // The next proposal they vote on.
    world.warp_secs(1);
    let next = propose_fee(&mut world, &voter, 300);
    world.cast(&flash, &next, true);
}

#[test]
fn late_vote_the_last_second_counts_and_the_next_does_not() {
    let (mut world, voter) = market();
    let other = world.voter("other", MILL);
    let proposal = propose_fee(&mut world, &voter, 400);
    world.warp_to(world.read::<Proposal>(&proposal).voting_ends_at - 1);
    world.cast(&voter, &proposal, true);
    world.warp_secs(1);
    world.assert_refused(&[vote(&other, &proposal, false)], &[&other.key], MillraceError::VotingOver);
}

#[test]
fn vote_twice_is_refused_whichever_way_and_whenever() {
    let (mut world, voter) = market();
    let third = world.voter("third", MILL);
    let proposal = propose_fee(&mut world, &voter, 400);
    world.cast(&voter, &proposal, true);
    for is_yes in [true, false] {
        world.assert_refused(&[vote(&voter, &proposal, is_yes)], &[&voter.key], ALREADY_IN_USE);
    }
    // Not by another's key with one's own lock either.
    let other = world.holder("other", MILL);
    let borrowed = ix::swap(vote(&other, &proposal, true), &other.lock, &voter.lock);
    world.assert_refused(&[borrowed], &[&other.key], MillraceError::WrongAuthority);
    // Nor at another address.
    let own = pda::vote(&proposal, &third.key.pubkey());
    let elsewhere = ix::swap(vote(&third, &proposal, true), &own, &pda::vote(&proposal, &other.key.pubkey()));
    world.assert_refused(&[elsewhere], &[&third.key], MillraceError::WrongAccount);
    assert_eq!(world.read::<Proposal>(&proposal).voted_amount, VOTES);
}

#[test]
fn the_same_tokens_cannot_vote_through_a_second_lock() {
    let (mut world, voter) = market();
    let heir = world.holder("heir", 0);
    let proposal = propose_fee(&mut world, &voter, 400);
    world.cast(&voter, &proposal, true);
    let unlock = world.unlock_votes(&voter);
    world.assert_refused(&[unlock], &[&voter.key], MillraceError::LockHeld);
    // Even what was never locked is too young wherever it is locked now.
    let lock = world.lock_votes(&heir, MILL, 86_400);
    world.must(&[lock], &[&heir.key]);
    world.assert_refused(&[vote(&heir, &proposal, true)], &[&heir.key], MillraceError::LockTooYoung);
}

#[test]
fn a_lock_shorter_than_the_vote_has_no_say() {
    let mut world = World::new();
    let short = world.holder("short", VOTES);
    let voting_secs = world.config().params.voting_secs;
    let lock = world.lock_votes(&short, VOTES, voting_secs);
    world.must(&[lock], &[&short.key]);
    world.warp_secs(1);
    world.rewrite::<millrace::state::Config>(&pda::config(), |config| config.params.voting_secs += 1);
    let proposal = propose_fee(&mut world, &short, 400);
    world.assert_refused(&[vote(&short, &proposal, true)], &[&short.key], MillraceError::LockTooShort);
}

#[test]
fn a_vote_is_closed_by_anyone_once_the_voting_is_over() {
    let (mut world, voter) = market();
    let stranger = world.stranger("stranger");
    let proposal = propose_fee(&mut world, &voter, 400);
    world.cast(&voter, &proposal, true);
    let address = pda::vote(&proposal, &voter.key.pubkey());
    let close = world.close_vote(&proposal, &voter);
    world.warp_to(world.read::<Proposal>(&proposal).voting_ends_at);
    let other = world.voter("other", MILL);
    let other_lock = ix::swap(close.clone(), &voter.lock, &other.lock);
    world.assert_refused(&[other_lock], &[&stranger], MillraceError::WrongAccount);
    let to_another = ix::swap(close.clone(), &voter.key.pubkey(), &stranger.pubkey());
    world.assert_refused(&[to_another], &[&stranger], MillraceError::WrongAccount);
    world.assert_no_account_is_replaceable(&close, &[&stranger]);
    let (rent, before) = (world.lamports(&address), world.lamports(&voter.key.pubkey()));
    let event: VoteClosed = world.must(&[close], &[&stranger]).event();
    assert_eq!((event.lock, event.vote, event.open_votes), (voter.lock, address, 0));
    assert!(!world.exists(&address));
    assert_eq!(world.lamports(&voter.key.pubkey()), before + rent);
    // What the proposal counted stays counted.
    assert_eq!(world.read::<Proposal>(&proposal).yes_weight, 4 * VOTES);
}

#[test]
fn a_vote_outlives_its_proposal_and_still_gives_its_rent_back() {
    let (mut world, voter) = market();
    let proposal = propose_fee(&mut world, &voter, 400);
    world.cast(&voter, &proposal, false);
    world.warp_to(world.read::<Proposal>(&proposal).voting_ends_at);
    let close_proposal = world.close_proposal(&proposal, &voter);
    world.must(&[close_proposal], &[&voter.key]);
    assert!(!world.exists(&proposal));
    let close_vote = world.close_vote(&proposal, &voter);
    world.must(&[close_vote], &[&voter.key]);
    assert_eq!(world.read::<VoterLock>(&voter.lock).open_votes, 0);
}

#[test]
fn a_vote_costs_less_than_twelve_thousand_units() {
    let (mut world, voter) = market();
    let proposal = propose_fee(&mut world, &voter, 400);
    let receipt = world.cast(&voter, &proposal, true);
    let [units] = millrace_tests::record::units_in(&receipt.logs)[..] else { panic!("one call") };
    assert!(units < 12_000, "a vote costs {units} units");
}

#[test]
fn no_account_of_a_vote_is_replaceable() {
    let (mut world, voter) = market();
    let proposal = propose_fee(&mut world, &voter, 400);
    world.assert_no_account_is_replaceable(&vote(&voter, &proposal, true), &[&voter.key]);
}
