//! Beacons: the hash of a slot that lay ahead, whoever asks.

use super::*;
use anchor_lang::error::ErrorCode;
use millrace::constants::BEACON_SLOTS_AHEAD;
use millrace::events::{BeaconLatched, BeaconOpened};
use millrace::instructions::SLOT_HASHES_ID;
use millrace::state::Beacons;
use millrace_tests::world::SLOT_HASHES;
use millrace_tests::{ix, pda, MillraceError, Signer, World};

fn beacons(world: &World) -> Box<Beacons> {
    world.read(&pda::beacons())
}

#[test]
fn a_beacon_is_the_hash_of_a_slot_that_lay_ahead() {
    let mut world = World::new();
    let caller = anyone(&mut world);
    world.warp_epochs(3);
    let opened: BeaconOpened = world.must(&[ix::open_beacon(3)], &[&caller]).event();
    assert_eq!((opened.epoch, opened.slot), (3, world.slot() + BEACON_SLOTS_AHEAD));
    assert!(beacons(&world).latched(3).is_none());

    // The hash of the named slot is known one slot later.
    world.warp_slots(BEACON_SLOTS_AHEAD);
    world.assert_refused(&[ix::latch_beacon(3)], &[&caller], MillraceError::BeaconTooEarly);
    world.warp_slots(1);
    let latched: BeaconLatched = world.must(&[ix::latch_beacon(3)], &[&caller]).event();
    assert_eq!((latched.slot, latched.hash), (opened.slot, World::slot_hash(opened.slot)));
    assert_eq!(latched.sequence, opened.sequence + 1);
    assert_eq!(beacons(&world).latched(3).unwrap().hash, latched.hash);
}

#[test]
fn whoever_latches_whenever_the_hash_is_the_same() {
    let hash_after = |wait: u64| {
        let mut world = World::new();
        let caller = anyone(&mut world);
        let opened: BeaconOpened = world.must(&[ix::open_beacon(0)], &[&caller]).event();
        world.skip_slot(opened.slot);
        world.skip_slot(opened.slot + 1);
        world.warp_slots(wait);
        world.must(&[ix::latch_beacon(0)], &[&caller]).event::<BeaconLatched>().hash
    };
    let first_chance = BEACON_SLOTS_AHEAD + 3;
    let found: Vec<_> = [0, 1, 100, 400].map(|later| hash_after(first_chance + later)).to_vec();
    assert!(found.iter().all(|hash| *hash == found[0]), "the hash depends on when it was latched");
    // Two slots without a block were passed over.
    let mut world = World::new();
    let caller = anyone(&mut world);
    let opened: BeaconOpened = world.must(&[ix::open_beacon(0)], &[&caller]).event();
    assert_eq!(found[0], World::slot_hash(opened.slot + 2));
    assert_ne!(found[0], World::slot_hash(opened.slot));
}

#[test]
fn a_beacon_is_opened_in_its_epoch_and_once() {
    let mut world = World::new();
    let caller = anyone(&mut world);
    world.warp_epochs(2);
    for epoch in [1, 3, u64::MAX] {
        world.assert_refused(&[ix::open_beacon(epoch)], &[&caller], MillraceError::WrongEpoch);
    }
    world.must(&[ix::open_beacon(2)], &[&caller]);
    world.assert_refused(&[ix::open_beacon(2)], &[&caller], MillraceError::BeaconOpen);
    world.warp_slots(BEACON_SLOTS_AHEAD + 1);
    world.must(&[ix::latch_beacon(2)], &[&caller]);
    world.assert_refused(&[ix::open_beacon(2)], &[&caller], MillraceError::BeaconOpen);
    world.assert_refused(&[ix::latch_beacon(2)], &[&caller], MillraceError::BeaconOpen);
}

