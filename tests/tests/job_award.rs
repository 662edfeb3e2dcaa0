//! Awarding a job to the best bid that holds.

use anchor_lang::solana_program::system_instruction::transfer;
use millrace::events::{BidDropped, LeaseAwarded};
use millrace::state::{Claim, Customer, Job, JobState, Lease, LeaseState, Node, NodeState, Provider, ProviderStatus};
use millrace_core::money::max_lease_cost;
use millrace_tests::*;

/// 5% of an hour at the job's highest price.
const BOND: u64 = 180_000;

fn provider(world: &World, seller: &Seller) -> Box<Provider> {
    world.read::<Provider>(&seller.provider)
}

/// Another seller with a verified node, like the first.
fn rival(world: &mut World, name: &str, spec: NodeSpec) -> (Seller, Pubkey) {
    let seller = world.provider(name, 1_000 * MILL);
    let node = world.verified_node(&seller, spec);
    (seller, node)
}

#[test]
fn an_award_opens_the_lease_and_gives_back_what_the_bid_saves() {
    let mut world = World::new();
    let deal = world.bid_for();
    let stranger = world.stranger("stranger");
    let locked = provider(&world, &deal.seller).locked;
    let award = ix::award(&stranger.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job);
    let awarded = world.must(std::slice::from_ref(&award), &[&stranger]).event::<LeaseAwarded>();

    let cost = max_lease_cost(BID_PER_SEC, 3_600, 500).unwrap();
    assert_eq!((awarded.reserve_amount, awarded.lease, awarded.per_sec), (cost, deal.lease, BID_PER_SEC));
    let lease = world.read::<Lease>(&deal.lease);
    assert_eq!((lease.version, lease.state, lease.index), (1, LeaseState::Awarded as u8, 0));
    assert_eq!((lease.job, lease.customer, lease.customer_vault), (deal.job, deal.buyer.customer, deal.buyer.vault));
    assert_eq!(
        (lease.node, lease.provider, lease.provider_vault),
        (deal.node, deal.seller.provider, deal.seller.vault)
    );
    assert_eq!((lease.per_sec, lease.max_secs, lease.started_at), (BID_PER_SEC, 3_600, world.now()));
    assert_eq!((lease.reserve_amount, lease.rent_payer), (cost, stranger.pubkey()));
    assert_eq!(lease.terms, world.read::<Job>(&deal.job).terms);
    assert_eq!(lease.bump, Pubkey::find_program_address(&[b"lease", deal.job.as_ref(), &[0]], &millrace::ID).1);
    let job = world.read::<Job>(&deal.job);
    assert_eq!((job.state, job.leases_opened, job.leases_open), (JobState::Awarded as u8, 1, 1));
    assert_eq!((job.reserve_amount, job.award_cursor), (0, 1));
    let customer = world.read::<Customer>(&deal.buyer.customer);
    assert_eq!((customer.reserved, customer.free), (cost, 100 * MILL - cost));
    let node = world.read::<Node>(&deal.node);
    assert_eq!((node.lease, node.bid_job, node.bid_bond), (deal.lease, Pubkey::default(), 0));
    assert_eq!(provider(&world, &deal.seller).locked, locked - BOND, "the winner's bond is free again");
    world.assert_books();
    world.assert_refused(&[award], &[&stranger], MillraceError::JobNotOpen);
    let release = ix::release_bid(&deal.seller, &deal.node, &deal.job);
    world.assert_refused(&[release], &[&stranger], MillraceError::NoSuchBid);
}

#[test]
fn an_award_has_its_time() {
    let mut world = World::new();
    let deal = world.posted();
    let stranger = world.stranger("stranger");
    let award = ix::award(&stranger.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job);
    world.bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    world.assert_refused(std::slice::from_ref(&award), &[&stranger], MillraceError::BiddingOpen);
    let award_by = world.read::<Job>(&deal.job).award_by;
    world.warp_to(award_by);
    world.assert_refused(std::slice::from_ref(&award), &[&stranger], MillraceError::AwardLate);

    let unwanted = world.post(&deal.buyer, job_args());
    world.end_bidding(&unwanted);
    let award = ix::award(&stranger.pubkey(), &deal.buyer, &deal.seller, &deal.node, &unwanted);
    world.assert_refused(&[award], &[&stranger], MillraceError::NoBids);
}

