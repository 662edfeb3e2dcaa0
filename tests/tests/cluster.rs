//! Jobs of several nodes: at one site, in one region, or anywhere.

use millrace::constants::MAX_NODE_COUNT;
use millrace::events::{BidDropped, BidPlaced, LeaseExited};
use millrace::instructions::PlaceBidArgs;
use millrace::state::{Job, JobState, Lease, LeaseState, Node, Provider, Topology};
use millrace_core::leaves::LeaseStatus;
use millrace_tests::*;

/// 5% of an hour at the job's highest price.
const BOND: u64 = 180_000;

/// A price; not to stand by.
fn at(per_sec: u64) -> PlaceBidArgs {
    PlaceBidArgs { per_sec, may_stand_by: false }
}

/// A seller with `count` verified nodes at one site.
fn site(world: &mut World, name: &str, count: usize) -> (Seller, Vec<Pubkey>) {
    let seller = world.provider(name, 10_000 * MILL);
    let nodes = (0..count).map(|_| world.verified_node(&seller, NodeSpec::default())).collect();
    (seller, nodes)
}

fn site_bid(world: &mut World, (seller, nodes): &(Seller, Vec<Pubkey>), job: &Pubkey, per_sec: u64) -> Receipt {
    world.must(&[ix::place_site_bid(seller, nodes, job, at(per_sec))], &[&seller.operator])
}

/// Posts a job for `count` nodes that takes bids for long enough to register more sellers.
fn post(world: &mut World, buyer: &Buyer, count: u8, topology: Topology) -> Pubkey {
    let mut args = cluster_args(count, 0, topology);
    args.bidding_secs = 3_600;
    world.post(buyer, args)
}

fn order(world: &World, job: &Pubkey) -> Vec<Pubkey> {
    world.bids(job).iter().map(|bid| bid.node).collect()
}

#[test]
fn sixteen_nodes_of_one_site_bid_in_one_instruction() {
    let mut world = World::new();
    let all = site(&mut world, "site", usize::from(MAX_NODE_COUNT));
    let buyer = world.customer("buyer", 100 * MILL);
    let job = post(&mut world, &buyer, MAX_NODE_COUNT, Topology::SameSite);
    let placed = site_bid(&mut world, &all, &job, BID_PER_SEC).events_of::<BidPlaced>();
    assert_eq!(placed.iter().map(|bid| bid.rank).collect::<Vec<_>>(), (0..MAX_NODE_COUNT).collect::<Vec<_>>());
    assert_eq!(order(&world, &job), all.1);
    let provider = world.provider_of(&all.0);
    assert_eq!(provider.bonds, 16 * BOND, "a bond for each node");
    assert!(placed.iter().all(|bid| bid.provider_bonds == provider.bonds && bid.provider_locked == provider.locked));
    for node in &all.1 {
        let node = world.read::<Node>(node);
        assert_eq!((node.bid_job, node.bid_bond), (job, BOND));
    }
    world.assert_books();
}

