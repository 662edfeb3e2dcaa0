//! Accepting, closing, stopping and leaving a lease.

use anchor_lang::error::ErrorCode;
use anchor_lang::prelude::system_program;
use millrace::events::{LeaseClosed, LeaseExited, LeaseSettled, LeaseStopped};
use millrace::state::{Customer, Job, Lease, LeaseState, Node, Provider};
use millrace_core::leaves::LeaseStatus;
use millrace_tests::*;

fn customer(world: &World, deal: &Deal) -> Box<Customer> {
    world.read::<Customer>(&deal.buyer.customer)
}

fn provider(world: &World, deal: &Deal) -> Box<Provider> {
    world.read::<Provider>(&deal.seller.provider)
}

fn lease(world: &World, deal: &Deal) -> Box<Lease> {
    world.read::<Lease>(&deal.lease)
}

#[test]
fn an_accepted_result_pays_the_holdback_at_once() {
    let mut world = World::new();
    let deal = world.completed(100);
    let holdback = lease(&world, &deal).holdback_amount;
    assert_eq!(holdback, 7_000);
    let (earned, rent) = (provider(&world, &deal).earned, world.lamports(&deal.lease));
    let (vault, payer) = (world.tokens(&deal.seller.vault), world.lamports(&deal.buyer.authority.pubkey()));
    let accept = ix::accept_result(&world, &deal.buyer.authority.pubkey(), &deal.lease);
    let sponsor = world.stranger("sponsor");
    let closed = world.must(&[accept], &[&sponsor, &deal.buyer.authority]).event::<LeaseClosed>();
    assert_eq!((closed.accepted, closed.holdback_amount, closed.customer_holdbacks), (true, holdback, 0));
    assert_eq!(provider(&world, &deal).earned, earned + holdback);
    assert_eq!(world.tokens(&deal.seller.vault), vault + holdback);
    assert!(!world.exists(&deal.lease));
    assert_eq!(world.lamports(&deal.buyer.authority.pubkey()), payer + rent, "rent goes to who paid it");
    let job = world.read::<Job>(&deal.job);
    assert_eq!((job.leases_open, job.result_root), (0, [6; 32]));
    world.assert_books();
}

#[test]
fn a_lease_closes_by_anyone_after_its_dispute_window() {
    let mut world = World::new();
    let deal = world.deal();
    let stranger = world.stranger("stranger");
    let close = ix::close_lease(&world, &stranger.pubkey(), &deal.lease);
    world.assert_refused(std::slice::from_ref(&close), &[&stranger], MillraceError::LeaseRunning);
    world.warp_secs(100);
    world.settle(&deal.lease, 100, LeaseStatus::NodeFailed);
    world.assert_refused(std::slice::from_ref(&close), &[&stranger], MillraceError::DisputeWindowOpen);
    let closes_at = lease(&world, &deal).closes_at();
    assert_eq!(closes_at, world.now() + world.config().params.dispute_window_secs);
    world.warp_to(closes_at - 1);
    world.assert_refused(std::slice::from_ref(&close), &[&stranger], MillraceError::DisputeWindowOpen);
    world.warp_secs(1);
    let closed = world.must(&[close], &[&stranger]).event::<LeaseClosed>();
    assert!(!closed.accepted);
    assert_eq!(world.read::<Job>(&deal.job).result_root, [0; 32], "a failed lease has no result");
    world.assert_books();
}