#[test]
fn an_award_names_the_accounts_of_the_next_bid() {
    let mut world = World::new();
    let deal = world.posted();
    let (second, second_node) = rival(&mut world, "second", NodeSpec::default());
    let other = world.customer("other", MILL);
    let now = world.now();
    world.rewrite::<Job>(&deal.job, |job| (job.bidding_ends_at, job.award_by) = (now + 60, now + 660));
    world.bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    world.bid(&second, &second_node, &deal.job, BID_PER_SEC + 1);
    world.end_bidding(&deal.job);
    let stranger = world.stranger("stranger");
    let award = ix::award(&stranger.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job);
    let out_of_turn = ix::award(&stranger.pubkey(), &deal.buyer, &second, &second_node, &deal.job);
    world.assert_refused(&[out_of_turn], &[&stranger], MillraceError::NotNextBid);
    let others_provider = ix::swap(award.clone(), &deal.seller.provider, &second.provider);
    world.assert_refused(&[others_provider], &[&stranger], MillraceError::WrongAccount);
    let others_money = ix::swap(award.clone(), &deal.buyer.customer, &other.customer);
    world.assert_refused(&[others_money], &[&stranger], MillraceError::WrongAccount);
    let elsewhere = ix::swap(award.clone(), &deal.lease, &pda::lease(&deal.job, 1));
    world.assert_refused(&[elsewhere], &[&stranger], MillraceError::WrongAccount);
    // Lamports at the lease's address do not keep it shut.
    world.must(&[transfer(&stranger.pubkey(), &deal.lease, 1_000_000)], &[&stranger]);
    world.must(&[award], &[&stranger]);
    world.assert_books();
}

#[test]
fn a_broken_bid_is_not_awarded_and_its_bond_becomes_the_customers_claim() {
    let mut world = World::new();
    let deal = world.posted();
    let (second, second_node) = rival(&mut world, "second", NodeSpec::default());
    let now = world.now();
    world.rewrite::<Job>(&deal.job, |job| (job.bidding_ends_at, job.award_by) = (now + 60, now + 660));
    world.bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    world.bid(&second, &second_node, &deal.job, BID_PER_SEC + 1);
    let stranger = world.stranger("stranger");
    let drop = ix::drop_broken_bid(&world, &stranger.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job);
    world.assert_refused(std::slice::from_ref(&drop), &[&stranger], MillraceError::BiddingOpen);
    world.end_bidding(&deal.job);
    world.assert_refused(std::slice::from_ref(&drop), &[&stranger], MillraceError::BidNotBroken);
    let drain = ix::drain(&deal.seller.operator.pubkey(), &deal.seller.provider, &deal.node, true);
    world.must(&[drain], &[&deal.seller.operator]);

    let award = ix::award(&stranger.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job);
    world.assert_refused(std::slice::from_ref(&award), &[&stranger], MillraceError::BidBroken);
    let refuse = |world: &mut World, from: &Pubkey, to: &Pubkey, error: MillraceError| {
        world.assert_refused(&[ix::swap(drop.clone(), from, to)], &[&stranger], error);
    };
    let other = world.customer("other", MILL);
    let claim = pda::claim(&deal.seller.provider, 0);
    refuse(&mut world, &deal.buyer.customer, &other.customer, MillraceError::WrongAccount);
    refuse(&mut world, &deal.seller.provider, &second.provider, MillraceError::WrongAccount);
    refuse(&mut world, &deal.node, &second_node, MillraceError::NotNextBid);
    refuse(&mut world, &claim, &pda::claim(&deal.seller.provider, 1), MillraceError::WrongAccount);

    let (stake, free) = (provider(&world, &deal.seller).stake, world.read::<Customer>(&deal.buyer.customer).free);
    let vaults = (world.tokens(&deal.seller.vault), world.tokens(&deal.buyer.vault));
    let dropped = world.must(std::slice::from_ref(&drop), &[&stranger]).event::<BidDropped>();
    assert_eq!((dropped.forfeited_amount, dropped.provider_stake, dropped.claim), (BOND, stake - BOND, claim));
    let seller = provider(&world, &deal.seller);
    assert_eq!((seller.stake, seller.bonds, seller.claims, seller.open_claims), (stake - BOND, 0, BOND, 1));
    let customer = world.read::<Customer>(&deal.buyer.customer);
    assert_eq!((customer.free, customer.claims_due), (free, 1), "paid at once it would be a way around unbonding");
    assert_eq!((world.tokens(&deal.seller.vault), world.tokens(&deal.buyer.vault)), vaults);
    assert!(world.read::<Node>(&deal.node).is_free());
    assert!(world.bids(&deal.job).iter().all(|bid| bid.node != deal.node), "it is off the board");
    let matures_at = world.now() + world.config().params.unbonding_secs;
    let claimed = world.read::<Claim>(&claim);
    assert_eq!((claimed.amount, claimed.matures_at, claimed.source), (BOND, matures_at, deal.job));
    assert_eq!((claimed.beneficiary, claimed.rent_payer), (deal.buyer.customer, stranger.pubkey()));
    world.assert_books();
    world.assert_refused(&[drop], &[&stranger], MillraceError::NotNextBid);

    // The next in line is awarded.
    world.must(&[ix::award(&stranger.pubkey(), &deal.buyer, &second, &second_node, &deal.job)], &[&stranger]);
    assert_eq!(world.read::<Node>(&second_node).lease, deal.lease);
    world.assert_books();
}