#[test]
fn a_site_bids_with_its_own_free_nodes_of_one_place_each_once_all_or_none() {
    let mut world = World::new();
    let (seller, nodes) = site(&mut world, "site", 4);
    let (other, other_nodes) = site(&mut world, "other", 1);
    let buyer = world.customer("buyer", 100 * MILL);
    let job = post(&mut world, &buyer, 3, Topology::SameSite);
    let refuse = |world: &mut World, nodes: &[Pubkey], error: MillraceError| {
        let bid = ix::place_site_bid(&seller, nodes, &job, at(BID_PER_SEC));
        world.assert_refused(&[bid], &[&seller.operator], error);
    };
    refuse(&mut world, &[], MillraceError::BadNodeCount);
    refuse(&mut world, &nodes[..2], MillraceError::BadNodeCount);
    refuse(&mut world, &nodes, MillraceError::BadNodeCount);
    refuse(&mut world, &[nodes[0], nodes[1], nodes[0]], MillraceError::NodeBusy);
    refuse(&mut world, &[nodes[0], nodes[1], other_nodes[0]], MillraceError::WrongAccount);
    type Change<'a> = (&'a dyn Fn(&mut Node), MillraceError);
    let changes: [Change; 5] = [
        (&|node| node.site = [1; 16], MillraceError::WrongTopology),
        (&|node| node.region = 2, MillraceError::WrongTopology),
        (&|node| node.draining = 1, MillraceError::NodeNotAble),
        (&|node| node.lease = Pubkey::new_unique(), MillraceError::NodeBusy),
        (&|node| node.verified_gops = 4_999, MillraceError::RequirementsNotMet),
    ];
    for (change, error) in changes {
        let before = world.read::<Node>(&nodes[2]);
        world.rewrite::<Node>(&nodes[2], change);
        refuse(&mut world, &nodes[..3], error);
        world.rewrite::<Node>(&nodes[2], |node| *node = *before);
    }
    // Bonds for all of them, or none.
    let before = world.provider_of(&seller);
    world.rewrite::<Provider>(&seller.provider, |provider| provider.max_bonds_amount = 3 * BOND - 1);
    refuse(&mut world, &nodes[..3], MillraceError::BondCapExceeded);
    world.rewrite::<Provider>(&seller.provider, |provider| *provider = *before);
    let read_only = {
        let mut bid = ix::place_site_bid(&seller, &nodes[..3], &job, at(BID_PER_SEC));
        bid.accounts.last_mut().expect("a node").is_writable = false;
        bid
    };
    let error = anchor_lang::error::ErrorCode::AccountNotMutable;
    world.assert_refused(&[read_only], &[&seller.operator], error);
    let by_other = ix::place_site_bid(&other, &nodes[..3], &job, at(BID_PER_SEC));
    world.assert_refused(&[by_other], &[&other.operator], MillraceError::WrongAccount);
    let single = ix::place_bid(&seller, &nodes[0], &job, BID_PER_SEC);
    world.assert_refused(&[single], &[&seller.operator], MillraceError::WrongTopology);
    let bid = ix::place_site_bid(&seller, &nodes[..3], &job, at(BID_PER_SEC));
    world.assert_no_account_is_replaceable(&bid, &[&seller.operator]);
    world.must(&[bid], &[&seller.operator]);
    world.assert_books();
}

#[test]
fn a_site_scores_by_its_slowest_node_and_leaves_the_board_whole() {
    let mut world = World::new();
    let sites: Vec<_> = ["first", "second", "third"].map(|name| site(&mut world, name, 2)).into();
    let buyer = world.customer("buyer", 100 * MILL);
    let mut args = cluster_args(2, 0, Topology::SameSite);
    (args.objective, args.bidding_secs) = (millrace_core::score::Objective::PricePerGops as u8, 3_600);
    let job = world.post(&buyer, args);
    // One node twice as fast does not help its site.
    world.rewrite::<Node>(&sites[0].1[0], |node| node.verified_gops = 20_000);
    site_bid(&mut world, &sites[0], &job, 700);
    let placed = site_bid(&mut world, &sites[1], &job, 700).events_of::<BidPlaced>();
    assert_eq!((placed[0].rank, placed[1].rank), (2, 3), "an equal bid ranks behind the earlier");
    let worse = ix::place_site_bid(&sites[2].0, &sites[2].1, &job, at(700));
    world.assert_refused(&[worse], &[&sites[2].0.operator], MillraceError::BidTooLow);
    site_bid(&mut world, &sites[2], &job, 699);
    assert_eq!(order(&world, &job), [&sites[2].1[..], &sites[0].1[..]].concat(), "the second fell off as a whole");
    let stranger = world.stranger("stranger");
    for node in &sites[1].1 {
        world.must(&[ix::release_bid(&sites[1].0, node, &job)], &[&stranger]);
    }
    world.assert_books();
}