#[test]
fn only_the_customer_accepts_and_only_after_the_end() {
    let mut world = World::new();
    let deal = world.deal();
    let stranger = world.stranger("stranger");
    let other = world.customer("other", 50 * MILL);
    let rival = world.provider("rival", 1_000 * MILL);
    let accept = ix::accept_result(&world, &deal.buyer.authority.pubkey(), &deal.lease);
    world.assert_refused(std::slice::from_ref(&accept), &[&deal.buyer.authority], MillraceError::LeaseRunning);
    world.warp_secs(100);
    world.settle(&deal.lease, 100, LeaseStatus::Completed);
    let by_stranger = ix::accept_result(&world, &stranger.pubkey(), &deal.lease);
    world.assert_refused(&[by_stranger], &[&stranger], MillraceError::WrongAuthority);
    let by_seller = ix::accept_result(&world, &deal.seller.authority.pubkey(), &deal.lease);
    world.assert_refused(&[by_seller], &[&deal.seller.authority], MillraceError::WrongAuthority);
    let unsigned = ix::unsigned(accept.clone(), &deal.buyer.authority.pubkey());
    world.assert_refused(&[unsigned], &[&stranger], ErrorCode::AccountNotSigner);

    let other_job = world.post(&other, job_args());
    let swaps = [
        (deal.job, other_job),
        (deal.buyer.customer, other.customer),
        (deal.buyer.vault, other.vault),
        (deal.seller.provider, rival.provider),
        (deal.seller.vault, rival.vault),
        (deal.seller.vault, deal.buyer.vault),
    ];
    for (from, to) in swaps {
        let swapped = ix::swap(accept.clone(), &from, &to);
        world.assert_refused(&[swapped], &[&deal.buyer.authority], MillraceError::WrongAccount);
    }
    let mut rent_elsewhere = accept.clone();
    rent_elsewhere.accounts[7].pubkey = stranger.pubkey();
    world.assert_refused(&[rent_elsewhere], &[&deal.buyer.authority], MillraceError::WrongAccount);
    let false_program = ix::swap(accept.clone(), &world.standard.id(), &system_program::ID);
    world.assert_refused(&[false_program], &[&deal.buyer.authority], MillraceError::WrongTokenProgram);
    world.must(std::slice::from_ref(&accept), &[&deal.buyer.authority]);
    world.assert_refused(&[accept], &[&deal.buyer.authority], ErrorCode::AccountOwnedByWrongProgram);
}

#[test]
fn a_lease_is_not_accepted_twice_in_one_transaction() {
    let mut world = World::new();
    let deal = world.completed(100);
    let accept = ix::accept_result(&world, &deal.buyer.authority.pubkey(), &deal.lease);
    let revive =
        anchor_lang::solana_program::system_instruction::transfer(&deal.buyer.authority.pubkey(), &deal.lease, MILL);
    let twice = [accept.clone(), revive, accept];
    let refusal = world.send(&twice, &[&deal.buyer.authority]).expect_err("the lease is gone");
    assert_eq!(refusal.code(), Some(u32::from(ErrorCode::AccountOwnedByWrongProgram)), "{}", refusal.error);
    world.assert_books();
}

#[test]
fn a_stop_pays_what_was_proven_and_the_notice() {
    let mut world = World::new();
    let deal = world.deal();
    let other = world.customer("other", MILL);
    let stop = ix::stop_lease(&deal.buyer, &deal.lease);
    let by_other = ix::swap(stop.clone(), &deal.buyer.authority.pubkey(), &other.authority.pubkey());
    world.assert_refused(&[by_other], &[&other.authority], MillraceError::WrongAuthority);
    let of_other = ix::swap(stop.clone(), &deal.buyer.customer, &other.customer);
    world.assert_refused(&[of_other], &[&deal.buyer.authority], MillraceError::WrongAccount);
    let unsigned = ix::unsigned(stop.clone(), &deal.buyer.authority.pubkey());
    world.assert_refused(&[unsigned], &[&other.authority], ErrorCode::AccountNotSigner);

    world.warp_secs(100);
    // Stopped before any leaf was applied: the lease is still Awarded.
    let stopped = world.must(std::slice::from_ref(&stop), &[&deal.buyer.authority]).event::<LeaseStopped>();
    assert_eq!(stopped.max_secs, 130, "100 s and a notice of 30");
    assert_eq!((lease(&world, &deal).state, lease(&world, &deal).stop_at), (LeaseState::Awarded as u8, world.now()));
    world.assert_refused(std::slice::from_ref(&stop), &[&deal.buyer.authority], MillraceError::AlreadyStopped);
    world.warp_secs(500);
    let settled = world.settle(&deal.lease, 600, LeaseStatus::Stopped).event::<LeaseSettled>();
    assert_eq!(settled.paid_secs, 130, "the node worked on, but nobody owes it for that");
    assert_eq!(provider(&world, &deal).interruptions, 1);
    world.assert_refused(&[stop], &[&deal.buyer.authority], MillraceError::LeaseEnded);
    world.assert_books();
}

