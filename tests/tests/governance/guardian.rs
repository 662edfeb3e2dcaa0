//! The guardian, and every key that once had a power.

use super::*;
use millrace::events::PauseSet;
use millrace::state::Config;
use millrace_client::ix::{execute_guardian, pause, unpause};
use millrace_tests::{buffers, ix, key, pda, Keypair, MillraceError, Signer, MILL};

const DAY: i64 = 86_400;

fn guarded() -> (World, Keypair) {
    let (mut world, voter) = market();
    let guardian = world.stranger("guardian");
    let proposal = world.passed(&voter, ProposalKind::SetGuardian, &NO_TARGET, &guardian.pubkey());
    world.must(&[execute_guardian(&proposal)], &[&voter.key]);
    (world, guardian)
}

#[test]
fn nobody_is_guardian_before_a_vote() {
    let mut world = World::new();
    let stranger = world.stranger("stranger");
    for attempt in [pause(&stranger.pubkey(), 1), unpause(&stranger.pubkey())] {
        world.assert_refused(&[attempt], &[&stranger], MillraceError::WrongGuardian);
    }
}

#[test]
fn the_guardian_pauses_for_seven_days_in_any_thirty() {
    let (mut world, guardian) = guarded();
    let by = guardian.pubkey();
    for secs in [0, -1, i64::MIN, 7 * DAY + 1, i64::MAX] {
        world.assert_refused(&[pause(&by, secs)], &[&guardian], MillraceError::ParameterOutOfBounds);
    }
    let began_at = world.now();
    let event: PauseSet = world.must(&[pause(&by, 7 * DAY)], &[&guardian]).event();
    assert_eq!((event.paused_at, event.paused_until), (began_at, began_at + 7 * DAY));
    let config = world.config();
    assert!(config.require_not_paused(began_at + 7 * DAY - 1).is_err());
    assert!(config.require_not_paused(began_at + 7 * DAY).is_ok());

    // Neither ending it early nor waiting a day less than thirty gives another.
    world.assert_refused(&[pause(&by, 1)], &[&guardian], MillraceError::PausedTooOften);
    world.warp_secs(DAY);
    world.must(&[unpause(&by)], &[&guardian]);
    assert!(world.config().require_not_paused(world.now()).is_ok());
    world.assert_refused(&[pause(&by, 1)], &[&guardian], MillraceError::PausedTooOften);
    world.warp_to(began_at + 30 * DAY - 1);
    world.assert_refused(&[pause(&by, 1)], &[&guardian], MillraceError::PausedTooOften);
    world.warp_secs(1);
    world.must(&[pause(&by, 1)], &[&guardian]);
}

#[test]
fn a_pause_is_the_guardians_alone_and_ends_by_itself() {
    let (mut world, guardian) = guarded();
    let stranger = world.stranger("stranger");
    for attempt in [pause(&guardian.pubkey(), 9), unpause(&guardian.pubkey())] {
        let by_another = ix::swap(attempt.clone(), &guardian.pubkey(), &stranger.pubkey());
        world.assert_refused(&[by_another], &[&stranger], MillraceError::WrongGuardian);
        let unsigned = ix::unsigned(attempt.clone(), &guardian.pubkey());
        world.assert_refused(&[unsigned], &[&stranger], anchor_lang::error::ErrorCode::AccountNotSigner);
        world.assert_no_account_is_replaceable(&attempt, &[&guardian]);
    }
}

#[test]
fn a_vote_removes_the_guardian() {
    let (mut world, guardian) = guarded();
    let voter = world.voter("second", VOTES);
    let third = world.voter("third", VOTES);
    let proposal = world.propose(&voter, ProposalKind::SetGuardian, &NO_TARGET, &NO_TARGET);
    for it in [&voter, &third] {
        world.cast(it, &proposal, true);
    }
    world.warp_to(world.read::<millrace::state::Proposal>(&proposal).eta);
    world.must(&[execute_guardian(&proposal)], &[&voter.key]);
    assert_eq!(world.config().guardian, Pubkey::default());
    world.assert_refused(&[pause(&guardian.pubkey(), 1)], &[&guardian], MillraceError::WrongGuardian);
}