#[test]
fn a_site_of_which_one_node_breaks_its_bid_is_passed_over_whole_and_only_that_one_pays() {
    let mut world = World::new();
    let sites: Vec<_> = ["first", "second"].map(|name| site(&mut world, name, 2)).into();
    let buyer = world.customer("buyer", 100 * MILL);
    let job = post(&mut world, &buyer, 2, Topology::SameSite);
    site_bid(&mut world, &sites[0], &job, 700);
    site_bid(&mut world, &sites[1], &job, 701);
    world.end_bidding(&job);
    let payer = &buyer.authority;
    let (seller, nodes) = &sites[0];
    world.rewrite::<Node>(&nodes[0], |node| node.draining = 1);
    let drop = ix::drop_broken_bid(&world, &payer.pubkey(), &buyer, seller, &nodes[0], &job);
    let dropped = world.must(&[drop], &[payer]).event::<BidDropped>();
    assert_eq!(dropped.forfeited_amount, BOND);
    assert_eq!(order(&world, &job), sites[1].1);
    world.must(&[ix::release_bid(seller, &nodes[1], &job)], &[payer]);
    assert_eq!(world.provider_of(seller).bonds, 0);
    world.assert_books();
    for (node, index) in sites[1].1.iter().zip(0..) {
        world.must(&[ix::award_nth(&payer.pubkey(), &buyer, &sites[1].0, node, &job, index)], &[payer]);
    }
    assert_eq!(world.read::<Job>(&job).state, JobState::Awarded as u8);
    world.assert_books();
}

#[test]
fn a_site_that_breaks_after_its_first_award_leaves_the_job_short_and_it_is_unwound() {
    let mut world = World::new();
    let sites: Vec<_> = ["first", "second"].map(|name| site(&mut world, name, 2)).into();
    let buyer = world.customer("buyer", 100 * MILL);
    let job = post(&mut world, &buyer, 2, Topology::SameSite);
    site_bid(&mut world, &sites[0], &job, 700);
    site_bid(&mut world, &sites[1], &job, 701);
    world.end_bidding(&job);
    let payer = &buyer.authority;
    let stranger = world.stranger("stranger");
    let (seller, nodes) = &sites[0];
    world.must(&[ix::award_nth(&payer.pubkey(), &buyer, seller, &nodes[0], &job, 0)], &[payer]);
    let cancel = ix::cancel_job(&payer.pubkey(), &buyer, &job);
    world.assert_refused(std::slice::from_ref(&cancel), &[payer], MillraceError::AwardPending);
    let lease = pda::lease(&job, 0);
    let unwind = world.unwind_lease(&lease);
    world.assert_refused(std::slice::from_ref(&unwind), &[&stranger], MillraceError::JobStands);

    world.rewrite::<Node>(&nodes[1], |node| node.draining = 1);
    world.must(&[ix::drop_broken_bid(&world, &payer.pubkey(), &buyer, seller, &nodes[1], &job)], &[payer]);
    assert_eq!(order(&world, &job), [nodes[0]], "the other site cannot complete it");
    let other = ix::award_nth(&payer.pubkey(), &buyer, &sites[1].0, &sites[1].1[0], &job, 1);
    world.assert_refused(&[other], &[payer], MillraceError::NoBids);
    for node in &sites[1].1 {
        world.must(&[ix::release_bid(&sites[1].0, node, &job)], &[&stranger]);
    }
    // Nothing is left to wait for: its customer need not.
    world.must(&[cancel], &[payer]);
    world.assert_no_account_is_replaceable(&unwind, &[&stranger]);
    let exited = world.must(std::slice::from_ref(&unwind), &[&stranger]).event::<LeaseExited>();
    assert_eq!((exited.paid_secs, exited.customer_reserved), (0, 0));
    let ended = world.read::<Lease>(&lease);
    assert_eq!((ended.state, ended.reserve_amount), (LeaseState::Exited as u8, 0));
    assert!(world.read::<Node>(&nodes[0]).is_free());
    world.assert_refused(&[unwind], &[&stranger], MillraceError::LeaseEnded);
    world.assert_books();
    let closes_at = ended.closes_at();
    world.warp_to(closes_at);
    let end = [ix::close_lease(&world, &stranger.pubkey(), &lease), ix::close_job(&world, &job)];
    world.must(&end, &[&stranger]);
    assert_eq!((world.customer_of(&buyer).free, world.provider_of(seller).lease_bonds), (100 * MILL, 0));
    world.assert_books();
}