#[test]
fn a_beacon_that_was_not_opened_is_not_latched() {
    let mut world = World::new();
    let caller = anyone(&mut world);
    world.assert_refused(&[ix::latch_beacon(0)], &[&caller], MillraceError::BeaconNotOpen);
    world.must(&[ix::open_beacon(0)], &[&caller]);
    world.warp_slots(BEACON_SLOTS_AHEAD + 1);
    // The place of epoch 1,024 is that of epoch 0.
    for epoch in [1, 1_024] {
        world.assert_refused(&[ix::latch_beacon(epoch)], &[&caller], MillraceError::BeaconNotOpen);
    }
}

#[test]
fn a_missed_slot_voids_the_beacon_until_it_is_opened_again() {
    let mut world = World::new();
    let caller = anyone(&mut world);
    let opened: BeaconOpened = world.must(&[ix::open_beacon(0)], &[&caller]).event();
    // The last slot in which the named hash is still kept.
    world.warp_slots(BEACON_SLOTS_AHEAD + SLOT_HASHES as u64);
    assert_eq!(world.slot() - SLOT_HASHES as u64, opened.slot);
    world.assert_refused(&[ix::open_beacon(0)], &[&caller], MillraceError::BeaconOpen);
    world.warp_slots(1);
    world.assert_refused(&[ix::latch_beacon(0)], &[&caller], MillraceError::BeaconMissed);

    let again: BeaconOpened = world.must(&[ix::open_beacon(0)], &[&caller]).event();
    assert_eq!(again.slot, world.slot() + BEACON_SLOTS_AHEAD);
    world.warp_slots(BEACON_SLOTS_AHEAD + 1);
    world.must(&[ix::latch_beacon(0)], &[&caller]);
    assert_eq!(beacons(&world).latched(0).unwrap().hash, World::slot_hash(again.slot));
}

#[test]
fn a_new_epoch_takes_the_place_of_the_one_a_window_ago() {
    let mut world = World::new();
    let caller = anyone(&mut world);
    for epoch in [0, 1_024] {
        world.must(&[ix::open_beacon(epoch)], &[&caller]);
        world.warp_slots(BEACON_SLOTS_AHEAD + 1);
        world.must(&[ix::latch_beacon(epoch)], &[&caller]);
        world.warp_epochs(1_024);
    }
    let beacons = beacons(&world);
    assert!(beacons.latched(0).is_none() && beacons.latched(1_024).is_some());
}

#[test]
fn slot_hashes_come_from_the_sysvar_only() {
    let mut world = World::new();
    let caller = anyone(&mut world);
    let forged = ix::swap(ix::open_beacon(0), &SLOT_HASHES_ID, &world.mint);
    world.assert_refused(&[forged], &[&caller], ErrorCode::ConstraintAddress);
    world.must(&[ix::open_beacon(0)], &[&caller]);
    world.warp_slots(BEACON_SLOTS_AHEAD + 1);
    let forged = ix::swap(ix::latch_beacon(0), &SLOT_HASHES_ID, &world.mint);
    world.assert_refused(&[forged], &[&caller], ErrorCode::ConstraintAddress);
}

#[test]
fn no_unrelated_account_passes_for_one_of_an_oracles_call() {
    let (mut world, _, node) = market();
    let caller = anyone(&mut world);
    let oracle = world.oracles[0].insecure_clone();
    let leaf = passed(&world, &node);
    let report = world.report_node(&leaf);
    world.assert_no_account_is_replaceable(&application(&report, &leaf), &[&caller]);
    world.warp_to_next_epoch();
    let epoch = world.epoch();
    world.assert_no_account_is_replaceable(&ix::sign_report(&oracle.pubkey(), args(epoch, root(1), 1)), &[&oracle]);
    world.assert_no_account_is_replaceable(&ix::open_beacon(epoch), &[&caller]);
    world.must(&[ix::open_beacon(epoch)], &[&caller]);
    world.warp_slots(BEACON_SLOTS_AHEAD + 1);
    world.assert_no_account_is_replaceable(&ix::latch_beacon(epoch), &[&caller]);
}
