//! Posting, cancelling and closing a job.

use anchor_lang::error::ErrorCode;
use anchor_lang::solana_program::system_instruction::transfer;
use millrace::events::{JobCancelled, JobClosed, JobPosted};
use millrace::instructions::PostJobArgs;
use millrace::state::{Customer, Job, JobState};
use millrace_core::leaves::LeaseStatus;
use millrace_core::money::max_lease_cost;
use millrace_tests::*;

/// The system program's `AccountAlreadyInUse`.
const ALREADY_IN_USE: u32 = 0;

#[test]
fn a_job_reserves_the_most_it_can_cost_with_its_fee() {
    let mut world = World::new();
    let buyer = world.customer("buyer", 100 * MILL);
    let args = job_args();
    let posted = world.must(&[ix::post_job(&buyer, 0, args.clone())], &[&buyer.authority]).event::<JobPosted>();
    let cost = max_lease_cost(args.max_per_sec, args.max_secs, 500).unwrap();
    assert_eq!(cost, 3_780_000, "3,600 s at 1,000 and 5% on top");

    let job = world.read::<Job>(&pda::job(&buyer.customer, 0));
    assert_eq!((job.version, job.state, job.customer, job.id), (1, JobState::Open as u8, buyer.customer, 0));
    assert_eq!((job.manifest_hash, job.requirements), (args.manifest_hash, args.requirements));
    assert_eq!((job.posted_at, job.bidding_ends_at), (world.now(), world.now() + 60));
    assert_eq!(job.award_by, job.bidding_ends_at + world.config().params.award_window_secs);
    assert_eq!(job.terms, world.config().params.lease_terms(), "a job is judged by the parameters it was posted under");
    assert_eq!((job.reserve_amount, job.rent_payer), (cost, buyer.authority.pubkey()));
    assert_eq!(job.bump, Pubkey::find_program_address(&[b"job", buyer.customer.as_ref(), &[0; 8]], &millrace::ID).1);
    let customer = world.read::<Customer>(&buyer.customer);
    assert_eq!((customer.free, customer.reserved), (100 * MILL - cost, cost));
    assert_eq!((customer.open_jobs, customer.next_job_id), (1, 1));
    assert_eq!((posted.reserve_amount, posted.customer_free, posted.sequence), (cost, customer.free, 1));
    world.assert_books();

    assert_eq!(world.post(&buyer, args), pda::job(&buyer.customer, 1), "ids count up");
    world.assert_books();
}

#[test]
fn terms_no_node_or_purse_could_meet_are_refused() {
    let mut world = World::new();
    let buyer = world.customer("buyer", 100 * MILL);
    let mut refuse = |change: &dyn Fn(&mut PostJobArgs), error: MillraceError| {
        let mut args = job_args();
        change(&mut args);
        world.assert_refused(&[ix::post_job(&buyer, 0, args)], &[&buyer.authority], error);
    };
    refuse(&|args| args.tier = 2, MillraceError::TierNotOpen);
    refuse(&|args| args.objective = 3, MillraceError::UnknownObjective);
    refuse(&|args| args.requirements.node_count = 0, MillraceError::BadNodeCount);
    refuse(&|args| args.requirements.node_count = 17, MillraceError::BadNodeCount);
    refuse(&|args| args.requirements.topology = 3, MillraceError::BadJob);
    // Stand-bys are for Guaranteed jobs, at most one a position, and never of one site.
    refuse(&|args| args.requirements.standby_count = 1, MillraceError::BadJob);
    refuse(&|args| (args.tier, args.requirements.standby_count) = (1, 2), MillraceError::BadJob);
    let at_one_site = |args: &mut PostJobArgs| {
        (args.tier, args.requirements.topology, args.requirements.standby_count) = (1, 2, 1);
    };
    refuse(&at_one_site, MillraceError::BadJob);
    refuse(&|args| args.requirements.class = 2, MillraceError::BadJob);
    refuse(&|args| args.requirements.regions = 0, MillraceError::BadJob);
    refuse(&|args| args.requirements.min_reliability_bps = 10_001, MillraceError::BadJob);
    refuse(&|args| args.requirements.padding = [0, 1], MillraceError::BadJob);
    refuse(&|args| args.max_per_sec = 0, MillraceError::BadJob);
    refuse(&|args| args.max_secs = 0, MillraceError::BadJob);
    refuse(&|args| args.max_secs = 7_201, MillraceError::BadJob);
    refuse(&|args| args.max_secs = u64::MAX, MillraceError::BadJob);
    refuse(&|args| args.bidding_secs = 0, MillraceError::BadJob);
    refuse(&|args| args.bidding_secs = -1, MillraceError::BadJob);
    refuse(&|args| args.bidding_secs = 30 * 86_400 + 1, MillraceError::BadJob);
    refuse(&|args| args.max_per_sec = u64::MAX, MillraceError::MathOverflow);
    refuse(&|args| args.max_per_sec = 100 * MILL, MillraceError::NotEnoughFree);
}

