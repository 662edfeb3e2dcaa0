//! The Guaranteed tier: what is reserved and locked, which seconds are paid, who takes over, and what bonds answer for.

use millrace::events::{CompensationClaimed, FailedOver, LeaseClosed, LeaseSettled, UnkeptClaimed};
use millrace::instructions::PlaceBidArgs;
use millrace::state::{
    Claim, Job, JobState, Lease, LeaseRole, LeaseState, Node, Provider, ProviderStatus, NO_POSITION,
};
use millrace_core::leaves::{LeaseLeaf, LeaseStatus};
use millrace_tests::*;

/// 20% of an hour at the job's highest price.
const LEASE_BOND: u64 = 720_000;
/// An hour at the job's highest price, and 5% on top.
const COST: u64 = 3_780_000;

fn lease(world: &World, key: &Pubkey) -> Box<Lease> {
    world.read::<Lease>(key)
}

/// A cluster whose first member's node failed after 200 s, 100 of them kept.
fn failed(nodes: u8, standbys: u8) -> (World, Cluster) {
    let mut world = World::new();
    let cluster = world.cluster(nodes, standbys);
    world.warp_secs(200);
    world.settle_kept(&cluster.lease(0), (200, 100, 0), LeaseStatus::NodeFailed);
    (world, cluster)
}

#[test]
fn a_job_reserves_its_positions_its_standbys_and_every_fee_rounded_at_a_handover() {
    for (nodes, standbys, reserve_amount) in
        [(1, 0, COST), (3, 0, 3 * COST), (2, 1, 2 * (COST + 1) + 378_000), (16, 16, 16 * (COST + 16) + 16 * 378_000)]
    {
        let mut world = World::new();
        let buyer = world.customer("buyer", 100 * MILL);
        let job = world.post(&buyer, guaranteed_args(nodes, standbys));
        assert_eq!(world.read::<Job>(&job).reserve_amount, reserve_amount, "{nodes} nodes, {standbys} stand-bys");
        assert_eq!(world.customer_of(&buyer).reserved, reserve_amount);
        world.assert_books();
    }
}

#[test]
fn positions_are_given_first_and_then_the_places_of_standbys() {
    let mut world = World::new();
    let cluster = world.cluster_bid_for(guaranteed_args(2, 1));
    let free = world.customer_of(&cluster.buyer).free;
    for (index, per_sec) in [(0u8, 700), (1, 701)] {
        world.award_next(&cluster, index);
        let member = lease(&world, &cluster.lease(index));
        assert_eq!((member.role, member.job_position, member.per_sec), (LeaseRole::Member as u8, index, per_sec));
        assert_eq!((member.bond, member.bond_left), (LEASE_BOND, LEASE_BOND));
        assert_eq!(member.reserve_amount, COST + 1, "a stand-by may be dearer: all of it stays");
        let provider = world.provider_of(&cluster.sellers[usize::from(index)].0);
        assert_eq!((provider.bonds, provider.lease_bonds), (0, LEASE_BOND));
        world.assert_books();
    }
    let job = world.read::<Job>(&cluster.job);
    assert_eq!((job.state, job.positions_filled, job.standbys_opened), (JobState::Awarded as u8, 2, 0));
    world.award_next(&cluster, 2);
    let stand_by = lease(&world, &cluster.lease(2));
    assert_eq!((stand_by.role, stand_by.job_position), (LeaseRole::StandBy as u8, NO_POSITION));
    assert_eq!((stand_by.per_sec, stand_by.full_per_sec), (70, 702), "10% of its bid, rounded down");
    assert_eq!((stand_by.bond_left, stand_by.reserve_amount), (LEASE_BOND, 70 * 3_600 * 105 / 100));
    let job = world.read::<Job>(&cluster.job);
    assert_eq!((job.standbys_opened, job.leases_opened, job.reserve_amount), (1, 3, 0));
    let saved = 378_000 - stand_by.reserve_amount;
    assert_eq!(world.customer_of(&cluster.buyer).free, free + saved, "what the stand-by is cheaper is free");
    world.assert_books();
    let (seller, node) = &cluster.sellers[2];
    let payer = &cluster.buyer.authority;
    let again = ix::award_nth(&payer.pubkey(), &cluster.buyer, seller, node, &cluster.job, 3);
    world.assert_refused(&[again], &[payer], MillraceError::JobNotOpen);
}

