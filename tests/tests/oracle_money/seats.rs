//! Seats that change hands: nothing of the last holder passes to the next.

use bytemuck::Zeroable;
use millrace::constants::MAX_SEATS;
use millrace::instructions::SignReportArgs;
use millrace::state::{Oracle, OracleSet, Reports};
use millrace_tests::*;
use proptest::prelude::*;

use super::refusal;

fn key_of(number: u8) -> Pubkey {
    Pubkey::new_from_array([number; 32])
}

fn args(epoch: u64, root: u8) -> SignReportArgs {
    SignReportArgs { epoch, root: [root; 24], leaves: 1, next_observation_hash: [2; 32] }
}

/// Gives the seat that `gone` left to `newcomer`, from the next epoch on, as governance does.
fn replace(world: &mut World, gone: usize, newcomer: &Keypair) {
    world.remove_seat(gone);
    let seated_epoch = world.epoch() + 1;
    let mut seat = u8::MAX;
    world.rewrite::<OracleSet>(&pda::oracles(), |set| seat = set.add(newcomer.pubkey(), 1).expect("a seat is free"));
    assert_eq!(usize::from(seat), gone, "the freed place goes to the next");
    let mut account = world.svm.get_account(&world.oracle_of(gone)).expect("the oracle's account stays");
    let state = Oracle { authority: newcomer.pubkey(), seat, seated_epoch, ..Oracle::zeroed() };
    account.data[8..8 + std::mem::size_of::<Oracle>()].copy_from_slice(bytemuck::bytes_of(&state));
    world.svm.set_account(pda::oracle(&newcomer.pubkey()), account).expect("LiteSVM takes the account");
}

#[test]
fn a_removed_oracle_signs_and_votes_no_more() {
    let mut world = World::new();
    world.remove_seat(2);
    let oracle = world.oracles[2].insecure_clone();
    let sign = ix::sign_report(&oracle.pubkey(), args(0, 1));
    world.assert_refused(&[sign], &[&oracle], MillraceError::OracleRemoved);
    let tokens = world.oracle_tokens(2, 5);
    let stake = ix::stake_oracle(&oracle.pubkey(), &tokens, &world.oracle_of(2), &world.market(), 5);
    world.assert_refused(&[stake], &[&oracle], MillraceError::OracleRemoved);
    let set = world.read::<OracleSet>(&pda::oracles());
    assert_eq!((set.total_weight, set.count), (2, 2), "its weight is gone from the quorum");
}

#[test]
fn a_newcomer_reports_from_its_own_epoch_and_inherits_no_row() {
    let mut world = World::new();
    world.warp_epochs(3);
    let (first, gone) = (world.oracles[0].insecure_clone(), world.oracles[1].insecure_clone());
    let newcomer = keys::oracle_key("newcomer");
    world.fund(&newcomer.pubkey());
    // The last holder signed a root that is one signature short.
    world.must(&[ix::sign_report(&gone.pubkey(), args(3, 7))], &[&gone]);
    replace(&mut world, 1, &newcomer);

    let early = ix::sign_report(&newcomer.pubkey(), args(3, 7));
    world.assert_refused(&[early], &[&newcomer], MillraceError::NotAnOracle);
    let signed: millrace::events::ReportSigned =
        world.must(&[ix::sign_report(&first.pubkey(), args(3, 7))], &[&first]).event();
    assert_eq!((signed.weight, signed.signers, signed.is_accepted), (1, 0b001, false), "that row counts for nobody");

    world.warp_epochs(1);
    let of_before = ix::sign_report(&newcomer.pubkey(), args(3, 7));
    world.assert_refused(&[of_before], &[&newcomer], MillraceError::NotAnOracle);
    world.must(&[ix::sign_report(&newcomer.pubkey(), args(4, 8))], &[&newcomer]);
    let second: millrace::events::ReportSigned =
        world.must(&[ix::sign_report(&first.pubkey(), args(4, 8))], &[&first]).event();
    assert_eq!((second.signers, second.is_accepted), (0b011, true));
}

#[test]
fn who_was_removed_still_stands_among_the_signers_of_its_roots() {
    let mut world = World::new();
    let keys: Vec<_> = world.oracles.iter().map(|oracle| oracle.insecure_clone()).collect();
    for key in &keys[1..] {
        world.must(&[ix::sign_report(&key.pubkey(), args(0, 7))], &[key]);
    }
    world.remove_seat(2);
    // A late signature of the same root must not wash the removed one's off.
    world.must(&[ix::sign_report(&keys[0].pubkey(), args(0, 7))], &[&keys[0]]);
    let reports = world.read::<Reports>(&pda::reports());
    assert_eq!(reports.accepted(0).expect("the root is accepted").signers, 0b111);
}

#[test]
fn a_key_has_one_seat_and_a_stranger_none_to_lose() {
    let mut set = OracleSet::zeroed();
    set.add(key_of(1), 3).unwrap();
    assert_eq!(refusal(set.add(key_of(1), 3)), MillraceError::SeatTaken);
    assert_eq!(refusal(set.remove(&key_of(2))), MillraceError::NotAnOracle);
    assert_eq!(set.remove(&key_of(1)).unwrap(), 0);
    assert_eq!(refusal(set.remove(&key_of(1))), MillraceError::NotAnOracle);
    // Nobody holds the key of zeros, but nobody shall take a free place for its seat either.
    set.add(key_of(1), 1).unwrap();
    set.add(key_of(2), 1).unwrap();
    set.remove(&key_of(1)).unwrap();
    assert_eq!(refusal(set.remove(&Pubkey::default())), MillraceError::NotAnOracle);
}

proptest! {
    #[test]
    fn however_seats_come_and_go_weights_add_up_and_nobody_moves(
        steps in proptest::collection::vec((any::<bool>(), 1u8..50, 1u64..1_000), 1..200),
    ) {
        let mut set = OracleSet::zeroed();
        let mut held = std::collections::BTreeMap::<u8, (u8, u64)>::new();
        for (adds, number, weight) in steps {
            if adds {
                let outcome = set.add(key_of(number), weight);
                let can = !held.contains_key(&number) && held.len() < MAX_SEATS;
                prop_assert_eq!(outcome.is_ok(), can);
                if let Ok(seat) = outcome {
                    prop_assert!(held.values().all(|(taken, _)| *taken != seat), "the place was free");
                    held.insert(number, (seat, weight));
                }
            } else {
                let outcome = set.remove(&key_of(number));
                prop_assert_eq!(outcome.ok(), held.remove(&number).map(|(seat, _)| seat));
            }
            prop_assert_eq!(set.total_weight, held.values().map(|(_, weight)| weight).sum::<u64>());
            for (number, (seat, weight)) in &held {
                prop_assert_eq!(set.seat_of(*seat, &key_of(*number)).unwrap().weight, *weight);
            }
            let used = held.values().map(|(seat, _)| seat + 1).max().unwrap_or(0);
            prop_assert_eq!(set.count, used, "no free places at the end");
        }
    }
}
