//! Settling, accepting, closing, stopping and leaving a lease.

use anchor_lang::error::ErrorCode;
use anchor_lang::prelude::system_program;
use millrace::events::{LeaseClosed, LeaseExited, LeaseSettled, LeaseStopped};
use millrace::instructions::SettleLeaseArgs;
use millrace::state::{Customer, Job, Lease, LeaseState, Node, Provider};
use millrace_core::leaves::LeaseStatus;
use millrace_core::reliability::{after_completion, after_failure, RELIABILITY_FLOOR_BPS};
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
fn a_running_lease_is_paid_by_the_second_net_of_the_holdback() {
    let mut world = World::new();
    let deal = world.deal();
    let before = customer(&world, &deal);
    let vaults = (world.tokens(&deal.buyer.vault), world.tokens(&deal.seller.vault));
    world.warp_secs(100);
    let settled = world.settle(&deal.lease, 90, LeaseStatus::Running).event::<LeaseSettled>();
    // 90 s at 700; 10% held back; a fee of 5%.
    assert_eq!((settled.net_amount, settled.holdback_amount, settled.fee_amount), (56_700, 6_300, 3_150));
    assert_eq!((settled.state, settled.paid_secs), (LeaseState::Active as u8, 90));
    assert_eq!(world.tokens(&deal.buyer.vault), vaults.0 - 56_700);
    assert_eq!(world.tokens(&deal.seller.vault), vaults.1 + 56_700);
    let after = customer(&world, &deal);
    assert_eq!(after.reserved, before.reserved - 56_700 - 6_300 - 3_150);
    assert_eq!((after.holdbacks, after.fee_due, after.paid, after.free), (6_300, 3_150, 56_700, before.free));
    assert_eq!(provider(&world, &deal).earned, 56_700);
    let lease = lease(&world, &deal);
    assert_eq!((lease.gross_amount, lease.fee_amount, lease.holdback_amount), (63_000, 3_150, 6_300));
    assert_eq!((lease.checkpoint_root, lease.ended_at), ([5; 32], 0));
    assert_eq!(world.read::<Node>(&deal.node).lease, deal.lease, "the node is still at work");
    world.assert_books();
}

#[test]
fn settling_in_many_parts_pays_what_settling_once_does() {
    let (mut often, mut once) = (World::new(), World::new());
    let deals = (often.deal(), once.deal());
    let began = often.now();
    for secs in [1, 2, 3, 100, 101, 333, 1_000] {
        often.warp_to(began + secs);
        often.settle(&deals.0.lease, secs as u64, LeaseStatus::Running);
        often.assert_books();
    }
    often.warp_to(began + 1_500);
    often.settle(&deals.0.lease, 1_234, LeaseStatus::Completed);
    once.warp_to(began + 1_500);
    once.settle(&deals.1.lease, 1_234, LeaseStatus::Completed);

    let books = |world: &World, deal: &Deal| {
        let (customer, provider) = (customer(world, deal), provider(world, deal));
        let tokens = (world.tokens(&deal.buyer.vault), world.tokens(&deal.seller.vault));
        (
            customer.free,
            customer.paid,
            customer.holdbacks,
            customer.fee_due,
            provider.earned,
            provider.reliability_bps,
            tokens,
        )
    };
    assert_eq!(books(&often, &deals.0), books(&once, &deals.1));
    once.assert_books();
}

#[test]
fn no_second_is_paid_twice_nor_beyond_what_passed_or_was_reserved() {
    let mut world = World::new();
    let deal = world.deal();
    let began = world.now();
    world.warp_secs(50);
    // Oracles claim an hour after fifty seconds: only what passed until the root was accepted is paid.
    let over = world.settle(&deal.lease, 3_600, LeaseStatus::Running).event::<LeaseSettled>();
    let elapsed = u64::try_from(world.now() - began).unwrap();
    assert_eq!(over.paid_secs, elapsed);
    world.warp_secs(10);
    let less = world.settle(&deal.lease, 10, LeaseStatus::Running).event::<LeaseSettled>();
    assert_eq!((less.paid_secs, less.net_amount), (elapsed, 0), "a smaller figure takes nothing back");
    world.warp_to(began + 10_000);
    let end = world.settle(&deal.lease, 10_000, LeaseStatus::Completed).event::<LeaseSettled>();
    assert_eq!((end.paid_secs, end.reserve_amount), (3_600, 0), "never beyond the length of the lease");
    assert_eq!(lease(&world, &deal).gross_amount, 3_600 * BID_PER_SEC);
    world.assert_books();
}

