//! Opening the market, once.

use super::*;
use anchor_lang::error::ErrorCode;
use millrace::events::Initialized;
use millrace::state::{Beacons, Config, OracleSet, Reports};
use millrace_core::hash::sha256;
use millrace_tests::tokens::{named, SUPPLY};
use millrace_tests::{ix, local_bounds, local_params, pda, MillraceError, Signer, TokenStandard, World};

#[test]
fn genesis_writes_what_the_deployment_is() {
    let (mut world, deployer) = bare();
    let receipt = world.must(&[ix::initialize(&world, args())], &[&deployer]);

    let config = world.read::<Config>(&pda::config());
    assert_eq!((config.version, config.genesis_open, config.authority), (1, 1, deployer.pubkey()));
    assert_eq!((config.mint, config.token_program), (world.mint, TokenStandard::Token.id()));
    assert_eq!((config.treasury, config.oracle_pool), (world.treasury, world.oracle_pool));
    assert_eq!((config.governance, config.guardian), (pda::governance(), Default::default()));
    assert_eq!((config.vote_weight_total, config.next_proposal_id, config.deposits_held), (0, 0, 0));
    assert_eq!((config.genesis_supply, config.burned_total), (SUPPLY, 0));
    assert_eq!((config.base_epoch, config.base_at), (0, world.now()));
    assert_eq!((config.params, config.bounds), (local_params(), local_bounds()));
    assert_eq!(world.read::<OracleSet>(&pda::oracles()).count, 0);
    assert_eq!(world.read::<Reports>(&pda::reports()).version, 1);
    assert_eq!(world.epoch(), 0);

    let event: Initialized = receipt.event();
    assert_eq!((event.sequence, event.deployment_id), (1, config.deployment_id));
    assert_eq!((event.params, event.bounds), (config.params, config.bounds));
}

#[test]
fn a_deployment_is_named_by_the_newest_slot_hash() {
    let (mut world, deployer) = bare();
    world.must(&[ix::initialize(&world, args())], &[&deployer]);
    let newest = World::slot_hash(world.slot() - 1);
    assert_eq!(world.config().deployment_id, sha256(&[millrace::ID.as_ref(), &newest]));
}

#[test]
fn genesis_happens_once() {
    let (mut world, deployer) = bare();
    world.must(&[ix::initialize(&world, args())], &[&deployer]);
    world.assert_refused(&[ix::initialize(&world, args())], &[&deployer], ALREADY_IN_USE);
}

#[test]
fn only_the_upgrade_authority_opens_the_market() {
    let (mut world, deployer) = bare();
    let stranger = world.stranger("stranger");
    let by_stranger = ix::swap(ix::initialize(&world, args()), &deployer.pubkey(), &stranger.pubkey());
    world.assert_refused(&[by_stranger], &[&stranger], MillraceError::NotUpgradeAuthority);

    world.set_upgrade_authority(None);
    world.assert_refused(&[ix::initialize(&world, args())], &[&deployer], MillraceError::NotUpgradeAuthority);
}

#[test]
fn another_programs_authority_does_not_count() {
    let (mut world, deployer) = bare();
    let other_data = named("another program's data");
    let account = world.svm.get_account(&pda::program_data()).unwrap();
    world.svm.set_account(other_data, account).unwrap();
    let forged = ix::swap(ix::initialize(&world, args()), &pda::program_data(), &other_data);
    world.assert_refused(&[forged], &[&deployer], ErrorCode::ConstraintSeeds);
}

#[test]
fn lamports_sent_ahead_do_not_block_genesis() {
    let (mut world, deployer) = bare();
    let pools = [pda::treasury(), pda::oracle_pool()];
    for address in [pda::config(), pda::oracles(), pda::reports(), pda::beacons()].into_iter().chain(pools) {
        world.svm.airdrop(&address, 1_000_000).unwrap();
    }
    world.must(&[ix::initialize(&world, args())], &[&deployer]);
    while world.svm.get_account(&pda::beacons()).unwrap().data.len() < Beacons::SPACE {
        world.must(&[ix::grow_beacons(&deployer.pubkey())], &[&deployer]);
    }
    assert_eq!(world.read::<Beacons>(&pda::beacons()).rent_payer, deployer.pubkey());
}

#[test]
fn the_slot_hashes_must_be_the_sysvar() {
    let (mut world, deployer) = bare();
    let forged = ix::swap(ix::initialize(&world, args()), &millrace::instructions::SLOT_HASHES_ID, &world.mint);
    world.assert_refused(&[forged], &[&deployer], ErrorCode::ConstraintAddress);
}