#[test]
fn a_bid_that_a_newer_measurement_misses_is_passed_over_without_penalty() {
    let mut world = World::new();
    let deal = world.bid_for();
    let stranger = world.stranger("stranger");
    let before = provider(&world, &deal.seller);
    let slower = NodeSpec { gops: 5_001, ..NodeSpec::default() };
    // A hair above half of its claim, so it is not suspended; a hair above what the job wants, so its bid still holds.
    let leaf = slower.passed(&deal.node, world.epoch(), world.now());
    world.apply(&leaf);
    let drop = ix::drop_broken_bid(&world, &stranger.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job);
    world.assert_refused(std::slice::from_ref(&drop), &[&stranger], MillraceError::BidNotBroken);
    world.rewrite::<Job>(&deal.job, |job| job.requirements.min_gops = 5_002);
    let award = ix::award(&stranger.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job);
    world.assert_refused(&[award], &[&stranger], MillraceError::BidBroken);
    let dropped = world.must(&[drop], &[&stranger]).event::<BidDropped>();
    assert_eq!((dropped.bond, dropped.forfeited_amount), (BOND, 0), "no one's fault");
    let after = provider(&world, &deal.seller);
    assert_eq!((after.stake, after.bonds, after.claims, after.open_claims), (before.stake, 0, 0, 0));
    assert!(!world.exists(&pda::claim(&deal.seller.provider, 0)), "no claim for nothing");
    assert_eq!(world.read::<Customer>(&deal.buyer.customer).claims_due, 0);
    world.assert_books();
}

#[test]
fn whatever_stops_a_node_from_serving_breaks_its_bid() {
    let mut world = World::new();
    let deal = world.bid_for();
    let now = world.now();
    let stranger = world.stranger("stranger");
    let award = ix::award(&stranger.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job);
    let node_states: [&dyn Fn(&mut Node); 7] = [
        &|node| node.state = NodeState::Suspended as u8,
        &|node| node.state = NodeState::Retired as u8,
        &|node| node.draining = 1,
        &|node| node.verified_until = now,
        &|node| node.verified_gops = 4_999,
        &|node| node.lease = Pubkey::new_unique(),
        &|node| node.bid_job = Pubkey::new_unique(),
    ];
    for change in node_states {
        let before = world.read::<Node>(&deal.node);
        world.rewrite::<Node>(&deal.node, change);
        world.assert_refused(std::slice::from_ref(&award), &[&stranger], MillraceError::BidBroken);
        world.rewrite::<Node>(&deal.node, |node| *node = *before);
    }
    world.rewrite::<Provider>(&deal.seller.provider, |provider| {
        (provider.status, provider.jailed_until) = (ProviderStatus::Jailed as u8, now + 1);
    });
    world.assert_refused(std::slice::from_ref(&award), &[&stranger], MillraceError::BidBroken);
    // A jailed provider's bid is dropped like any other, and then none is left.
    world.must(
        &[ix::drop_broken_bid(&world, &stranger.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job)],
        &[&stranger],
    );
    world.assert_refused(&[award], &[&stranger], MillraceError::NoBids);
    let award_by = world.read::<Job>(&deal.job).award_by;
    world.warp_to(award_by);
    world.must(&[ix::cancel_job(&stranger.pubkey(), &deal.buyer, &deal.job)], &[&stranger]);
    assert_eq!(world.read::<Customer>(&deal.buyer.customer).free, 100 * MILL, "its claim has not matured");
    let matures_at = world.read::<Claim>(&pda::claim(&deal.seller.provider, 0)).matures_at;
    world.warp_to(matures_at);
    world.must(&[world.pay_claim(&pda::claim(&deal.seller.provider, 0))], &[&stranger]);
    assert_eq!(world.read::<Customer>(&deal.buyer.customer).free, 100 * MILL + BOND);
    world.assert_books();
}

#[test]
fn a_late_broken_bid_is_released_not_dropped() {
    let mut world = World::new();
    let deal = world.bid_for();
    world.rewrite::<Node>(&deal.node, |node| node.draining = 1);
    let award_by = world.read::<Job>(&deal.job).award_by;
    world.warp_to(award_by);
    let stranger = world.stranger("stranger");
    let drop = ix::drop_broken_bid(&world, &stranger.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job);
    world.assert_refused(&[drop], &[&stranger], MillraceError::AwardLate);
    world.must(&[ix::release_bid(&deal.seller, &deal.node, &deal.job)], &[&stranger]);
    world.assert_books();
}

#[test]
fn a_node_bids_again_after_its_lease() {
    let mut world = World::new();
    let deal = world.completed(60);
    let job = world.post(&deal.buyer, job_args());
    world.bid(&deal.seller, &deal.node, &job, BID_PER_SEC);
    assert_eq!(world.read::<Node>(&deal.node).bid_job, job);
    world.assert_books();
}
