//! Nodes: what they lock, who may speak for them, and when they may go.

use anchor_lang::error::ErrorCode;
use millrace::events::{AskSet, DrainSet, NodeClosed, NodeRegistered, NodeRetired};
use millrace::instructions::RegisterNodeArgs;
use millrace::state::{Node, NodeClass, NodeState, Provider, ProviderStatus};
use millrace_core::epoch::FRAUD_WINDOW_EPOCHS;
use millrace_core::stake::required_stake;
use millrace_tests::{ix, pda, MillraceError, NodeSpec, Pubkey, Seller, Signer, World, MILL};

const STAKE: u64 = 1_000 * MILL;
/// The system program's refusal to create an account twice.
const ALREADY_IN_USE: u32 = 0;

fn market() -> (World, Seller) {
    let mut world = World::new();
    let seller = world.provider("seller", STAKE);
    (world, seller)
}

fn market_with_node() -> (World, Seller, Pubkey) {
    let (mut world, seller) = market();
    let node = world.node(&seller, &NodeSpec::default());
    (world, seller, node)
}

fn claim(change: impl FnOnce(&mut RegisterNodeArgs)) -> RegisterNodeArgs {
    let mut args = NodeSpec::default().args();
    change(&mut args);
    args
}

// register_node

#[test]
fn a_node_locks_the_stake_its_claim_needs() {
    let (mut world, seller) = market();
    let spec = NodeSpec { gops: 10_001, ..NodeSpec::default() };
    let register = ix::register_node(&seller.authority.pubkey(), 0, spec.args());
    let event: NodeRegistered = world.must(&[register], &[&seller.authority]).event();

    let params = world.config().params;
    let wanted = required_stake(10_001, params.stake_base_amount, params.stake_per_1000_gops_amount).unwrap();
    assert_eq!(wanted, 200_010_000);
    assert_eq!((event.locked_stake, event.provider_locked, event.provider_stake), (wanted, wanted, STAKE));
    let node = world.read::<Node>(&pda::node(&seller.provider, 0));
    assert_eq!((node.version, node.state, node.class), (1, NodeState::Registered as u8, NodeClass::Gpu as u8));
    assert_eq!((node.provider, node.index, node.locked_stake), (seller.provider, 0, wanted));
    assert_eq!((node.claimed_gops, node.verified_gops, node.ask_per_sec), (10_001, 0, 100));
    assert!(node.is_free() && !node.is_able(world.now()));
    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!((provider.locked, provider.next_node_index, provider.open_nodes), (wanted, 1, 1));
}

#[test]
fn nodes_are_numbered_in_order() {
    let (mut world, seller, first) = market_with_node();
    let second = world.node(&seller, &NodeSpec::default());
    assert_eq!((world.read::<Node>(&first).index, world.read::<Node>(&second).index), (0, 1));
    for taken in [0, 1] {
        let again = ix::register_node(&seller.authority.pubkey(), taken, NodeSpec::default().args());
        world.assert_refused(&[again], &[&seller.authority], ErrorCode::ConstraintSeeds);
    }
    let skipped = ix::register_node(&seller.authority.pubkey(), 3, NodeSpec::default().args());
    world.assert_refused(&[skipped], &[&seller.authority], ErrorCode::ConstraintSeeds);
}

#[test]
fn an_index_in_use_is_not_taken_over() {
    let (mut world, seller, _) = market_with_node();
    world.rewrite::<Provider>(&seller.provider, |provider| provider.next_node_index = 0);
    let over = ix::register_node(&seller.authority.pubkey(), 0, NodeSpec::default().args());
    world.assert_refused(&[over], &[&seller.authority], ALREADY_IN_USE);
}

#[test]
fn lamports_sent_ahead_do_not_block_a_node() {
    let (mut world, seller) = market();
    world.svm.airdrop(&pda::node(&seller.provider, 0), 1_000_000).unwrap();
    let node = world.node(&seller, &NodeSpec::default());
    assert_eq!(world.read::<Node>(&node).rent_payer, seller.authority.pubkey());
}