#[test]
fn nobody_stands_by_who_did_not_offer_it() {
    let mut world = World::new();
    let sellers = world.sellers(2);
    let buyer = world.customer("buyer", 100 * MILL);
    let job = world.post(&buyer, guaranteed_args(1, 1));
    for ((seller, node), (per_sec, may_stand_by)) in sellers.iter().zip([(700, true), (701, false)]) {
        let bid = ix::place_bid_of(seller, node, &job, PlaceBidArgs { per_sec, may_stand_by });
        world.must(&[bid], &[&seller.operator]);
    }
    world.end_bidding(&job);
    let payer = &buyer.authority;
    let award = |n: usize, index| ix::award_nth(&payer.pubkey(), &buyer, &sellers[n].0, &sellers[n].1, &job, index);
    world.must(&[award(0, 0)], &[payer]);
    world.assert_refused(&[award(1, 1)], &[payer], MillraceError::NoBids);
    // Its bid counts no more, well before the award is late.
    let release = ix::release_bid(&sellers[1].0, &sellers[1].1, &job);
    world.must(&[release], &[payer]);
    assert!(world.read::<Node>(&sellers[1].1).is_free());
    world.assert_books();
}

#[test]
fn standbys_are_taken_on_until_the_award_is_late_or_the_job_has_come_to_its_end() {
    for is_late in [false, true] {
        let mut world = World::new();
        let cluster = world.cluster_bid_for(guaranteed_args(1, 1));
        world.award_next(&cluster, 0);
        let payer = &cluster.buyer.authority;
        let (seller, node) = &cluster.sellers[1];
        let award = ix::award_nth(&payer.pubkey(), &cluster.buyer, seller, node, &cluster.job, 1);
        let release = ix::release_bid(seller, node, &cluster.job);
        world.assert_refused(std::slice::from_ref(&release), &[payer], MillraceError::BidStands);
        if is_late {
            let award_by = world.read::<Job>(&cluster.job).award_by;
            world.warp_to(award_by);
            world.assert_refused(&[award], &[payer], MillraceError::AwardLate);
        } else {
            world.warp_secs(60);
            world.settle_kept(&cluster.lease(0), (60, 0, 0), LeaseStatus::Completed);
            world.must(&[ix::accept_result(&world, &payer.pubkey(), &cluster.lease(0))], &[payer]);
            world.assert_refused(&[award], &[payer], MillraceError::JobNotOpen);
        }
        world.must(&[release], &[payer]);
        world.assert_books();
        if !is_late {
            // What the stand-by would have cost comes back with the job.
            world.must(&[ix::sweep_fees(&world, &cluster.buyer), ix::close_job(&world, &cluster.job)], &[payer]);
            assert_eq!(world.customer_of(&cluster.buyer).reserved, 0);
            world.assert_books();
        }
    }
}

#[test]
fn a_bidder_that_cannot_lock_the_lease_bond_breaks_its_bid() {
    let mut world = World::new();
    let cluster = world.cluster_bid_for(guaranteed_args(1, 0));
    let (seller, node) = &cluster.sellers[0];
    let free = world.provider_of(seller).free_stake();
    // One base unit short, its bid bond counted in.
    let short_by_one = free + 180_000 - LEASE_BOND + 1;
    world.must(&[ix::begin_unstake(seller, short_by_one)], &[&seller.authority]);
    let payer = &cluster.buyer.authority;
    let award = ix::award(&payer.pubkey(), &cluster.buyer, seller, node, &cluster.job);
    world.assert_refused(std::slice::from_ref(&award), &[payer], MillraceError::BidBroken);
    world.must(&[ix::stake(&world, seller, 1)], &[&seller.authority]);
    world.must(&[award], &[payer]);
    let provider = world.provider_of(seller);
    assert_eq!((provider.free_stake(), provider.lease_bonds), (0, LEASE_BOND));
    world.assert_books();
}

