//! Bidding for a job, and choosing among the bids.

use anchor_lang::error::ErrorCode;
use anchor_lang::prelude::system_program;
use anchor_lang::solana_program::system_instruction::transfer;
use millrace::events::{BidDropped, BidPlaced, BidReleased, LeaseAwarded};
use millrace::instructions::PostJobArgs;
use millrace::state::{Customer, Job, JobState, Lease, LeaseState, Node, NodeState, Provider, ProviderStatus};
use millrace_core::money::max_lease_cost;
use millrace_core::score::Objective;
use millrace_tests::*;

/// 5% of an hour at [`BID_PER_SEC`].
const BOND: u64 = 126_000;

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
fn a_bid_enters_the_leaderboard_and_locks_its_bond() {
    let mut world = World::new();
    let deal = world.posted();
    let locked = provider(&world, &deal.seller).locked;
    let placed = world.bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC).event::<BidPlaced>();
    assert_eq!((placed.per_sec, placed.bond, placed.rank), (BID_PER_SEC, BOND, 0));
    let bids = world.bids(&deal.job);
    assert_eq!(bids.len(), 1);
    assert_eq!((bids[0].node, bids[0].provider), (deal.node, deal.seller.provider));
    assert_eq!((bids[0].per_sec, bids[0].bond, bids[0].score), (BID_PER_SEC, BOND, u64::MAX - BID_PER_SEC));
    let node = world.read::<Node>(&deal.node);
    assert_eq!((node.bid_job, node.bid_bond), (deal.job, BOND));
    let provider = provider(&world, &deal.seller);
    assert_eq!((provider.bonds, provider.locked), (BOND, locked + BOND));
    world.assert_books();
}

#[test]
fn a_bond_is_rounded_up_against_the_bidder() {
    let mut world = World::new();
    let deal = world.parties();
    let job = world.post(&deal.buyer, PostJobArgs { max_secs: 1, ..job_args() });
    world.bid(&deal.seller, &deal.node, &job, 1);
    assert_eq!(world.read::<Node>(&deal.node).bid_bond, 1, "5% of one base unit");
}

#[test]
fn the_best_bids_stay_and_ties_go_to_the_earlier() {
    let mut world = World::new();
    let deal = world.posted();
    let names = ["second", "third", "fourth"];
    let rivals: Vec<_> = names.iter().map(|name| rival(&mut world, name, NodeSpec::default())).collect();
    world.rewrite::<Job>(&deal.job, |job| job.bidding_ends_at += 3_600);
    world.bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    let tied = world.bid(&rivals[0].0, &rivals[0].1, &deal.job, BID_PER_SEC).event::<BidPlaced>();
    assert_eq!(tied.rank, 1, "an equal bid ranks behind the earlier");
    let order = |world: &World| world.bids(&deal.job).iter().map(|bid| bid.node).collect::<Vec<_>>();
    assert_eq!(order(&world), [deal.node, rivals[0].1]);

    let too_low = ix::place_bid(&rivals[1].0, &rivals[1].1, &deal.job, BID_PER_SEC);
    world.assert_refused(&[too_low], &[&rivals[1].0.operator], MillraceError::BidTooLow);
    let better = world.bid(&rivals[1].0, &rivals[1].1, &deal.job, BID_PER_SEC - 1).event::<BidPlaced>();
    assert_eq!(better.rank, 0);
    assert_eq!(order(&world), [rivals[1].1, deal.node], "the last fell off");

    // Whoever fell off is free again, whoever asks.
    let stranger = world.stranger("stranger");
    let release = ix::release_bid(&rivals[0].0, &rivals[0].1, &deal.job);
    let released = world.must(&[release], &[&stranger]).event::<BidReleased>();
    assert_eq!(released.bond, BOND);
    assert_eq!(provider(&world, &rivals[0].0).bonds, 0);
    assert!(world.read::<Node>(&rivals[0].1).is_free());
    world.assert_books();
}

#[test]
fn the_objective_decides_what_is_better() {
    let fast = NodeSpec { gops: 20_000, ..NodeSpec::default() };
    for objective in [Objective::Price, Objective::PricePerGops, Objective::Reliability] {
        let mut world = World::new();
        let deal = world.parties();
        let (seller, node) = rival(&mut world, "fast", fast.clone());
        world.rewrite::<Provider>(&deal.seller.provider, |provider| provider.reliability_bps = 2_000);
        let job = world.post(&deal.buyer, PostJobArgs { objective: objective as u8, ..job_args() });
        // The default node is cheap and reliable, the other twice as fast for less than twice the price.
        world.bid(&deal.seller, &deal.node, &job, 500);
        let dear = world.bid(&seller, &node, &job, 900).event::<BidPlaced>();
        assert_eq!(dear.rank == 0, objective == Objective::PricePerGops, "{objective:?}");
    }
}

