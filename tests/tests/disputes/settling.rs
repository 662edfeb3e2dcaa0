//! What each ruling moves, when, and that a judge gets nothing.

use anchor_lang::error::ErrorCode;
use millrace::events::DisputeResolved;
use millrace::state::{Claim, Customer, Dispute, Lease, Provider, Ruling};
use millrace_core::reliability::after_failure;
use millrace_tests::*;

const BOND: u64 = 40 * MILL;

/// A disputed lease with a bond, ruled on by the first two seats if there is an answer; and the caller who resolves it.
fn ruled(uphold: Option<bool>) -> (World, Deal, Keypair) {
    let mut world = World::new();
    let deal = world.bonded(100, BOND);
    let caller = world.stranger("anyone");
    world.disputed(&deal);
    match uphold {
        Some(uphold) => (0..2).for_each(|seat| {
            world.judge(&deal, seat, uphold);
        }),
        None => {
            world.warp_secs(world.config().params.dispute_vote_secs);
            world.must(&[ix::lapse_dispute(&deal.lease)], &[&caller]);
        }
    }
    (world, deal, caller)
}

fn customer(world: &World, deal: &Deal) -> Box<Customer> {
    world.read(&deal.buyer.customer)
}

fn provider(world: &World, deal: &Deal) -> Box<Provider> {
    world.read(&deal.seller.provider)
}

/// Resolves at the first second it may be, checking the one before.
fn resolve(world: &mut World, deal: &Deal, caller: &Keypair) -> DisputeResolved {
    let appeal_until = world.read::<Dispute>(&pda::dispute(&deal.lease)).appeal_until;
    let resolution = world.resolution(deal, &caller.pubkey());
    world.warp_to(appeal_until - 1);
    world.assert_refused(std::slice::from_ref(&resolution), &[caller], MillraceError::AppealOpen);
    world.warp_secs(1);
    let rent = world.lamports(&pda::dispute(&deal.lease));
    let payer = world.lamports(&deal.buyer.authority.pubkey());
    let resolved = world.must(std::slice::from_ref(&resolution), &[caller]).event();
    assert!(!world.exists(&pda::dispute(&deal.lease)));
    assert_eq!(world.lamports(&deal.buyer.authority.pubkey()), payer + rent, "rent goes to who paid it");
    world.assert_refused(&[resolution], &[caller], ErrorCode::AccountOwnedByWrongProgram);
    world.assert_books();
    resolved
}

/// Closes lease and job by anyone, and checks that the market is empty afterwards.
fn wind_up(world: &mut World, deal: &Deal, caller: &Keypair) {
    world.must(&[ix::close_lease(world, &caller.pubkey(), &deal.lease)], &[caller]);
}

#[test]
fn upheld_the_holdback_comes_back_and_the_bond_is_claimed() {
    let (mut world, deal, caller) = ruled(Some(true));
    let (before, held) = (customer(&world, &deal), world.read::<Lease>(&deal.lease).holdback_amount);
    let seller = provider(&world, &deal);
    let vaults = [deal.buyer.vault, deal.seller.vault].map(|vault| world.tokens(&vault));
    let event = resolve(&mut world, &deal, &caller);
    assert_eq!((event.holdback_amount, event.claim_amount, event.forfeited_amount), (held, BOND, 0));
    assert!(held > 0);
    let after = customer(&world, &deal);
    assert_eq!(after.free, before.free + held + MILL, "holdback and the dispute's bond");
    assert_eq!((after.holdbacks, after.paid, after.claims_due), (0, before.paid, 1));
    assert_eq!(after.fee_due, before.fee_due, "the fee stays charged");
    let now = provider(&world, &deal);
    assert_eq!((now.stake, now.claims), (seller.stake - BOND, BOND));
    assert_eq!((now.lease_bonds, now.locked), (0, seller.locked - BOND));
    assert_eq!((now.earned, now.failures), (seller.earned, seller.failures + 1));
    assert_eq!(now.reliability_bps, after_failure(seller.reliability_bps));
    assert_eq!(
        vaults,
        [deal.buyer.vault, deal.seller.vault].map(|vault| world.tokens(&vault)),
        "nothing leaves a vault before the claim matures"
    );
    let claim = world.read::<Claim>(&event.claim);
    assert_eq!((claim.beneficiary, claim.source, claim.amount), (deal.buyer.customer, deal.lease, BOND));
    assert_eq!(claim.matures_at, world.now() + world.config().params.unbonding_secs);
    assert_eq!(claim.rent_payer, caller.pubkey());
    let lease = world.read::<Lease>(&deal.lease);
    assert_eq!((lease.holdback_amount, lease.bond_left), (0, 0));
    wind_up(&mut world, &deal, &caller);
    assert_eq!(provider(&world, &deal).earned, seller.earned, "the holdback is not paid twice");
}