#[test]
fn too_little_stake_sells_nothing() {
    let mut world = World::new();
    let seller = world.provider("seller", 200 * MILL - 1);
    let register = ix::register_node(&seller.authority.pubkey(), 0, NodeSpec::default().args());
    world.assert_refused(std::slice::from_ref(&register), &[&seller.authority], MillraceError::NotEnoughStake);
    world.must(&[ix::stake(&world, &seller, 1)], &[&seller.authority]);
    world.must(&[register], &[&seller.authority]);
    // Nothing is free for a second one.
    let second = ix::register_node(&seller.authority.pubkey(), 1, NodeSpec::default().args());
    world.assert_refused(&[second], &[&seller.authority], MillraceError::NotEnoughStake);
}

#[test]
fn a_claim_no_stake_could_cover_overflows_nothing() {
    let (mut world, seller) = market();
    let args = claim(|args| args.claimed_gops = u64::MAX);
    let register = ix::register_node(&seller.authority.pubkey(), 0, args);
    world.assert_refused(&[register], &[&seller.authority], MillraceError::MathOverflow);
}

#[test]
fn a_claim_must_make_sense() {
    let (mut world, seller) = market();
    let wrong: [fn(&mut RegisterNodeArgs); 5] = [
        |args| args.class = 2,
        |args| args.region = 64,
        |args| args.gpu_count = 0,
        |args| (args.class, args.gpu_count) = (NodeClass::Cpu as u8, 2),
        |args| args.claimed_gops = 0,
    ];
    for change in wrong {
        let register = ix::register_node(&seller.authority.pubkey(), 0, claim(change));
        world.assert_refused(&[register], &[&seller.authority], MillraceError::BadNode);
    }
    let cheap = ix::register_node(&seller.authority.pubkey(), 0, claim(|args| args.ask_per_sec = 0));
    world.assert_refused(&[cheap], &[&seller.authority], MillraceError::BelowPriceFloor);
    let processor = ix::register_node(
        &seller.authority.pubkey(),
        0,
        claim(|args| (args.class, args.region) = (NodeClass::Cpu as u8, 63)),
    );
    world.must(&[processor], &[&seller.authority]);
}

#[test]
fn a_jailed_provider_registers_nothing_until_the_jail_ends() {
    let (mut world, seller) = market();
    let jailed_until = world.now() + 100;
    world.rewrite::<Provider>(&seller.provider, |provider| {
        provider.status = ProviderStatus::Jailed as u8;
        provider.jailed_until = jailed_until;
    });
    let register = ix::register_node(&seller.authority.pubkey(), 0, NodeSpec::default().args());
    world.assert_refused(std::slice::from_ref(&register), &[&seller.authority], MillraceError::ProviderJailed);
    world.warp_secs(100);
    world.must(&[register], &[&seller.authority]);
}

#[test]
fn no_unrelated_account_passes_for_one_of_a_node_call() {
    let (mut world, seller, node) = market_with_node();
    let (hot, provider) = (seller.operator.pubkey(), seller.provider);
    let register = ix::register_node(&seller.authority.pubkey(), 1, NodeSpec::default().args());
    world.assert_no_account_is_replaceable(&register, &[&seller.authority]);
    world.assert_no_account_is_replaceable(&ix::retire(&seller, &node), &[&seller.authority]);
    for by_operator in [ix::set_ask(&hot, &provider, &node, 9), ix::drain(&hot, &provider, &node, true)] {
        world.assert_no_account_is_replaceable(&by_operator, &[&seller.operator]);
    }
}

#[test]
fn only_the_cold_key_registers_nodes() {
    let (mut world, seller) = market();
    let other = world.provider("other", STAKE);
    let honest = ix::register_node(&seller.authority.pubkey(), 0, NodeSpec::default().args());
    let by_operator = ix::swap(honest.clone(), &seller.authority.pubkey(), &seller.operator.pubkey());
    world.assert_refused(&[by_operator], &[&seller.operator], MillraceError::WrongAuthority);
    let on_anothers_stake = ix::register_node(&other.authority.pubkey(), 0, NodeSpec::default().args());
    let on_anothers_stake = ix::swap(on_anothers_stake, &other.authority.pubkey(), &seller.authority.pubkey());
    world.assert_refused(&[on_anothers_stake], &[&seller.authority], MillraceError::WrongAuthority);
    let unsigned = ix::unsigned(honest, &seller.authority.pubkey());
    world.assert_refused(&[unsigned], &[&other.authority], ErrorCode::AccountNotSigner);
}

