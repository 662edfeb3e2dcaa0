//! The state of a dispute by itself: appeals, and every order of events.

use bytemuck::Zeroable;
use millrace::errors::MillraceError;
use millrace::state::{Customer, Dispute, Lease, LeaseState, OracleSet, Provider, Ruling};
use millrace_tests::{local_params, Pubkey};
use proptest::prelude::*;

const NOW: i64 = 1_000_000;

fn refusal<T: std::fmt::Debug>(outcome: anchor_lang::Result<T>) -> MillraceError {
    let error = outcome.expect_err("it is refused");
    let anchor_lang::error::Error::AnchorError(error) = error else { panic!("{error}") };
    millrace_client::error::millrace_error(error.error_code_number).expect("the error is the program's")
}

fn with(ruling: Ruling) -> Dispute {
    let appeal_until = if ruling == Ruling::None { 0 } else { NOW };
    Dispute { ruling: ruling as u8, appeal_until, appeal_window_secs: 600, ..Dispute::zeroed() }
}

#[test]
fn an_appeal_extends_the_time_once_and_only_before_it_is_over() {
    assert_eq!(refusal(with(Ruling::None).appeal(NOW, NOW + 9)), MillraceError::DisputeOpen);
    let mut dispute = with(Ruling::Dismissed);
    assert_eq!(refusal(dispute.appeal(NOW, NOW + 9)), MillraceError::AppealOver);
    dispute.appeal(NOW - 1, NOW + 9).unwrap();
    assert_eq!((dispute.appeal_until, dispute.is_appealed), (NOW + 9, 1));
    assert_eq!(refusal(dispute.appeal(NOW, NOW + 99)), MillraceError::AlreadyAppealed);
    let mut shorter = with(Ruling::Lapsed);
    shorter.appeal(NOW - 1, NOW - 50).unwrap();
    assert_eq!(shorter.appeal_until, NOW, "an appeal never brings the end forward");
}

#[test]
fn governance_overturns_once_in_time_and_a_lapsed_dispute_for_the_customer() {
    for (from, to) in
        [(Ruling::Upheld, Ruling::Dismissed), (Ruling::Dismissed, Ruling::Upheld), (Ruling::Lapsed, Ruling::Upheld)]
    {
        let mut dispute = with(from);
        assert_eq!(refusal(dispute.overturn(NOW)), MillraceError::AppealOver);
        dispute.overturn(NOW - 1).unwrap();
        assert_eq!(dispute.ruling, to as u8);
        assert_eq!(refusal(dispute.overturn(NOW - 1)), MillraceError::AlreadyAppealed);
        assert_eq!(refusal(dispute.appeal(NOW - 1, NOW + 9)), MillraceError::AlreadyAppealed);
    }
    assert_eq!(refusal(with(Ruling::None).overturn(NOW - 1)), MillraceError::DisputeOpen);
}

proptest! {
    #[test]
    fn whatever_is_ruled_the_money_that_went_in_comes_out_on_one_side(
        ruling in 1u8..=3, free in 0u64..1 << 40, holdback in 0u64..1 << 40, lease_bond in 0u64..1 << 40,
        bond in 0u64..1 << 40, stake in 0u64..1 << 40,
    ) {
        let mut lease = Lease { holdback_amount: holdback, bond_left: lease_bond, ..Lease::zeroed() };
        lease.state = LeaseState::Completed as u8;
        lease.terms.dispute_window_secs = 600;
        lease.ended_at = NOW;
        let mut customer = Customer::zeroed();
        (customer.free, customer.deposited, customer.holdbacks) = (free + bond, free + bond + holdback, holdback);
        let mut provider = Provider { stake: stake + lease_bond, ..Provider::zeroed() };
        provider.lock_lease_bond(lease_bond).unwrap();
        let mut dispute = Dispute::zeroed();
        let params = millrace::state::Params { dispute_bond_amount: bond, ..local_params() };
        let opened = dispute.open(&mut lease, &mut customer, &params, NOW);
        prop_assert_eq!(opened.is_ok(), holdback > 0 || lease_bond > 0);
        prop_assume!(opened.is_ok());
        prop_assert_eq!((customer.free, customer.reserved), (free, bond));
        (dispute.ruling, dispute.appeal_until) = (ruling, NOW + 5);
        let early = dispute.settle(NOW + 4, (&mut lease, &mut customer, &mut provider));
        prop_assert_eq!(refusal(early), MillraceError::AppealOpen);
        let settled = dispute.settle(NOW + 5, (&mut lease, &mut customer, &mut provider)).unwrap();

        customer.invariant().unwrap();
        provider.invariant().unwrap();
        let is_upheld = ruling == Ruling::Upheld as u8;
        prop_assert_eq!(customer.reserved, 0);
        prop_assert_eq!(settled.holdback_amount, if is_upheld { holdback } else { 0 });
        prop_assert_eq!(settled.claim_amount, if is_upheld { lease_bond } else { 0 });
        prop_assert_eq!(settled.forfeited_amount, if ruling == Ruling::Dismissed as u8 { bond } else { 0 });
        prop_assert_eq!(customer.free, free + bond - settled.forfeited_amount + settled.holdback_amount);
        prop_assert_eq!(customer.holdbacks + settled.holdback_amount, holdback);
        prop_assert_eq!(provider.earned, settled.forfeited_amount);
        prop_assert_eq!(provider.free_stake(), stake + settled.claim_amount, "the bond is free to be claimed");
    }

    #[test]
    fn no_order_of_votes_counts_a_seat_twice_or_rules_without_a_quorum(
        votes in proptest::collection::vec((0u8..5, any::<bool>()), 0..20), weights in proptest::collection::vec(1u64..10, 5),
    ) {
        let mut oracles = OracleSet::zeroed();
        for (number, weight) in weights.iter().enumerate() {
            oracles.add(Pubkey::new_from_array([number as u8 + 1; 32]), *weight).unwrap();
        }
        let mut dispute = Dispute { vote_until: NOW, appeal_window_secs: 7, ..Dispute::zeroed() };
        let (mut voted, mut sides) = ([false; 5], [0u64; 2]);
        for (seat, uphold) in votes {
            let outcome = dispute.vote(seat, uphold, &oracles, 6_000, NOW - 1);
            let is_open = sides.iter().all(|side| side * 10_000 <= 6_000 * oracles.total_weight);
            let expected = is_open && !voted[usize::from(seat)];
            prop_assert_eq!(outcome.is_ok(), expected);
            if expected {
                voted[usize::from(seat)] = true;
                sides[usize::from(uphold)] += weights[usize::from(seat)];
            }
        }
        prop_assert_eq!([dispute.dismissed_weight, dispute.upheld_weight], sides);
        let winner = [Ruling::Dismissed, Ruling::Upheld].into_iter().zip(sides)
            .find(|(_, side)| side * 10_000 > 6_000 * oracles.total_weight);
        prop_assert_eq!(dispute.ruling, winner.map_or(Ruling::None, |(ruling, _)| ruling) as u8);
        prop_assert_eq!(dispute.appeal_until, if winner.is_some() { NOW + 6 } else { 0 });
    }
}