#[test]
fn a_job_short_of_nodes_is_cancelled_by_anyone_when_it_is_late_and_what_was_proven_stays_paid() {
    let mut world = World::new();
    let cluster = world.cluster_bid_for(guaranteed_args(2, 0));
    world.award_next(&cluster, 0);
    let stranger = world.stranger("stranger");
    world.warp_secs(100);
    world.settle_kept(&cluster.lease(0), (60, 50, 0), LeaseStatus::Running);
    let award_by = world.read::<Job>(&cluster.job).award_by;
    let cancel = ix::cancel_job(&stranger.pubkey(), &cluster.buyer, &cluster.job);
    world.warp_to(award_by - 1);
    world.assert_refused(std::slice::from_ref(&cancel), &[&stranger], MillraceError::AwardPending);
    world.warp_secs(1);
    world.must(&[cancel], &[&stranger]);
    world.must(&[world.unwind_lease(&cluster.lease(0))], &[&stranger]);
    let customer = world.customer_of(&cluster.buyer);
    assert_eq!((customer.reserved, customer.free), (0, 1_000 * MILL - 50 * 735));
    world.assert_books();
}

#[test]
fn one_region_serves_a_job_that_wants_one() {
    let mut world = World::new();
    // Two of region 2 come first, three of region 1 stand behind; the job wants two.
    let specs = [(3u8, 700), (2, 701), (1, 702), (2, 703)];
    let sellers: Vec<_> = specs
        .iter()
        .map(|(region, _)| {
            let seller = world.provider(&format!("seller {region} {}", world.now()), 1_000 * MILL);
            let node = world.verified_node(&seller, NodeSpec { region: *region, ..NodeSpec::default() });
            (seller, node)
        })
        .collect();
    let buyer = world.customer("buyer", 100 * MILL);
    let job = post(&mut world, &buyer, 2, Topology::SameRegion);
    let payer = &buyer.authority;
    for ((seller, node), (_, per_sec)) in sellers.iter().zip(specs).take(3) {
        world.bid(seller, node, &job, per_sec);
    }
    world.end_bidding(&job);
    let award = |n: usize, index: u8| ix::award_nth(&payer.pubkey(), &buyer, &sellers[n].0, &sellers[n].1, &job, index);
    // No region has two bids yet: nothing is awarded, nothing begins that could not be completed.
    world.assert_refused(&[award(0, 0)], &[payer], MillraceError::NoBids);
    world.rewrite::<Job>(&job, |job| job.bidding_ends_at += 60);
    world.bid(&sellers[3].0, &sellers[3].1, &job, 703);
    world.end_bidding(&job);
    world.assert_refused(&[award(0, 0)], &[payer], MillraceError::NotNextBid);
    let release = |n: usize| ix::release_bid(&sellers[n].0, &sellers[n].1, &job);
    world.assert_refused(&[release(0)], &[payer], MillraceError::BidStands);
    world.must(&[award(1, 0)], &[payer]);
    assert_eq!(world.read::<Job>(&job).region_fixed, 3, "region 2, plus one");
    // The others are passed over without penalty, and free at once.
    for n in [0, 2] {
        world.must(&[release(n)], &[payer]);
        assert_eq!(world.provider_of(&sellers[n].0).claims, 0);
    }
    world.assert_refused(&[release(3)], &[payer], MillraceError::BidStands);
    world.must(&[award(3, 1)], &[payer]);
    let job = world.read::<Job>(&job);
    assert_eq!((job.state, job.positions_filled), (JobState::Awarded as u8, 2));
    world.assert_books();
}

