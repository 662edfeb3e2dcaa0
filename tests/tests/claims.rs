//! Claims on bonds: paid when nothing can slash what they are paid from any more, and not before.

use anchor_lang::prelude::system_program;
use millrace::events::ClaimPaid;
use millrace::state::{Claim, Provider};
use millrace_core::leaves::LeaseStatus;
use millrace_tests::*;

/// 5% of an hour at the job's highest price.
const BOND: u64 = 180_000;

/// A deal whose bid was broken by its bidder, and the customer's claim on the bond.
fn broken(world: &mut World) -> (Deal, Pubkey) {
    let deal = world.bid_for();
    let operator = &deal.seller.operator;
    world.must(&[ix::drain(&operator.pubkey(), &deal.seller.provider, &deal.node, true)], &[operator]);
    let payer = &deal.buyer.authority;
    let drop = ix::drop_broken_bid(world, &payer.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job);
    world.must(&[drop], &[payer]);
    let claim = pda::claim(&deal.seller.provider, 0);
    (deal, claim)
}

#[test]
fn a_claim_is_paid_by_anyone_when_it_has_matured() {
    for standard in [TokenStandard::Token, TokenStandard::Token2022] {
        let mut world = World::at(Genesis { standard, ..Genesis::default() });
        let (deal, claim) = broken(&mut world);
        let stranger = world.stranger("stranger");
        let pay = world.pay_claim(&claim);
        let matures_at = world.read::<Claim>(&claim).matures_at;
        assert_eq!(matures_at, world.now() + world.config().params.unbonding_secs);
        world.warp_to(matures_at - 1);
        world.assert_refused(std::slice::from_ref(&pay), &[&stranger], MillraceError::ClaimNotMature);
        world.warp_secs(1);
        world.assert_no_account_is_replaceable(&pay, &[&stranger]);
        let before =
            (world.customer_of(&deal.buyer), world.tokens(&deal.buyer.vault), world.tokens(&deal.seller.vault));
        let rent = world.lamports(&claim);
        let lamports = world.lamports(&deal.buyer.authority.pubkey());
        let paid = world.must(std::slice::from_ref(&pay), &[&stranger]).event::<ClaimPaid>();
        assert_eq!((paid.amount, paid.unpaid_amount, paid.beneficiary), (BOND, 0, deal.buyer.customer));
        let customer = world.customer_of(&deal.buyer);
        assert_eq!((customer.free, customer.received, customer.claims_due), (before.0.free + BOND, BOND, 0));
        assert_eq!(world.tokens(&deal.buyer.vault), before.1 + BOND);
        assert_eq!(world.tokens(&deal.seller.vault), before.2 - BOND);
        let provider = world.provider_of(&deal.seller);
        assert_eq!((provider.claims, provider.open_claims, provider.next_claim), (0, 0, 1));
        assert!(!world.exists(&claim));
        assert_eq!(world.lamports(&deal.buyer.authority.pubkey()), lamports + rent, "rent goes to who paid it");
        world.assert_books();
        assert!(world.send(&[pay], &[&stranger]).is_err(), "a claim is paid once");
    }
}

#[test]
fn a_claim_names_every_account_of_its_payment() {
    let mut world = World::new();
    let (deal, claim) = broken(&mut world);
    let stranger = world.stranger("stranger");
    let other = world.customer("other", MILL);
    let rival = world.provider("rival", MILL);
    let matures_at = world.read::<Claim>(&claim).matures_at;
    world.warp_to(matures_at);
    let pay = world.pay_claim(&claim);
    let swaps = [
        (deal.seller.provider, rival.provider),
        (deal.seller.vault, rival.vault),
        (deal.seller.vault, deal.buyer.vault),
        (deal.buyer.customer, other.customer),
        (deal.buyer.customer, rival.provider),
        (deal.buyer.vault, other.vault),
        (deal.buyer.vault, deal.seller.vault),
        (deal.buyer.vault, deal.buyer.tokens),
        (deal.buyer.authority.pubkey(), stranger.pubkey()),
    ];
    for (from, to) in swaps {
        world.assert_refused(&[ix::swap(pay.clone(), &from, &to)], &[&stranger], MillraceError::WrongAccount);
    }
    let program = world.standard.id();
    let false_program = ix::swap(pay.clone(), &program, &system_program::ID);
    world.assert_refused(&[false_program], &[&stranger], MillraceError::WrongTokenProgram);
    world.must(&[pay], &[&stranger]);
}

