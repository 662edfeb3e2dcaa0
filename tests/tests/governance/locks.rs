//! Locks: what they weigh, how long they hold, and whose they are.

use super::*;
use millrace::events::{VotesLocked, VotesUnlocked};
use millrace::state::VoterLock;
use millrace_tests::{ix, MillraceError, Signer, MILL};

#[test]
fn a_lock_weighs_by_its_length_and_is_counted() {
    let mut world = World::new();
    let params = world.config().params;
    let middle_secs = (params.voting_secs + params.max_lock_secs) / 2;
    let mut total = 0;
    for (name, lock_secs, multiplier_bps) in
        [("short", params.voting_secs, 10_000), ("middle", middle_secs, 25_000), ("long", params.max_lock_secs, 40_000)]
    {
        let voter = world.holder(name, 10 * MILL);
        let before = world.tokens(&voter.tokens);
        let lock = world.lock_votes(&voter, 10 * MILL, lock_secs);
        let event: VotesLocked = world.must(&[lock], &[&voter.key]).event();
        let weight = 10 * MILL * multiplier_bps / 10_000;
        total += weight;
        let state = world.read::<VoterLock>(&voter.lock);
        assert_eq!((state.amount, state.multiplier_bps, state.weight), (10 * MILL, multiplier_bps, weight));
        assert_eq!((state.created_at, state.lock_until), (world.now(), world.now() + lock_secs));
        assert_eq!((event.sequence, event.weight, event.vote_weight_total), (1, weight, total));
        assert_eq!(world.config().vote_weight_total, total);
        assert_eq!((world.tokens(&voter.tokens), world.tokens(&voter.vault)), (before - 10 * MILL, 10 * MILL));
    }
}

#[test]
fn a_lock_lasts_at_least_one_vote_and_at_most_the_longest_time() {
    let mut world = World::new();
    let params = world.config().params;
    let voter = world.holder("voter", 10 * MILL);
    for (amount, lock_secs, error) in [
        (MILL, params.voting_secs - 1, MillraceError::LockTooShort),
        (MILL, -1, MillraceError::LockTooShort),
        (MILL, params.max_lock_secs + 1, MillraceError::LockTooLong),
        (0, params.max_lock_secs, MillraceError::ZeroAmount),
    ] {
        let attempt = world.lock_votes(&voter, amount, lock_secs);
        world.assert_refused(&[attempt], &[&voter.key], error);
    }
    let beyond = world.lock_votes(&voter, 2_000 * MILL, params.max_lock_secs);
    world.assert_refused(&[beyond], &[&voter.key], INSUFFICIENT_FUNDS);
}

#[test]
fn a_voter_has_one_lock() {
    let (mut world, voter) = market();
    let again = world.lock_votes(&voter, MILL, 86_400);
    world.assert_refused(&[again], &[&voter.key], ALREADY_IN_USE);
}

#[test]
fn a_top_up_locks_everything_anew_and_no_shorter() {
    let mut world = World::new();
    let params = world.config().params;
    let voter = world.holder("voter", 30 * MILL);
    let lock = world.lock_votes(&voter, 10 * MILL, params.max_lock_secs);
    world.must(&[lock], &[&voter.key]);
    let until = world.read::<VoterLock>(&voter.lock).lock_until;
    world.warp_secs(1_000);
    let shorter = world.extend_lock(&voter, 10 * MILL, params.max_lock_secs - 1_001);
    world.assert_refused(&[shorter], &[&voter.key], MillraceError::LockTooShort);
    let nothing = world.extend_lock(&voter, 0, params.max_lock_secs);
    world.assert_refused(&[nothing], &[&voter.key], MillraceError::ZeroAmount);

    // As long as before: it weighs less than a new one of the full time, and the whole of it does.
    let equal = world.extend_lock(&voter, 10 * MILL, params.max_lock_secs - 1_000);
    let event: VotesLocked = world.must(&[equal], &[&voter.key]).event();
    let state = world.read::<VoterLock>(&voter.lock);
    assert_eq!((state.lock_until, state.created_at, state.amount), (until, world.now(), 20 * MILL));
    let bps = millrace_core::vote::multiplier_bps(params.max_lock_secs - 1_000, params.voting_secs, 86_400);
    assert_eq!((state.multiplier_bps, state.weight), (bps, 20 * MILL * bps / 10_000));
    assert_eq!((event.sequence, event.added_amount, event.vote_weight_total), (2, 10 * MILL, state.weight));
    assert_eq!(world.config().vote_weight_total, state.weight);
}