#[test]
fn upheld_without_a_bond_opens_no_claim() {
    let mut world = World::new();
    let deal = world.completed(100);
    let caller = world.stranger("anyone");
    world.disputed(&deal);
    world.judge(&deal, 0, true);
    world.judge(&deal, 1, true);
    let event = resolve(&mut world, &deal, &caller);
    assert_eq!((event.claim, event.claim_amount), (Pubkey::default(), 0));
    assert_eq!((customer(&world, &deal).claims_due, provider(&world, &deal).next_claim), (0, 0));
    assert!(!world.exists(&pda::claim(&deal.seller.provider, 0)));
    wind_up(&mut world, &deal, &caller);
}

#[test]
fn dismissed_the_disputes_bond_is_the_providers_and_the_lease_goes_its_normal_way() {
    let (mut world, deal, caller) = ruled(Some(false));
    let (before, seller) = (customer(&world, &deal), provider(&world, &deal));
    let held = world.read::<Lease>(&deal.lease).holdback_amount;
    let vaults = [deal.buyer.vault, deal.seller.vault].map(|vault| world.tokens(&vault));
    let event = resolve(&mut world, &deal, &caller);
    assert_eq!((event.holdback_amount, event.claim_amount, event.forfeited_amount), (0, 0, MILL));
    let (after, now) = (customer(&world, &deal), provider(&world, &deal));
    assert_eq!((after.free, after.reserved), (before.free, before.reserved - MILL));
    assert_eq!((after.paid, after.fee_due), (before.paid + MILL, before.fee_due), "no fee on it");
    assert_eq!((now.earned, now.failures), (seller.earned + MILL, seller.failures));
    assert_eq!(world.tokens(&deal.buyer.vault), vaults[0] - MILL);
    assert_eq!(world.tokens(&deal.seller.vault), vaults[1] + MILL);
    let lease = world.read::<Lease>(&deal.lease);
    assert_eq!((lease.holdback_amount, lease.bond_left), (held, BOND));
}

#[test]
fn lapsed_the_disputes_bond_goes_back_and_nothing_else_moves() {
    let (mut world, deal, caller) = ruled(None);
    let (before, seller) = (customer(&world, &deal), provider(&world, &deal));
    let event = resolve(&mut world, &deal, &caller);
    assert_eq!(event.ruling, Ruling::Lapsed as u8);
    assert_eq!((event.holdback_amount, event.claim_amount, event.forfeited_amount), (0, 0, 0));
    assert_eq!(customer(&world, &deal).free, before.free + MILL);
    assert_eq!(provider(&world, &deal).earned, seller.earned);
    assert_eq!(world.read::<Lease>(&deal.lease).bond_left, BOND);
}

#[test]
fn the_judges_get_nothing_whatever_they_rule() {
    for uphold in [true, false] {
        let mut world = World::new();
        let deal = world.bonded(100, BOND);
        let caller = world.stranger("anyone");
        let tokens: Vec<_> = (0..3).map(|seat| world.staked_oracle(seat, 1)).collect();
        world.disputed(&deal);
        let supply = world.supply();
        (0..2).for_each(|seat| {
            world.judge(&deal, seat, uphold);
        });
        resolve(&mut world, &deal, &caller);
        for (seat, tokens) in tokens.iter().enumerate() {
            assert_eq!(world.tokens(tokens), 0);
            assert_eq!(world.tokens(&pda::vault(&world.oracle_of(seat))), 1);
        }
        assert_eq!((world.tokens(&world.treasury), world.tokens(&world.oracle_pool)), (0, 0));
        assert_eq!(world.supply(), supply);
    }
}