#[test]
fn kept_seconds_are_paid_while_it_runs_and_all_but_the_lost_ones_at_the_end() {
    for end in [LeaseStatus::Completed, LeaseStatus::JobFailed, LeaseStatus::Stopped] {
        let mut world = World::new();
        let cluster = world.cluster(2, 0);
        world.warp_secs(300);
        let running = world.settle_kept(&cluster.lease(0), (100, 60, 0), LeaseStatus::Running);
        assert_eq!(running.event::<LeaseSettled>().paid_secs, 60, "the rest may still be lost");
        world.warp_secs(60);
        let last = world.settle_kept(&cluster.lease(0), (200, 150, 20), end).event::<LeaseSettled>();
        assert_eq!((last.paid_secs, last.reserve_amount), (180, 0), "{end:?}");
        assert_eq!((last.live_secs, last.checkpointed_secs, last.lost_secs), (200, 150, 20));
        let provider = world.provider_of(&cluster.sellers[0].0);
        assert_eq!(provider.lease_bonds, LEASE_BOND, "the bond stands until the lease closes");
        world.assert_books();
        // No compensation, whatever the exit code: the customer's own code decides it.
        let payer = &cluster.buyer.authority;
        let over = world.fail_over(&payer.pubkey(), &cluster.lease(0), &cluster.lease(1));
        world.assert_refused(&[over], &[payer], MillraceError::NotFailed);
        let accept = ix::accept_result(&world, &payer.pubkey(), &cluster.lease(0));
        let closed = world.must(&[accept], &[payer]).event::<LeaseClosed>();
        assert_eq!((closed.bond_amount, closed.provider_lease_bonds), (LEASE_BOND, 0));
        world.assert_books();
    }
}

#[test]
fn a_leaf_whose_seconds_fall_or_do_not_add_up_is_refused() {
    let mut world = World::new();
    let cluster = world.cluster(1, 0);
    let stranger = world.stranger("stranger");
    world.warp_secs(300);
    world.settle_kept(&cluster.lease(0), (100, 60, 10), LeaseStatus::Running);
    for secs in [(99, 60, 10), (100, 59, 10), (100, 60, 9), (100, 91, 10), (100, 60, 41), (u64::MAX, u64::MAX, 10)] {
        let figures = Figures { live_secs: secs.0, checkpointed_secs: secs.1, lost_secs: secs.2 };
        world.warp_secs(1);
        let leaf = world.figures_leaf(&cluster.lease(0), figures, LeaseStatus::Completed);
        let settle = world.settlement_by(&leaf);
        world.assert_refused(&[settle], &[&stranger], MillraceError::LeafInconsistent);
    }
    world.warp_secs(1);
    world.settle_kept(&cluster.lease(0), (100, 60, 40), LeaseStatus::Running);
    world.assert_books();
}

#[test]
fn a_failed_node_is_paid_what_was_kept_and_its_position_stays_reserved() {
    let (mut world, cluster) = failed(1, 1);
    let after = lease(&world, &cluster.lease(0));
    assert_eq!((after.state, after.paid_secs), (LeaseState::NodeFailed as u8, 100));
    assert_eq!(after.reserve_amount, COST + 1 - 100 * 700 * 105 / 100);
    assert_eq!(world.read::<Node>(&cluster.sellers[0].1).lease, Pubkey::default());
    let payer = &cluster.buyer.authority;
    let accept = ix::accept_result(&world, &payer.pubkey(), &cluster.lease(0));
    world.assert_refused(&[accept], &[payer], MillraceError::CannotAccept);
    world.assert_books();
}

