//! Ending a lease by both sides together.

use anchor_lang::error::ErrorCode;
use millrace::events::LeaseSettledMutually;
use millrace::state::{Lease, LeaseState, Node, Provider, ProviderStatus};
use millrace_core::leaves::LeaseStatus;
use millrace_tests::*;

fn lease(world: &World, deal: &Deal) -> Box<Lease> {
    world.read::<Lease>(&deal.lease)
}

fn mutual(world: &World, deal: &Deal, secs: u64) -> Instruction {
    world.settle_mutual(&deal.buyer, &deal.seller.operator, &deal.lease, secs)
}

fn signers(deal: &Deal) -> [&Keypair; 2] {
    [&deal.buyer.authority, &deal.seller.operator]
}

#[test]
fn both_sides_end_a_lease_on_seconds_they_agree_on() {
    let mut world = World::new();
    let deal = world.deal();
    world.warp_secs(100);
    world.settle(&deal.lease, 90, LeaseStatus::Running);
    world.warp_to(lease(&world, &deal).started_at + 300);
    let settle = mutual(&world, &deal, 120);
    let ended = world.must(std::slice::from_ref(&settle), &signers(&deal)).event::<LeaseSettledMutually>();
    // 120 s at 700 are paid, 90 of them before; 10% is held back.
    assert_eq!((ended.paid_secs, ended.net_amount, ended.holdback_amount), (120, 30 * 630, 30 * 70));
    let after = lease(&world, &deal);
    assert_eq!((after.state, after.ended_at, after.reserve_amount), (LeaseState::Mutual as u8, world.now(), 0));
    let books = (world.provider_of(&deal.seller), world.customer_of(&deal.buyer));
    assert_eq!((books.0.completions, books.0.failures, books.0.interruptions), (0, 0, 0), "it is no completion");
    assert_eq!(books.0.earned, 120 * 630);
    assert_eq!((books.1.reserved, books.1.holdbacks), (0, 120 * 70));
    assert_eq!(world.read::<Node>(&deal.node).lease, Pubkey::default());
    world.assert_books();
    world.assert_refused(&[settle], &signers(&deal), MillraceError::LeaseEnded);
    let accept = ix::accept_result(&world, &deal.buyer.authority.pubkey(), &deal.lease);
    world.must(&[accept], &[&deal.buyer.authority]);
    assert_eq!(world.provider_of(&deal.seller).earned, 120 * 700);
    world.assert_books();
}

#[test]
fn a_deal_beside_the_oracles_saves_no_fee() {
    // Without a leaf all that passed bears the fee; with one, what it proves and all since; never beyond the length.
    for (leaf_at, ended_at, fee_secs) in [(None, 500, 500), (Some(100), 500, 490), (None, 5_000, 3_600)] {
        let mut world = World::new();
        let deal = world.deal();
        let began = lease(&world, &deal).started_at;
        if let Some(at) = leaf_at {
            world.warp_to(began + at);
            // Found a moment before the root is accepted.
            world.settle(&deal.lease, 90, LeaseStatus::Running);
            world.rewrite::<Lease>(&deal.lease, |lease| lease.last_leaf_at = began + at);
        }
        world.warp_to(began + ended_at);
        let paid = lease(&world, &deal).paid_secs;
        world.must(&[mutual(&world, &deal, paid)], &signers(&deal));
        let ended = lease(&world, &deal);
        assert_eq!(ended.paid_secs, paid, "no more than agreed is paid");
        assert_eq!(ended.fee_amount, fee_secs * 35, "5% of {fee_secs} s at 700");
        assert_eq!(world.customer_of(&deal.buyer).fee_due, fee_secs * 35);
        world.assert_books();
    }
}

#[test]
fn the_seconds_agreed_are_none_paid_already_and_none_to_come() {
    let mut world = World::new();
    let deal = world.deal();
    let began = world.now();
    world.warp_secs(100);
    world.settle(&deal.lease, 90, LeaseStatus::Running);
    world.warp_to(began + 200);
    for secs in [0, 89, 201, 3_600, u64::MAX] {
        world.assert_refused(&[mutual(&world, &deal, secs)], &signers(&deal), MillraceError::BadMutualEnd);
    }
    world.warp_to(began + 4_000);
    world.assert_refused(&[mutual(&world, &deal, 3_601)], &signers(&deal), MillraceError::BadMutualEnd);
    world.must(&[mutual(&world, &deal, 3_600)], &signers(&deal));
    world.assert_books();
}