#[test]
fn a_stop_near_the_end_lengthens_nothing() {
    let mut world = World::new();
    let deal = world.deal();
    world.warp_secs(3_590);
    world.must(&[ix::stop_lease(&deal.buyer, &deal.lease)], &[&deal.buyer.authority]);
    assert_eq!(lease(&world, &deal).max_secs, 3_600);
}

#[test]
fn either_side_leaves_when_the_oracles_are_silent() {
    for who in 0..3 {
        let mut world = World::new();
        let deal = world.deal();
        world.warp_secs(100);
        world.settle(&deal.lease, 100, LeaseStatus::Running);
        let seen_at = lease(&world, &deal).last_leaf_at;
        let caller = [&deal.buyer.authority, &deal.seller.authority, &deal.seller.operator][who];
        let exit = ix::exit_lease(&world, &caller.pubkey(), &deal.lease);
        world.warp_to(seen_at + world.config().params.oracle_outage_secs - 1);
        world.assert_refused(std::slice::from_ref(&exit), &[caller], MillraceError::OraclesNotSilent);
        world.warp_secs(1);
        let stranger = world.stranger("stranger");
        let by_stranger = ix::exit_lease(&world, &stranger.pubkey(), &deal.lease);
        world.assert_refused(&[by_stranger], &[&stranger], MillraceError::WrongAuthority);
        let exited = world.must(std::slice::from_ref(&exit), &[caller]).event::<LeaseExited>();
        assert_eq!(exited.paid_secs, 100, "what was proven stays paid");
        let ended = lease(&world, &deal);
        assert_eq!((ended.state, ended.reserve_amount), (LeaseState::Exited as u8, 0));
        assert_eq!(world.read::<Node>(&deal.node).lease, Pubkey::default());
        assert_eq!(provider(&world, &deal).interruptions, 1);
        assert_eq!(customer(&world, &deal).reserved, 0);
        world.assert_books();
        world.assert_refused(&[exit], &[caller], MillraceError::LeaseEnded);
        // The oracles come back too late.
        let late = world.settlement(&deal.lease, 900, LeaseStatus::Completed);
        world.assert_refused(&[late], &[&stranger], MillraceError::LeaseEnded);
    }
}

#[test]
fn a_lease_no_leaf_ever_reached_is_left_after_the_outage_since_its_award() {
    let mut world = World::new();
    let deal = world.deal();
    let rival = world.provider("rival", 1_000 * MILL);
    let rival_node = world.verified_node(&rival, NodeSpec::default());
    let other = world.customer("other", MILL);
    let exit = ix::exit_lease(&world, &deal.seller.operator.pubkey(), &deal.lease);
    let started_at = lease(&world, &deal).started_at;
    world.warp_to(started_at + world.config().params.oracle_outage_secs);
    let swaps =
        [(deal.buyer.customer, other.customer), (deal.seller.provider, rival.provider), (deal.node, rival_node)];
    for (from, to) in swaps {
        let swapped = ix::swap(exit.clone(), &from, &to);
        world.assert_refused(&[swapped], &[&deal.seller.operator], MillraceError::WrongAccount);
    }
    world.must(&[exit], &[&deal.seller.operator]);
    assert_eq!(customer(&world, &deal).free, 100 * MILL, "nothing was proven, nothing is owed");
    world.assert_books();
    let stranger = world.stranger("stranger");
    let closes_at = lease(&world, &deal).closes_at();
    world.warp_to(closes_at);
    world.must(&[ix::close_lease(&world, &stranger.pubkey(), &deal.lease)], &[&stranger]);
    world.must(&[ix::close_job(&world, &deal.job)], &[&stranger]);
}