#[test]
fn a_job_is_posted_by_the_customer_at_its_own_address() {
    let mut world = World::new();
    let buyer = world.customer("buyer", 100 * MILL);
    let other = world.customer("other", 100 * MILL);
    let post = ix::post_job(&buyer, 0, job_args());
    let elsewhere = ix::swap(post.clone(), &pda::job(&buyer.customer, 0), &pda::job(&buyer.customer, 1));
    world.assert_refused(&[elsewhere], &[&buyer.authority], MillraceError::WrongAccount);
    let with_others_money = ix::swap(post.clone(), &buyer.customer, &other.customer);
    world.assert_refused(&[with_others_money], &[&buyer.authority], MillraceError::WrongAuthority);
    let not_the_config = ix::swap(post.clone(), &pda::config(), &pda::oracles());
    world.assert_refused(&[not_the_config], &[&buyer.authority], ErrorCode::AccountDiscriminatorMismatch);
    let unsigned = ix::unsigned(post.clone(), &buyer.authority.pubkey());
    world.assert_refused(&[unsigned], &[&other.authority], ErrorCode::AccountNotSigner);
    world.must(std::slice::from_ref(&post), &[&buyer.authority]);
    // The next id has another address: the same instruction cannot open a job twice.
    world.assert_refused(&[post], &[&buyer.authority], MillraceError::WrongAccount);
}

#[test]
fn lamports_sent_to_a_jobs_address_do_not_keep_it_shut() {
    let mut world = World::new();
    let buyer = world.customer("buyer", 100 * MILL);
    let stranger = world.stranger("stranger");
    for (id, lamports) in [(0, 1_000_000), (1, LAMPORTS_ABOVE_ANY_RENT)] {
        let job = pda::job(&buyer.customer, id);
        world.must(&[transfer(&stranger.pubkey(), &job, lamports)], &[&stranger]);
        assert_eq!(world.post(&buyer, job_args()), job);
        assert_eq!(world.read::<Job>(&job).id, id);
        let rent = world.svm.minimum_balance_for_rent_exemption(Job::space(1));
        assert_eq!(world.lamports(&job), rent.max(lamports));
    }
    world.assert_books();
}

/// Enough that nothing is left to pay.
const LAMPORTS_ABOVE_ANY_RENT: u64 = 1_000_000_000;

#[test]
fn the_customer_cancels_before_the_award_and_anyone_after_it_is_late() {
    let mut world = World::new();
    let deal = world.bid_for();
    let (buyer, job) = (&deal.buyer, &deal.job);
    let stranger = world.stranger("stranger");
    let by_stranger = ix::cancel_job(&stranger.pubkey(), buyer, job);
    world.assert_refused(std::slice::from_ref(&by_stranger), &[&stranger], MillraceError::AwardPending);
    let reserved = world.read::<Customer>(&buyer.customer).reserved;
    let by_customer = ix::cancel_job(&buyer.authority.pubkey(), buyer, job);
    let cancelled = world.must(std::slice::from_ref(&by_customer), &[&buyer.authority]).event::<JobCancelled>();
    assert_eq!((cancelled.released_amount, cancelled.customer_free), (reserved, 100 * MILL));
    assert_eq!(world.read::<Job>(job).state, JobState::Cancelled as u8);
    world.assert_refused(&[by_customer], &[&buyer.authority], MillraceError::JobNotOpen);
    world.assert_books();

    let late = world.post(buyer, job_args());
    let award_by = world.read::<Job>(&late).award_by;
    world.warp_to(award_by - 1);
    let by_stranger = ix::cancel_job(&stranger.pubkey(), buyer, &late);
    world.assert_refused(std::slice::from_ref(&by_stranger), &[&stranger], MillraceError::AwardPending);
    world.warp_secs(1);
    world.must(&[by_stranger], &[&stranger]);
    assert_eq!(world.read::<Customer>(&buyer.customer).free, 100 * MILL);
    world.assert_books();
}