// set_ask and drain

#[test]
fn hot_and_cold_key_set_the_ask_above_the_floor() {
    let (mut world, seller, node) = market_with_node();
    for (signer, price) in [(&seller.operator, 50), (&seller.authority, 60)] {
        let ask = ix::set_ask(&signer.pubkey(), &seller.provider, &node, price);
        let event: AskSet = world.must(&[ask], &[signer]).event();
        assert_eq!((event.node, event.ask_per_sec), (node, price));
        assert_eq!(world.read::<Node>(&node).ask_per_sec, price);
    }
    world.rewrite::<Provider>(&seller.provider, |provider| provider.min_bid_per_sec = 40);
    let below = ix::set_ask(&seller.operator.pubkey(), &seller.provider, &node, 39);
    world.assert_refused(&[below], &[&seller.operator], MillraceError::BelowPriceFloor);
}

#[test]
fn a_draining_node_takes_no_work_until_it_resumes() {
    let (mut world, seller) = market();
    let node = world.verified_node(&seller, NodeSpec::default());
    for (draining, signer) in [(true, &seller.operator), (false, &seller.authority)] {
        let drain = ix::drain(&signer.pubkey(), &seller.provider, &node, draining);
        let event: DrainSet = world.must(&[drain], &[signer]).event();
        assert_eq!((event.node, event.draining), (node, draining));
        assert_eq!(world.read::<Node>(&node).is_able(world.now()), !draining);
    }
}

#[test]
fn only_the_providers_keys_speak_for_its_node() {
    let (mut world, seller, node) = market_with_node();
    let other = world.provider("other", STAKE);
    let (hot, provider) = (seller.operator.pubkey(), seller.provider);
    for honest in [ix::set_ask(&hot, &provider, &node, 9), ix::drain(&hot, &provider, &node, true)] {
        let by_another = ix::swap(honest.clone(), &hot, &other.operator.pubkey());
        world.assert_refused(&[by_another], &[&other.operator], MillraceError::WrongOperator);
        let own_provider =
            ix::swap(ix::swap(honest.clone(), &hot, &other.operator.pubkey()), &provider, &other.provider);
        world.assert_refused(&[own_provider], &[&other.operator], MillraceError::WrongAccount);
        let unsigned = ix::unsigned(honest.clone(), &hot);
        world.assert_refused(&[unsigned], &[&other.operator], ErrorCode::AccountNotSigner);
        let not_a_node = ix::swap(honest, &node, &other.provider);
        world.assert_refused(&[not_a_node], &[&seller.operator], ErrorCode::AccountDiscriminatorMismatch);
    }
}

// retire

#[test]
fn retiring_frees_the_stake_and_keeps_the_figure() {
    let (mut world, seller, node) = market_with_node();
    let event: NodeRetired = world.must(&[ix::retire(&seller, &node)], &[&seller.authority]).event();
    assert_eq!((event.unlocked_amount, event.provider_locked, event.provider_stake), (200 * MILL, 0, STAKE));
    let state = world.read::<Node>(&node);
    assert_eq!((state.state, state.retired_at), (NodeState::Retired as u8, world.now()));
    assert_eq!(state.locked_stake, 200 * MILL);
    // It leaves through unbonding only.
    world.must(&[ix::begin_unstake(&seller, STAKE)], &[&seller.authority]);
}

#[test]
fn a_retired_node_is_gone_for_good() {
    let (mut world, seller, node) = market_with_node();
    world.must(&[ix::retire(&seller, &node)], &[&seller.authority]);
    world.assert_refused(&[ix::retire(&seller, &node)], &[&seller.authority], MillraceError::NodeRetired);
    let (hot, provider) = (seller.operator.pubkey(), seller.provider);
    for late in [ix::set_ask(&hot, &provider, &node, 9), ix::drain(&hot, &provider, &node, false)] {
        world.assert_refused(&[late], &[&seller.operator], MillraceError::NodeRetired);
    }
}