#[test]
fn a_standby_takes_over_the_rest_of_the_position_at_its_full_price() {
    let (mut world, cluster) = failed(1, 1);
    let stranger = world.stranger("stranger");
    let (before, standing) = (lease(&world, &cluster.lease(0)), lease(&world, &cluster.lease(1)));
    let reserved = world.customer_of(&cluster.buyer).reserved;
    let over = world.fail_over(&stranger.pubkey(), &cluster.lease(0), &cluster.lease(1));
    world.assert_no_account_is_replaceable(&over, &[&stranger]);
    let event = world.must(std::slice::from_ref(&over), &[&stranger]).event::<FailedOver>();
    let now = world.now();
    let new = lease(&world, &cluster.lease(2));
    assert_eq!((event.lease, event.index, event.job_position), (cluster.lease(2), 2, 0));
    assert_eq!((new.role, new.index, new.job_position), (LeaseRole::Member as u8, 2, 0));
    assert_eq!((new.per_sec, new.max_secs, new.started_at), (701, 3_600 - 100, now));
    assert_eq!((new.reserve_amount, new.checkpoint_root), (before.reserve_amount, [5; 32]));
    assert_eq!((new.bond, new.bond_left), (LEASE_BOND, LEASE_BOND));
    assert_eq!((new.node, new.provider), (standing.node, standing.provider));
    assert_eq!((new.terms, new.rent_payer), (before.terms, stranger.pubkey()));
    let (old, stood) = (lease(&world, &cluster.lease(0)), lease(&world, &cluster.lease(1)));
    assert_eq!((old.is_replaced, old.reserve_amount, old.bond_left), (1, 0, LEASE_BOND));
    assert_eq!((stood.stop_at, stood.bond_left), (now, 0));
    assert_eq!(stood.max_secs, u64::try_from(now - stood.started_at).unwrap());
    assert_eq!(world.read::<Node>(&standing.node).lease, cluster.lease(2));
    assert_eq!(world.customer_of(&cluster.buyer).reserved, reserved);
    let job = world.read::<Job>(&cluster.job);
    assert_eq!((job.leases_opened, job.leases_open), (3, 3));
    world.assert_books();
    world.assert_refused(&[over], &[&stranger], MillraceError::AlreadyReplaced);

    // Its last seconds standing by are settled, which frees no node: it works already.
    world.warp_secs(400);
    let stand_by_secs = world.settle(&cluster.lease(1), 3_600, LeaseStatus::Stopped).event::<LeaseSettled>().paid_secs;
    assert_eq!(stand_by_secs, stood.max_secs);
    assert_eq!(world.read::<Node>(&standing.node).lease, cluster.lease(2));
    world.warp_secs(400);
    let done = world.settle_kept(&cluster.lease(2), (300, 300, 0), LeaseStatus::Completed).event::<LeaseSettled>();
    assert_eq!((done.paid_secs, done.net_amount), (300, 300 * 701 * 9 / 10));
    assert_eq!(world.read::<Node>(&standing.node).lease, Pubkey::default());
    world.assert_books();
    let result = |world: &World| world.read::<Job>(&cluster.job).result_root;
    let payer = &cluster.buyer.authority;
    for index in [1, 2] {
        assert_eq!(result(&world), [0; 32]);
        world.must(&[ix::accept_result(&world, &payer.pubkey(), &cluster.lease(index))], &[payer]);
        world.assert_books();
    }
    assert_eq!(result(&world), [6; 32]);
}

#[test]
fn the_result_of_a_job_is_that_of_the_member_closed_first() {
    let mut world = World::new();
    let cluster = world.cluster(2, 0);
    world.warp_secs(100);
    for index in [0, 1] {
        let figures = Figures { live_secs: 100, checkpointed_secs: 100, lost_secs: 0 };
        let leaf = world.figures_leaf(&cluster.lease(index), figures, LeaseStatus::Completed);
        let settle = world.settlement_by(&LeaseLeaf { result_root: [index + 1; 32], ..leaf });
        let deployer = world.deployer.insecure_clone();
        world.must(&[settle], &[&deployer]);
        world.warp_secs(60);
    }
    let payer = &cluster.buyer.authority;
    for index in [1, 0] {
        world.must(&[ix::accept_result(&world, &payer.pubkey(), &cluster.lease(index))], &[payer]);
        assert_eq!(world.read::<Job>(&cluster.job).result_root, [2; 32]);
    }
}

