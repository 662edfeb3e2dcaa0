//! An oracle signs with its stake or not at all, and takes out only what nothing can be proven against.

use anchor_lang::error::ErrorCode;
use millrace::constants::REPORT_RING;
use millrace::events::{OracleStaked, OracleUnstakeBegun, OracleWithdrawn};
use millrace::instructions::SignReportArgs;
use millrace::state::{Config, Oracle};
use millrace_tests::*;

const LEAST: u64 = 50 * MILL;

fn staked_market() -> World {
    let mut genesis = Genesis::default();
    genesis.params.oracle_stake_amount = LEAST;
    World::at(genesis)
}

fn signature(world: &World, seat: usize) -> Instruction {
    let args = SignReportArgs { epoch: world.epoch(), root: [1; 24], leaves: 1, next_observation_hash: [2; 32] };
    ix::sign_report(&world.oracles[seat].pubkey(), args)
}

fn oracle(world: &World, seat: usize) -> Box<Oracle> {
    world.read(&world.oracle_of(seat))
}

#[test]
fn a_signature_needs_the_least_stake_to_the_base_unit() {
    let mut world = staked_market();
    let key = world.oracles[0].insecure_clone();
    let sign = signature(&world, 0);
    world.assert_refused(std::slice::from_ref(&sign), &[&key], MillraceError::OracleUnderstaked);
    world.staked_oracle(0, LEAST - 1);
    world.assert_refused(std::slice::from_ref(&sign), &[&key], MillraceError::OracleUnderstaked);
    let tokens = world.oracle_tokens(0, 1);
    let one_more = ix::stake_oracle(&key.pubkey(), &tokens, &world.oracle_of(0), &world.market(), 1);
    world.must(&[one_more, sign], &[&key]);
}

#[test]
fn anyones_tokens_stand_behind_an_oracle_and_what_arrives_is_credited() {
    let mut world = staked_market();
    let (seller, stranger) = (world.provider("seller", 0), world.stranger("stranger"));
    let stake = ix::stake_oracle(&seller.authority.pubkey(), &seller.tokens, &world.oracle_of(0), &world.market(), 7);
    let unsigned = ix::unsigned(stake.clone(), &seller.authority.pubkey());
    world.assert_refused(&[unsigned], &[&stranger], ErrorCode::AccountNotSigner);
    let other_vault = ix::swap(stake.clone(), &pda::vault(&world.oracle_of(0)), &pda::vault(&world.oracle_of(1)));
    world.assert_refused(&[other_vault], &[&seller.authority], MillraceError::WrongAccount);
    let nothing = ix::stake_oracle(&seller.authority.pubkey(), &seller.tokens, &world.oracle_of(0), &world.market(), 0);
    world.assert_refused(&[nothing], &[&seller.authority], MillraceError::ZeroAmount);
    world.assert_no_account_is_replaceable(&stake, &[&seller.authority]);
    let event: OracleStaked = world.must(&[stake], &[&seller.authority]).event();
    assert_eq!((event.amount, event.stake), (7, 7));
    assert_eq!(world.tokens(&pda::vault(&world.oracle_of(0))), 7);
}

#[test]
fn beside_a_seat_only_what_exceeds_the_least_stake_leaves() {
    let mut world = staked_market();
    world.staked_oracle(0, LEAST + 10);
    let key = world.oracles[0].insecure_clone();
    let begin = |amount| ix::begin_oracle_unstake(&key.pubkey(), amount);
    world.assert_refused(&[begin(11)], &[&key], MillraceError::NotEnoughStake);
    world.assert_refused(&[begin(0)], &[&key], MillraceError::ZeroAmount);
    let event: OracleUnstakeBegun = world.must(&[begin(10)], &[&key]).event();
    assert_eq!((event.stake, event.unbonding_amount), (LEAST, 10));
    world.assert_refused(&[begin(1)], &[&key], MillraceError::NotEnoughStake);

    world.remove_seat(0);
    world.assert_refused(&[begin(LEAST + 1)], &[&key], MillraceError::NotEnoughStake);
    let event: OracleUnstakeBegun = world.must(&[begin(LEAST)], &[&key]).event();
    assert_eq!((event.stake, event.unbonding_amount), (0, LEAST + 10));
}