#[test]
fn a_node_with_a_bid_or_a_lease_does_not_retire() {
    let (mut world, seller, node) = market_with_node();
    let held: [fn(&mut Node); 2] = [
        |node| node.bid_job = Pubkey::new_from_array([1; 32]),
        |node| {
            node.bid_job = Pubkey::default();
            node.lease = Pubkey::new_from_array([2; 32]);
        },
    ];
    for hold in held {
        world.rewrite(&node, hold);
        world.assert_refused(&[ix::retire(&seller, &node)], &[&seller.authority], MillraceError::NodeBusy);
    }
}

#[test]
fn only_the_cold_key_retires_its_own_node() {
    let (mut world, seller, node) = market_with_node();
    let other = world.provider("other", STAKE);
    let honest = ix::retire(&seller, &node);
    let by_operator = ix::swap(honest.clone(), &seller.authority.pubkey(), &seller.operator.pubkey());
    world.assert_refused(&[by_operator], &[&seller.operator], MillraceError::WrongAuthority);
    let anothers = ix::retire(&other, &node);
    world.assert_refused(&[anothers], &[&other.authority], MillraceError::WrongAccount);
    let unsigned = ix::unsigned(honest, &seller.authority.pubkey());
    world.assert_refused(&[unsigned], &[&other.authority], ErrorCode::AccountNotSigner);
}

// close_node

#[test]
fn a_node_stays_on_the_books_while_its_fraud_can_be_judged() {
    let (mut world, seller, node) = market_with_node();
    let stranger = world.stranger("stranger");
    let close = ix::close_node(&world, &node);
    world.assert_refused(std::slice::from_ref(&close), &[&stranger], MillraceError::NodeNotRetired);
    world.must(&[ix::retire(&seller, &node)], &[&seller.authority]);

    let params = world.config().params;
    let window_secs = params.epoch_secs * FRAUD_WINDOW_EPOCHS as i64;
    assert_eq!(window_secs, params.unbonding_secs, "here both waits are as long");
    world.warp_secs(window_secs + 2 * params.case_window_secs - 1);
    world.assert_refused(std::slice::from_ref(&close), &[&stranger], MillraceError::FraudWindowOpen);
    world.warp_secs(1);

    let rent = world.lamports(&node);
    let before = world.lamports(&seller.authority.pubkey());
    let event: NodeClosed = world.must(&[close], &[&stranger]).event();
    assert_eq!((event.node, event.provider, event.open_nodes), (node, seller.provider, 0));
    assert!(!world.exists(&node));
    assert_eq!(world.lamports(&seller.authority.pubkey()), before + rent);
}

#[test]
fn a_node_waits_for_unbonding_where_that_is_longer() {
    let (mut world, seller, node) = market_with_node();
    world.rewrite::<millrace::state::Config>(&pda::config(), |config| config.params.unbonding_secs = 100_000);
    world.must(&[ix::retire(&seller, &node)], &[&seller.authority]);
    let close = ix::close_node(&world, &node);
    world.warp_secs(100_000 + 2 * 600 - 1);
    world.assert_refused(std::slice::from_ref(&close), &[&seller.operator], MillraceError::FraudWindowOpen);
    world.warp_secs(1);
    world.must(&[close], &[&seller.operator]);
}

#[test]
fn a_nodes_rent_goes_to_who_paid_it() {
    let (mut world, seller, node) = market_with_node();
    let other = world.provider("other", STAKE);
    world.must(&[ix::retire(&seller, &node)], &[&seller.authority]);
    world.warp_secs(100_000);
    world.assert_no_account_is_replaceable(&ix::close_node(&world, &node), &[&other.authority]);
    let honest = ix::close_node(&world, &node);
    let to_another = ix::swap(honest.clone(), &seller.authority.pubkey(), &other.authority.pubkey());
    world.assert_refused(&[to_another], &[&other.authority], MillraceError::WrongAccount);
    let of_another = ix::swap(honest, &seller.provider, &other.provider);
    world.assert_refused(&[of_another], &[&other.authority], MillraceError::WrongAccount);
}
