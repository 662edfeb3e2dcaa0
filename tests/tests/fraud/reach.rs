//! What an execution reaches on chain: other nodes, and nothing that is not the provider's; and cases that go on.

use anchor_lang::error::ErrorCode;
use millrace::events::{NodeSlashed, SlashExecuted};
use millrace::instructions::PostJobArgs;
use millrace::state::{FraudCase, Node, NodeState, Outcome, Provider, ProviderStatus, Requirements};
use millrace_client::ix::relock_node;
use millrace_core::epoch::FRAUD_WINDOW_EPOCHS;
use millrace_tests::fraud::*;
use millrace_tests::*;

const NODE_STAKE: u64 = 200 * MILL;
const STAKE: u64 = 1_000 * MILL;

/// A run with three wrong entries, and its case with `entries` of them proven.
fn proven(world: &mut World, accusation: &Accusation, entries: u32) -> (SparseRun, Pubkey) {
    let task = world.audit(&accusation.node, 256, 3);
    let run = SparseRun::new(&task, &[(1, 2), (3, 4), (5, 6)], Value::Wrong);
    let case = world.accuse(accusation, &run.commit);
    for round in 0..entries {
        world.prove(accusation, &case, run.entry_proof(round));
    }
    (run, case)
}

/// A proven fraud of a retired node, all stake locked behind two others.
fn hidden(world: &mut World) -> (Accusation, Pubkey, [Pubkey; 2]) {
    let accusation = world.accusation();
    let (_, case) = proven(world, &accusation, 3);
    let seller = &accusation.seller;
    world.must(&[ix::retire(seller, &accusation.node)], &[&seller.authority]);
    // 100 and 1 MILL for each hundred gops: 150 and 850.
    let others = [5_000, 75_000].map(|gops| world.verified_node(seller, NodeSpec { gops, ..NodeSpec::default() }));
    assert_eq!(world.read::<Provider>(&seller.provider).free_stake(), 0);
    (accusation, case, others)
}

#[test]
fn fully_locked_stake_is_slashed_at_once_and_who_loses_it_sells_nothing_until_relocked() {
    let mut world = World::new();
    let (accusation, case, others) = hidden(&mut world);
    let seller = &accusation.seller;
    let receipt = world.execute_with(&case, &others);
    let event = receipt.event::<SlashExecuted>();
    assert_eq!((event.taken_amount, event.unpaid_amount), (NODE_STAKE, 0));
    assert_eq!((event.provider_stake, event.provider_locked), (STAKE - NODE_STAKE, STAKE - NODE_STAKE));
    // The first lost all, the second the rest.
    let slashed = receipt.events_of::<NodeSlashed>();
    assert_eq!([slashed[0].node, slashed[1].node], others);
    assert_eq!([slashed[0].locked_stake, slashed[1].locked_stake], [0, 800 * MILL]);
    for node in others {
        assert_eq!(world.read::<Node>(&node).state, NodeState::Suspended as u8);
    }
    assert_eq!(world.read::<FraudCase>(&case).executed, 1);
    world.assert_books();
    // A good audit does not lift that; stake does.
    let audit = |world: &mut World| {
        world.warp_secs(1);
        let spec = NodeSpec { gops: 75_000, ..NodeSpec::default() };
        let leaf = spec.passed(&others[1], world.epoch(), world.now());
        world.apply(&leaf);
        world.read::<Node>(&others[1]).state
    };
    assert_eq!(audit(&mut world), NodeState::Suspended as u8);
    let relock = relock_node(&seller.authority.pubkey(), &seller.provider, &others[1]);
    world.assert_refused(std::slice::from_ref(&relock), &[&seller.authority], MillraceError::NotEnoughStake);
    world.must(&[ix::stake(&world, seller, 50 * MILL), relock], &[&seller.authority]);
    assert_eq!(world.read::<Node>(&others[1]).locked_stake, 850 * MILL);
    assert_eq!(audit(&mut world), NodeState::Verified as u8);
    world.assert_books();
}

#[test]
fn a_node_that_lost_stake_retires_with_what_it_still_locks() {
    let mut world = World::new();
    let (accusation, case, others) = hidden(&mut world);
    world.execute_with(&case, &others);
    let seller = &accusation.seller;
    for node in &others {
        world.must(&[ix::retire(seller, node)], &[&seller.authority]);
        world.assert_books();
    }
    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!((provider.locked, provider.stake), (0, STAKE - NODE_STAKE));
}