#[test]
fn a_region_that_loses_a_bid_before_the_first_award_gives_way_to_another() {
    let mut world = World::new();
    let specs = [(1u8, 700), (1, 701), (2, 702), (2, 703)];
    let sellers: Vec<_> = specs
        .iter()
        .zip(0..)
        .map(|((region, _), n)| {
            let seller = world.provider(&format!("seller {n}"), 1_000 * MILL);
            let node = world.verified_node(&seller, NodeSpec { region: *region, ..NodeSpec::default() });
            (seller, node)
        })
        .collect();
    let buyer = world.customer("buyer", 100 * MILL);
    let job = post(&mut world, &buyer, 2, Topology::SameRegion);
    let payer = &buyer.authority;
    for ((seller, node), (_, per_sec)) in sellers.iter().zip(specs) {
        world.bid(seller, node, &job, per_sec);
    }
    world.end_bidding(&job);
    world.rewrite::<Node>(&sellers[0].1, |node| node.draining = 1);
    let drop = ix::drop_broken_bid(&world, &payer.pubkey(), &buyer, &sellers[0].0, &sellers[0].1, &job);
    world.must(&[drop], &[payer]);
    for (n, index) in [(2usize, 0u8), (3, 1)] {
        let award = ix::award_nth(&payer.pubkey(), &buyer, &sellers[n].0, &sellers[n].1, &job, index);
        world.must(&[award], &[payer]);
    }
    assert_eq!(world.read::<Job>(&job).state, JobState::Awarded as u8);
    world.assert_books();
}

#[test]
fn a_site_may_bid_with_a_part_of_what_a_job_of_any_topology_wants() {
    let mut world = World::new();
    let all = site(&mut world, "site", 2);
    let other = site(&mut world, "other", 2);
    let buyer = world.customer("buyer", 100 * MILL);
    let job = post(&mut world, &buyer, 3, Topology::Any);
    site_bid(&mut world, &all, &job, 700);
    site_bid(&mut world, &other, &job, 699);
    assert_eq!(order(&world, &job), [&other.1[..], &all.1[..]].concat());
    world.end_bidding(&job);
    let payer = &buyer.authority;
    for ((seller, node), index) in [(&other.0, other.1[0]), (&other.0, other.1[1]), (&all.0, all.1[0])].iter().zip(0..)
    {
        world.must(&[ix::award_nth(&payer.pubkey(), &buyer, seller, node, &job, index)], &[payer]);
    }
    world.must(&[ix::release_bid(&all.0, &all.1[1], &job)], &[payer]);
    world.assert_books();
}

#[test]
fn a_pause_stops_new_work_and_nothing_else() {
    let mut world = World::new();
    let deal = world.posted();
    let now = world.now();
    let pause = |world: &mut World, until: i64| {
        world.rewrite::<millrace::state::Config>(&pda::config(), |config| config.paused_until = until);
    };
    pause(&mut world, now + 1);
    let post = ix::post_job(&deal.buyer, 1, job_args());
    world.assert_refused(std::slice::from_ref(&post), &[&deal.buyer.authority], MillraceError::Paused);
    let bid = ix::place_bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    world.assert_refused(std::slice::from_ref(&bid), &[&deal.seller.operator], MillraceError::Paused);
    let of_site = ix::place_site_bid(&deal.seller, &[deal.node], &deal.job, at(BID_PER_SEC));
    world.assert_refused(&[of_site], &[&deal.seller.operator], MillraceError::Paused);
    world.warp_secs(1);
    world.must(&[post], &[&deal.buyer.authority]);
    world.must(&[bid], &[&deal.seller.operator]);
    // What was taken on goes on under a pause: award, settlement, acceptance, closing, withdrawal.
    pause(&mut world, i64::MAX);
    world.end_bidding(&deal.job);
    world.award(&deal);
    world.warp_secs(60);
    world.settle(&deal.lease, 60, LeaseStatus::Completed);
    let authority = &deal.buyer.authority;
    world.must(&[ix::accept_result(&world, &authority.pubkey(), &deal.lease)], &[authority]);
    world.must(&[ix::sweep_fees(&world, &deal.buyer), ix::close_job(&world, &deal.job)], &[authority]);
    world.must(&[ix::withdraw_customer(&world, &deal.buyer, MILL)], &[authority]);
    world.must(&[ix::withdraw(&world, &deal.seller)], &[&deal.seller.authority]);
    world.assert_books();
}