#[test]
fn only_a_providers_operator_bids_with_its_nodes() {
    let mut world = World::new();
    let deal = world.posted();
    let (other, other_node) = rival(&mut world, "other", NodeSpec::default());
    world.rewrite::<Job>(&deal.job, |job| job.bidding_ends_at += 3_600);
    let bid = ix::place_bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    let by_other = ix::swap(bid.clone(), &deal.seller.operator.pubkey(), &other.operator.pubkey());
    world.assert_refused(&[by_other], &[&other.operator], MillraceError::WrongOperator);
    let others_node = ix::swap(bid.clone(), &deal.node, &other_node);
    world.assert_refused(&[others_node], &[&deal.seller.operator], MillraceError::WrongAccount);
    let others_provider = ix::swap(bid.clone(), &deal.seller.provider, &other.provider);
    world.assert_refused(&[others_provider], &[&deal.seller.operator], MillraceError::WrongOperator);
    let not_a_job = ix::swap(bid.clone(), &deal.job, &deal.buyer.customer);
    world.assert_refused(&[not_a_job], &[&deal.seller.operator], ErrorCode::AccountDiscriminatorMismatch);
    let unsigned = ix::unsigned(bid.clone(), &deal.seller.operator.pubkey());
    world.assert_refused(&[unsigned], &[&other.operator], ErrorCode::AccountNotSigner);
    // The cold key may do whatever the hot key may.
    let by_cold = ix::swap(bid, &deal.seller.operator.pubkey(), &deal.seller.authority.pubkey());
    world.must(&[by_cold], &[&deal.seller.authority]);
}

#[test]
fn a_bid_keeps_to_price_and_bond_limits() {
    let mut world = World::new();
    let deal = world.posted();
    let mut refuse = |per_sec: u64, change: &dyn Fn(&mut Provider), error: MillraceError| {
        let before = world.read::<Provider>(&deal.seller.provider);
        world.rewrite::<Provider>(&deal.seller.provider, change);
        let bid = ix::place_bid(&deal.seller, &deal.node, &deal.job, per_sec);
        world.assert_refused(&[bid], &[&deal.seller.operator], error);
        world.rewrite::<Provider>(&deal.seller.provider, |provider| *provider = *before);
    };
    refuse(0, &|_| (), MillraceError::ZeroAmount);
    refuse(1_001, &|_| (), MillraceError::BidTooHigh);
    refuse(BID_PER_SEC, &|provider| provider.min_bid_per_sec = BID_PER_SEC + 1, MillraceError::BelowPriceFloor);
    refuse(BID_PER_SEC, &|provider| provider.max_bonds_amount = BOND - 1, MillraceError::BondCapExceeded);
    refuse(BID_PER_SEC, &|provider| provider.locked = provider.stake - BOND + 1, MillraceError::NotEnoughStake);
    let now = world.now();
    world.rewrite::<Provider>(&deal.seller.provider, |provider| {
        (provider.status, provider.jailed_until) = (ProviderStatus::Jailed as u8, now + 1);
    });
    let bid = ix::place_bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    world.assert_refused(std::slice::from_ref(&bid), &[&deal.seller.operator], MillraceError::ProviderJailed);
    world.warp_secs(1);
    world.must(&[bid], &[&deal.seller.operator]);
}