#[test]
fn a_leaf_is_applied_once_in_order_and_before_the_end() {
    let mut world = World::new();
    let deal = world.deal();
    let stranger = world.stranger("stranger");
    world.warp_secs(10);
    let first = world.settlement(&deal.lease, 10, LeaseStatus::Running);
    world.warp_to_next_epoch();
    let second = world.settlement(&deal.lease, 20, LeaseStatus::Running);
    world.warp_to_next_epoch();
    let third = world.settlement(&deal.lease, 30, LeaseStatus::Completed);
    world.must(std::slice::from_ref(&second), &[&stranger]);
    world.assert_refused(std::slice::from_ref(&second), &[&stranger], MillraceError::StaleLeaf);
    world.assert_refused(&[first], &[&stranger], MillraceError::StaleLeaf);
    world.must(std::slice::from_ref(&third), &[&stranger]);
    world.assert_refused(&[third], &[&stranger], MillraceError::LeaseEnded);
    world.warp_secs(60);
    let late = world.settlement(&deal.lease, 40, LeaseStatus::Running);
    world.assert_refused(&[late], &[&stranger], MillraceError::LeaseEnded);
    world.assert_books();
}

#[test]
fn what_the_oracles_found_before_the_award_is_not_of_this_lease() {
    let mut world = World::new();
    let deal = world.deal();
    let stranger = world.stranger("stranger");
    let mut leaf = world.lease_leaf(&deal.lease, 3_000, LeaseStatus::Completed);
    for at in [leaf.at - 3_000, leaf.at] {
        leaf.at = at;
        let report = world.report_lease(&leaf);
        let settle = ix::settle_lease(&world, &deal.lease, World::settle_args(&report, &leaf));
        world.assert_refused(&[settle], &[&stranger], MillraceError::StaleLeaf);
    }
}

#[test]
fn a_leaf_must_lie_under_an_accepted_root() {
    let mut world = World::new();
    let deal = world.deal();
    let stranger = world.stranger("stranger");
    world.warp_secs(10);
    let leaf = world.lease_leaf(&deal.lease, 10, LeaseStatus::Running);
    let mut of_other = leaf;
    of_other.lease = [1; 32];
    let node_leaf = NodeSpec::default().passed(&deal.node, 0, world.now());
    let report = world.report(&[leaf.tree_node(), of_other.tree_node(), node_leaf.tree_node()]);
    let args = World::settle_args(&report, &leaf);
    let mut refuse = |change: &dyn Fn(&mut SettleLeaseArgs), error: MillraceError| {
        let mut args = args.clone();
        change(&mut args);
        world.assert_refused(&[ix::settle_lease(&world, &deal.lease, args)], &[&stranger], error);
    };
    let (other_index, other_path) = report.proof(1);
    refuse(&|args| args.epoch += 1, MillraceError::NoAcceptedRoot);
    refuse(&|args| args.epoch += 64, MillraceError::NoAcceptedRoot);
    refuse(&|args| args.index = 1, MillraceError::WrongPath);
    refuse(&|args| args.index = 3, MillraceError::WrongPath);
    refuse(&|args| args.index += 4, MillraceError::WrongPath);
    refuse(&|args| args.path[0] ^= 1, MillraceError::WrongPath);
    refuse(&|args| args.path = other_path.clone(), MillraceError::WrongPath);
    refuse(&|args| args.path.truncate(24), MillraceError::WrongPath);
    refuse(&|args| args.path.truncate(47), MillraceError::WrongPath);
    refuse(&|args| args.path.extend([0; 24]), MillraceError::WrongPath);
    refuse(&|args| args.path.clear(), MillraceError::WrongPath);
    refuse(&|args| args.leaf[32] ^= 1, MillraceError::WrongPath);
    refuse(&|args| args.leaf[48] = 5, MillraceError::NotALeaf);
    refuse(
        &|args| (args.index, args.path, args.leaf) = (other_index, other_path.clone(), of_other.to_bytes()),
        MillraceError::LeafOfAnother,
    );
    world.must(&[ix::settle_lease(&world, &deal.lease, args)], &[&stranger]);
}

#[test]
fn a_leaf_dated_after_its_root_is_refused() {
    let mut world = World::new();
    let deal = world.deal();
    let stranger = world.stranger("stranger");
    world.warp_secs(10);
    let mut leaf = world.lease_leaf(&deal.lease, 10, LeaseStatus::Running);
    leaf.at += 10_000;
    let report = world.report_lease(&leaf);
    let settle = ix::settle_lease(&world, &deal.lease, World::settle_args(&report, &leaf));
    world.assert_refused(&[settle], &[&stranger], MillraceError::LeafTooNew);
}