#[test]
fn only_other_nodes_of_the_provider_in_order_are_reached() {
    let mut world = World::new();
    let (accusation, case, others) = hidden(&mut world);
    let stranger = world.provider("stranger", STAKE);
    let foreign = world.verified_node(&stranger, NodeSpec::default());
    let payer = world.deployer.insecure_clone();
    let wrong = [
        vec![others[0], others[0]],
        vec![others[1], others[0]],
        vec![others[0], others[1], others[1]],
        vec![accusation.node],
        vec![accusation.node, others[0]],
        vec![foreign],
        vec![others[0], foreign],
    ];
    for others in wrong {
        let execute = execute_slash_with(&world, &case, &others);
        world.assert_refused(&[execute], &[&payer], MillraceError::WrongAccount);
    }
    let of_another_kind = execute_slash_with(&world, &case, &[accusation.seller.provider]);
    world.assert_refused(&[of_another_kind], &[&payer], ErrorCode::AccountDiscriminatorMismatch);
    let of_another_program = execute_slash_with(&world, &case, &[accusation.bounty_account]);
    world.assert_refused(&[of_another_program], &[&payer], ErrorCode::AccountOwnedByWrongProgram);
    let mut read_only = execute_slash_with(&world, &case, &others);
    read_only.accounts.last_mut().unwrap().is_writable = false;
    world.assert_refused(&[read_only], &[&payer], ErrorCode::AccountNotMutable);
}

#[test]
fn a_node_named_in_vain_is_not_touched() {
    let mut world = World::new();
    let accusation = world.accusation();
    let other = world.verified_node(&accusation.seller, NodeSpec::default());
    let (_, case) = proven(&mut world, &accusation, 3);
    let before = *world.read::<Node>(&other);
    let receipt = world.execute_with(&case, &[other]);
    assert!(receipt.events_of::<NodeSlashed>().is_empty());
    assert_eq!(bytemuck::bytes_of(&*world.read::<Node>(&other)), bytemuck::bytes_of(&before));
}

#[test]
fn a_bond_behind_a_bid_is_reached_last_and_the_bid_still_ends() {
    let mut world = World::new();
    let seller = world.provider("seller", NODE_STAKE);
    let cheat = world.verified_node(&seller, NodeSpec::default());
    let accusation = world.accusation_of(&seller, &cheat);
    let (_, case) = proven(&mut world, &accusation, 3);
    world.must(&[ix::retire(&seller, &cheat)], &[&seller.authority]);
    // All it has: 100.1 behind the smallest node there is, the rest behind its bid on a friend's job.
    let bidder = world.verified_node(&seller, NodeSpec { gops: 10, ..NodeSpec::default() });
    let buyer = world.customer("buyer", 5_000 * MILL);
    let requirements = Requirements { min_gops: 10, ..job_args().requirements };
    let args = PostJobArgs { requirements, max_per_sec: 555_000, ..job_args() };
    let job = world.post(&buyer, args);
    world.bid(&seller, &bidder, &job, 555_000);
    let bond = world.read::<Node>(&bidder).bid_bond;
    assert_eq!(bond, 99_900_000);
    assert_eq!(world.read::<Provider>(&seller.provider).free_stake(), NODE_STAKE - 100_100_000 - bond);
    let receipt = world.execute_with(&case, &[bidder]);
    assert_eq!(receipt.event::<SlashExecuted>().taken_amount, NODE_STAKE);
    let slashed = receipt.event::<NodeSlashed>();
    assert_eq!((slashed.locked_stake, slashed.bid_bond), (0, 0));
    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!((provider.stake, provider.locked, provider.bonds), (0, 0, 0));
    assert_eq!(world.read::<Node>(&bidder).bid_job, job);
    world.assert_books();
    // The bid is broken, and passing over it pays nobody.
    world.end_bidding(&job);
    let award = ix::award(&buyer.authority.pubkey(), &buyer, &seller, &bidder, &job);
    world.assert_refused(&[award], &[&buyer.authority], MillraceError::BidBroken);
    let award_by = world.read::<millrace::state::Job>(&job).award_by;
    world.warp_to(award_by);
    world.must(&[ix::release_bid(&seller, &bidder, &job)], &[&buyer.authority]);
    assert!(world.read::<Node>(&bidder).is_free());
    world.assert_books();
}

// Flipped bits that turn out to be fraud