#[test]
fn an_awarded_job_is_not_cancelled_and_none_frees_anothers_money() {
    let mut world = World::new();
    let deal = world.deal();
    let other = world.customer("other", MILL);
    let cancel = ix::cancel_job(&deal.buyer.authority.pubkey(), &deal.buyer, &deal.job);
    let for_other = ix::swap(cancel.clone(), &deal.buyer.customer, &other.customer);
    world.assert_refused(&[for_other], &[&deal.buyer.authority], MillraceError::WrongAccount);
    world.assert_refused(std::slice::from_ref(&cancel), &[&deal.buyer.authority], MillraceError::JobNotOpen);
    let unsigned = ix::unsigned(cancel, &deal.buyer.authority.pubkey());
    world.assert_refused(&[unsigned], &[&other.authority], ErrorCode::AccountNotSigner);
}

#[test]
fn a_job_closes_when_its_leases_and_fees_are_settled() {
    let mut world = World::new();
    let deal = world.deal();
    let stranger = world.stranger("stranger");
    let close = |world: &World| ix::close_job(world, &deal.job);
    world.assert_refused(&[close(&world)], &[&stranger], MillraceError::LeasesOpen);
    world.warp_secs(60);
    world.settle(&deal.lease, 60, LeaseStatus::Completed);
    world.assert_refused(&[close(&world)], &[&stranger], MillraceError::LeasesOpen);
    let accept = ix::accept_result(&world, &deal.buyer.authority.pubkey(), &deal.lease);
    world.must(&[accept], &[&deal.buyer.authority]);
    world.assert_refused(&[close(&world)], &[&stranger], MillraceError::FeesDue);

    let other = world.customer("other", MILL);
    let to_self = ix::swap(close(&world), &deal.buyer.authority.pubkey(), &stranger.pubkey());
    world.assert_refused(&[to_self], &[&stranger], MillraceError::WrongAccount);
    let of_other = ix::swap(close(&world), &deal.buyer.customer, &other.customer);
    world.assert_refused(&[of_other], &[&stranger], MillraceError::WrongAccount);

    let rent = world.lamports(&deal.job);
    let before = world.lamports(&deal.buyer.authority.pubkey());
    // As clients send it: the sweep and the close in one transaction.
    let closed = world.must(&[ix::sweep_fees(&world, &deal.buyer), close(&world)], &[&stranger]).event::<JobClosed>();
    assert_eq!((closed.released_amount, closed.result_root), (0, [6; 32]));
    assert!(!world.exists(&deal.job));
    assert_eq!(world.lamports(&deal.buyer.authority.pubkey()), before + rent);
    assert_eq!(world.read::<Customer>(&deal.buyer.customer).open_jobs, 0);
    world.assert_books();
}

#[test]
fn an_open_job_does_not_close_and_a_cancelled_one_does() {
    let mut world = World::new();
    let deal = world.posted();
    let stranger = world.stranger("stranger");
    world.assert_refused(&[ix::close_job(&world, &deal.job)], &[&stranger], MillraceError::LeasesOpen);
    let cancel = ix::cancel_job(&deal.buyer.authority.pubkey(), &deal.buyer, &deal.job);
    world.must(&[cancel], &[&deal.buyer.authority]);
    world.must(&[ix::close_job(&world, &deal.job)], &[&stranger]);
    assert_eq!(world.read::<Customer>(&deal.buyer.customer).free, 100 * MILL);
    world.assert_books();
}

#[test]
fn a_closed_job_does_not_come_back() {
    let mut world = World::new();
    let deal = world.posted();
    let authority = &deal.buyer.authority;
    let cancel = ix::cancel_job(&authority.pubkey(), &deal.buyer, &deal.job);
    let close = ix::close_job(&world, &deal.job);
    let revive = transfer(&authority.pubkey(), &deal.job, MILL);
    let bid = ix::place_bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    let all = [cancel, close, revive, bid];
    let refusal = world.send(&all, &[authority, &deal.seller.operator]).expect_err("the job is gone");
    assert_eq!(refusal.code(), Some(u32::from(ErrorCode::AccountOwnedByWrongProgram)), "{}", refusal.error);
}

#[test]
fn a_lease_address_in_use_is_never_opened_again() {
    let mut world = World::new();
    let deal = world.deal();
    // A second award of the same position would need the job open again; the address alone already refuses it.
    world.rewrite::<Job>(&deal.job, |job| {
        job.state = JobState::Open as u8;
        (job.leases_opened, job.leases_open, job.award_cursor, job.positions_filled) = (0, 0, 0, 0);
        job.reserve_amount = job.position_cost().expect("the price is in range");
    });
    world.rewrite::<millrace::state::Node>(&deal.node, |node| {
        (node.lease, node.bid_job) = (Pubkey::default(), deal.job);
    });
    let award = ix::award(&deal.buyer.authority.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job);
    let refusal = world.send(&[award], &[&deal.buyer.authority]).expect_err("the lease exists");
    assert_eq!(refusal.code(), Some(ALREADY_IN_USE), "{}", refusal.error);
}