#[test]
fn one_root_counts_for_an_epoch() {
    let mut world = World::new();
    let deal = world.deal();
    let stranger = world.stranger("stranger");
    world.warp_secs(10);
    let (honest, other) = (
        world.lease_leaf(&deal.lease, 10, LeaseStatus::Running),
        world.lease_leaf(&deal.lease, 9, LeaseStatus::Completed),
    );
    let epoch = world.unsigned_epoch();
    let dissent = Report::over(epoch, &[other.tree_node()]);
    let lone = world.oracles[0].insecure_clone();
    world.must(&[ix::sign_report(&lone.pubkey(), report::sign_args(&dissent))], &[&lone]);
    let by_dissent = ix::settle_lease(&world, &deal.lease, World::settle_args(&dissent, &other));
    world.assert_refused(std::slice::from_ref(&by_dissent), &[&stranger], MillraceError::NoAcceptedRoot);
    let agreed = Report::over(epoch, &[honest.tree_node()]);
    for oracle in [1, 2] {
        let oracle = world.oracles[oracle].insecure_clone();
        world.must(&[ix::sign_report(&oracle.pubkey(), report::sign_args(&agreed))], &[&oracle]);
    }
    world.assert_refused(&[by_dissent], &[&stranger], MillraceError::WrongPath);
    world.must(&[ix::settle_lease(&world, &deal.lease, World::settle_args(&agreed, &honest))], &[&stranger]);
}

#[test]
fn a_settlement_takes_the_accounts_its_lease_names() {
    let mut world = World::new();
    let deal = world.deal();
    let other = world.customer("other", 50 * MILL);
    let rival = world.provider("rival", 1_000 * MILL);
    let rival_node = world.verified_node(&rival, NodeSpec::default());
    world.warp_secs(100);
    let settle = world.settlement(&deal.lease, 10, LeaseStatus::Completed);
    let stranger = world.stranger("stranger");
    let swaps = [
        (deal.buyer.customer, other.customer),
        (deal.buyer.vault, other.vault),
        (deal.buyer.vault, deal.seller.vault),
        (deal.seller.provider, rival.provider),
        (deal.seller.vault, rival.vault),
        (deal.seller.vault, deal.buyer.vault),
        (deal.seller.vault, deal.seller.tokens),
        (deal.node, rival_node),
    ];
    for (from, to) in swaps {
        world.assert_refused(&[ix::swap(settle.clone(), &from, &to)], &[&stranger], MillraceError::WrongAccount);
    }
    let false_program = ix::swap(settle.clone(), &world.standard.id(), &system_program::ID);
    world.assert_refused(&[false_program], &[&stranger], MillraceError::WrongTokenProgram);
    for (from, to) in [(deal.lease, deal.job), (pda::reports(), pda::oracles()), (deal.node, deal.lease)] {
        let confused = ix::swap(settle.clone(), &from, &to);
        world.assert_refused(&[confused], &[&stranger], ErrorCode::AccountDiscriminatorMismatch);
    }
    let false_mint = world.put_mint("false mint", tokens::good_mint(), TokenStandard::Token, &[]);
    let of_false_mint = ix::swap(settle.clone(), &world.mint, &false_mint);
    /// The token programs' `MintMismatch`.
    const MINT_MISMATCH: u32 = 3;
    world.assert_refused(&[of_false_mint], &[&stranger], MINT_MISMATCH);
    world.must(&[settle], &[&stranger]);
    world.assert_books();
}

#[test]
fn every_end_frees_node_and_reserve_and_marks_the_record() {
    let ends = [
        (LeaseStatus::Completed, LeaseState::Completed, (1, 0, 0)),
        (LeaseStatus::JobFailed, LeaseState::JobFailed, (0, 0, 0)),
        (LeaseStatus::NodeFailed, LeaseState::NodeFailed, (0, 1, 0)),
        (LeaseStatus::Stopped, LeaseState::Stopped, (0, 0, 1)),
    ];
    for (status, state, counts) in ends {
        let mut world = World::new();
        let deal = world.deal();
        world.rewrite::<Provider>(&deal.seller.provider, |provider| provider.reliability_bps = 4_000);
        world.warp_secs(200);
        let settled = world.settle(&deal.lease, 200, status).event::<LeaseSettled>();
        assert_eq!((settled.state, settled.paid_secs, settled.reserve_amount), (state as u8, 200, 0));
        let lease = lease(&world, &deal);
        assert!(lease.has_ended() && lease.ended_at == world.now());
        assert_eq!(lease.exit_code, i32::from(status == LeaseStatus::JobFailed));
        // The customer's own failure is paid in full, like every other second the node was live.
        assert_eq!((lease.gross_amount, lease.reserve_amount), (200 * BID_PER_SEC, 0));
        assert_eq!(world.read::<Node>(&deal.node).lease, Pubkey::default());
        let customer = customer(&world, &deal);
        assert_eq!((customer.reserved, customer.holdbacks), (0, lease.holdback_amount));
        assert_eq!(customer.free, 100 * MILL - lease.gross_amount - lease.fee_amount);
        let provider = provider(&world, &deal);
        assert_eq!((provider.completions, provider.failures, provider.interruptions), counts, "{status:?}");
        let reliability = match status {
            LeaseStatus::Completed => after_completion(4_000, lease.fee_amount, MILL),
            LeaseStatus::NodeFailed => after_failure(4_000),
            _ => 4_000,
        };
        assert_eq!(provider.reliability_bps, reliability, "{status:?}");
        assert!(provider.reliability_bps >= RELIABILITY_FLOOR_BPS);
        world.assert_books();
    }
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
