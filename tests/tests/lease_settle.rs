//! Paying a lease by what the oracles found.

use anchor_lang::error::ErrorCode;
use anchor_lang::prelude::system_program;
use millrace::events::LeaseSettled;
use millrace::instructions::SettleLeaseArgs;
use millrace::state::{Customer, Lease, LeaseState, Node, Provider};
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
    refuse(&|args| args.leaf[56] = 5, MillraceError::NotALeaf);
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