#[test]
fn tokens_stay_until_the_lock_is_over_and_not_a_second_longer() {
    let mut world = World::new();
    let voter = world.holder("voter", 10 * MILL);
    let lock_secs = world.config().params.voting_secs;
    let lock = world.lock_votes(&voter, 10 * MILL, lock_secs);
    world.must(&[lock], &[&voter.key]);
    let unlock = world.unlock_votes(&voter);
    world.warp_secs(lock_secs - 1);
    world.assert_refused(std::slice::from_ref(&unlock), &[&voter.key], MillraceError::LockHeld);
    world.warp_secs(1);
    world.send_stray_tokens(&voter.vault, 3);
    let before = world.tokens(&voter.tokens);
    let event: VotesUnlocked = world.must(&[unlock], &[&voter.key]).event();
    assert_eq!((event.amount, event.surplus_amount, event.vote_weight_total), (10 * MILL, 3, 0));
    assert_eq!((world.tokens(&voter.tokens), world.tokens(&world.treasury)), (before + 10 * MILL, 3));
    assert!(!world.exists(&voter.lock) && !world.exists(&voter.vault));
    assert_eq!(world.config().vote_weight_total, 0);
    // And a new lock is as good as the first.
    let again = world.lock_votes(&voter, MILL, lock_secs);
    world.must(&[again], &[&voter.key]);
    assert_eq!(world.read::<VoterLock>(&voter.lock).created_at, world.now());
}

#[test]
fn tokens_that_voted_stay_until_the_vote_ends_and_is_closed() {
    let mut world = World::new();
    let voter = world.holder("voter", VOTES);
    let voting_secs = world.config().params.voting_secs;
    let lock = world.lock_votes(&voter, VOTES, voting_secs);
    world.must(&[lock], &[&voter.key]);
    world.warp_secs(voting_secs - 1);
    let proposal = propose_fee(&mut world, &voter, 400);
    world.cast(&voter, &proposal, true);
    let ends_at = world.now() + voting_secs;
    assert_eq!(world.read::<VoterLock>(&voter.lock).held_until, ends_at);

    world.warp_to(ends_at - 1);
    let (unlock, close) = (world.unlock_votes(&voter), world.close_vote(&proposal, &voter));
    world.assert_refused(std::slice::from_ref(&unlock), &[&voter.key], MillraceError::LockHeld);
    world.assert_refused(std::slice::from_ref(&close), &[&voter.key], MillraceError::VotingOpen);
    world.warp_secs(1);
    world.assert_refused(std::slice::from_ref(&unlock), &[&voter.key], MillraceError::LockHeld);
    world.must(&[close, unlock], &[&voter.key]);
}

#[test]
fn a_lock_is_its_voters_alone() {
    let (mut world, voter) = market();
    let other = world.voter("other", VOTES);
    let lock = world.config().params.max_lock_secs;
    for (attempt, own) in [(world.extend_lock(&other, MILL, lock), &other), (world.unlock_votes(&other), &other)] {
        let of_another = ix::swap(attempt.clone(), &own.lock, &voter.lock);
        world.assert_refused(&[of_another], &[&own.key], MillraceError::WrongAuthority);
        let vault = ix::swap(attempt.clone(), &own.vault, &voter.vault);
        world.assert_refused(&[vault], &[&own.key], MillraceError::WrongAccount);
    }
    let extend = world.extend_lock(&other, MILL, lock);
    world.assert_no_account_is_replaceable(&extend, &[&other.key]);
    world.warp_secs(lock);
    let unlock = world.unlock_votes(&other);
    let to_another = ix::swap(unlock.clone(), &world.treasury, &other.tokens);
    world.assert_refused(&[to_another], &[&other.key], MillraceError::WrongAccount);
    let unsigned = ix::unsigned(unlock, &other.key.pubkey());
    world.assert_refused(&[unsigned], &[&voter.key], anchor_lang::error::ErrorCode::AccountNotSigner);
}

#[test]
fn the_total_weight_is_always_the_sum_of_all_locks() {
    let mut world = World::new();
    let params = world.config().params;
    let voters: Vec<_> = (0..4).map(|n| world.holder(&format!("voter {n}"), 100 * MILL)).collect();
    // A fixed walk through lock, top-up and unlock of four voters.
    let mut random = 7u64;
    for _ in 0..60 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let voter = &voters[(random >> 33) as usize % 4];
        let amount = (random >> 40) % 1_000_000 + 1;
        let lock_secs = params.voting_secs + ((random >> 20) as i64 & 0xffff);
        let call = match (world.exists(&voter.lock), random >> 62) {
            (false, _) => world.lock_votes(voter, amount, lock_secs),
            (true, 0 | 1) => world.extend_lock(voter, amount, lock_secs),
            (true, _) => world.unlock_votes(voter),
        };
        let _ = world.send(&[call], &[&voter.key]);
        world.warp_secs(((random >> 10) & 0x3fff) as i64);
        let locks = world.all::<VoterLock>();
        let sum: u64 = locks.iter().map(|(_, lock)| lock.weight).sum();
        assert_eq!(world.config().vote_weight_total, sum);
        for (_, lock) in locks {
            assert_eq!(world.tokens(&lock.vault), lock.amount);
            assert_eq!(lock.weight, lock.amount * lock.multiplier_bps / 10_000);
        }
    }
    assert!(world.record.extents["unlock_votes"].cu > 0 && world.record.extents["extend_lock"].cu > 0);
}