#[test]
fn accusing_oneself_of_one_entry_does_not_save_the_rest() {
    let mut world = World::new();
    let accusation = world.accusation();
    let (run, case) = proven(&mut world, &accusation, 1);
    let closes_at = world.read::<FraudCase>(&case).closes_at;
    world.warp_to(closes_at);
    // Between the close and the execution it takes no proof; anyone ends that.
    let second = accusation.proving(&case, run.entry_proof(1));
    world.assert_refused(&second, &[&accusation.watcher], MillraceError::CaseClosed);
    let flip = world.execute(&case).event::<SlashExecuted>();
    let penalty = world.config().params.flip_penalty_amount;
    assert_eq!((flip.outcome, flip.taken_amount), (Outcome::FlippedBits as u8, penalty));
    for round in [1, 2] {
        world.prove(&accusation, &case, run.entry_proof(round));
    }
    let fraud = world.execute(&case).event::<SlashExecuted>();
    assert_eq!((fraud.outcome, fraud.taken_amount), (Outcome::Fraud as u8, NODE_STAKE - penalty));
    let provider = world.read::<Provider>(&accusation.seller.provider);
    assert_eq!((provider.slashed_total, provider.status), (NODE_STAKE, ProviderStatus::Jailed as u8));
    assert_eq!(world.read::<FraudCase>(&case).taken_amount, NODE_STAKE);
    let again = [execute_slash(&world, &case)];
    world.assert_refused(&again, &[&accusation.watcher], MillraceError::CaseExecuted);
    world.assert_books();
}

#[test]
fn a_false_link_is_fraud_after_a_flipped_bit_too() {
    let mut world = World::new();
    let accusation = world.accusation();
    let task = world.audit(&accusation.node, 256, 3);
    let run = SparseRun::with_seed_0(&task, [1; 32], &[(1, 2)], Value::Wrong);
    let case = world.accuse(&accusation, &run.commit);
    world.prove(&accusation, &case, run.entry_proof(0));
    let closes_at = world.read::<FraudCase>(&case).closes_at;
    world.warp_to(closes_at);
    world.execute(&case);
    world.must(&[prove_link(&accusation.watcher.pubkey(), &case, run.link_proof(0))], &[&accusation.watcher]);
    // What is proven is executed before the case may go.
    let close = close_case(&world, &case);
    world.assert_refused(&[close], &[&accusation.watcher], MillraceError::CaseNotExecuted);
    assert_eq!(world.execute(&case).event::<SlashExecuted>().outcome, Outcome::Fraud as u8);
    world.assert_books();
}

#[test]
fn a_flipped_bit_stays_provable_until_the_fraud_window_ends() {
    let mut world = World::new();
    let accusation = world.accusation();
    let (run, case) = proven(&mut world, &accusation, 1);
    let closes_at = world.read::<FraudCase>(&case).closes_at;
    world.warp_to(closes_at);
    world.execute(&case);
    let window_ends_at = world.read::<FraudCase>(&case).closes_at;
    let age = world.epoch() - run.commit.epoch;
    world.warp_epochs(FRAUD_WINDOW_EPOCHS - age);
    assert_eq!(world.now(), window_ends_at, "the window of the commit");
    let late = accusation.proving(&case, run.entry_proof(1));
    world.assert_refused(&late, &[&accusation.watcher], MillraceError::CaseClosed);
    world.must(&[close_case(&world, &case)], &[&accusation.watcher]);
    // One second earlier it would have counted.
    let mut world = World::new();
    let accusation = world.accusation();
    let (run, case) = proven(&mut world, &accusation, 1);
    world.warp_to(closes_at);
    world.execute(&case);
    world.warp_to(window_ends_at - 1);
    world.prove(&accusation, &case, run.entry_proof(1));
}

#[test]
fn an_older_audit_held_back_does_not_lift_a_suspension_for_a_flipped_bit() {
    let mut world = World::new();
    let accusation = world.accusation();
    world.warp_secs(1);
    let (_, case) = proven(&mut world, &accusation, 1);
    let closes_at = world.read::<FraudCase>(&case).closes_at;
    world.warp_to(closes_at - 1);
    let held_back = NodeSpec::default().passed(&accusation.node, world.epoch(), world.now());
    let report = world.report_node(&held_back);
    world.warp_to(closes_at);
    world.execute(&case);
    let application = ix::apply_audit(&accusation.node, judged::audit_args(&report, &held_back));
    world.assert_refused(&[application], &[&accusation.watcher], MillraceError::StaleLeaf);
    assert_eq!(world.read::<Node>(&accusation.node).state, NodeState::Suspended as u8);
}

#[test]
fn a_jail_ends_at_its_instant_and_not_before() {
    let mut world = World::new();
    let accusation = world.accusation();
    let (_, case) = proven(&mut world, &accusation, 3);
    let until = world.execute(&case).event::<SlashExecuted>().provider_jailed_until;
    let seller = &accusation.seller;
    let register = ix::register_node(&seller.authority.pubkey(), 1, NodeSpec::default().args());
    world.warp_to(until - 1);
    world.assert_refused(std::slice::from_ref(&register), &[&seller.authority], MillraceError::ProviderJailed);
    // Nothing pauses what is its own.
    world.must(&[ix::begin_unstake(seller, MILL)], &[&seller.authority]);
    world.warp_to(until);
    world.must(&[register], &[&seller.authority]);
    world.assert_books();
}
