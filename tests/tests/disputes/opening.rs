//! Who may call a result wrong, and when.

use anchor_lang::error::ErrorCode;
use millrace::events::DisputeOpened;
use millrace::state::dispute::{DISPUTED, WAS_DISPUTED};
use millrace::state::{Config, Customer, Dispute, Lease, Ruling};
use millrace_core::leaves::LeaseStatus;
use millrace_tests::*;

#[test]
fn a_dispute_sets_its_bond_aside_and_fixes_its_deadlines() {
    let mut world = World::new();
    let deal = world.completed(100);
    let before = world.read::<Customer>(&deal.buyer.customer);
    let opened: DisputeOpened = world.disputed(&deal).event();
    let params = world.config().params;
    let after = world.read::<Customer>(&deal.buyer.customer);
    assert_eq!(after.free, before.free - params.dispute_bond_amount);
    assert_eq!(after.reserved, before.reserved + params.dispute_bond_amount);
    assert_eq!((opened.customer_free, opened.customer_reserved), (after.free, after.reserved));
    assert_eq!((opened.bond, opened.evidence_hash), (params.dispute_bond_amount, [4; 32]));
    let dispute = world.read::<Dispute>(&pda::dispute(&deal.lease));
    assert_eq!(dispute.vote_until, world.now() + params.dispute_vote_secs);
    assert_eq!((dispute.ruling, dispute.appeal_until, dispute.voted), (Ruling::None as u8, 0, 0));
    assert_eq!(world.read::<Lease>(&deal.lease).is_disputed, DISPUTED);
    world.assert_books();
}

#[test]
fn only_the_customer_of_the_lease_opens_it() {
    let mut world = World::new();
    let deal = world.completed(100);
    let other = world.customer("other", 50 * MILL);
    let open = world.dispute_of(&deal);
    let by_other = ix::swap(open.clone(), &deal.buyer.authority.pubkey(), &other.authority.pubkey());
    world.assert_refused(std::slice::from_ref(&by_other), &[&other.authority], MillraceError::WrongAuthority);
    let of_other = ix::swap(by_other, &deal.buyer.customer, &other.customer);
    world.assert_refused(&[of_other], &[&other.authority], MillraceError::WrongAccount);
    let by_seller = ix::swap(open.clone(), &deal.buyer.authority.pubkey(), &deal.seller.authority.pubkey());
    world.assert_refused(&[by_seller], &[&deal.seller.authority], MillraceError::WrongAuthority);
    let unsigned = ix::unsigned(open.clone(), &deal.buyer.authority.pubkey());
    world.assert_refused(&[unsigned], &[&other.authority], ErrorCode::AccountNotSigner);
    world.assert_no_account_is_replaceable(&open, &[&deal.buyer.authority]);
}

#[test]
fn a_dispute_is_opened_between_the_end_and_the_last_second_of_the_window() {
    let mut world = World::new();
    let deal = world.deal();
    let running = world.dispute_of(&deal);
    world.assert_refused(std::slice::from_ref(&running), &[&deal.buyer.authority], MillraceError::LeaseRunning);
    world.warp_secs(100);
    world.settle(&deal.lease, 100, LeaseStatus::Completed);
    let closes_at = world.read::<Lease>(&deal.lease).closes_at();
    world.warp_to(closes_at);
    world.assert_refused(std::slice::from_ref(&running), &[&deal.buyer.authority], MillraceError::DisputeClosed);

    let mut world = World::new();
    let deal = world.completed(100);
    let closes_at = world.read::<Lease>(&deal.lease).closes_at();
    world.warp_to(closes_at - 1);
    world.disputed(&deal);
}

#[test]
fn there_is_something_to_win_or_no_dispute() {
    let mut world = World::new();
    let deal = world.completed(100);
    let holdback = world.read::<Lease>(&deal.lease).holdback_amount;
    world.rewrite::<Lease>(&deal.lease, |lease| lease.holdback_amount = 0);
    world.rewrite::<Customer>(&deal.buyer.customer, |customer| {
        (customer.holdbacks, customer.paid) = (0, customer.paid + holdback);
    });
    let open = world.dispute_of(&deal);
    world.assert_refused(&[open], &[&deal.buyer.authority], MillraceError::NothingToDispute);

    // Left before anything was proven: nothing is held.
    let mut world = World::new();
    let deal = world.deal();
    world.warp_secs(world.config().params.oracle_outage_secs);
    let exit = ix::exit_lease(&world, &deal.buyer.authority.pubkey(), &deal.lease);
    world.must(&[exit], &[&deal.buyer.authority]);
    let open = world.dispute_of(&deal);
    world.assert_refused(&[open], &[&deal.buyer.authority], MillraceError::NothingToDispute);
}

#[test]
fn the_bond_comes_out_of_free_money() {
    let mut world = World::new();
    let deal = world.completed(100);
    world.rewrite::<Config>(&pda::config(), |config| config.params.dispute_bond_amount = 1_000 * MILL);
    let open = world.dispute_of(&deal);
    world.assert_refused(&[open], &[&deal.buyer.authority], MillraceError::NotEnoughFree);
}

#[test]
fn a_lease_is_disputed_once() {
    let mut world = World::new();
    let deal = world.completed(100);
    let open = world.dispute_of(&deal);
    world.disputed(&deal);
    let in_use = world.send(std::slice::from_ref(&open), &[&deal.buyer.authority]).expect_err("the account is in use");
    assert_eq!(in_use.code(), Some(0), "the system program's: {}", in_use.error);

    world.rewrite::<Lease>(&deal.lease, |lease| lease.terms.dispute_window_secs = 1_000_000);
    world.judge(&deal, 0, false);
    world.judge(&deal, 1, false);
    world.warp_secs(world.config().params.appeal_window_secs);
    let caller = world.stranger("anyone");
    world.must(&[world.resolution(&deal, &caller.pubkey())], &[&caller]);
    assert_eq!(world.read::<Lease>(&deal.lease).is_disputed, WAS_DISPUTED);
    world.assert_refused(&[open], &[&deal.buyer.authority], MillraceError::LeaseDisputed);
}

#[test]
fn a_disputed_lease_neither_closes_nor_is_accepted() {
    let mut world = World::new();
    let deal = world.completed(100);
    let caller = world.stranger("anyone");
    world.disputed(&deal);
    let accept = ix::accept_result(&world, &deal.buyer.authority.pubkey(), &deal.lease);
    world.assert_refused(&[accept], &[&deal.buyer.authority], MillraceError::LeaseDisputed);
    world.warp_secs(world.config().params.dispute_window_secs);
    let close = ix::close_lease(&world, &caller.pubkey(), &deal.lease);
    world.assert_refused(&[close], &[&caller], MillraceError::LeaseDisputed);
}

#[test]
fn parameters_changed_under_an_open_dispute_change_none_of_its_deadlines() {
    let mut world = World::new();
    let deal = world.completed(100);
    world.disputed(&deal);
    let vote_until = world.read::<Dispute>(&pda::dispute(&deal.lease)).vote_until;
    world.rewrite::<Config>(&pda::config(), |config| {
        (config.params.dispute_vote_secs, config.params.appeal_window_secs) = (1, 1);
        config.params.dispute_bond_amount = 7;
    });
    world.judge(&deal, 0, true);
    world.judge(&deal, 1, true);
    let dispute = world.read::<Dispute>(&pda::dispute(&deal.lease));
    assert_eq!((dispute.vote_until, dispute.appeal_until), (vote_until, world.now() + 600));
    assert_eq!(dispute.bond, MILL);
}