#[test]
fn a_claim_ranks_behind_what_was_slashed() {
    for left in [BOND - 1, 1, 0] {
        let mut world = World::new();
        let (deal, claim) = broken(&mut world);
        let stranger = world.stranger("stranger");
        // As a slash that found nothing else leaves it.
        world.rewrite::<Provider>(&deal.seller.provider, |provider| {
            provider.slashed_total = BOND - left;
            provider.claims = left;
        });
        let matures_at = world.read::<Claim>(&claim).matures_at;
        world.warp_to(matures_at);
        let paid = world.must(&[world.pay_claim(&claim)], &[&stranger]).event::<ClaimPaid>();
        assert_eq!((paid.amount, paid.unpaid_amount), (left, BOND - left));
        assert_eq!(world.customer_of(&deal.buyer).received, left);
        assert_eq!(world.provider_of(&deal.seller).open_claims, 0, "it is over all the same");
        world.assert_books();
    }
}

#[test]
fn a_bid_broken_on_ones_own_job_moves_no_stake_sooner_than_unstaking_does() {
    let mut world = World::new();
    let (deal, claim) = broken(&mut world);
    world.must(&[ix::begin_unstake(&deal.seller, MILL)], &[&deal.seller.authority]);
    let unbonds_at = world.provider_of(&deal.seller).unbonding_entries()[0].matures_at;
    assert!(world.read::<Claim>(&claim).matures_at >= unbonds_at, "there is no way around unbonding");
    let payer = &deal.buyer.authority;
    world.warp_to(unbonds_at - 1);
    world.assert_refused(&[world.pay_claim(&claim)], &[payer], MillraceError::ClaimNotMature);
    // Until then it can be slashed, like stake: the vault keeps it, beside what else is owed.
    let provider = world.provider_of(&deal.seller);
    assert_eq!(provider.owed(), provider.stake + provider.unbonding_amount() + provider.claims);
    world.assert_books();
}

#[test]
fn whoever_has_a_claim_to_come_or_to_pay_stays() {
    let mut world = World::new();
    let (deal, claim) = broken(&mut world);
    let authority = &deal.buyer.authority;
    let cancel = ix::cancel_job(&authority.pubkey(), &deal.buyer, &deal.job);
    world.must(&[cancel, ix::close_job(&world, &deal.job)], &[authority]);
    let free = world.customer_of(&deal.buyer).free;
    world.must(&[ix::withdraw_customer(&world, &deal.buyer, free)], &[authority]);
    let close = ix::close_customer(&world, &deal.buyer);
    world.assert_refused(std::slice::from_ref(&close), &[authority], MillraceError::CustomerNotEmpty);

    let cold = &deal.seller.authority;
    world.must(&[ix::retire(&deal.seller, &deal.node)], &[cold]);
    let stake = world.provider_of(&deal.seller).stake;
    world.must(&[ix::begin_unstake(&deal.seller, stake)], &[cold]);
    world.warp_secs(world.config().params.judged_within_secs());
    world.must(&[ix::close_node(&world, &deal.node)], &[cold]);
    world.must(&[ix::withdraw(&world, &deal.seller)], &[cold]);
    let close_provider = ix::close_provider(&world, &deal.seller);
    world.assert_refused(std::slice::from_ref(&close_provider), &[cold], MillraceError::ProviderNotEmpty);

    world.must(&[world.pay_claim(&claim)], &[cold]);
    world.must(&[close_provider], &[cold]);
    world.must(&[ix::withdraw_customer(&world, &deal.buyer, BOND), close], &[authority]);
    assert!(!world.exists(&deal.buyer.customer) && !world.exists(&deal.seller.provider));
}

#[test]
fn a_member_is_paid_its_lost_seconds_as_earnings() {
    let mut world = World::new();
    let cluster = world.cluster(2, 0);
    let stranger = world.stranger("stranger");
    world.warp_secs(200);
    world.settle_kept(&cluster.lease(0), (200, 100, 0), LeaseStatus::NodeFailed);
    world.settle_kept(&cluster.lease(1), (200, 100, 40), LeaseStatus::Running);
    world.must(&[world.claim_unkept(&stranger.pubkey(), &cluster.lease(0), &cluster.lease(1))], &[&stranger]);
    let (failed, member) = (&cluster.sellers[0].0, &cluster.sellers[1].0);
    let claim = pda::claim(&failed.provider, 0);
    let matures_at = world.read::<Claim>(&claim).matures_at;
    world.warp_to(matures_at);
    let pay = world.pay_claim(&claim);
    world.assert_no_account_is_replaceable(&pay, &[&stranger]);
    let before = (world.provider_of(member).earned, world.tokens(&failed.vault), world.tokens(&member.vault));
    let paid = world.must(&[pay], &[&stranger]).event::<ClaimPaid>();
    assert_eq!(paid.amount, 40 * 701);
    let after = world.provider_of(member);
    assert_eq!((after.earned, after.claims_due), (before.0 + 40 * 701, 0));
    assert_eq!(world.tokens(&failed.vault), before.1 - 40 * 701);
    assert_eq!(world.tokens(&member.vault), before.2 + 40 * 701);
    world.assert_books();
}