#[test]
fn a_node_bids_only_when_able_free_and_sufficient() {
    let mut world = World::new();
    let deal = world.posted();
    let now = world.now();
    let mut refuse = |change: &dyn Fn(&mut Node), error: MillraceError| {
        let before = world.read::<Node>(&deal.node);
        world.rewrite::<Node>(&deal.node, change);
        let bid = ix::place_bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
        world.assert_refused(&[bid], &[&deal.seller.operator], error);
        world.rewrite::<Node>(&deal.node, |node| *node = *before);
    };
    refuse(&|node| node.state = NodeState::Registered as u8, MillraceError::NodeNotAble);
    refuse(&|node| node.state = NodeState::Suspended as u8, MillraceError::NodeNotAble);
    refuse(&|node| node.state = NodeState::Retired as u8, MillraceError::NodeNotAble);
    refuse(&|node| node.draining = 1, MillraceError::NodeNotAble);
    refuse(&|node| node.verified_until = now, MillraceError::NodeNotAble);
    refuse(&|node| node.lease = Pubkey::new_unique(), MillraceError::NodeBusy);
    refuse(&|node| node.bid_job = Pubkey::new_unique(), MillraceError::NodeBusy);
    refuse(&|node| node.class = 1, MillraceError::RequirementsNotMet);
    refuse(&|node| node.verified_gops = 4_999, MillraceError::RequirementsNotMet);
    refuse(&|node| node.verified_vram_mib = 16_383, MillraceError::RequirementsNotMet);
    refuse(&|node| node.verified_bandwidth_mbps = 99, MillraceError::RequirementsNotMet);

    let mut elsewhere = job_args();
    elsewhere.requirements.regions = 1 << 2;
    let mut reliable = job_args();
    reliable.requirements.min_reliability_bps = 1_001;
    for args in [elsewhere, reliable] {
        let job = world.post(&deal.buyer, args);
        let bid = ix::place_bid(&deal.seller, &deal.node, &job, BID_PER_SEC);
        world.assert_refused(&[bid], &[&deal.seller.operator], MillraceError::RequirementsNotMet);
    }
    world.bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    let again = ix::place_bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC - 1);
    world.assert_refused(&[again], &[&deal.seller.operator], MillraceError::NodeBusy);
}

#[test]
fn bids_come_while_the_job_takes_them() {
    let mut world = World::new();
    let deal = world.posted();
    let bid = ix::place_bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    let open = *world.read::<Job>(&deal.job);
    world.end_bidding(&deal.job);
    world.assert_refused(std::slice::from_ref(&bid), &[&deal.seller.operator], MillraceError::BiddingClosed);
    for state in [JobState::Awarded, JobState::Cancelled] {
        world.rewrite::<Job>(&deal.job, |job| *job = Job { state: state as u8, bidding_ends_at: i64::MAX, ..open });
        world.assert_refused(std::slice::from_ref(&bid), &[&deal.seller.operator], MillraceError::JobNotOpen);
    }
}

#[test]
fn a_standing_bid_is_not_released() {
    let mut world = World::new();
    let deal = world.posted();
    let stranger = world.stranger("stranger");
    let release = ix::release_bid(&deal.seller, &deal.node, &deal.job);
    world.assert_refused(std::slice::from_ref(&release), &[&stranger], MillraceError::NoSuchBid);
    world.bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    world.assert_refused(std::slice::from_ref(&release), &[&stranger], MillraceError::BidStands);
    let other_job = world.post(&deal.buyer, job_args());
    let of_other_job = ix::swap(release.clone(), &deal.job, &other_job);
    world.assert_refused(&[of_other_job], &[&stranger], MillraceError::NoSuchBid);
    let (other, _) = rival(&mut world, "other", NodeSpec::default());
    let of_other = ix::swap(release.clone(), &deal.seller.provider, &other.provider);
    world.assert_refused(&[of_other], &[&stranger], MillraceError::WrongAccount);

    let award_by = world.read::<Job>(&deal.job).award_by;
    world.warp_to(award_by - 1);
    world.assert_refused(std::slice::from_ref(&release), &[&stranger], MillraceError::BidStands);
    world.warp_secs(1);
    world.must(std::slice::from_ref(&release), &[&stranger]);
    world.assert_refused(&[release], &[&stranger], MillraceError::NoSuchBid);
    world.assert_books();
}