#[test]
fn a_node_suspended_at_work_is_still_paid_and_freed() {
    let mut world = World::new();
    let deal = world.deal();
    world.rewrite::<Node>(&deal.node, |node| node.state = millrace::state::NodeState::Suspended as u8);
    world.warp_secs(100);
    world.settle(&deal.lease, 100, LeaseStatus::Completed);
    let node = world.read::<Node>(&deal.node);
    assert_eq!((node.lease, node.state), (Pubkey::default(), millrace::state::NodeState::Suspended as u8));
    world.assert_books();
}

#[test]
fn neither_node_nor_provider_closes_under_an_open_lease() {
    let mut world = World::new();
    let deal = world.deal();
    let stranger = world.stranger("stranger");
    // As a slash leaves it: retired at work.
    let now = world.now();
    world.rewrite::<Node>(&deal.node, |node| {
        (node.state, node.retired_at) = (millrace::state::NodeState::Retired as u8, now);
    });
    let locked = world.read::<Node>(&deal.node).locked_stake;
    world.rewrite::<Provider>(&deal.seller.provider, |provider| provider.locked -= locked);
    world.warp_secs(world.config().params.judged_within_secs());
    let close_node = ix::close_node(&world, &deal.node);
    world.assert_refused(std::slice::from_ref(&close_node), &[&stranger], MillraceError::NodeBusy);
    let exit = ix::exit_lease(&world, &deal.buyer.authority.pubkey(), &deal.lease);
    world.must(&[exit], &[&deal.buyer.authority]);
    world.must(&[close_node], &[&stranger]);

    let stake = provider(&world, &deal).stake;
    world.must(&[ix::begin_unstake(&deal.seller, stake)], &[&deal.seller.authority]);
    world.warp_secs(world.config().params.unbonding_secs);
    world.must(&[ix::withdraw(&world, &deal.seller)], &[&deal.seller.authority]);
    let close_provider = ix::close_provider(&world, &deal.seller);
    let signer = &[&deal.seller.authority];
    world.assert_refused(std::slice::from_ref(&close_provider), signer, MillraceError::ProviderNotEmpty);
    world.must(&[ix::close_lease(&world, &stranger.pubkey(), &deal.lease)], &[&stranger]);
    world.must(&[close_provider], signer);
    world.assert_books();
}

#[test]
fn parameters_changed_under_an_open_lease_change_nothing_of_it() {
    let (mut changed, mut untouched) = (World::new(), World::new());
    let deals = (changed.bid_for(), untouched.bid_for());
    changed.rewrite::<millrace::state::Config>(&pda::config(), |config| {
        let params = &mut config.params;
        (params.fee_bps, params.holdback_bps, params.bid_bond_bps) = (2_000, 5_000, 5_000);
        (params.dispute_window_secs, params.oracle_outage_secs, params.stop_notice_secs) = (1, 1, 1_000);
        params.reliability_half_fee_amount = 1;
    });
    let outcome = |world: &mut World, deal: &Deal| {
        world.award(deal);
        world.warp_secs(100);
        world.settle(&deal.lease, 100, LeaseStatus::Completed);
        let (customer, provider, lease) = (customer(world, deal), provider(world, deal), lease(world, deal));
        (
            customer.free,
            customer.fee_due,
            customer.holdbacks,
            provider.earned,
            provider.reliability_bps,
            lease.closes_at(),
        )
    };
    assert_eq!(outcome(&mut changed, &deals.0), outcome(&mut untouched, &deals.1));
}
