//! Bidding for a job, and releasing what no longer counts.

use anchor_lang::error::ErrorCode;
use millrace::events::{BidPlaced, BidReleased};
use millrace::instructions::PostJobArgs;
use millrace::state::{Job, JobState, Node, NodeState, Provider, ProviderStatus};
use millrace_core::score::Objective;
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
    let job = world.post(&deal.buyer, PostJobArgs { max_per_sec: 1, max_secs: 1, ..job_args() });
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
