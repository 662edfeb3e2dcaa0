//! The beacons grow, oracles are seated, genesis is sealed.

use super::*;
use anchor_lang::error::ErrorCode;
use anchor_lang::solana_program::instruction::error::InstructionError;
use millrace::events::{BeaconsGrown, GenesisSealed, OracleSeated};
use millrace::instructions::SeatOracleArgs;
use millrace::state::{Beacons, Oracle, OracleSet};
use millrace_tests::genesis::endpoint;
use millrace_tests::tokens::named;
use millrace_tests::{buffers, ix, key, pda, MillraceError, Pubkey, Signer, World};
use solana_transaction_error::TransactionError;

#[test]
fn anyone_grows_the_beacons_to_their_size_and_no_further() {
    let (mut world, deployer) = bare();
    world.must(&[ix::initialize(&world, args())], &[&deployer]);
    let stranger = world.stranger("stranger");
    let grow = ix::grow_beacons(&stranger.pubkey());
    let mut lens = Vec::new();
    while lens.last() != Some(&(Beacons::SPACE as u64)) {
        let event: BeaconsGrown = world.must(std::slice::from_ref(&grow), &[&stranger]).event();
        assert_eq!((event.sequence, event.full_len), (lens.len() as u64 + 1, Beacons::SPACE as u64));
        lens.push(event.len);
    }
    assert_eq!(lens, [20_480, 30_720, 40_960, Beacons::SPACE as u64]);
    let account = world.svm.get_account(&pda::beacons()).unwrap();
    assert_eq!(account.lamports, world.svm.minimum_balance_for_rent_exemption(Beacons::SPACE));
    world.assert_refused(&[grow], &[&stranger], MillraceError::BeaconsFull);
}

#[test]
fn only_the_beacon_account_is_grown() {
    let (mut world, deployer) = bare();
    world.must(&[ix::initialize(&world, args())], &[&deployer]);
    let other = ix::swap(ix::grow_beacons(&deployer.pubkey()), &pda::beacons(), &pda::reports());
    world.assert_refused(&[other], &[&deployer], ErrorCode::ConstraintSeeds);
}

// Seats

#[test]
fn a_seat_is_taken_with_its_weight() {
    let (mut world, deployer) = unsealed();
    let (first, second) = (key("first").pubkey(), key("second").pubkey());
    world.must(&[ix::seat_oracle(&world, seat(&first, 3))], &[&deployer]);
    let receipt = world.must(&[ix::seat_oracle(&world, seat(&second, 4))], &[&deployer]);
    let event: OracleSeated = receipt.event();
    assert_eq!((event.sequence, event.seat, event.weight, event.total_weight), (2, 1, 4, 7));
    let oracles = world.read::<OracleSet>(&pda::oracles());
    assert_eq!((oracles.count, oracles.total_weight), (2, 7));
    let oracle = world.read::<Oracle>(&pda::oracle(&second));
    assert_eq!((oracle.seat, oracle.authority), (1, second));
    assert_eq!(oracle.endpoint, endpoint("https://oracle.example"));
}

#[test]
fn only_the_deployer_seats_oracles() {
    let (mut world, deployer) = unsealed();
    let stranger = world.stranger("stranger");
    let honest = ix::seat_oracle(&world, seat(&stranger.pubkey(), 1));
    let own = ix::swap(honest.clone(), &deployer.pubkey(), &stranger.pubkey());
    world.assert_refused(&[own], &[&stranger], MillraceError::WrongAuthority);
    let unsigned = ix::unsigned(honest, &deployer.pubkey());
    world.assert_refused(&[unsigned], &[&stranger], ErrorCode::AccountNotSigner);
}

