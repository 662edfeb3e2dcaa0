//! The end of an oracle's account.

use millrace::constants::REPORT_RING;
use millrace::events::OracleClosed;
use millrace::state::Oracle;
use millrace_tests::*;

#[test]
fn an_oracle_is_closed_by_anyone_once_nothing_can_be_proven_against_it_or_paid_to_it() {
    let mut world = World::new();
    let anyone = world.stranger("anyone");
    let tokens = world.staked_oracle(2, 5);
    let key = world.oracles[2].insecure_clone();
    let oracle = world.oracle_of(2);
    world.warp_epochs(3);
    world.report(&[[1; 24]]);
    let close = |world: &World| ix::close_oracle(&oracle, &world.read::<Oracle>(&oracle), &world.market());
    world.assert_refused(&[close(&world)], &[&anyone], MillraceError::OracleSeated);
    world.remove_seat(2);
    world.warp_epochs(2 * REPORT_RING as u64);
    world.assert_refused(&[close(&world)], &[&anyone], MillraceError::OracleNotEmpty);
    world.must(&[ix::begin_oracle_unstake(&key.pubkey(), 5)], &[&key]);
    world.warp_secs(world.config().params.unbonding_secs);
    world.assert_refused(&[close(&world)], &[&anyone], MillraceError::OracleNotEmpty);
    world.must(&[ix::withdraw_oracle(&key.pubkey(), &tokens, &world.market())], &[&key]);
    world.send_stray_tokens(&pda::vault(&oracle), 9);

    // One epoch before its last root leaves the ring; and in the period after its last points.
    let epoch = world.epoch();
    let honest = world.read::<Oracle>(&oracle);
    world.rewrite::<Oracle>(&oracle, |oracle| oracle.last_epoch = epoch - REPORT_RING as u64);
    world.assert_refused(&[close(&world)], &[&anyone], MillraceError::OracleNotEmpty);
    world.rewrite::<Oracle>(&oracle, |oracle| oracle.last_epoch = epoch - REPORT_RING as u64 - 1);
    let closable = world.svm.clone();
    world.must(&[close(&world)], &[&anyone]);
    world.svm = closable;
    let period_epochs = world.config().params.reward_period_epochs;
    world.rewrite::<Oracle>(&oracle, |oracle| oracle.reward_period = epoch + 1 - 2 * period_epochs);
    world.assert_refused(&[close(&world)], &[&anyone], MillraceError::OracleNotEmpty);
    world.rewrite::<Oracle>(&oracle, |oracle| *oracle = *honest);

    let honest = close(&world);
    let elsewhere = ix::swap(honest.clone(), &world.deployer.pubkey(), &anyone.pubkey());
    world.assert_refused(&[elsewhere], &[&anyone], MillraceError::WrongAccount);
    let to_pool = ix::swap(honest.clone(), &world.treasury, &world.oracle_pool);
    world.assert_refused(&[to_pool], &[&anyone], MillraceError::WrongAccount);
    world.assert_no_account_is_replaceable(&honest, &[&anyone]);
    let rent = world.lamports(&oracle) + world.lamports(&pda::vault(&oracle));
    let (payer, treasury) = (world.lamports(&world.deployer.pubkey()), world.tokens(&world.treasury));
    let event: OracleClosed = world.must(&[honest], &[&anyone]).event();
    assert_eq!(event.surplus_amount, 9);
    assert_eq!(world.tokens(&world.treasury), treasury + 9);
    assert_eq!(world.lamports(&world.deployer.pubkey()), payer + rent);
    assert!(!world.exists(&oracle) && !world.exists(&pda::vault(&oracle)));
}