#[test]
fn a_position_changes_hands_as_often_as_there_are_standbys_and_its_reserve_covers_it() {
    let mut world = World::new();
    let mut args = guaranteed_args(3, 3);
    // The third stand-by's price is the highest there may be.
    (args.max_per_sec, args.max_secs) = (705, 3_599);
    let cluster = world.cluster_bid_for(args);
    (0..6).for_each(|index| {
        world.award_next(&cluster, index);
    });
    let stranger = world.stranger("stranger");
    let mut at = cluster.lease(0);
    for (round, stand_by) in (3u8..6).enumerate() {
        world.warp_secs(121);
        world.settle_kept(&at, (121, 101, 0), LeaseStatus::NodeFailed);
        world.must(&[world.fail_over(&stranger.pubkey(), &at, &cluster.lease(stand_by))], &[&stranger]);
        at = cluster.lease(6 + round as u8);
        world.assert_books();
    }
    let last = lease(&world, &at);
    assert_eq!((last.max_secs, last.per_sec), (3_599 - 3 * 101, 705));
    world.warp_secs(4_000);
    let done = world.settle_kept(&at, (4_000, 4_000, 0), LeaseStatus::Completed).event::<LeaseSettled>();
    assert_eq!(done.paid_secs, 3_599 - 3 * 101, "every second the position had left");
    world.assert_books();
}

#[test]
fn only_an_able_standby_of_the_job_takes_over_and_only_a_failed_position() {
    let (mut world, cluster) = failed(2, 2);
    let stranger = world.stranger("stranger");
    let over = |world: &World, failed: u8, stand_by: u8| {
        world.fail_over(&stranger.pubkey(), &cluster.lease(failed), &cluster.lease(stand_by))
    };
    let instruction = over(&world, 1, 2);
    world.assert_refused(&[instruction], &[&stranger], MillraceError::NotFailed);
    let instruction = over(&world, 0, 1);
    world.assert_refused(&[instruction], &[&stranger], MillraceError::NotStandBy);
    let instruction = over(&world, 0, 0);
    world.assert_refused(&[instruction], &[&stranger], MillraceError::NotStandBy);

    let now = world.now();
    let (seller, node) = &cluster.sellers[2];
    let unable: [&dyn Fn(&mut Node); 3] =
        [&|node| node.draining = 1, &|node| node.verified_until = now, &|node| node.lease = Pubkey::new_unique()];
    for change in unable {
        let before = world.read::<Node>(node);
        world.rewrite::<Node>(node, change);
        let instruction = over(&world, 0, 2);
        world.assert_refused(&[instruction], &[&stranger], MillraceError::StandByNotAble);
        world.rewrite::<Node>(node, |node| *node = *before);
    }
    world.rewrite::<Provider>(&seller.provider, |provider| {
        (provider.status, provider.jailed_until) = (ProviderStatus::Jailed as u8, now + 10_000);
    });
    let instruction = over(&world, 0, 2);
    world.assert_refused(&[instruction], &[&stranger], MillraceError::StandByNotAble);
    world.rewrite::<Provider>(&seller.provider, |provider| provider.status = ProviderStatus::Active as u8);
    // A position its customer asked to stop, and one with no second left.
    for change in [|lease: &mut Lease| lease.stop_at = 1, |lease: &mut Lease| lease.max_secs = lease.paid_secs] {
        let before = lease(&world, &cluster.lease(0));
        world.rewrite::<Lease>(&cluster.lease(0), change);
        let instruction = over(&world, 0, 2);
        world.assert_refused(&[instruction], &[&stranger], MillraceError::NothingLeftToDo);
        world.rewrite::<Lease>(&cluster.lease(0), |lease| *lease = *before);
    }
    // A second before the window ends, one takes over; nobody does twice.
    let closes_at = lease(&world, &cluster.lease(0)).closes_at();
    world.warp_to(closes_at);
    let instruction = over(&world, 0, 2);
    world.assert_refused(std::slice::from_ref(&instruction), &[&stranger], MillraceError::DisputeWindowOver);
    let (mut world, cluster_too) = failed(2, 2);
    assert_eq!(cluster_too.job, cluster.job, "the same keys in every world");
    world.fund(&stranger.pubkey());
    world.warp_to(closes_at - 1);
    world.must(&[instruction], &[&stranger]);
    let again = over(&world, 0, 3);
    world.assert_refused(&[again], &[&stranger], MillraceError::AlreadyReplaced);
    world.assert_books();
}

