//! Reports: one signature a seat and epoch, a quorum by weight.

use super::*;
use anchor_lang::error::ErrorCode;
use millrace::instructions::SignReportArgs;
use millrace::state::{Oracle, OracleSet, Reports};
use millrace_tests::{ix, pda, MillraceError, Pubkey, Refusal, Signer, World};

fn refuse_signature(world: &mut World, seat: usize, args: SignReportArgs, error: MillraceError) -> Refusal {
    let oracle = world.oracles[seat].insecure_clone();
    world.assert_refused(&[ix::sign_report(&oracle.pubkey(), args)], &[&oracle], error)
}

fn reports(world: &World) -> Box<Reports> {
    world.read(&pda::reports())
}

#[test]
fn two_of_three_accept_a_root_and_the_third_adds_its_bit() {
    let mut world = World::new();
    world.warp_epochs(4);
    let first = sign(&mut world, 0, args(4, root(1), 9));
    assert_eq!((first.weight, first.signers, first.is_accepted), (1, 0b001, false));
    assert!(reports(&world).accepted(4).is_none());

    let accepted_at = world.now();
    let second = sign(&mut world, 2, args(4, root(1), 9));
    assert_eq!((second.weight, second.signers, second.is_accepted), (2, 0b101, true));
    world.warp_secs(5);
    let third = sign(&mut world, 1, args(4, root(1), 9));
    assert_eq!((third.weight, third.signers, third.is_accepted), (3, 0b111, true));

    let reports = reports(&world);
    let accepted = reports.accepted(4).unwrap();
    assert_eq!((accepted.root, accepted.leaves, accepted.signers), (root(1), 9, 0b111));
    assert_eq!(accepted.accepted_at, accepted_at, "a late signature does not move the instant");
    let oracle = world.read::<Oracle>(&pda::oracle(&world.oracles[1].pubkey()));
    assert_eq!((oracle.signed, oracle.last_epoch, oracle.observation_hash), (1, 4, [8; 32]));
}

#[test]
fn one_short_of_the_quorum_accepts_nothing() {
    // Six of ten are not more than 6,000 basis points; seven are.
    let mut world = weighted(&[1; 10]);
    for seat in 0..6 {
        assert!(!sign(&mut world, seat, args(0, root(1), 1)).is_accepted);
    }
    assert!(reports(&world).accepted(0).is_none());
    assert!(sign(&mut world, 6, args(0, root(1), 1)).is_accepted);
}

#[test]
fn the_first_root_of_an_epoch_stands_whoever_loses_a_seat_later() {
    let mut world = weighted(&[1; 3]);
    for seat in 0..2 {
        sign(&mut world, seat, args(0, root(1), 1));
    }
    let accepted = *reports(&world).accepted(0).unwrap();
    // Who is left alone is a quorum, and says something else.
    let signers = [0, 1].map(|seat| world.oracles[seat].pubkey());
    world.rewrite::<OracleSet>(&pda::oracles(), |set| signers.iter().for_each(|signer| drop(set.remove(signer))));
    for (root, leaves) in [(root(2), 1), (root(1), 2)] {
        let mut world = world.copy();
        assert_eq!(sign(&mut world, 2, args(0, root, leaves)).weight, 1);
        assert_eq!(*reports(&world).accepted(0).unwrap(), accepted);
    }
}

#[test]
fn weight_decides_not_heads() {
    let mut world = weighted(&[1, 1, 1, 7]);
    for seat in 0..3 {
        assert!(!sign(&mut world, seat, args(0, root(1), 1)).is_accepted);
    }
    let heavy = sign(&mut world, 3, args(0, root(2), 1));
    assert_eq!((heavy.weight, heavy.is_accepted), (7, true));
}

#[test]
fn the_heaviest_possible_seats_do_not_overflow_the_quorum() {
    let mut world = weighted(&[u64::MAX / 2, u64::MAX / 2]);
    assert!(!sign(&mut world, 0, args(0, root(1), 1)).is_accepted);
    assert!(sign(&mut world, 1, args(0, root(1), 1)).is_accepted);
}

#[test]
fn junk_roots_take_nobodys_place() {
    let mut world = weighted(&[1; 10]);
    // Three colluders agree on junk before the honest sign.
    for seat in 0..3 {
        sign(&mut world, seat, args(0, root(66), 1));
    }
    for seat in 3..9 {
        assert!(!sign(&mut world, seat, args(0, root(1), 5)).is_accepted);
    }
    assert!(sign(&mut world, 9, args(0, root(1), 5)).is_accepted);
    assert_eq!(reports(&world).accepted(0).unwrap().root, root(1));
}

#[test]
fn a_root_with_other_leaves_is_another_root() {
    let mut world = World::new();
    sign(&mut world, 0, args(0, root(1), 5));
    let other = sign(&mut world, 1, args(0, root(1), 6));
    assert_eq!((other.weight, other.is_accepted), (1, false));
}