#[test]
fn nothing_is_carried_out_before_there_is_a_ruling() {
    let mut world = World::new();
    let deal = world.bonded(100, BOND);
    let caller = world.stranger("anyone");
    world.disputed(&deal);
    let resolution = world.resolution(&deal, &caller.pubkey());
    world.assert_refused(std::slice::from_ref(&resolution), &[&caller], MillraceError::DisputeOpen);
    world.warp_secs(world.config().params.dispute_vote_secs);
    world.assert_refused(&[resolution], &[&caller], MillraceError::DisputeOpen);
}

#[test]
fn what_governance_overturned_is_carried_out_the_other_way() {
    for (uphold, ruling) in [(Some(true), Ruling::Dismissed), (Some(false), Ruling::Upheld), (None, Ruling::Upheld)] {
        let (mut world, deal, caller) = ruled(uphold);
        let (now, until) = (world.now(), world.now() + 5_000);
        world.rewrite::<Dispute>(&pda::dispute(&deal.lease), |dispute| {
            dispute.appeal(now, until).expect("the window is open");
            dispute.overturn(now).expect("the window is open");
        });
        let event = resolve(&mut world, &deal, &caller);
        assert_eq!(event.ruling, ruling as u8);
        assert_eq!(world.now(), until, "the appeal held it off");
        assert_eq!(event.claim_amount, if ruling == Ruling::Upheld { BOND } else { 0 });
    }
}

#[test]
fn every_account_of_a_resolution_is_the_one_the_dispute_names() {
    let (mut world, deal, caller) = ruled(Some(true));
    let other = world.customer("other", 50 * MILL);
    let rival = world.provider("rival", 1_000 * MILL);
    world.warp_secs(world.config().params.appeal_window_secs);
    let resolution = world.resolution(&deal, &caller.pubkey());
    for (from, to) in [
        (deal.buyer.customer, other.customer),
        (deal.buyer.vault, other.vault),
        (deal.seller.provider, rival.provider),
        (deal.seller.vault, rival.vault),
        (deal.buyer.authority.pubkey(), caller.pubkey()),
        (pda::claim(&deal.seller.provider, 0), pda::claim(&deal.seller.provider, 1)),
        (pda::claim(&deal.seller.provider, 0), pda::claim(&rival.provider, 0)),
    ] {
        let swapped = ix::swap(resolution.clone(), &from, &to);
        world.assert_refused(&[swapped], &[&caller], MillraceError::WrongAccount);
    }
    let dearer = world.stranger("dearer");
    let unsigned = ix::unsigned(resolution.clone(), &caller.pubkey());
    world.assert_refused(&[unsigned], &[&dearer], ErrorCode::AccountNotSigner);
    world.must(&[resolution], &[&caller]);
}

#[test]
fn a_dispute_ends_with_everyone_silent_but_one() {
    // No seat votes, the customer is gone: anyone takes it to its end in bounded time.
    let (mut world, deal, caller) = ruled(None);
    resolve(&mut world, &deal, &caller);
    world.rewrite::<Lease>(&deal.lease, |lease| lease.bond_left = 0);
    world.rewrite::<Provider>(&deal.seller.provider, |provider| {
        provider.unlock_lease_bond(BOND).expect("the bond stands");
    });
    wind_up(&mut world, &deal, &caller);
    world.must(&[ix::sweep_fees(&world, &deal.buyer)], &[&caller]);
    world.must(&[ix::close_job(&world, &deal.job)], &[&caller]);
    let left = customer(&world, &deal);
    assert_eq!(left.owed(), left.free, "all that is left is free");
    world.assert_books();
}