#[test]
fn a_standby_that_fails_just_ends() {
    let mut world = World::new();
    let cluster = world.cluster(1, 1);
    let stranger = world.stranger("stranger");
    world.warp_secs(100);
    let ended = world.settle_kept(&cluster.lease(1), (50, 0, 0), LeaseStatus::NodeFailed).event::<LeaseSettled>();
    assert_eq!((ended.paid_secs, ended.net_amount), (50, 50 * 70 * 9 / 10), "live seconds count: it keeps nothing");
    assert_eq!(lease(&world, &cluster.lease(1)).reserve_amount, 0);
    let claim = world.claim_compensation(&stranger.pubkey(), &cluster.lease(1));
    world.assert_refused(&[claim], &[&stranger], MillraceError::NotFailed);
    world.settle_kept(&cluster.lease(0), (50, 0, 0), LeaseStatus::NodeFailed);
    let over = world.fail_over(&stranger.pubkey(), &cluster.lease(0), &cluster.lease(1));
    world.assert_refused(&[over], &[&stranger], MillraceError::NotStandBy);
    let accept = ix::accept_result(&world, &cluster.buyer.authority.pubkey(), &cluster.lease(1));
    world.must(&[accept], &[&cluster.buyer.authority]);
    assert_eq!(world.provider_of(&cluster.sellers[1].0).lease_bonds, 0);
    world.assert_books();
}

#[test]
fn the_customer_is_compensated_out_of_the_bond_after_the_window() {
    let (mut world, cluster) = failed(1, 0);
    let stranger = world.stranger("stranger");
    let (seller, _) = &cluster.sellers[0];
    let failed = cluster.lease(0);
    let closes_at = lease(&world, &failed).closes_at();
    world.warp_to(closes_at - 1);
    let claim = world.claim_compensation(&stranger.pubkey(), &failed);
    world.assert_refused(std::slice::from_ref(&claim), &[&stranger], MillraceError::DisputeWindowOpen);
    world.warp_secs(1);
    let close = ix::close_lease(&world, &stranger.pubkey(), &failed);
    world.assert_refused(std::slice::from_ref(&close), &[&stranger], MillraceError::CompensationDue);
    world.rewrite::<Lease>(&failed, |lease| lease.is_disputed = 1);
    world.assert_refused(std::slice::from_ref(&claim), &[&stranger], MillraceError::LeaseDisputed);
    world.rewrite::<Lease>(&failed, |lease| lease.is_disputed = 0);

    world.assert_no_account_is_replaceable(&claim, &[&stranger]);
    let before = (world.provider_of(seller), world.customer_of(&cluster.buyer));
    let event = world.must(std::slice::from_ref(&claim), &[&stranger]).event::<CompensationClaimed>();
    assert_eq!((event.amount, event.returned_amount), (LEASE_BOND / 2, LEASE_BOND / 2));
    let provider = world.provider_of(seller);
    assert_eq!((provider.lease_bonds, provider.claims), (0, LEASE_BOND / 2));
    assert_eq!(provider.stake, before.0.stake - LEASE_BOND / 2);
    assert_eq!(provider.free_stake(), before.0.free_stake() + LEASE_BOND / 2);
    world.assert_books();
    let again = world.claim_compensation(&stranger.pubkey(), &failed);
    world.assert_refused(&[again], &[&stranger], MillraceError::NoCompensation);
    // The position no one took over: what is left of its reserve is the customer's.
    let closed = world.must(&[close], &[&stranger]).event::<LeaseClosed>();
    assert_eq!((closed.released_amount, closed.bond_amount), (before.1.reserved, 0));
    assert_eq!(world.customer_of(&cluster.buyer).reserved, 0);
    world.assert_books();
}