#[test]
fn a_dissenting_signature_is_presence_and_changes_no_accepted_root() {
    let mut world = World::new();
    sign(&mut world, 0, args(0, root(1), 5));
    sign(&mut world, 1, args(0, root(1), 5));
    let dissent = sign(&mut world, 2, args(0, root(2), 5));
    assert!(!dissent.is_accepted);
    let reports = reports(&world);
    let accepted = reports.accepted(0).unwrap();
    assert_eq!((accepted.root, accepted.signers), (root(1), 0b011));
    assert_eq!(world.read::<Oracle>(&pda::oracle(&world.oracles[2].pubkey())).signed, 1);
}

#[test]
fn a_seat_signs_an_epoch_once() {
    let mut world = World::new();
    world.warp_epochs(1);
    sign(&mut world, 0, args(1, root(1), 5));
    refuse_signature(&mut world, 0, args(1, root(1), 5), MillraceError::AlreadySigned);
    refuse_signature(&mut world, 0, args(1, root(2), 5), MillraceError::AlreadySigned);
    // The previous epoch has a row of its own.
    sign(&mut world, 0, args(0, root(3), 5));
    refuse_signature(&mut world, 0, args(0, root(3), 5), MillraceError::AlreadySigned);
}

#[test]
fn only_the_current_and_the_previous_epoch_are_signed() {
    let mut world = World::new();
    world.warp_epochs(5);
    for epoch in [0, 3, 6, u64::MAX] {
        refuse_signature(&mut world, 0, args(epoch, root(1), 1), MillraceError::WrongEpoch);
    }
    sign(&mut world, 0, args(4, root(1), 1));
    sign(&mut world, 0, args(5, root(1), 1));
    refuse_signature(&mut world, 1, args(5, root(1), 0), MillraceError::EmptyReport);
}

#[test]
fn rows_of_the_epoch_before_last_do_not_count() {
    let mut world = World::new();
    sign(&mut world, 0, args(0, root(1), 1));
    world.warp_epochs(2);
    let later = sign(&mut world, 1, args(2, root(1), 1));
    assert_eq!((later.weight, later.is_accepted), (1, false));
}

#[test]
fn strangers_sign_nothing() {
    let mut world = World::new();
    let stranger = anyone(&mut world);
    let seated = world.oracles[0].pubkey();
    let honest = ix::sign_report(&seated, args(0, root(1), 1));

    let no_record = ix::sign_report(&stranger.pubkey(), args(0, root(1), 1));
    world.assert_refused(&[no_record], &[&stranger], ErrorCode::AccountOwnedByWrongProgram);
    let with_anothers = ix::swap(honest.clone(), &seated, &stranger.pubkey());
    world.assert_refused(&[with_anothers], &[&stranger], MillraceError::NotAnOracle);
    let unsigned = ix::unsigned(honest, &seated);
    world.assert_refused(&[unsigned], &[&stranger], ErrorCode::AccountNotSigner);
}

#[test]
fn a_key_without_its_seat_signs_nothing() {
    let mut world = World::new();
    // As after a removal: the record is there, the seat is another's or gone.
    world.rewrite::<OracleSet>(&pda::oracles(), |oracles| oracles.seats[2].authority = Pubkey::new_from_array([9; 32]));
    refuse_signature(&mut world, 2, args(0, root(1), 1), MillraceError::NotAnOracle);
    world.rewrite::<OracleSet>(&pda::oracles(), |oracles| oracles.count = 1);
    refuse_signature(&mut world, 1, args(0, root(1), 1), MillraceError::NotAnOracle);
}

#[test]
fn accounts_of_one_kind_do_not_pass_for_another() {
    let mut world = World::new();
    let oracle = world.oracles[0].insecure_clone();
    let honest = ix::sign_report(&oracle.pubkey(), args(0, root(1), 1));
    for account in [pda::config(), pda::oracles(), pda::reports(), pda::oracle(&oracle.pubkey())] {
        let other = if account == pda::reports() { pda::config() } else { pda::reports() };
        let attempt = ix::swap(honest.clone(), &account, &other);
        world.assert_refused(&[attempt], &[&oracle], ErrorCode::AccountDiscriminatorMismatch);
    }
}

#[test]
fn a_signature_stays_cheap_with_every_seat_taken() {
    let mut world = weighted(&[1; 32]);
    let mut dearest = 0;
    for seat in 0..32 {
        let oracle = world.oracles[seat].insecure_clone();
        dearest = dearest.max(world.must(&[ix::sign_report(&oracle.pubkey(), args(0, root(1), 1))], &[&oracle]).cu);
    }
    assert!(dearest <= SIGN_REPORT_CU, "a signature costs {dearest} units");
}