#[test]
fn every_end_of_a_job_releases_its_bids() {
    let mut world = World::new();
    let deal = world.posted();
    let (loser, losing_node) = rival(&mut world, "loser", NodeSpec::default());
    world.rewrite::<Job>(&deal.job, |job| job.bidding_ends_at = i64::MAX / 2);
    world.rewrite::<Job>(&deal.job, |job| job.award_by = i64::MAX);
    world.bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    world.bid(&loser, &losing_node, &deal.job, BID_PER_SEC + 1);
    let now = world.now();
    world.rewrite::<Job>(&deal.job, |job| job.bidding_ends_at = now);
    world.award(&deal);
    let stranger = world.stranger("stranger");
    // Awarded to another.
    world.must(&[ix::release_bid(&loser, &losing_node, &deal.job)], &[&stranger]);
    assert!(world.read::<Node>(&losing_node).is_free());
    // Cancelled, and cancelled and closed.
    for is_closed in [false, true] {
        let job = world.post(&deal.buyer, job_args());
        world.bid(&loser, &losing_node, &job, BID_PER_SEC);
        let cancel = ix::cancel_job(&deal.buyer.authority.pubkey(), &deal.buyer, &job);
        world.must(&[cancel], &[&deal.buyer.authority]);
        if is_closed {
            world.must(&[ix::close_job(&world, &job)], &[&stranger]);
            assert!(!world.exists(&job));
        }
        world.must(&[ix::release_bid(&loser, &losing_node, &job)], &[&stranger]);
        assert!(world.read::<Node>(&losing_node).is_free());
        assert_eq!(provider(&world, &loser).bonds, 0);
    }
    world.assert_books();
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
fn a_broken_bid_is_not_awarded_and_its_bond_goes_to_the_customer() {
    let mut world = World::new();
    let deal = world.posted();
    let (second, second_node) = rival(&mut world, "second", NodeSpec::default());
    let now = world.now();
    world.rewrite::<Job>(&deal.job, |job| (job.bidding_ends_at, job.award_by) = (now + 60, now + 660));
    world.bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    world.bid(&second, &second_node, &deal.job, BID_PER_SEC + 1);
    let stranger = world.stranger("stranger");
    let drop = ix::drop_broken_bid(&world, &deal.buyer, &deal.seller, &deal.node, &deal.job);
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
    refuse(&mut world, &deal.buyer.customer, &other.customer, MillraceError::WrongAccount);
    refuse(&mut world, &deal.buyer.vault, &other.vault, MillraceError::WrongAccount);
    refuse(&mut world, &deal.buyer.vault, &deal.seller.vault, MillraceError::WrongAccount);
    refuse(&mut world, &deal.seller.vault, &second.vault, MillraceError::WrongAccount);
    refuse(&mut world, &deal.seller.vault, &deal.buyer.vault, MillraceError::WrongAccount);
    refuse(&mut world, &deal.seller.provider, &second.provider, MillraceError::WrongAccount);
    refuse(&mut world, &deal.node, &second_node, MillraceError::NotNextBid);
    let token_program = world.standard.id();
    refuse(&mut world, &token_program, &system_program::ID, MillraceError::WrongTokenProgram);

    let (stake, free) = (provider(&world, &deal.seller).stake, world.read::<Customer>(&deal.buyer.customer).free);
    let vaults = (world.tokens(&deal.seller.vault), world.tokens(&deal.buyer.vault));
    let dropped = world.must(std::slice::from_ref(&drop), &[&stranger]).event::<BidDropped>();
    assert_eq!((dropped.bond, dropped.provider_stake), (BOND, stake - BOND));
    let seller = provider(&world, &deal.seller);
    assert_eq!((seller.stake, seller.bonds), (stake - BOND, 0));
    let customer = world.read::<Customer>(&deal.buyer.customer);
    assert_eq!((customer.free, customer.received), (free + BOND, BOND));
    assert_eq!((world.tokens(&deal.seller.vault), world.tokens(&deal.buyer.vault)), (vaults.0 - BOND, vaults.1 + BOND));
    assert!(world.read::<Node>(&deal.node).is_free());
    world.assert_books();
    world.assert_refused(&[drop], &[&stranger], MillraceError::NotNextBid);

    // The next in line is awarded.
    world.must(&[ix::award(&stranger.pubkey(), &deal.buyer, &second, &second_node, &deal.job)], &[&stranger]);
    assert_eq!(world.read::<Node>(&second_node).lease, deal.lease);
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
    world.must(&[ix::drop_broken_bid(&world, &deal.buyer, &deal.seller, &deal.node, &deal.job)], &[&stranger]);
    world.assert_refused(&[award], &[&stranger], MillraceError::NoBids);
    let award_by = world.read::<Job>(&deal.job).award_by;
    world.warp_to(award_by);
    world.must(&[ix::cancel_job(&stranger.pubkey(), &deal.buyer, &deal.job)], &[&stranger]);
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
    let drop = ix::drop_broken_bid(&world, &deal.buyer, &deal.seller, &deal.node, &deal.job);
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