#[test]
fn a_key_has_one_seat_and_a_seat_has_weight_and_an_endpoint() {
    let (mut world, deployer) = unsealed();
    let oracle = key("first").pubkey();
    world.must(&[ix::seat_oracle(&world, seat(&oracle, 1))], &[&deployer]);
    let again = ix::seat_oracle(&world, seat(&oracle, 1));
    world.assert_refused(&[again], &[&deployer], ALREADY_IN_USE);

    let weightless = ix::seat_oracle(&world, seat(&key("second").pubkey(), 0));
    world.assert_refused(&[weightless], &[&deployer], MillraceError::ZeroWeight);
    let args = SeatOracleArgs { endpoint: endpoint("ftp://oracle"), ..seat(&key("second").pubkey(), 1) };
    let nowhere = ix::seat_oracle(&world, args);
    world.assert_refused(&[nowhere], &[&deployer], MillraceError::BadEndpoint);
}

#[test]
fn there_are_thirty_two_seats() {
    let (mut world, deployer) = unsealed();
    for n in 0..32 {
        let oracle = key(&format!("oracle {n}")).pubkey();
        world.must(&[ix::seat_oracle(&world, seat(&oracle, 1))], &[&deployer]);
    }
    let one_more = ix::seat_oracle(&world, seat(&key("one more").pubkey(), 1));
    world.assert_refused(&[one_more], &[&deployer], MillraceError::SeatsFull);
}

// The seal

#[test]
fn the_seal_ends_the_deployers_power() {
    let (mut world, deployer) = unsealed();
    world.must(&[ix::seat_oracle(&world, seat(&key("first").pubkey(), 5))], &[&deployer]);
    let receipt = world.must(&[ix::seal_genesis(&deployer.pubkey())], &[&deployer]);
    let event: GenesisSealed = receipt.event();
    assert_eq!((event.sequence, event.seats, event.total_weight), (2, 1, 5));
    let config = world.config();
    assert_eq!((config.genesis_open, config.authority), (0, Pubkey::default()));

    let late = ix::seat_oracle(&world, seat(&key("late").pubkey(), 1));
    world.assert_refused(&[late], &[&deployer], MillraceError::GenesisSealed);
    world.assert_refused(&[ix::seal_genesis(&deployer.pubkey())], &[&deployer], MillraceError::GenesisSealed);
}

#[test]
fn after_the_seal_only_governance_can_upgrade_the_program() {
    let (mut world, deployer) = unsealed();
    world.must(&[ix::seat_oracle(&world, seat(&key("first").pubkey(), 1))], &[&deployer]);
    let (data, own) = (pda::program_data(), deployer.pubkey());
    let program = world.svm.get_account(&data).unwrap().data[45..].to_vec();
    let buffer = world.buffer("buffer", &deployer, &program[..2_000]);
    world.must(&[ix::seal_genesis(&own)], &[&deployer]);

    let authority = &world.svm.get_account(&data).unwrap().data[12..45];
    assert_eq!(authority, [&[1], pda::governance().as_ref()].concat());
    for attempt in [buffers::upgrade(&data, &buffer, &own), buffers::set_authority(&data, &own, &own)] {
        let wrong_authority = TransactionError::InstructionError(0, InstructionError::IncorrectAuthority);
        world.assert_failed(&[attempt], &[&deployer], wrong_authority);
    }
}

#[test]
fn a_deployer_who_gave_the_program_to_governance_before_can_still_seal() {
    let (mut world, deployer) = unsealed();
    world.must(&[ix::seat_oracle(&world, seat(&key("first").pubkey(), 1))], &[&deployer]);
    world.must(&[buffers::set_authority(&pda::program_data(), &deployer.pubkey(), &pda::governance())], &[&deployer]);
    world.must(&[ix::seal_genesis(&deployer.pubkey())], &[&deployer]);
}