#[test]
fn a_disputed_lease_does_not_close() {
    let mut world = World::new();
    let deal = world.completed(60);
    world.rewrite::<Lease>(&deal.lease, |lease| lease.is_disputed = 1);
    let payer = &deal.buyer.authority;
    let accept = ix::accept_result(&world, &payer.pubkey(), &deal.lease);
    world.assert_refused(&[accept], &[payer], MillraceError::LeaseDisputed);
    world.warp_secs(world.config().params.dispute_window_secs);
    let close = ix::close_lease(&world, &payer.pubkey(), &deal.lease);
    world.assert_refused(&[close], &[payer], MillraceError::LeaseDisputed);
}

#[test]
fn lost_seconds_of_the_others_come_first_out_of_the_bond_and_never_from_the_customer() {
    let (mut world, cluster) = failed(3, 0);
    let stranger = world.stranger("stranger");
    let claim = |world: &World, failed: u8, member: u8| {
        world.claim_unkept(&stranger.pubkey(), &cluster.lease(failed), &cluster.lease(member))
    };
    let instruction = claim(&world, 0, 1);
    world.assert_refused(&[instruction], &[&stranger], MillraceError::NothingLost);
    let instruction = claim(&world, 1, 2);
    world.assert_refused(&[instruction], &[&stranger], MillraceError::NotFailed);
    world.settle_kept(&cluster.lease(1), (200, 100, 40), LeaseStatus::Running);
    world.settle_kept(&cluster.lease(2), (200, 100, 7), LeaseStatus::Completed);

    let instruction = claim(&world, 0, 1);
    world.assert_no_account_is_replaceable(&instruction, &[&stranger]);
    let event = world.must(&[instruction], &[&stranger]).event::<UnkeptClaimed>();
    assert_eq!((event.secs, event.amount), (40, 40 * 701), "at the member's own price");
    assert_eq!((event.bond_left, event.claim), (LEASE_BOND - 40 * 701, pda::claim(&cluster.sellers[0].0.provider, 0)));
    assert_eq!(world.read::<Claim>(&event.claim).beneficiary, cluster.sellers[1].0.provider);
    assert_eq!(world.provider_of(&cluster.sellers[1].0).claims_due, 1);
    world.assert_books();
    let instruction = claim(&world, 0, 1);
    world.assert_refused(&[instruction], &[&stranger], MillraceError::AlreadyClaimed);
    let event = world.must(&[claim(&world, 0, 2)], &[&stranger]).event::<UnkeptClaimed>();
    assert_eq!((event.secs, event.amount), (7, 7 * 702));
    world.assert_books();

    // The customer pays what was kept, and nothing of what the bond pays (I5).
    world.warp_secs(60);
    let end = world.settle_kept(&cluster.lease(1), (260, 220, 40), LeaseStatus::Completed).event::<LeaseSettled>();
    assert_eq!(end.paid_secs, 220);
    let member = lease(&world, &cluster.lease(1));
    assert_eq!(member.paid_secs + member.lost_claimed_secs, 260);

    // Then the customer's compensation, of the bond it began with; then the rest.
    let closes_at = lease(&world, &cluster.lease(0)).closes_at();
    world.warp_to(closes_at);
    let late = claim(&world, 0, 2);
    world.assert_refused(&[late], &[&stranger], MillraceError::DisputeWindowOver);
    let compensate = world.claim_compensation(&stranger.pubkey(), &cluster.lease(0));
    let event = world.must(&[compensate], &[&stranger]).event::<CompensationClaimed>();
    assert_eq!(event.amount, LEASE_BOND / 2);
    assert_eq!(event.returned_amount, LEASE_BOND - LEASE_BOND / 2 - 40 * 701 - 7 * 702);
    world.assert_books();
}