#[test]
fn rogue_guardian_a_pause_stops_nothing_that_is_owed() {
    let (mut world, guardian) = guarded();
    let deal = world.deal();
    let voter = world.voter("second", VOTES);
    world.must(&[pause(&guardian.pubkey(), 7 * DAY)], &[&guardian]);

    // Settlement, stop, withdrawal, unstaking, voting: all go on.
    world.warp_secs(100);
    let settle = {
        let leaf = world.lease_leaf(&deal.lease, 100, millrace_core::leaves::LeaseStatus::Completed);
        let report = world.report(&[leaf.tree_node()]);
        ix::settle_lease(&world, &deal.lease, World::settle_args(&report, &leaf))
    };
    world.must(&[settle], &[&deal.buyer.authority]);
    let accept = ix::accept_result(&world, &deal.buyer.authority.pubkey(), &deal.lease);
    world.must(&[accept], &[&deal.buyer.authority]);
    world.must(&[ix::sweep_fees(&world, &deal.buyer)], &[&deal.buyer.authority]);
    world.must(&[ix::withdraw(&world, &deal.seller)], &[&deal.seller.authority]);
    world.must(&[ix::begin_unstake(&deal.seller, MILL)], &[&deal.seller.authority]);
    world.must(&[ix::withdraw_customer(&world, &deal.buyer, MILL)], &[&deal.buyer.authority]);
    let proposal = propose_fee(&mut world, &voter, 400);
    world.cast(&voter, &proposal, true);
    world.warp_secs(DAY);
    let (close_vote, unlock) = (world.close_vote(&proposal, &voter), world.unlock_votes(&voter));
    world.must(&[close_vote, unlock], &[&voter.key]);
}

#[test]
fn rogue_admin_no_call_of_genesis_works_after_the_seal() {
    let mut world = World::new();
    let deployer = world.deployer.insecure_clone();
    let own = deployer.pubkey();
    let before = world.bytes(&pda::config());
    let seat = millrace::instructions::SeatOracleArgs {
        oracle_authority: key("late").pubkey(),
        weight: 1_000,
        endpoint: millrace_tests::genesis::endpoint("http://a"),
    };
    world.assert_refused(&[ix::seat_oracle(&world, seat)], &[&deployer], MillraceError::GenesisSealed);
    world.assert_refused(&[ix::seal_genesis(&own)], &[&deployer], MillraceError::GenesisSealed);
    world.assert_refused(&[pause(&own, 1)], &[&deployer], MillraceError::WrongGuardian);
    let args = millrace::instructions::InitializeArgs {
        params: millrace_tests::local_params(),
        bounds: millrace_tests::local_bounds(),
    };
    // The program is governance's now; and `init` finds its accounts in use.
    assert!(world.send(&[ix::initialize(&world, args)], &[&deployer]).is_err());
    let data = pda::program_data();
    assert!(world.send(&[buffers::set_authority(&data, &own, &own)], &[&deployer]).is_err());
    assert_eq!(world.bytes(&pda::config()), before);
}

#[test]
fn rogue_admin_no_path_of_governance_reaches_a_users_vault() {
    let (mut world, voter) = market();
    let deal = world.deal();
    // A passed transfer pays out of the treasury alone, whichever account is put in its place.
    world.send_stray_tokens(&world.treasury.clone(), 100 * MILL);
    let proposal = world.passed(&voter, ProposalKind::TreasuryTransfer, &voter.tokens, &MILL);
    let pay = millrace_client::ix::execute_transfer(&proposal, &voter.tokens, &world.market());
    for vault in [deal.buyer.vault, deal.seller.vault, voter.vault, world.oracle_pool] {
        let attempt = ix::swap(pay.clone(), &world.treasury, &vault);
        world.assert_refused(&[attempt], &[&voter.key], MillraceError::WrongAccount);
    }
    let mine = ix::swap(pay.clone(), &pda::governance(), &voter.key.pubkey());
    world.assert_refused(&[mine], &[&voter.key], MillraceError::WrongAccount);
    world.must(&[pay], &[&voter.key]);
}

#[test]
fn the_first_pause_needs_no_wait_however_young_the_chain_is() {
    let mut config: Box<Config> = bytemuck::allocation::zeroed_box();
    config.pause(1, 5).unwrap();
    assert_eq!((config.paused_at, config.paused_until), (5, 6));
    config.unpause(9);
    assert_eq!(config.paused_until, 6);
}