#[test]
fn genesis_cannot_be_sealed_while_a_stranger_may_upgrade_the_program() {
    let (mut world, deployer) = unsealed();
    world.must(&[ix::seat_oracle(&world, seat(&key("first").pubkey(), 1))], &[&deployer]);
    world.set_upgrade_authority(Some(key("stranger").pubkey()));
    let wrong_authority = TransactionError::InstructionError(0, InstructionError::IncorrectAuthority);
    world.assert_failed(&[ix::seal_genesis(&deployer.pubkey())], &[&deployer], wrong_authority);
}

#[test]
fn genesis_is_sealed_by_its_deployer_with_seats_and_full_beacons() {
    let (mut world, deployer) = bare();
    world.must(&[ix::initialize(&world, args())], &[&deployer]);
    let seal = ix::seal_genesis(&deployer.pubkey());
    world.assert_refused(std::slice::from_ref(&seal), &[&deployer], MillraceError::NoSeats);

    world.must(&[ix::seat_oracle(&world, seat(&key("first").pubkey(), 1))], &[&deployer]);
    world.assert_refused(std::slice::from_ref(&seal), &[&deployer], MillraceError::BeaconsTooSmall);

    let stranger = world.stranger("stranger");
    let by_stranger = ix::seal_genesis(&stranger.pubkey());
    world.assert_refused(&[by_stranger], &[&stranger], MillraceError::WrongAuthority);
    let elsewhere = ix::swap(seal, &pda::beacons(), &pda::reports());
    world.assert_refused(&[elsewhere], &[&deployer], ErrorCode::ConstraintSeeds);
}

#[test]
fn no_unrelated_account_passes_for_one_of_genesis() {
    let (mut world, deployer) = bare();
    // The mint is the deployer's choice; everything else is derived.
    let opening = ix::initialize(&world, args());
    for derived in [pda::treasury(), pda::oracle_pool()] {
        let attempt = ix::swap(opening.clone(), &derived, &named("elsewhere"));
        world.assert_refused(&[attempt], &[&deployer], MillraceError::WrongAccount);
    }
    for derived in [pda::config(), pda::oracles(), pda::reports(), pda::beacons()] {
        let attempt = ix::swap(opening.clone(), &derived, &named("elsewhere"));
        world.assert_refused(&[attempt], &[&deployer], ErrorCode::ConstraintSeeds);
    }
    let unheard = ix::swap(opening.clone(), &pda::event_authority(), &named("elsewhere"));
    world.assert_refused(&[unheard], &[&deployer], ErrorCode::ConstraintAddress);
    world.must(&[opening], &[&deployer]);
    world.assert_no_account_is_replaceable(&ix::grow_beacons(&deployer.pubkey()), &[&deployer]);

    let (mut world, deployer) = unsealed();
    let seating = ix::seat_oracle(&world, seat(&key("first").pubkey(), 1));
    world.assert_no_account_is_replaceable(&seating, &[&deployer]);
    world.must(&[seating], &[&deployer]);
    world.assert_no_account_is_replaceable(&ix::seal_genesis(&deployer.pubkey()), &[&deployer]);
}

#[test]
fn accounts_of_one_kind_do_not_pass_for_another() {
    let (mut world, deployer) = unsealed();
    let honest = ix::seat_oracle(&world, seat(&key("first").pubkey(), 1));
    for (account, other) in [(pda::config(), pda::reports()), (pda::oracles(), pda::reports())] {
        let attempt = ix::swap(honest.clone(), &account, &other);
        world.assert_refused(&[attempt], &[&deployer], ErrorCode::AccountDiscriminatorMismatch);
        let attempt = ix::swap(honest.clone(), &account, &world.mint);
        world.assert_refused(&[attempt], &[&deployer], ErrorCode::AccountOwnedByWrongProgram);
    }
}

#[test]
fn no_genesis_call_exceeds_what_a_network_carries() {
    let world = World::new();
    let sent: Vec<&str> = world.record.extents.keys().map(String::as_str).collect();
    assert_eq!(sent, ["grow_beacons", "initialize", "seal_genesis", "seat_oracle"]);
}