#[test]
fn a_bond_answers_for_no_more_than_it_is() {
    let (mut world, cluster) = failed(2, 0);
    let stranger = world.stranger("stranger");
    world.settle_kept(&cluster.lease(1), (200, 100, 100), LeaseStatus::Running);
    world.rewrite::<Lease>(&cluster.lease(0), |lease| lease.bond_left = 50_000);
    world.rewrite::<Provider>(&cluster.sellers[0].0.provider, |provider| {
        provider.locked -= LEASE_BOND - 50_000;
        provider.lease_bonds = 50_000;
    });
    let claim = world.claim_unkept(&stranger.pubkey(), &cluster.lease(0), &cluster.lease(1));
    let event = world.must(&[claim], &[&stranger]).event::<UnkeptClaimed>();
    assert_eq!((event.secs, event.amount, event.bond_left), (100, 50_000, 0));
    // Nothing is left to compensate with, and so nothing keeps the lease open.
    let closes_at = lease(&world, &cluster.lease(0)).closes_at();
    world.warp_to(closes_at);
    let compensate = world.claim_compensation(&stranger.pubkey(), &cluster.lease(0));
    world.assert_refused(&[compensate], &[&stranger], MillraceError::NoCompensation);
    world.must(&[ix::close_lease(&world, &stranger.pubkey(), &cluster.lease(0))], &[&stranger]);
    world.assert_books();
}

#[test]
fn oracles_that_lie_about_lost_seconds_take_no_more_than_passed() {
    let (mut world, cluster) = failed(2, 0);
    let stranger = world.stranger("stranger");
    world.settle_kept(&cluster.lease(1), (1_000_000, 100, 999_000), LeaseStatus::Running);
    let member = lease(&world, &cluster.lease(1));
    let elapsed = u64::try_from(member.last_leaf_at - member.started_at).unwrap();
    let claim = world.claim_unkept(&stranger.pubkey(), &cluster.lease(0), &cluster.lease(1));
    let event = world.must(&[claim], &[&stranger]).event::<UnkeptClaimed>();
    assert_eq!(event.secs, elapsed - 100, "no second twice, none that did not pass (I5)");
    world.assert_books();
    world.warp_secs(10_000);
    let end = world.settle_kept(&cluster.lease(1), (2_000_000, 100, 999_000), LeaseStatus::Completed);
    assert_eq!(end.event::<LeaseSettled>().paid_secs, 3_600 - event.secs);
    world.assert_books();
}

#[test]
fn nobody_claims_from_himself() {
    let mut world = World::new();
    let (seller, first) = world.sellers(1).remove(0);
    let second = world.verified_node(&seller, NodeSpec::default());
    let buyer = world.customer("buyer", 100 * MILL);
    let job = world.post(&buyer, guaranteed_args(2, 0));
    for node in [first, second] {
        world.bid(&seller, &node, &job, BID_PER_SEC);
    }
    world.end_bidding(&job);
    let payer = &buyer.authority;
    for (node, index) in [(first, 0), (second, 1)] {
        world.must(&[ix::award_nth(&payer.pubkey(), &buyer, &seller, &node, &job, index)], &[payer]);
    }
    world.warp_secs(200);
    world.settle_kept(&pda::lease(&job, 0), (100, 50, 0), LeaseStatus::NodeFailed);
    world.settle_kept(&pda::lease(&job, 1), (100, 50, 50), LeaseStatus::Running);
    let claim = world.claim_unkept(&payer.pubkey(), &pda::lease(&job, 0), &pda::lease(&job, 1));
    world.assert_refused(&[claim], &[payer], MillraceError::WrongAccount);
}

#[test]
fn a_lease_past_its_longest_time_is_left_whatever_the_oracles_still_report() {
    let mut world = World::new();
    let deal = world.deal();
    let began = lease(&world, &deal.lease).started_at;
    let outage = world.config().params.oracle_outage_secs;
    let authority = &deal.buyer.authority;
    let exit = ix::exit_lease(&world, &authority.pubkey(), &deal.lease);
    for at in [900, 1_800, 2_700, 3_600, 4_300] {
        world.warp_to(began + at - 60);
        world.settle(&deal.lease, at as u64 - 60, LeaseStatus::Running);
    }
    world.warp_to(began + 3_600 + outage - 1);
    world.assert_refused(std::slice::from_ref(&exit), &[authority], MillraceError::OraclesNotSilent);
    world.warp_secs(1);
    world.must(&[exit], &[authority]);
    let ended = lease(&world, &deal.lease);
    assert_eq!((ended.state, ended.paid_secs), (LeaseState::Exited as u8, 3_600));
    world.assert_books();
}