#[test]
fn it_takes_both_sides() {
    let mut world = World::new();
    let deal = world.deal();
    let stranger = world.stranger("stranger");
    let (rival, rival_node) = world.sellers(1).remove(0);
    let other = world.customer("other", MILL);
    world.warp_secs(100);
    let settle = mutual(&world, &deal, 50);
    let (buyer, seller) = (deal.buyer.authority.pubkey(), deal.seller.operator.pubkey());
    for side in [buyer, seller] {
        let forged = ix::swap(settle.clone(), &side, &stranger.pubkey());
        let rest = if side == buyer { &deal.seller.operator } else { &deal.buyer.authority };
        let error = if side == buyer { MillraceError::WrongAuthority } else { MillraceError::WrongOperator };
        world.assert_refused(&[forged], &[rest, &stranger], error);
        let unsigned = ix::unsigned(settle.clone(), &side);
        world.assert_refused(&[unsigned], &[rest], ErrorCode::AccountNotSigner);
    }
    let swaps = [
        (deal.buyer.customer, other.customer),
        (deal.buyer.vault, other.vault),
        (deal.seller.provider, rival.provider),
        (deal.seller.vault, rival.vault),
        (deal.seller.vault, deal.buyer.vault),
        (deal.node, rival_node),
    ];
    for (from, to) in swaps {
        let swapped = ix::swap(settle.clone(), &from, &to);
        world.assert_refused(&[swapped], &signers(&deal), MillraceError::WrongAccount);
    }
    world.assert_no_account_is_replaceable(&settle, &signers(&deal));
    // The cold key may do whatever the hot key may.
    let by_cold = world.settle_mutual(&deal.buyer, &deal.seller.authority, &deal.lease, 50);
    world.must(&[by_cold], &[&deal.buyer.authority, &deal.seller.authority]);
}

#[test]
fn nobody_settles_his_way_out_of_a_dispute_or_a_case() {
    let mut world = World::new();
    let deal = world.deal();
    world.warp_secs(100);
    let settle = mutual(&world, &deal, 50);
    world.rewrite::<Lease>(&deal.lease, |lease| lease.is_disputed = 1);
    world.assert_refused(std::slice::from_ref(&settle), &signers(&deal), MillraceError::LeaseDisputed);
    world.rewrite::<Lease>(&deal.lease, |lease| lease.is_disputed = 0);
    let judged: [&dyn Fn(&mut Provider); 2] =
        [&|provider| provider.frozen = 1, &|provider| (provider.frozen, provider.open_slash_cases) = (0, 1)];
    for change in judged {
        world.rewrite::<Provider>(&deal.seller.provider, change);
        world.assert_refused(std::slice::from_ref(&settle), &signers(&deal), MillraceError::ProviderUnderJudgement);
    }
    let now = world.now();
    world.rewrite::<Provider>(&deal.seller.provider, |provider| {
        provider.open_slash_cases = 0;
        (provider.status, provider.jailed_until) = (ProviderStatus::Jailed as u8, now + 1);
    });
    world.assert_refused(std::slice::from_ref(&settle), &signers(&deal), MillraceError::ProviderJailed);
    world.warp_secs(1);
    world.must(&[settle], &signers(&deal));
}

#[test]
fn a_guaranteed_bond_is_free_again() {
    let mut world = World::new();
    let cluster = world.cluster(1, 1);
    let (seller, _) = &cluster.sellers[0];
    assert_eq!(world.provider_of(seller).lease_bonds, 720_000);
    world.warp_secs(100);
    world.settle_kept(&cluster.lease(0), (100, 40, 0), LeaseStatus::Running);
    let settle = world.settle_mutual(&cluster.buyer, &seller.operator, &cluster.lease(0), 100);
    world.must(&[settle], &[&cluster.buyer.authority, &seller.operator]);
    let after = world.provider_of(seller);
    assert_eq!((after.lease_bonds, after.earned), (0, 100 * 630));
    world.assert_books();
    let failed = world.fail_over(&cluster.buyer.authority.pubkey(), &cluster.lease(0), &cluster.lease(1));
    world.assert_refused(&[failed], &[&cluster.buyer.authority], MillraceError::NotFailed);
}