#[test]
fn stake_is_withdrawn_from_the_second_unbonding_ends_and_once() {
    let mut world = staked_market();
    let tokens = world.staked_oracle(0, LEAST + 10);
    let key = world.oracles[0].insecure_clone();
    let withdraw = ix::withdraw_oracle(&key.pubkey(), &tokens, &world.market());
    world.assert_refused(std::slice::from_ref(&withdraw), &[&key], MillraceError::NothingToWithdraw);
    world.must(&[ix::begin_oracle_unstake(&key.pubkey(), 4)], &[&key]);
    world.warp_secs(100);
    // What is added later holds all of it up: there is one date.
    let begun: OracleUnstakeBegun = world.must(&[ix::begin_oracle_unstake(&key.pubkey(), 6)], &[&key]).event();
    assert_eq!(begun.matures_at, world.now() + world.config().params.unbonding_secs);
    world.warp_to(begun.matures_at - 1);
    world.assert_refused(std::slice::from_ref(&withdraw), &[&key], MillraceError::NothingToWithdraw);
    world.warp_secs(1);
    let event: OracleWithdrawn = world.must(std::slice::from_ref(&withdraw), &[&key]).event();
    assert_eq!((event.amount, event.stake, event.unbonding_amount), (10, LEAST, 0));
    assert_eq!((world.tokens(&tokens), world.tokens(&pda::vault(&world.oracle_of(0)))), (10, LEAST));
    world.assert_refused(&[withdraw], &[&key], MillraceError::NothingToWithdraw);
}

#[test]
fn no_stake_matures_while_a_root_it_answers_for_is_in_the_ring() {
    let mut world = staked_market();
    // Unbonding shorter than the ring, as on a chain with long epochs.
    world.rewrite::<Config>(&pda::config(), |config| config.params.unbonding_secs = 10);
    world.staked_oracle(0, LEAST + 1);
    let key = world.oracles[0].insecure_clone();
    world.must(&[signature(&world, 0)], &[&key]);
    let begun: OracleUnstakeBegun = world.must(&[ix::begin_oracle_unstake(&key.pubkey(), 1)], &[&key]).event();
    let epoch_secs = world.config().params.epoch_secs;
    assert_eq!(begun.matures_at, world.now() + (REPORT_RING as i64 + 1) * epoch_secs);
    world.warp_to(begun.matures_at);
    assert!(world.epoch() > oracle(&world, 0).last_epoch + REPORT_RING as u64, "its place in the ring is another's");
}

#[test]
fn only_the_oracles_key_takes_stake_out_and_only_to_itself() {
    let mut world = staked_market();
    let tokens = world.staked_oracle(0, LEAST + 10);
    let (key, other) = (world.oracles[0].insecure_clone(), world.oracles[1].insecure_clone());
    let begin = ix::begin_oracle_unstake(&key.pubkey(), 10);
    let by_other = ix::swap(begin.clone(), &key.pubkey(), &other.pubkey());
    world.assert_refused(&[by_other], &[&other], MillraceError::WrongAuthority);
    let unsigned = ix::unsigned(begin.clone(), &key.pubkey());
    world.assert_refused(&[unsigned], &[&other], ErrorCode::AccountNotSigner);
    world.assert_no_account_is_replaceable(&begin, &[&key]);
    world.must(&[begin], &[&key]);
    world.warp_secs(world.config().params.unbonding_secs);

    let withdraw = ix::withdraw_oracle(&key.pubkey(), &tokens, &world.market());
    let others = world.oracle_tokens(1, 0);
    let to_other = ix::swap(withdraw.clone(), &tokens, &others);
    world.assert_refused(&[to_other], &[&key], MillraceError::WrongAccount);
    let by_other = ix::swap(withdraw.clone(), &key.pubkey(), &other.pubkey());
    world.assert_refused(&[by_other], &[&other], MillraceError::WrongAuthority);
    let unsigned = ix::unsigned(withdraw.clone(), &key.pubkey());
    world.assert_refused(&[unsigned], &[&other], ErrorCode::AccountNotSigner);
    let other_vault = ix::swap(withdraw.clone(), &pda::vault(&world.oracle_of(0)), &pda::vault(&world.oracle_of(1)));
    world.assert_refused(&[other_vault], &[&key], MillraceError::WrongAccount);
    world.assert_no_account_is_replaceable(&withdraw, &[&key]);
}
